"""What the modes stage keeps: which sizes the display was given while the kernel ran, and how each was followed."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.record import Observed, StageRecord

ModeSize = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True)
class AskedMode:
    """One size of the display; the first is that of the command line. Host times since the epoch."""

    size: ModeSize
    asked_ns: int
    """0 of the first."""
    checked: int
    """Pictures captured from then on, those of the change included."""
    intact: int
    """Pictures whose every pixel is right."""
    host_wait_ns: int = 0
    """How long the machine waited for a core of the host while it changed."""


@dataclass(frozen=True)
class ModeChange:
    """A change that was followed, by the device's trace."""

    size: ModeSize
    shown_ns: int
    """From the request to the first frame of the new size."""
    gap_ns: int
    """From the last frame of the old size to the first of the new one."""


@dataclass(frozen=True)
class ModesRecord(StageRecord, stage="modes"):
    """One run through several modes; serial log and trace beside it are all that a replay needs besides."""

    observed: Observed
    asked: tuple[AskedMode, ...]
    changes: tuple[ModeChange, ...] = ()
    bad: tuple[str, ...] = ()
    """Pictures that are not what they should be, in words."""
    refused: tuple[str, ...] = ()
    """Sizes that the guest refused, in its words."""
    notes: tuple[str, ...] = ()
    """Why the guest did not take a size from the display's EDID."""
