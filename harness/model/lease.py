"""The cores that a run has for itself, as they are kept with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lease:
    """Cores that a run has for itself."""

    cores: tuple[int, ...]
    """One CPU of each, the idlest first."""
    at_once: int
    """How many threads may compute at once: cores, unless a quota allows fewer."""
    waited_s: float = 0.0
    notices: tuple[str, ...] = ()
    """Reasons why these cores are not ideal."""
