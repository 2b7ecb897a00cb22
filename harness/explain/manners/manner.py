"""One thing that a driver does, with figures, and what to do better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DriverManner:
    """What one rule found."""

    rule: str
    """Its name: ``round trips``."""
    figures: str
    """What was seen, or why nothing can be said where ``looked`` is False."""
    advice: str = ""
    """One sentence for the driver's author; empty where there is nothing to fix."""
    looked: bool = True

    @property
    def tripped(self) -> bool:
        return bool(self.advice)


def not_looked(rule: str, why: str) -> DriverManner:
    """A rule that lacks what it needs: no pass, and no advice."""
    return DriverManner(rule, f"not looked at: {why}", looked=False)
