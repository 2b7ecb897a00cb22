"""Moderated variances of many small samples.

Four launches hardly show a spread, but twenty alternatives of one session have nearly the same one, because it is
mostly the machine's. Each variance is moved towards the common one, by as much as they agree (G. K. Smyth,
Stat. Appl. Genet. Mol. Biol. 3, 2004): where they differ truly, each keeps its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from harness.core.arrays import F64
from harness.core.comparison.estimate import Estimate

FEWEST = 4
"""Fewest samples that show a common variance."""
_SMALLEST_SPREAD = 1e-9


def moderate(found: Sequence[Estimate]) -> tuple[Estimate, ...]:
    """The same estimates with moderated errors and degrees of freedom, in their order."""
    if len(found) < FEWEST:
        return tuple(found)
    freedom = np.array([one.freedom for one in found], float)
    variance = np.array([max(one.spread, _SMALLEST_SPREAD) ** 2 for one in found])
    prior_freedom, prior_variance = _prior(variance, freedom)
    moderated = (prior_freedom * prior_variance + freedom * variance) / (prior_freedom + freedom)
    return tuple(
        replace(
            one,
            spread=math.sqrt(new),
            error=one.error * math.sqrt(new / old),
            freedom=int(one.freedom + prior_freedom),
        )
        for one, old, new in zip(found, variance, moderated)
    )


def _prior(variance: F64, freedom: F64) -> tuple[float, float]:
    """Degrees of freedom and variance that the samples, shape (n,), have in common, by moments of log variances."""
    logs = np.log(variance) - digamma(freedom / 2) + np.log(freedom / 2)
    centre = float(np.mean(logs))
    excess = float(np.var(logs, ddof=1) - np.mean(polygamma(1, freedom / 2)))
    most = float(np.sum(freedom))
    if excess <= float(polygamma(1, most / 2)):
        return most, math.exp(centre)
    half = brentq(lambda x: float(polygamma(1, x)) - excess, 1e-6, most)
    return min(2 * half, most), math.exp(centre + float(digamma(half)) - math.log(half))
