"""Do the figures of the same launches contradict each other?

On a host that preempts, a launch is summed up by a figure that leaves out what others did. Such a figure may be
wrong in ways of its own: the fastest frames of a kernel that draws ahead are shorter than its work, and computed time
does not see what a kernel waits for. So each launch keeps other figures of the same effect, which are noisier. What is
told of the size then spans all of them that surely differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import F64
from harness.core.comparison.estimate import estimate
from harness.core.comparison.undisturbed import COMPUTED
from harness.core.wording import signed_percent

CERTAINTY = 3.0
"""Standard errors, as a normal bound: among 370 pairs of figures that agree one seems not to."""
AGREE = 0.01
"""Log difference that is none, beside ``AGREE_SHARE`` of the effect: a busy core's caches cost each arm a little."""
AGREE_SHARE = 0.1
"""Also what a size is uncertain by on a host that preempts: the slower arm drew fewer frames, and so other ones."""
COMPUTED_SHARE = 1 / 3
"""The same where computed time stands for the frame time.

A CPU that polls while the device's thread waits for a core computes, too, so that every part of a frame seems less of
it: beside a busy loop on each core a frame computed 3.5 ms instead of 2.5, and 8.4 % more was read as 6.3 ± 0.5 % (135
launches on a 16-core host).
"""


@dataclass(frozen=True)
class Doubt:
    """How much wider an interval is than the spread of the launches makes it."""

    size: float = 0.0
    """How far other figures are apart from the effect, as a log difference; 0 where they agree or there are none."""
    words: str = ""
    share: float = 0.0
    """Share of the effect that is uncertain anyway."""

    def beside(self, effect: float) -> float:
        """What half of an interval around an effect grows by."""
        return max(self.size, self.share * abs(effect))


def doubt_of(effects: F64, checks: Mapping[str, F64], trim: float, share: float = AGREE_SHARE) -> Doubt:
    """The largest contradiction between the effects of launches and the same effects by other figures.

    Parameters
    ----------
    effects
        Log frame time, candidate minus reference, shape (n,).
    checks
        By figure, the same, NaN where a launch has none, shape (n,) each.
    trim
        Of the trimmed mean.
    share
        Of the effect that is uncertain anyway, on a host that preempts.
    """
    worst = Doubt(share=share if checks else 0.0)
    for name, values in checks.items():
        known = np.isfinite(values) & np.isfinite(effects)
        gap, said = estimate((values - effects)[known], trim, correlated=False), estimate(effects[known], trim)
        if gap is None or said is None:
            continue
        surely = abs(gap.effect) - gap.half_width(CERTAINTY)
        agreeing = COMPUTED_SHARE if name == COMPUTED else AGREE_SHARE
        if surely > AGREE + agreeing * abs(said.effect) and abs(gap.effect) > worst.size:
            other = signed_percent(math.expm1(said.effect + gap.effect))
            worst = Doubt(abs(gap.effect), f"but {other} by {name}: the load may hide or make a part of it", share)
    return worst
