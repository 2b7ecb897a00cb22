"""The hosts that a command line asks for. No library is imported: help is answered before anything is installed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClusterRequest:
    """The hosts that a command line asks for."""

    where: str
    """``local``, or a scheduler's address."""
    insecure: bool = False
    workers: int = 0
    """How many ``local`` starts; 0 for one a pair of cores."""
