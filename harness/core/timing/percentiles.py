"""Percentiles with intervals that assume nothing of the distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from harness.core.arrays import F64


@dataclass(frozen=True)
class Percentile:
    """A percentile; ``low`` and ``high`` bound it with 95 % confidence, and are None where there are too few values."""

    value: float
    low: float | None
    high: float | None
    n: int


def percentile(values: F64, per_cent: float, confidence: float = 0.95) -> Percentile:
    """A percentile by linear interpolation, with its interval by order statistics.

    How many of n values lie below the true percentile is binomial (Conover, Practical Nonparametric Statistics, 3.2):
    two of the sorted values therefore bound it with the wanted confidence, where there are enough of them.

    Parameters
    ----------
    values : ndarray, shape (n,)
        At least one.
    """
    ordered = np.sort(values)
    share, n = per_cent / 100, len(ordered)
    tail = (1 - confidence) / 2
    low, high = int(binom.ppf(tail, n, share)), int(binom.ppf(1 - tail, n, share)) + 1
    bounded = low >= 1 and high <= n
    return Percentile(
        float(np.percentile(ordered, per_cent)),
        float(ordered[low - 1]) if bounded else None,
        float(ordered[high - 1]) if bounded else None,
        n,
    )
