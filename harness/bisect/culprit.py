"""Which side of a bisection a measured commit is on, and whether a culprit is confirmed."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from harness.core.wording import changed_by, span


class BisectMark(enum.Enum):
    """The word that ``git bisect`` gets for a commit."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


@dataclass(frozen=True)
class MeasuredEffect:
    """A kernel's frame rate against another's, as relative change: -0.05 is 5 % slower."""

    change: float
    low: float
    high: float
    """Ends of the interval, low <= change <= high."""
    decided: bool = True
    """The comparison came to "changed" or "unchanged" at the threshold that it was asked with."""

    @property
    def surely_not_zero(self) -> bool:
        """The interval excludes zero."""
        return self.low > 0 or self.high < 0

    @property
    def words(self) -> str:
        """The effect for people, as a change of frame time: ``5.9 % slower (+5.4 to +6.8 %)``, at 95 % confidence."""
        slower, low, high = (1 / (1 + change) - 1 for change in (self.change, self.high, self.low))
        return f"{changed_by(slower)} ({span(low, high)})"


def threshold(whole: MeasuredEffect) -> float:
    """The smallest change that a step must detect: half of the effect between the two ends.

    The weaker end of the effect's interval counts, because a noisy estimate may be twice the true effect; but at least
    a quarter of the estimate, because a step could not detect less.
    """
    weaker = min(abs(whole.low), abs(whole.high)) if whole.surely_not_zero else 0.0
    return max(weaker / 2, abs(whole.change) / 4)


def side_of(step: MeasuredEffect, whole: MeasuredEffect) -> BisectMark:
    """The side of a commit.

    Parameters
    ----------
    step
        The commit against the good end, asked with :func:`threshold`.
    whole
        The bad end against the good end.
    """
    if whole.change < 0:
        change, low, high = -step.change, -step.high, -step.low
    else:
        change, low, high = step.change, step.low, step.high
    middle = threshold(whole)
    if step.decided:
        return BisectMark.BAD if change >= middle else BisectMark.GOOD
    if low > middle:
        return BisectMark.BAD
    return BisectMark.GOOD if high < middle else BisectMark.SKIP


def confirmed(own: MeasuredEffect, whole: MeasuredEffect) -> bool:
    """A culprit's own effect, against its parent, is certain and beyond the threshold of the search."""
    return own.decided and own.surely_not_zero and side_of(own, whole) is BisectMark.BAD
