"""Change points of a noisy series, by two thresholds.

Weak candidates come from binary segmentation over the whole series and over seeded intervals (Kovács et al., 2023), so
that a bump is not hidden by its own end; then neighbouring segments are merged until every change point that is left is
significant between its two segments, at its best position. The statistic is a CUSUM of Huber scores: values are
centred, scaled by the noise of differences between successive values, and clipped at 3.3 sigma, so that the
weight of an outlier is bounded and a step needs three runs. Noise is a long-run figure: differences at
two lags estimate the autocorrelation of the nights. The p-value of a maximum over all positions is that of Miller and
Siegmund (1982, Biometrics 38, 1011).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import F64, I64

WEAK_P = 0.01
STRONG_P = 0.001
CLIP_SIGMA = 3.3
"""Three runs in a row that differ by more are a step at the strong threshold, two are not."""
SHORTEST = 3
"""Runs that a segment has at least: with clipped scores, fewer could not be told from outliers."""
LOCATION_STATISTIC = -2 * math.log(1 - math.sqrt(0.95))
"""A position is within the 95 % range when its squared statistic is less than this below the best one's."""
_RHO_MAX = 0.8
_RHO_RUNS = 20
"""Weight, in runs, of the prior that the autocorrelation is zero."""
_MOVES_MOST = 4
"""Rounds in which neighbouring change points may shift each other."""
_OWN_VARIANCE_LEAST = 8
_GROUP_LEAST = 10
"""Runs that a host needs to have a noise of its own."""
_NEIGHBOURS = 31
"""Differences that estimate the noise around one value."""


@dataclass(frozen=True)
class ChangePoint:
    """One change of level. Positions are indices into the series; the change is first seen at ``at``."""

    at: int
    first: int
    """Lowest ``at`` of the 95 % range."""
    last: int
    """Highest ``at`` of the 95 % range."""
    before: float
    """Level of the segment before, in the series' own unit."""
    after: float
    error: float
    """Standard error of ``after - before``."""
    p: float


@dataclass(frozen=True)
class SeriesNoise:
    """Behaviour of a series when nothing changes."""

    sigma: F64
    """Standard deviation of each value by robust differences, shape (n,)."""
    inflation: float
    """Long-run variance of clipped scores, against independent ones of unit variance."""


def noise_of(
    values: F64,
    groups: I64 | None = None,
    floor: float = 0.0,
    splits: Sequence[int] = (),
) -> SeriesNoise:
    """Estimate the noise of a series whose level may change now and then.

    Parameters
    ----------
    values
        Shape (n,), finite.
    groups
        Which host each value is from, shape (n,): a noisy host does not hide the changes of a quiet one.
    floor
        Least sigma, in the unit of the values.
    splits
        Where the level is thought to change: differences across these positions are left out.
    """
    sigma = np.maximum(_sigma(values, floor), _local_sigma(values))
    if groups is not None:
        for group in np.unique(groups):
            mine = groups == group
            if mine.sum() >= _GROUP_LEAST:
                sigma[mine] = np.maximum(_sigma(values[mine], floor), _local_sigma(values[mine]))
    sigma *= math.sqrt(max(_difference_variance(values, sigma, 1, splits), 1.0))
    one, two = (_difference_variance(values, sigma, lag, splits) for lag in (1, 2))
    rho = min(max(two / one - 1, 0.0), _RHO_MAX) if one > 0 else 0.0
    rho *= len(values) / (len(values) + _RHO_RUNS)
    inflation = max(one * (1 + rho) / (1 - rho) ** 2, 1.0)
    return SeriesNoise(sigma, inflation)


def _sigma(values: F64, floor: float) -> float:
    """Standard deviation by the median absolute difference of neighbours, blind to a few changes of level."""
    if len(values) < 2:
        return max(floor, 1e-300)
    typical = float(np.median(np.abs(np.diff(values)))) / (math.sqrt(2) * 0.67449)
    return max(typical, floor, 1e-300)


