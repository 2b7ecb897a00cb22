"""The gate tested as an instrument: its false alarms, its power, and its time to a verdict.

Recorded launches of a known effect are drawn again with replacement, launch by launch, into sessions that run the whole
protocol. Its launches come from pairs of images in many link orders, as in a real comparison. Where kernels
cannot be linked again, the candidate and the reference of a session keep their two images throughout, so that what
their layout does to time is not averaged away. Resampling the recording itself (B. Efron, Ann. Statist. 7, 1979) gives
the bounds that few launches support for a rate. The centre is kept: the true effect is known, and the error of a mean
of few launches would become a lasting difference that no image has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.core.arrays import F64
from harness.core.comparison.contradiction import AGREE_SHARE, COMPUTED_SHARE
from harness.core.comparison.estimate import estimate
from harness.core.comparison.sequential import bound_at, look_sizes
from harness.core.comparison.statistics import ORDERS_TRIM, Decision, Plan, State, plan_of
from harness.gate.calibration.places import CalibrationPlace
from harness.gate.calibration.reference_methods import mann_whitney, mean_threshold
from harness.gate.calibration.simulate import DrawEffects, DrawnLaunches, run_session

Rng = np.random.Generator

WRONG_MAX = 1 / 200
"""Largest share of sessions that may give a wrong answer."""
ALARM_BUDGETS_S = (60.0, 30.0)
RESAMPLINGS = 20
"""How often the recording itself is drawn again for a rate's bounds."""


CHECK = "check: "
"""Before the name of a figure, in a pair's notes: the effects by it, which the session's interval must span."""
BY_COMPUTED = "by computed time"
"""In a pair's notes: 1 for each launch that computed time stands for, else 0."""


@dataclass(frozen=True)
class RecordedPair:
    """Launches of one pair of images.

    ``effect`` is log frame time, candidate minus reference; ``candidate_ms`` and ``reference_ms`` the mean frame times
    of the launches' whole runs. All of shape (launches,).
    """

    effect: F64
    candidate_ms: F64
    reference_ms: F64
    noted: Mapping[str, F64] = field(default_factory=dict)
    """Further notes of each launch: run delay, stolen time, and its effect by other estimators."""

    def __len__(self) -> int:
        return len(self.effect)

    def drawn(self, rng: Rng, count: int) -> "RecordedPair":
        """Draw this many launches, with replacement."""
        chosen = rng.integers(0, len(self), count)
        noted = {name: values[chosen] for name, values in self.noted.items()}
        return RecordedPair(self.effect[chosen], self.candidate_ms[chosen], self.reference_ms[chosen], noted)

    @property
    def launches(self) -> DrawnLaunches:
        """For a session: the effects, and what each is checked by."""
        checks = {name.removeprefix(CHECK): one for name, one in self.noted.items() if name.startswith(CHECK)}
        known = {name: values for name, values in checks.items() if np.isfinite(values).any()}
        computed = bool(np.any(self.noted.get(BY_COMPUTED, np.zeros(0)) > 0))
        return DrawnLaunches(self.effect, known, COMPUTED_SHARE if computed else AGREE_SHARE)

    def again(self, rng: Rng) -> "RecordedPair":
        """As many launches, with replacement, around the same centre."""
        drawn = self.drawn(rng, len(self))
        return drawn.slowed(self.centre - drawn.centre)

    @property
    def centre(self) -> float:
        """The effect, as the gate estimates it."""
        found = estimate(self.effect, Plan().trim, correlated=False)
        return found.effect if found else float(self.effect.mean())

    @property
    def error(self) -> float:
        """Standard error of ``centre``."""
        found = estimate(self.effect, Plan().trim, correlated=False)
        return found.error if found else 0.0

    def slowed(self, effect: float) -> "RecordedPair":
        """The same launches with every frame of the candidate longer by a log effect."""
        noted = {name: values + effect if name.startswith(CHECK) else values for name, values in self.noted.items()}
        return RecordedPair(self.effect + effect, self.candidate_ms * math.exp(effect), self.reference_ms, noted)


