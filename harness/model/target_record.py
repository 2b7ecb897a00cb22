"""A target as it is kept with a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageRecord:
    """One file that a target booted."""

    role: str
    """``kernel``, ``initrd``, ``disk.0`` …"""
    name: str
    """As its target's file names it."""
    sha256: str
    size: int


@dataclass(frozen=True)
class TargetRecord:
    """The target of a run, as it was."""

    name: str
    toml: str
    """Its file, comments aside."""
    images: tuple[ImageRecord, ...] = ()
    file: str = ""
    """Where the file lay, as the user named it."""
