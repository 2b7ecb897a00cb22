"""Bounds for looking at growing data more than once.

A test at the 5 % level, repeated after every few launches until it finds a change, finds one in far more than 5 % of
unchanged trees. Alpha spending (K. K. G. Lan and D. L. DeMets, Biometrika 70, 1983) fixes how much of the error may be
used up by each look; the bounds follow by recursive numerical integration (P. Armitage, C. K. McPherson and B. C.
Rowe, JRSS A 132, 1969). Intervals built with them hold at all looks at once and so under any rule for stopping:
repeated confidence intervals (C. Jennison and B. W. Turnbull, JRSS B 51, 1989).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy import stats

SPENDING_POWER = 2.0
"""alpha * t**2 is spent by fraction t (K. Kim and D. L. DeMets, Biometrika 74, 1987): little on early looks."""
_GRID = 801
_REACH = 8.5
"""Standard deviations that the integration grid spans to each side."""


def spent(alpha: float, fraction: float) -> float:
    """Error that may be used up when this fraction of the planned data is in."""
    return float(alpha * min(max(fraction, 0.0), 1.0) ** SPENDING_POWER)


@functools.lru_cache(maxsize=4096)
def bounds(fractions: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """Two-sided bounds on the standardised statistic, one for each look.

    Parameters
    ----------
    fractions : tuple of float
        Share of the planned data at each look, rising, in (0, 1].
    alpha : float
        Two-sided error over all looks.

    Returns
    -------
    tuple of float
        P(abs(z) exceeds its bound at any analysis) = ``spent(alpha, fractions[-1])`` when there is no effect.
    """
    if not fractions or fractions[0] <= 0 or any(b <= a for a, b in zip(fractions, fractions[1:])):
        raise ValueError("looks must be at rising fractions above 0")
    unit = np.linspace(-_REACH, _REACH, _GRID)
    points = np.zeros(1)
    weights = np.ones(1)
    found: list[float] = []
    used, before = 0.0, 0.0
    for fraction in fractions:
        grid = unit * np.sqrt(fraction)
        step = grid[1] - grid[0]
        spread = np.sqrt(fraction - before)
        density = weights @ stats.norm.pdf((grid[None, :] - points[:, None]) / spread) / spread
        target = spent(alpha, fraction) - used
        # The density is symmetric: the upper tail holds half of what this look may spend.
        tail = np.cumsum(density[::-1])[::-1] * step - density * step / 2
        bound = float(np.interp(-np.log(target / 2), -np.log(np.maximum(tail, 1e-300)), grid)) / np.sqrt(fraction)
        found.append(bound)
        inside = np.abs(grid) < bound * np.sqrt(fraction)
        points, weights = grid[inside], density[inside] * step
        used, before = spent(alpha, fraction), fraction
    return tuple(found)


def look_sizes(planned: int, looks: int, fewest: int) -> tuple[int, ...]:
    """Numbers of launches at which to look: evenly spread up to the plan, none below the fewest that say anything."""
    sizes = {max(round(planned * look / looks), fewest) for look in range(1, looks + 1)}
    return tuple(sorted(size for size in sizes if size <= planned)) or (planned,)


def bound_at(size: int, planned: int, looks: Sequence[int], alpha: float) -> float | None:
    """The bound that holds at the last planned look up to now; None before the first.

    Between looks the bound of the last one would not hold for the newer data, so callers evaluate at looks only.
    """
    done = tuple(look for look in looks if look <= size)
    if not done:
        return None
    return bounds(tuple(look / planned for look in done), alpha)[-1]
