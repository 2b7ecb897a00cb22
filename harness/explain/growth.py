"""Which part of a frame grew, from launches of two kernels that took turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.core.arrays import F64
from harness.explain.attribution import PARTS, FrameAccount
from harness.explain.effects import CONFIDENCE

TRIMMED = 0.2
"""Share of the pairs that is left out at either end: a host that stalls a launch for longer than ``usual_ms`` removes
would make one pair outweigh all others."""


@dataclass(frozen=True)
class PartChange:
    """How much longer one part of a frame takes with the candidate, ms."""

    part: str
    reference_ms: float
    candidate_ms: float
    low_ms: float
    high_ms: float
    """Interval of the change; those of all parts hold at once."""

    @property
    def change_ms(self) -> float:
        return self.candidate_ms - self.reference_ms

    @property
    def sure(self) -> bool:
        """Whether the interval excludes no change."""
        return self.low_ms > 0 or self.high_ms < 0

    @property
    def words(self) -> str:
        """``draw grew by 0.21 ms (0.19 to 0.23)``."""
        if not self.sure:
            return f"{self.part} did not change for sure ({self.low_ms:+.3f} to {self.high_ms:+.3f} ms)"
        low, high = sorted((abs(self.low_ms), abs(self.high_ms)))
        verb = "grew" if self.change_ms > 0 else "shrank"
        return f"{self.part} {verb} by {abs(self.change_ms):.3f} ms ({low:.3f} to {high:.3f})"


def part_changes(
    reference: Sequence[FrameAccount], candidate: Sequence[FrameAccount], confidence: float = CONFIDENCE
) -> tuple[PartChange, ...]:
    """Changes of all parts, the largest first.

    Pairs are launches side by side; each gives one difference for each part.
    Yuen's interval of their trimmed mean (Biometrika 61, 1974), which is Student's where there are too few to leave
    any out, with Bonferroni's correction for the number of parts.

    Raises
    ------
    ValueError
        When the launches do not pair.
    """
    if len(reference) != len(candidate):
        raise ValueError(f"{len(reference)} launches do not pair with {len(candidate)}")
    names = [name for name in PARTS if any(name in account.parts for account in (*reference, *candidate))]
    found = [_change(name, reference, candidate, 1 - (1 - confidence) / len(names)) for name in names]
    return tuple(sorted(found, key=lambda one: -abs(one.change_ms)))


def _change(
    name: str, reference: Sequence[FrameAccount], candidate: Sequence[FrameAccount], confidence: float
) -> PartChange:
    ours = np.array([account.usual_ms(name) for account in candidate])
    theirs = np.array([account.usual_ms(name) for account in reference])
    differences = ours - theirs
    mean, half = _trimmed(differences, confidence)
    reference_ms = float(stats.trim_mean(theirs, TRIMMED))
    return PartChange(name, reference_ms, reference_ms + mean, mean - half, mean + half)


def _trimmed(values: F64, confidence: float) -> tuple[float, float]:
    """Trimmed mean, and half the width of its interval."""
    out = int(TRIMMED * len(values))
    kept = len(values) - 2 * out
    mean = float(stats.trim_mean(values, TRIMMED))
    if kept < 2:
        return mean, math.inf
    ordered = np.sort(values)
    winsorized = ordered.clip(ordered[out], ordered[-1 - out])
    error = math.sqrt((len(values) - 1) * winsorized.var(ddof=1) / (kept * (kept - 1)))
    return mean, float(stats.t.ppf((1 + confidence) / 2, kept - 1)) * error


def grown(changes: Sequence[PartChange]) -> PartChange | None:
    """The part that grew most, among those that grew for sure."""
    return next((one for one in changes if one.sure and one.change_ms > 0), None)
