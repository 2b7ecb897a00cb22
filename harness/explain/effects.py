"""The effect of each switch, changed one at a time; which effects are noise, and which pairs do not add up.

Every alternative was measured against the same combination, the base, launch by launch
(:mod:`harness.core.comparison.statistics`). Among many alternatives some would differ by chance: the intervals hold for
all of them at once (O. J. Dunn, JASA 56, 1961), and at every look. Their spreads are moderated
(:mod:`harness.explain.moderate`).

Effects are changes of frame time relative to the base: 0.1 is a frame that takes 10 % longer. Times add where one
thing follows another, so a pair adds up when its change is the sum of its parts' changes.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.core.budget import NO_TIME
from harness.core.comparison.estimate import Estimate, estimate
from harness.core.comparison.sequential import bound_at, look_sizes
from harness.core.comparison.statistics import Plan
from harness.core.wording import percent, signed_percent, span
from harness.explain.moderate import moderate

CONFIDENCE = 0.95
"""Confidence that no interval of a family misses its value."""

CLEAR = 0.1
"""When the smallest detectable change exceeds this, noise neither shows an effect nor rules one out."""

Changes = tuple[tuple[str, str], ...]
"""Switches with the values they were changed to."""


class Worth(enum.Enum):
    """The change of a frame that an alternative makes."""

    SLOWER = "slower"
    FASTER = "faster"
    NOISE = "noise"


@dataclass(frozen=True)
class Sample:
    """One alternative as it was measured."""

    changes: Changes
    effects: tuple[float, ...]
    """Log frame time, alternative minus base, one a launch."""
    planned: int
    """Launches that the budget had room for."""

    @property
    def looks(self) -> tuple[int, ...]:
        plan = Plan(launches=self.planned)
        return look_sizes(self.planned, plan.looks, plan.fewest)


@dataclass(frozen=True)
class Effect:
    """One alternative's change of frame time."""

    changes: Changes
    worth: Worth
    change: float
    low: float
    high: float
    """Interval of ``change`` that holds together with all others of its family."""
    launches: int

    @property
    def smallest_detectable(self) -> float:
        """The largest change, to either side, that the interval leaves possible."""
        return max(abs(self.low), abs(self.high))

    @property
    def words(self) -> str:
        """The conclusion, in a few words."""
        if self.worth is not Worth.NOISE:
            return str(self.worth.value)
        return (
            "noise"
            if self.smallest_detectable <= CLEAR
            else f"noise that may hide {percent(self.smallest_detectable, 0)}"
        )


@dataclass(frozen=True)
class Unmeasured:
    """An alternative without a measurement, and why."""

    changes: Changes
    why: str
    same_code: Changes | None = None
    """The alternative whose machine code this one has; empty for the base."""


@dataclass(frozen=True)
class Interaction:
    """Two changes made together, against the sum of each made alone."""

    changes: Changes
    together: float
    apart: float
    """Sum of the changes of frame time of either alone."""
    excess: float
    """``together`` minus ``apart``, of the base's frame time."""
    low: float
    high: float
    adds_up: bool

    @property
    def words(self) -> str:
        sizes = f"{signed_percent(self.together)} together, {signed_percent(self.apart)} as a sum"
        sure = f"difference {span(self.low, self.high)}"
        return f"{'adds up within the noise' if self.adds_up else 'does not add up'}: {sizes} ({sure})"


@dataclass(frozen=True)
class Ablation:
    """Everything about one base."""

    base: str
    frame_ms: float
    """Mean frame time of the base over all launches; NaN when nothing was measured."""
    effects: tuple[Effect, ...]
    """The sure ones first, the largest first."""
    interactions: tuple[Interaction, ...]
    unmeasured: tuple[Unmeasured, ...]
    protocol: str = ""
    seconds: float = 0.0

    def effect(self, changes: Changes) -> Effect | None:
        """The effect of one alternative; with the machine code of another one, that one's effect."""
        for one in self.unmeasured:
            if one.changes == changes and one.same_code:
                changes = one.same_code
        return next((effect for effect in self.effects if effect.changes == changes), None)


def label(changes: Changes) -> str:
    """``BARRIER=linux LOG=frame``."""
    return " ".join(f"{name}={value}" for name, value in changes)


@dataclass(frozen=True)
class _Measured:
    sample: Sample
    found: Estimate
    bound: float

    @property
    def change(self) -> float:
        return math.expm1(self.found.effect)

    @property
    def error(self) -> float:
        """Standard error of ``change``."""
        return math.exp(self.found.effect) * self.found.error


