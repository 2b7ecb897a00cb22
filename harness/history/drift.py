"""Changes in the history and their times: steps and slow creep of every series, with other changes at the same time.

Series are judged in relative terms (logarithms) where all values are positive. A group of steps in one direction that a
ramp explains better is one creep; a segment without any step whose last runs differ from its first, the anchor, is a
creep too, however small each night's part of it was. What belongs to a host is taken out first
(:mod:`harness.history.host_effects`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.core.arrays import F64, I64
from harness.gate.judging.metrics import HIGHER, LOWER, find_row
from harness.history.changepoints import CLIP_SIGMA, STRONG_P, WEAK_P, ChangePoint, SeriesNoise, change_points, noise_of
from harness.history.host_effects import disagreeing, host_offsets, shared_change
from harness.history.series import ABSOLUTE, CREEP, EXACT, RATIO, STEP, SeriesKey

_SIGMAS_95 = 1.96
_ANCHOR_RUNS = 20
"""Most runs at either end of a segment that are compared for creep."""
_CREEP_LEAST = 12
"""Runs that a segment needs before creep is looked for, and nights that a ramp takes at least."""
_MEDIAN_ERROR = math.sqrt(math.pi / 2)
"""Standard error of a median against that of a mean."""
_RAMP_MARGIN = 6.0
"""By how much a ramp's information criterion must beat the steps': strong evidence by the usual scale."""
_KNOTS = 10


@dataclass(frozen=True)
class DriftSettings:
    """The size from which a change matters, and the confidence it needs."""

    smallest: Mapping[str, float] = field(default_factory=lambda: {RATIO: 0.003, ABSOLUTE: 0.03, EXACT: 0.0005})
    """Smallest relative change that is reported, by scope."""
    weak_p: float = WEAK_P
    strong_p: float = STRONG_P


@dataclass(frozen=True)
class SeriesData:
    """One series, oldest run first."""

    id: int
    key: SeriesKey
    seq: I64
    """Run numbers, shape (n,), rising."""
    value: F64
    """Shape (n,), finite."""
    host: I64
    """Which host each run was on, as small numbers, shape (n,)."""
    hosts: Mapping[int, str] = field(default_factory=dict)
    """Names of the hosts."""

    def of_hosts(self, chosen: Collection[int]) -> SeriesData:
        """The runs of some hosts."""
        mine = np.isin(self.host, list(chosen))
        return replace(self, seq=self.seq[mine], value=self.value[mine], host=self.host[mine])


@dataclass(frozen=True)
class Movement:
    """What the changes of other series need to know of one."""

    series_id: int
    key: SeriesKey
    kind: str
    before_seq: int
    after_seq: int
    change: float


@dataclass(frozen=True)
class Drift:
    """One change of one series."""

    series_id: int
    key: SeriesKey
    kind: str
    """``step`` or ``creep``."""
    before_seq: int
    """The last run that is surely before it."""
    at_seq: int
    """The most likely first run with it."""
    after_seq: int
    """The first run that surely has all of it."""
    change: float
    """Relative, in the direction of the raw value; ``low`` and ``high`` bound a 95 % interval."""
    low: float
    high: float
    p: float
    level_before: float
    """Logarithm of the value where all are positive, else the value."""
    level_after: float
    worse: bool | None
    """None where the metric has no better direction."""
    note: str = ""
    """Why the code may not be the cause; empty when there is no such reason."""
    companions: tuple[tuple[str, float], ...] = ()
    """Other series that moved at the same time, with their changes."""
    host: str = ""
    """The only hosts that show it; empty when all do."""

    @property
    def movement(self) -> Movement:
        return Movement(self.series_id, self.key, self.kind, self.before_seq, self.after_seq, self.change)


def find_drifts(
    series: Sequence[SeriesData], settings: DriftSettings = DriftSettings(), beside: Sequence[Movement] = ()
) -> tuple[Drift, ...]:
    """Everything that moved in any series, by series and then by time.

    Parameters
    ----------
    beside
        What moved in series that are not analysed now; it may be named as a companion.
    """
    found = [drift for one in series for drift in series_drifts(one, settings)]
    movements = [*(drift.movement for drift in found), *beside]
    return tuple(replace(drift, companions=_companions(drift, movements)) for drift in found)


def _companions(drift: Drift, others: Sequence[Movement]) -> tuple[tuple[str, float], ...]:
    """Other metrics of the cell, and the same metric of other cells, that moved in the same runs; largest first."""
    together = [
        other
        for other in others
        if other.series_id != drift.series_id
        and other.kind == drift.kind
        and (other.key.cell == drift.key.cell or other.key.metric == drift.key.metric)
        and other.before_seq < drift.after_seq
        and drift.before_seq < other.after_seq
    ]
    together.sort(key=lambda other: -abs(other.change))
    named = ((_name_beside(other.key, drift.key), other.change) for other in together)
    return tuple(named)


def _name_beside(key: SeriesKey, beside: SeriesKey) -> str:
    if key.cell == beside.cell:
        return f"{key.metric} ({key.scope})"
    return f"{key.cell}: {key.metric} ({key.scope})"


def series_drifts(series: SeriesData, settings: DriftSettings = DriftSettings()) -> tuple[Drift, ...]:
    """Everything that moved in one series, in order.

    Hosts count as one series where they agree on what changed; those that do not are judged alone.
    """
    values, logarithmic = _scaled(series.value)
    smallest = settings.smallest[series.key.scope]
    floor = smallest / 20
    several = len(np.unique(series.host)) > 1
    if series.key.scope == EXACT and _repeats_exactly(values, smallest):
        points = _exact_changes(values, smallest)
    else:
        if several:
            values = values - host_offsets(values, series.host, noise_of(values, series.host, floor).sigma)
        points = change_points(
            values,
            groups=series.host,
            floor=floor,
            smallest=smallest,
            weak_p=settings.weak_p,
            strong_p=settings.strong_p,
        )
    splits = [point.at for point in points]
    noise = noise_of(values, series.host, floor, splits)
    if several and series.key.scope != EXACT:
        alone = disagreeing(values, series.host, noise, splits, floor, smallest)
        if alone:
            return _host_by_host(series, alone, settings)
    return _Judge(series, values, noise, logarithmic, settings).drifts(points)


def _host_by_host(series: SeriesData, alone: Sequence[int], settings: DriftSettings) -> tuple[Drift, ...]:
    """Drifts of some hosts, each judged alone, and of the others together."""
    others = tuple(sorted(set(np.unique(series.host).tolist()) - set(alone)))
    found: list[Drift] = []
    for group in [(host,) for host in alone] + ([others] if others else []):
        name = " and ".join(series.hosts.get(host, f"host {host}") for host in group)
        part = series_drifts(series.of_hosts(group), settings)
        found += [replace(drift, host=drift.host or name) for drift in part]
    return tuple(sorted(found, key=lambda drift: (drift.at_seq, drift.host)))


def _scaled(values: F64) -> tuple[F64, bool]:
    """Logarithms where all values are positive, else the values, with whether they are logarithms."""
    if len(values) and np.all(values > 0):
        return np.log(values), True
    return values, False


def _repeats_exactly(values: F64, smallest: float) -> bool:
    """Most runs repeat the value of the run before."""
    return len(values) > 1 and float(np.mean(np.abs(np.diff(values)) <= smallest / 10)) >= 0.7


def _exact_changes(values: F64, smallest: float) -> tuple[ChangePoint, ...]:
    """Every change of a metric that repeats exactly: one run is proof enough."""
    found: list[ChangePoint] = []
    begin = 0
    for i in range(1, len(values)):
        level = float(np.median(values[begin:i]))
        if abs(values[i] - level) >= smallest:
            found.append(ChangePoint(i, i, i, level, float(values[i]), 0.0, 0.0))
            begin = i
    return tuple(found)


class _Judge:
    """Turns change points into drifts: recognises ramps, looks for creep between steps, attaches sizes and runs."""

    def __init__(
        self, series: SeriesData, values: F64, noise: SeriesNoise, logarithmic: bool, settings: DriftSettings
    ) -> None:
        self.series = series
        self.values = values
        self.noise = noise
        self.logarithmic = logarithmic
        self.settings = settings
        self.smallest = settings.smallest[series.key.scope]

    def drifts(self, points: Sequence[ChangePoint]) -> tuple[Drift, ...]:
        """All drifts of the series, in order."""
        n = len(self.values)
        found: list[Drift] = []
        covered: list[tuple[int, int]] = []
        edges = [0, *(point.at for point in points), n]
        index = 0
        while index < len(points):
            count = _same_direction(points[index:])
            ramp = None
            for length in dict.fromkeys((count, 1)):
                ramp = self._ramp(points[index : index + length], edges[index], edges[index + length + 1])
                if ramp is not None:
                    break
            if ramp is not None:
                found.append(self._drift(CREEP, *ramp))
                covered.append((ramp[0], ramp[2]))
                index += length
                continue
            found.append(self._step(points[index], edges[index], edges[index + 2]))
            index += 1
        for begin, end in zip(edges, edges[1:]):
            if not any(start < end and begin < stop for start, stop in covered):
                found += self._creep(begin, end)
        return tuple(sorted(found, key=lambda drift: drift.at_seq))

    def _step(self, point: ChangePoint, begin: int, end: int) -> Drift:
        after, error = point.after, point.error
        shared = shared_change(self.values, self.series.host, self.noise, begin, point.at, end)
        if shared is not None:
            after, error = point.before + shared.change, shared.error
        return self._drift(STEP, point.first - 1, point.at, point.last, point.before, after, error, point.p)

    def _ramp(
        self, group: Sequence[ChangePoint], begin: int, end: int
    ) -> tuple[int, int, int, float, float, float, float] | None:
        """The ramp that explains a group of steps better, as arguments of a drift; None when the steps do."""
        steps = [begin, *(point.at for point in group), end]
        stepped = np.concatenate([np.full(b - a, np.median(self.values[a:b])) for a, b in zip(steps, steps[1:])])
        knots = [
            (start, stop)
            for start in _grid(begin, group[0].at)
            for stop in _grid(group[-1].at, end - 1)
            if stop - start >= _CREEP_LEAST
        ]
        if not knots:
            return None
        losses, befores, afters = self._fitted(np.array(knots), begin, end)
        best = int(np.argmin(losses))
        penalty = math.log(end - begin)
        step_cost = float(self._loss(stepped, begin, end)) + (2 * len(group) + 1) * penalty
        ramp_cost = float(losses[best]) + 4 * penalty
        if ramp_cost + _RAMP_MARGIN > step_cost:
            return None
        start, stop = knots[best]
        before, after = float(befores[best]), float(afters[best])
        error = self._error(max(stop - start, 4) // 2, max(stop - start, 4) // 2, begin, end)
        return start, (start + stop) // 2, stop, before, after, error, max(point.p for point in group)

    def _fitted(self, knots: I64, begin: int, end: int) -> tuple[F64, F64, F64]:
        """Loss and both levels of the least-squares ramp between each pair of knots, shape (k, 2)."""
        start, stop = knots[:, :1], knots[:, 1:]
        share = np.clip((np.arange(begin, end) - start) / (stop - start), 0, 1)
        weight = 1 / self.noise.sigma[begin:end] ** 2
        values = self.values[begin:end]
        first, last = ((1 - share) * weight), (share * weight)
        aa, ab, bb = ((first * (1 - share)).sum(1), (first * share).sum(1), (last * share).sum(1))
        av, bv = first @ values, last @ values
        determinant = aa * bb - ab * ab
        before, after = (bb * av - ab * bv) / determinant, (aa * bv - ab * av) / determinant
        return self._loss(before[:, None] + (after - before)[:, None] * share, begin, end), before, after

    def _loss(self, fitted: F64, begin: int, end: int) -> F64:
        """Twice the negative log-likelihood up to a constant, over the last axis; outliers count the clip at most."""
        scores = (self.values[begin:end] - fitted) / self.noise.sigma[begin:end]
        loss: F64 = np.minimum(scores**2, CLIP_SIGMA**2).sum(-1) / self.noise.inflation
        return loss

    def _creep(self, begin: int, end: int) -> list[Drift]:
        """The difference between the first runs of a segment, its anchor, and its last."""
        runs = min((end - begin) // 3, _ANCHOR_RUNS)
        if end - begin < _CREEP_LEAST:
            return []
        first, last = (float(np.median(self.values[a:b])) for a, b in ((begin, begin + runs), (end - runs, end)))
        error = self._error(runs, runs, begin, end) * _MEDIAN_ERROR
        p = math.erfc(abs(last - first) / error / math.sqrt(2)) if error > 0 else 0.0
        if abs(last - first) < self.smallest or p >= self.settings.strong_p:
            return []
        return [self._drift(CREEP, begin, (begin + end) // 2, end - 1, first, last, error, p)]

    def _error(self, left: int, right: int, begin: int, end: int) -> float:
        """Standard error of the difference between two means, each of this many runs."""
        variance = float(np.mean(self.noise.sigma[begin:end] ** 2)) * self.noise.inflation
        return math.sqrt(variance * (1 / left + 1 / right))

    def _drift(
        self, kind: str, before: int, at: int, after: int, low_level: float, high_level: float, error: float, p: float
    ) -> Drift:
        change, low, high = (
            self._relative(low_level, high_level + offset * error) for offset in (0, -_SIGMAS_95, _SIGMAS_95)
        )
        seq = self.series.seq
        row = find_row(self.series.key.metric)
        better = row.better if row is not None else None
        worse = None if better not in (HIGHER, LOWER) else (change < 0) == (better == HIGHER)
        return Drift(
            self.series.id,
            self.series.key,
            kind,
            int(seq[max(before, 0)]),
            int(seq[at]),
            int(seq[after]),
            change,
            low,
            high,
            p,
            low_level,
            high_level,
            worse,
            self._note(at, kind),
        )

    def _relative(self, before: float, after: float) -> float:
        if self.logarithmic:
            return math.expm1(after - before)
        return (after - before) / max(abs(before), 1.0)

    def _note(self, at: int, kind: str) -> str:
        """A step between two hosts may be a difference of the hosts, unless one of them is on both sides of it."""
        host = self.series.host
        if kind == STEP and host[at] != host[at - 1]:
            near = _CREEP_LEAST
            if not set(host[max(at - near, 0) : at].tolist()) & set(host[at : at + near].tolist()):
                return "the host changed in the same run: code and machine cannot be told apart"
        return ""


def _same_direction(points: Sequence[ChangePoint]) -> int:
    """How many change points, from the first on, have the same direction."""
    count = 0
    for point in points:
        if (point.after > point.before) != (points[0].after > points[0].before):
            break
        count += 1
    return count


def _grid(low: int, high: int) -> list[int]:
    """A few positions from low to high, both included."""
    return sorted({int(round(position)) for position in np.linspace(low, max(high, low), _KNOTS)})
