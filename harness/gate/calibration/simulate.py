"""Sessions replayed on launches of a known effect: drawn from a distribution, or recorded."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness.core.arrays import F64
from harness.core.statistics import Decision, Next, Plan, decide_effects, next_look

DrawEffects = Callable[[np.random.Generator, int], F64]
"""Launch effects: generator, count → shape (count,)."""


def run_session(effects: F64, plan: Plan, relinked: F64 | None = None) -> Decision:
    """Measure until the protocol says stop, on effects that are already known, shape (at least plan.launches,).

    Parameters
    ----------
    relinked
        Effects of images linked in other orders, as many, which an alarm is checked on.
    """
    batches = np.zeros(len(effects), np.int64)
    first, second = 0, 0
    decision = decide_effects(effects[:0], batches[:0], plan)
    while decision.next is not Next.STOP and (more := next_look(first, second, plan)):
        if decision.next is Next.CONFIRM or second:
            batches[first + second :] = 1
            if not second and relinked is not None:
                effects = np.concatenate([effects[:first], relinked[: len(effects) - first]])
            second += more
        else:
            first += more
        taken = first + second
        decision = decide_effects(effects[:taken], batches[:taken], plan, bool(second) and relinked is not None)
    return decision


def normal(sd: float) -> DrawEffects:
    """Independent launches of normal noise."""
    return lambda rng, count: rng.normal(0, sd, count)


def heavy_tailed(sd: float, freedom: float = 3.0) -> DrawEffects:
    """Student's t, scaled to this standard deviation."""
    scale = sd / math.sqrt(freedom / (freedom - 2))
    return lambda rng, count: rng.standard_t(freedom, count) * scale


def bimodal(sd: float) -> DrawEffects:
    """Two kinds of launches, 1.8 standard deviations apart."""
    return lambda rng, count: rng.choice((-0.9, 0.9), count) * sd + rng.normal(0, sd * math.sqrt(1 - 0.81), count)


def with_outliers(sd: float, share: float = 0.05, size: float = 12.0) -> DrawEffects:
    """Normal launches, some of which are many times as noisy."""

    def draw(rng: np.random.Generator, count: int) -> F64:
        series: F64 = rng.normal(0, sd, count) * np.where(rng.random(count) < share, size, 1.0)
        return series

    return draw


def autocorrelated(sd: float, phi: float = 0.2) -> DrawEffects:
    """Autocorrelated launches."""

    def draw(rng: np.random.Generator, count: int) -> F64:
        series = np.zeros(count)
        value = rng.normal(0, sd)
        for index in range(count):
            value = phi * value + rng.normal(0, sd * math.sqrt(1 - phi**2))
            series[index] = value
        return series

    return draw


def resampled(recorded: F64) -> DrawEffects:
    """Launches drawn with replacement from recorded effects, shape (n,), centred on no effect."""
    centred: F64 = recorded - np.median(recorded)

    def draw(rng: np.random.Generator, count: int) -> F64:
        chosen: F64 = rng.choice(centred, count)
        return chosen

    return draw