def _measured(samples: Sequence[Sample], family: int, confidence: float) -> dict[Changes, _Measured]:
    """Samples with an estimate at their last planned look, and a bound for a family of this size."""
    alpha = (1 - confidence) / max(family, 1)
    known: list[tuple[Sample, float]] = []
    estimates: list[Estimate] = []
    for sample in samples:
        looks = sample.looks
        bound = bound_at(len(sample.effects), sample.planned, looks, alpha)
        seen = max((look for look in looks if look <= len(sample.effects)), default=0)
        found = estimate(np.array(sample.effects[:seen]), Plan().trim)
        if bound is not None and found is not None:
            known.append((Sample(sample.changes, sample.effects[:seen], sample.planned), bound))
            estimates.append(found)
    return {
        sample.changes: _Measured(sample, found, bound) for (sample, bound), found in zip(known, moderate(estimates))
    }


def measure_effects(
    samples: Sequence[Sample], confidence: float = CONFIDENCE, allowance: float = Plan.allowance
) -> tuple[tuple[Effect, ...], tuple[Unmeasured, ...]]:
    """Effects of alternatives, ranked, and those with too few launches.

    Parameters
    ----------
    samples
        One family: the confidence is that of all intervals together.
    allowance
        Relative difference that two builds of the same source may show: an effect that does not surely exceed it is
        noise.
    """
    effects: list[Effect] = []
    unmeasured: list[Unmeasured] = []
    known = _measured(samples, len(samples), confidence)
    for sample in samples:
        measured = known.get(sample.changes)
        if measured is None:
            why = f"{NO_TIME} for more launches than {len(sample.effects)}"
            unmeasured.append(Unmeasured(sample.changes, why))
            continue
        found, half = measured.found, measured.found.half_width(measured.bound)
        worth = Worth.NOISE
        if abs(found.effect) - half > math.log1p(allowance):
            worth = Worth.SLOWER if found.effect > 0 else Worth.FASTER
        low, high = (math.expm1(found.effect + side * half) for side in (-1, 1))
        effects.append(Effect(sample.changes, worth, measured.change, low, high, len(measured.sample.effects)))
    ranked = sorted(effects, key=lambda effect: (effect.worth is Worth.NOISE, -abs(effect.change)))
    return tuple(ranked), tuple(unmeasured)


def pairs_to_measure(effects: Sequence[Effect], most: int) -> tuple[Changes, ...]:
    """Pairs of changes to different switches whose effects are sure, those with the largest effects first."""
    sure = [effect for effect in effects if effect.worth is not Worth.NOISE and len(effect.changes) == 1]
    pairs = [
        (abs(first.change) + abs(second.change), first.changes + second.changes)
        for first, second in itertools.combinations(sure, 2)
        if first.changes[0][0] != second.changes[0][0]
    ]
    pairs.sort(key=lambda pair: -pair[0])
    return tuple(tuple(sorted(changes)) for _, changes in pairs[:most])


def measure_interactions(
    singles: Sequence[Sample],
    pairs: Sequence[Sample],
    confidence: float = CONFIDENCE,
    allowance: float = Plan.allowance,
) -> tuple[Interaction, ...]:
    """Compare pairs with the sums of their parts, the largest difference first.

    Parameters
    ----------
    allowance
        Each of the three builds may differ by this much.
    """
    known = _measured([*singles, *pairs], len(pairs), confidence)
    found: list[Interaction] = []
    for pair in pairs:
        names = [pair.changes, *((change,) for change in pair.changes)]
        measured = [known[changes] for changes in names if changes in known]
        if len(measured) == 3:
            found.append(_interaction(pair.changes, measured, allowance))
    return tuple(sorted(found, key=lambda one: (one.adds_up, -abs(one.excess))))


def _interaction(changes: Changes, measured: Sequence[_Measured], allowance: float) -> Interaction:
    """``measured`` is the pair and its two parts. Degrees of freedom by B. L. Welch, Biometrika 34, 1947."""
    together, apart = measured[0].change, sum(one.change for one in measured[1:])
    variances = [one.error**2 for one in measured]
    total = sum(variances)
    freedom = total**2 / sum(v**2 / one.found.freedom for v, one in zip(variances, measured))
    bound = max(one.bound for one in measured)
    half = float(stats.t.isf(stats.norm.sf(bound), freedom)) * math.sqrt(total)
    excess = together - apart
    adds_up = abs(excess) - half <= 3 * allowance
    return Interaction(changes, together, apart, excess, excess - half, excess + half, adds_up)
