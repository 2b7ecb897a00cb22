"""Sessions replayed on launches of a known effect: drawn from a distribution, or recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.core.arrays import F64
from harness.core.comparison.contradiction import AGREE_SHARE, Doubt, doubt_of
from harness.core.comparison.statistics import Decision, Next, Plan, decide_effects, next_look

DrawEffects = Callable[[np.random.Generator, int], F64]
"""Launch effects: generator, count → shape (count,)."""


@dataclass(frozen=True)
class DrawnLaunches:
    """Launches of a session, in order."""

    effects: F64
    """Log frame time, candidate minus reference, shape (n,)."""
    checks: Mapping[str, F64] = field(default_factory=dict)
    """By figure: the same effects by it, NaN where a launch has none, shape (n,) each."""
    share: float = AGREE_SHARE
    """Share of an effect that is uncertain anyway where launches have checks."""

    def first(self, count: int) -> "DrawnLaunches":
        """Only the first launches."""
        return DrawnLaunches(self.effects[:count], {name: one[:count] for name, one in self.checks.items()}, self.share)

    def followed_by(self, other: "DrawnLaunches") -> "DrawnLaunches":
        """These launches, and then others; a figure that one side lacks is unknown there."""
        names, sides = {**self.checks, **other.checks}, (self, other)
        checks = {
            name: np.concatenate([one.checks.get(name, np.full(len(one.effects), math.nan)) for one in sides])
            for name in names
        }
        return DrawnLaunches(np.concatenate([one.effects for one in sides]), checks, max(self.share, other.share))

    def doubt(self, trim: float) -> Doubt:
        """How much the session widens its interval, as a real one does."""
        return doubt_of(self.effects, self.checks, trim, self.share) if self.checks else Doubt()


def run_session(effects: F64 | DrawnLaunches, plan: Plan, relinked: F64 | DrawnLaunches | None = None) -> Decision:
    """Measure until the protocol says stop, on launches that are already known, at least ``plan.launches`` of them.

    Parameters
    ----------
    relinked
        As many launches of images linked in other orders, which an alarm is checked on.
    """
    launches, others = _drawn(effects), None if relinked is None else _drawn(relinked)
    batches = np.zeros(len(launches.effects), np.int64)
    first, second = 0, 0
    decision = decide_effects(launches.effects[:0], batches[:0], plan)
    while decision.next is not Next.STOP and (more := next_look(first, second, plan)):
        if decision.next is Next.CONFIRM or second:
            batches[first + second :] = 1
            if not second and others is not None:
                launches = launches.first(first).followed_by(others.first(len(launches.effects) - first))
            second += more
        else:
            first += more
        seen = launches.first(first + second)
        relinks = bool(second) and others is not None
        decision = decide_effects(seen.effects, batches[: first + second], plan, relinks, seen.doubt(plan.trim))
    return decision


def _drawn(launches: F64 | DrawnLaunches) -> DrawnLaunches:
    return launches if isinstance(launches, DrawnLaunches) else DrawnLaunches(launches)


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