def _local_sigma(values: F64) -> F64:
    """As :func:`_sigma`, around each value, so that a noisy week does not count as a change; zero where too short."""
    steps = np.abs(np.diff(values))
    if len(steps) < _NEIGHBOURS:
        return np.zeros(len(values))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(steps, _NEIGHBOURS), axis=1)
    nearest = np.clip(np.arange(len(values)) - _NEIGHBOURS // 2, 0, len(medians) - 1)
    local: F64 = medians[nearest] / (math.sqrt(2) * 0.67449)
    return local


def _difference_variance(values: F64, sigma: F64, lag: int, splits: Sequence[int]) -> float:
    """Half the mean square of scaled, clipped differences at a lag: the variance less the covariance at that lag."""
    if len(values) <= lag:
        return 1.0
    scaled = (values[lag:] - values[:-lag]) / np.sqrt(sigma[lag:] ** 2 + sigma[:-lag] ** 2)
    across = np.zeros(len(scaled), bool)
    for split in splits:
        across[max(split - lag, 0) : split] = True
    kept = np.clip(scaled[~across], -CLIP_SIGMA, CLIP_SIGMA)
    return float(np.mean(kept**2)) if len(kept) else 1.0


def maximum_p(statistic: float, n: int, shortest: int = SHORTEST) -> float:
    """Probability that the largest standardised difference over all splits of n values reaches ``statistic`` by chance.

    Parameters
    ----------
    statistic
        In standard deviations, absolute.
    n
        Values, of which at least ``shortest`` stand on either side of a split.
    """
    if n < 2 * shortest:
        return 1.0
    if statistic < 1.5:
        return 1.0
    density = math.exp(-statistic * statistic / 2) / math.sqrt(2 * math.pi)
    spread = 2 * math.log((n - shortest) / shortest)
    single = math.erfc(statistic / math.sqrt(2))
    return min(max(4 * density / statistic + density * (statistic - 1 / statistic) * spread, single), 1.0)


def change_points(
    values: F64,
    *,
    groups: I64 | None = None,
    floor: float = 0.0,
    smallest: float = 0.0,
    weak_p: float = WEAK_P,
    strong_p: float = STRONG_P,
) -> tuple[ChangePoint, ...]:
    """Every change of level of a series, in order.

    Parameters
    ----------
    values
        Shape (n,), finite, in the order of the runs.
    groups
        As for :func:`noise_of`.
    floor
        Least noise, in the unit of the values: a series that never varies shows none.
    smallest
        Changes of less than this, in the unit of the values, are none.
    """
    if len(values) < 2 * SHORTEST:
        return ()
    weak = _Segmentation(values, noise_of(values, groups, floor)).candidates(weak_p)
    segmentation = _Segmentation(values, noise_of(values, groups, floor, weak))
    splits = segmentation.merged(weak, strong_p, smallest)
    edges = [0, *splits, len(values)]
    return tuple(segmentation.described(edges[i], edges[i + 1], edges[i + 2]) for i in range(len(edges) - 2))


@dataclass(frozen=True)
class _Split:
    at: int
    statistic: float
    p: float
    begin: int
    end: int


class _Segmentation:
    """A series with its noise, and the search for its change points."""

    def __init__(self, values: F64, noise: SeriesNoise) -> None:
        self.values = values
        self.noise = noise
        self._known: dict[tuple[int, int, int], tuple[int, float]] = {}

    def _statistics(self, begin: int, end: int, at: int | None = None) -> F64:
        """Standardised difference of means for every split of ``[begin, end)``; entry k splits before begin+1+k.

        Values are clipped about the median of their side of ``at``, or of the whole where no split is known yet.
        """
        part, sigma = self.values[begin:end], self.noise.sigma[begin:end]
        whole = np.median(part)
        middle = np.full(len(part), whole)
        if at is not None:
            middle[: at - begin], middle[at - begin :] = self._levels(begin, at, end)
        scores = (middle - whole) / sigma + np.clip((part - middle) / sigma, -CLIP_SIGMA, CLIP_SIGMA)
        n = len(part)
        before = np.arange(1, n)
        sums = np.cumsum(scores)[:-1] - before * scores.mean()
        statistics: F64 = np.abs(sums) / np.sqrt(before * (n - before) / n * self.noise.inflation)
        return statistics

    def best(self, begin: int, end: int) -> _Split | None:
        """The most significant split of a part, with the p-value for a search over all splits."""
        n = end - begin
        if n < 2 * SHORTEST:
            return None
        inner = self._statistics(begin, end)[SHORTEST - 1 : n - SHORTEST]
        k = int(np.argmax(inner))
        looked = 2 * len(self.values) / n if n < len(self.values) else 1.0
        p = min(maximum_p(float(inner[k]), n) * looked, 1.0)
        return _Split(begin + SHORTEST + k, float(inner[k]), p, begin, end)

    def candidates(self, weak_p: float) -> list[int]:
        """Weak change points: the best split of each interval, most significant first; each then divides the series."""
        n = len(self.values)
        found = [split for begin, end in _seeded_intervals(n) if (split := self.best(begin, end)) and split.p < weak_p]
        found.sort(key=lambda split: -split.statistic)
        chosen: list[int] = []
        for split in found:
            if not any(split.begin < at < split.end for at in chosen):
                chosen.append(split.at)
        stack = [0, *sorted(chosen), n]
        for begin, end in zip(stack, stack[1:]):
            self._divide(begin, end, weak_p, chosen)
        return sorted(set(chosen))

    def _divide(self, begin: int, end: int, weak_p: float, chosen: list[int]) -> None:
        split = self.best(begin, end)
        if split is not None and split.p < weak_p:
            chosen.append(split.at)
            self._divide(begin, split.at, weak_p, chosen)
            self._divide(split.at, end, weak_p, chosen)

    def merged(self, splits: list[int], strong_p: float, smallest: float) -> list[int]:
        """Drop the weakest change point until all that are left are strong between their neighbours."""
        splits = list(splits)
        moves = 0
        while splits:
            edges = [0, *splits, len(self.values)]
            judged = [self._between(edges[i], edges[i + 1], edges[i + 2]) for i in range(len(splits))]
            weakness = []
            for i, (at, p) in enumerate(judged):
                before, after = self._levels(edges[i], at, edges[i + 2])
                weakness.append(math.inf if abs(after - before) < smallest else p)
            worst = int(np.argmax(weakness))
            if weakness[worst] >= strong_p:
                del splits[worst]
                continue
            moved = [at for at, _ in judged]
            if moved == splits or moves == _MOVES_MOST or moved != sorted(set(moved)):
                return splits
            splits, moves = moved, moves + 1
        return splits

    def _between(self, begin: int, at: int, end: int) -> tuple[int, float]:
        """Best position near a split of ``[begin, end)``, and its p-value by the noise of its own two sides."""
        if (begin, at, end) not in self._known:
            self._known[begin, at, end] = self._searched(begin, at, end)
        return self._known[begin, at, end]

    def _searched(self, begin: int, at: int, end: int) -> tuple[int, float]:
        n = end - begin
        if n < 2 * SHORTEST:
            return at, 1.0
        for _ in range(2):
            inner = self._statistics(begin, end, at)[SHORTEST - 1 : n - SHORTEST]
            at = begin + SHORTEST + int(np.argmax(inner))
        at = min(self._near(begin, at, end), key=lambda split: self._loss(begin, split, end))
        looked = 2 * len(self.values) / n if n < len(self.values) else 1.0
        by_levels = abs(self._difference(begin, at, end)) / self._error(begin, at, end)
        weakest = min(by_levels, self._by_scores(begin, at, end))
        return at, min(maximum_p(weakest, n) * looked, 1.0)

    def _near(self, begin: int, at: int, end: int) -> range:
        """Positions so near to a split that values between would be treated as outliers of the wrong side."""
        return range(max(at - SHORTEST, begin + SHORTEST), min(at + SHORTEST, end - SHORTEST) + 1)

    def _loss(self, begin: int, at: int, end: int) -> float:
        """Sum of squared, clipped scores about the level of either side."""
        before, after = self._levels(begin, at, end)
        middle = np.where(np.arange(begin, end) < at, before, after)
        scores = (self.values[begin:end] - middle) / self.noise.sigma[begin:end]
        return float(np.minimum(scores**2, CLIP_SIGMA**2).sum())

    def _by_scores(self, begin: int, at: int, end: int) -> float:
        """The statistic of a split when no value counts more than the clip from the level of the longer side."""
        before, after = self._levels(begin, at, end)
        level = before if at - begin >= end - at else after
        scores = (self.values[begin:end] - level) / self.noise.sigma[begin:end]
        clipped = np.clip(scores, -CLIP_SIGMA, CLIP_SIGMA)
        difference = float(clipped[at - begin :].mean() - clipped[: at - begin].mean())
        return abs(difference) / math.sqrt(self.noise.inflation * (1 / (at - begin) + 1 / (end - at)))

    def _difference(self, begin: int, at: int, end: int) -> float:
        """Difference of the levels on either side of a split, in the unit of the values."""
        left, right = (float(np.mean(self._clipped(part))) for part in (slice(begin, at), slice(at, end)))
        return right - left

    def _clipped(self, part: slice) -> F64:
        """Values with outliers pulled to the clip's distance from the median."""
        middle = np.median(self.values[part])
        reach = CLIP_SIGMA * self.noise.sigma[part]
        clipped: F64 = np.clip(self.values[part], middle - reach, middle + reach)
        return clipped

    def _error(self, begin: int, at: int, end: int) -> float:
        """Standard error of the difference: by the series' noise, or by that of a side where it is larger."""
        total = 0.0
        for part in (slice(begin, at), slice(at, end)):
            clipped = self._clipped(part)
            expected = self.noise.inflation * float(np.mean(self.noise.sigma[part] ** 2))
            own = float(clipped.var(ddof=1)) if len(clipped) >= _OWN_VARIANCE_LEAST else 0.0
            total += max(expected, own) / len(clipped)
        return math.sqrt(total)

    def _levels(self, begin: int, at: int, end: int) -> tuple[float, float]:
        return float(np.median(self.values[begin:at])), float(np.median(self.values[at:end]))

    def described(self, begin: int, at: int, end: int) -> ChangePoint:
        """A change point with its range, levels and p-value."""
        _, p = self._between(begin, at, end)
        squared = self._statistics(begin, end, at) ** 2
        near = np.flatnonzero(squared >= squared[at - begin - 1] - LOCATION_STATISTIC) + begin + 1
        before, after = self._levels(begin, at, end)
        error = self._error(begin, at, end)
        return ChangePoint(at, int(near.min()), int(near.max()), before, after, error, p)


def _seeded_intervals(n: int) -> list[tuple[int, int]]:
    """Intervals of halving length, each layer overlapping by half; the whole series first."""
    intervals = [(0, n)]
    length = n // 2
    while length >= 4 * SHORTEST:
        step = max(length // 2, 1)
        intervals += [(begin, begin + length) for begin in range(0, n - length + 1, step)]
        intervals.append((n - length, n))
        length //= 2
    return intervals