@dataclass(frozen=True)
class Series:
    """Launches of one planted effect, by pair of images."""

    name: str
    planted: float
    """Relative; what was asked of the fault, or added by calculation."""
    pairs: tuple[RecordedPair, ...]

    @property
    def effects(self) -> F64:
        return np.concatenate([pair.effect for pair in self.pairs])

    def without_sampling_error(self, centre: float) -> "Series":
        """The same launches, with the pairs' offsets from a centre shrunk to what few launches do not explain."""
        offsets = np.array([pair.centre - centre for pair in self.pairs])
        errors = np.array([pair.error**2 for pair in self.pairs])
        kept = math.sqrt(max(0.0, 1 - float(errors.mean()) / max(float(np.mean(offsets**2)), 1e-18)))
        return Series(
            self.name,
            self.planted,
            tuple(pair.slowed((kept - 1) * float(offset)) for pair, offset in zip(self.pairs, offsets)),
        )

    def around(self, centre: float) -> "Series":
        """The same launches, all moved alike, so that their centre, as the gate estimates it, is this."""
        found = estimate(self.effects, ORDERS_TRIM, correlated=False)
        moved = centre - (found.effect if found else float(self.effects.mean()))
        return Series(self.name, self.planted, tuple(pair.slowed(moved) for pair in self.pairs))

    def slowed(self, name: str, relative: float) -> "Series":
        """The same recording with a known slow-down calculated in."""
        return Series(name, relative, tuple(pair.slowed(math.log1p(relative)) for pair in self.pairs))


@dataclass(frozen=True)
class Rate:
    """How often something was said, with the bounds that the recording supports (95 %)."""

    share: float
    low: float
    high: float
    draws: int


@dataclass(frozen=True)
class DetectionRates:
    """Answers to one effect within one budget."""

    series: str
    budget_s: float
    launches: int
    """Number that fits into the budget."""
    slower: Rate
    faster: Rate
    unchanged: float
    undecided: float
    median_s: float
    """Time to the verdict."""


