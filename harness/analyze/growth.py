"""Which part of a frame grew, from launches of two kernels that took turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.analyze.attribution import PARTS, FrameAccount

CONFIDENCE = 0.95


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

    Pairs are launches side by side, of which each gives one difference a part: a launch's own luck is in them.
    Student's interval over the pairs, with Bonferroni's correction for the number of parts.

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
    pairs = len(differences)
    half = math.inf
    if pairs > 1:
        half = float(stats.t.ppf((1 + confidence) / 2, pairs - 1) * differences.std(ddof=1) / math.sqrt(pairs))
    mean = float(differences.mean())
    return PartChange(name, float(theirs.mean()), float(ours.mean()), mean - half, mean + half)


def grown(changes: Sequence[PartChange]) -> PartChange | None:
    """The part that grew most, among those that grew for sure."""
    return next((one for one in changes if one.sure and one.change_ms > 0), None)
