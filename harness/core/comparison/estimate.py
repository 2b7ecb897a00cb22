"""Location of noisy effects with its standard error: robust against outliers, corrected for autocorrelation."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.core.arrays import F64

_CORRELATION_KNOWN = 20
"""Launches below which their autocorrelation cannot be told from chance."""


@dataclass(frozen=True)
class Estimate:
    """Location of launch effects with its standard error."""

    effect: float
    error: float
    freedom: int
    """Degrees of freedom of ``error``."""
    spread: float
    correlation: float
    """Lag-1 autocorrelation of the launches; widens ``error``."""

    def half_width(self, bound: float) -> float:
        """Half the width of an interval: the given normal bound is converted to Student's t."""
        return _t_bound(bound, self.freedom) * self.error


@functools.lru_cache(maxsize=4096)
def _t_bound(bound: float, freedom: int) -> float:
    """The bound of Student's t that is exceeded as often as a normal bound. A simulation asks for it all the time."""
    return -float(special.stdtrit(freedom, special.ndtr(-bound)))


def hodges_lehmann(values: F64) -> float:
    """Median of all pairwise means, each value with itself included, shape (n,) with n > 0."""
    first, second = np.triu_indices(len(values))
    return float(np.median((values[first] + values[second]) / 2))


def estimate(effects: F64, trim: float, correlated: bool = True) -> Estimate | None:
    """Trimmed mean of launch effects, shape (n,); None with fewer than three.

    With ``correlated`` the error is widened for autocorrelated launches, once there are enough of them to tell.
    """
    count = len(effects)
    if count < 3:
        return None
    cut = int(trim * count)
    ordered = np.sort(effects)
    kept = count - 2 * cut
    centre = float(ordered[cut : count - cut].mean())
    winsorised = np.clip(effects, ordered[cut], ordered[count - cut - 1])
    share = kept / count
    spread = float(winsorised.std(ddof=1)) / share
    correlation = _lag_1(winsorised) if correlated and count >= _CORRELATION_KNOWN else 0.0
    error = max(spread / math.sqrt(count) * math.sqrt((1 + correlation) / (1 - correlation)), 1e-12)
    freedom = max(2, int(kept * (1 - correlation) / (1 + correlation)) - 1)
    return Estimate(centre, error, freedom, spread, correlation)


def _lag_1(values: F64) -> float:
    """Lag-1 autocorrelation, 0 to 0.9, corrected upwards for a short series with an estimated mean.

    The plain estimate is too low by (1 + 4 r) / n (F. H. C. Marriott and J. A. Pope, Biometrika 41, 1954); half as much
    again is added, because an error too small costs false alarms and one too large only launches.
    """
    centred = values - values.mean()
    energy = float(centred @ centred)
    if energy <= 0:
        return 0.0
    plain = float(centred[1:] @ centred[:-1]) / energy
    return min(max(plain + (2 + 6 * max(plain, 0.0)) / len(values), 0.0), 0.9)