def protocol_rates(
    series: Series,
    budget_s: float,
    each_s: float,
    draws: int,
    rng: Rng,
    smallest: float,
    aim: float | None = None,
    relinks: bool = True,
) -> DetectionRates:
    """Run the protocol on sessions drawn from a recording.

    Parameters
    ----------
    each_s : float
        What one launch takes.
    draws : int
        Sessions for the rates; as many again, spread over the resamplings, for their bounds.
    relinks
        Launches take turns at all pairs of images; False for kernels that cannot be linked again.
    """
    planned = max(int(budget_s / each_s) - 1, 1)
    plan = plan_of(planned, smallest, aim, len(series.pairs) if relinks else 1)
    found = _sessions(series.pairs, plan, draws, rng, relinks)
    inner = max(draws // RESAMPLINGS, 1)
    resampled = ([pair.again(rng) for pair in series.pairs] for _ in range(RESAMPLINGS))
    again = [_sessions(pairs, plan, inner, rng, relinks) for pairs in resampled]
    return DetectionRates(
        series.name,
        budget_s,
        planned,
        _rate("slower", found, again),
        _rate("faster", found, again),
        float(np.mean([one.state is State.UNCHANGED for one in found])),
        float(np.mean([one.state is State.UNDECIDED for one in found])),
        float(np.median([one.launches for one in found])) * each_s,
    )


def _sessions(pairs: Sequence[RecordedPair], plan: Plan, draws: int, rng: Rng, relinks: bool) -> list[Decision]:
    """Sessions of launches of all link orders, which take turns; or else of one of them, drawn again for each session.

    Few launches of each order say little of its centre, so that its offset is a part of the noise there.
    """
    found = []
    whole = together(pairs)
    for _ in range(draws):
        source = whole if relinks else pairs[int(rng.integers(len(pairs)))]
        found.append(run_session(source.drawn(rng, plan.launches).launches, plan))
    return found


def together(pairs: Sequence[RecordedPair]) -> RecordedPair:
    """Launches of several pairs of images as one recording; a figure that a pair lacks is unknown there."""
    names = {name: None for pair in pairs for name in pair.noted}
    noted = {
        name: np.concatenate([pair.noted.get(name, np.full(len(pair), math.nan)) for pair in pairs]) for name in names
    }
    effect, candidate_ms, reference_ms = (
        np.concatenate([getattr(pair, figure) for pair in pairs])
        for figure in ("effect", "candidate_ms", "reference_ms")
    )
    return RecordedPair(effect, candidate_ms, reference_ms, noted)


def _rate(direction: str, found: Sequence[Decision], again: Sequence[Sequence[Decision]]) -> Rate:
    """Share in the recording, and the middle 95 % of its resamplings' shares, each with its own uncertainty."""
    said = sum(one.direction == direction for one in found)
    counts = np.array([sum(one.direction == direction for one in resampled) for resampled in again])
    low, high = np.percentile((counts + 0.5) / (len(again[0]) + 1), (2.5, 97.5))
    share = said / len(found)
    return Rate(share, min(float(low), share), max(float(high), share), len(found))


@dataclass(frozen=True)
class ReferenceMethodRates:
    """Verdicts of the reference methods on the same launches, with the whole budget used."""

    series: str
    budget_s: float
    mann_whitney: float
    """Share of sessions called slower by Mann-Whitney on whole runs, p < 0.05."""
    mean_3pct: float
    mean_5pct: float
    """Share called slower by the ratio of mean frame times above 1.03 and 1.05."""


def reference_method_rates(
    series: Series, budget_s: float, each_s: float, draws: int, rng: Rng
) -> ReferenceMethodRates:
    """Let the reference methods judge sessions drawn from a recording."""
    planned = max(int(budget_s / each_s) - 1, 2)
    found = np.zeros(3)
    for _ in range(draws):
        drawn = series.pairs[int(rng.integers(len(series.pairs)))].drawn(rng, planned)
        ours, theirs = drawn.candidate_ms, drawn.reference_ms
        answers = (
            mann_whitney(ours, theirs),
            mean_threshold(ours, theirs, 0.03),
            mean_threshold(ours, theirs, 0.05),
        )
        found += [answer > 0 for answer in answers]
    return ReferenceMethodRates(series.name, budget_s, *(float(share) for share in found / draws))


def coverage(draw: DrawEffects, runs: int, rng: Rng, planned: int = 70, plan: Plan = Plan()) -> float:
    """Share of sessions in which the interval held the truth at every look, for launches around no effect."""
    looks = look_sizes(planned, plan.looks, plan.fewest)
    held = 0
    for _ in range(runs):
        effects = draw(rng, planned)
        held += all(
            abs(found.effect) <= found.half_width(bound)
            for look in looks
            if (found := estimate(effects[:look], plan.trim)) is not None
            and (bound := bound_at(look, planned, looks, 1 - plan.confidence)) is not None
        )
    return held / runs


@dataclass(frozen=True)
class Synthetic:
    """The protocol on made-up launches."""

    name: str
    sessions: int
    false_alarms: float
    power_3pct: float
    coverage: float


def synthetic(name: str, draw: DrawEffects, sessions: int, rng: Rng) -> Synthetic:
    """False alarms, power for a 3 % longer frame, and coverage, of launches of one kind."""
    plan = Plan()
    alarms = sum(run_session(draw(rng, plan.launches), plan).state is State.CHANGED for _ in range(sessions))
    third = max(sessions // 3, 1)
    seen = sum(run_session(draw(rng, plan.launches) + math.log(1.03), plan).direction == "slower" for _ in range(third))
    return Synthetic(name, sessions + third, alarms / sessions, seen / third, coverage(draw, third, rng))


@dataclass(frozen=True)
class Promise:
    """A figure that the gate promises, and what it came to."""

    words: str
    wanted: float
    reached: float
    at_most: bool

    @property
    def met(self) -> bool:
        return self.reached <= self.wanted if self.at_most else self.reached >= self.wanted


SIZED, SIZE_ERROR_MAX = "slow_draw=10%", 0.2
"""A planted change, and by how much of itself its size may be read wrong."""


def targets(cells: Sequence[DetectionRates], series: Sequence[Series], place: CalibrationPlace) -> tuple[Promise, ...]:
    """The goals of a place, as far as they were simulated; false alarms everywhere.

    More drawing is as much of a frame only where drawing is nearly all of it: not on the GL device, where the
    renderer's copy of a picture takes longer.
    """
    by_key = {(cell.series, cell.budget_s): cell for cell in cells}
    found = []
    for goal in place.goals:
        cell = by_key.get((goal.series, goal.budget_s))
        if cell is not None:
            found.append(Promise(goal.words, goal.wanted, goal.reached(cell), goal.at_most))
    for budget_s in ALARM_BUDGETS_S:
        cell = by_key.get(("A/A", budget_s))
        if cell is not None:
            alarms = cell.slower.share + cell.faster.share
            found.append(Promise(f"false alarms within {budget_s:g} s", WRONG_MAX, alarms, at_most=True))
    for one in (one for one in series if one.name == SIZED and not place.gl):
        read = math.expm1(float(np.mean([pair.centre for pair in one.pairs])))
        error = abs(read / one.planted - 1)
        found.append(Promise("error of the size of 10 % more drawing", SIZE_ERROR_MAX, error, at_most=True))
    return tuple(found)
