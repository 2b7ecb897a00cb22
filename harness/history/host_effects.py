"""One series over several hosts: what belongs to a host, and what belongs to the code.

A mixed model (N. M. Laird and J. H. Ware, Biometrics 38, 1982): a value is the level of its time, which a change of the
code moves, plus an offset of its host, plus noise. Offsets come from the places where a series goes from one host to
another: no level of the code is needed to estimate them, so that an offset does not count as a change. A host
to which a series went and never came back says nothing, since a change of the code at that run would look the same.

Hosts may also differ in what a change of the code does. Its size is then a random effect, too: each host's own
difference is estimated, and their mean by R. DerSimonian and N. Laird (Controlled Clinical Trials 7, 1986).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.sparse.csgraph import connected_components

from harness.core.arrays import F64, I64
from harness.history.changepoints import CLIP_SIGMA, SHORTEST, SeriesNoise, change_points

_BESIDE = 10
"""Runs on either side of a change of host that count at most: far ones may lie beyond a change of the code."""
_ROUNDS = 5
"""Rounds of reweighting; in them, switches that a change of the code spoils lose their weight."""
_PRIOR = 0.05
"""Standard deviation of offsets between hosts, in log units: weak, so that a few switches decide."""
DISAGREE_P = 0.001
"""Below this, the differences between hosts are not chance."""


@dataclass(frozen=True)
class HostSwitch:
    """A place where a series goes from one host to another."""

    one: int
    other: int
    """The hosts, the earlier one first."""
    difference: float
    """Mean after less mean before, over the nearest runs."""
    variance: float


def host_offsets(values: F64, host: I64, sigma: F64) -> F64:
    """What to take from each value so that hosts can be compared, shape (n,); their weighted mean is 0.

    Parameters
    ----------
    values
        Shape (n,), in the order of the runs.
    host
        Of each, as a small number, shape (n,).
    sigma
        Noise of each value, shape (n,).
    """
    count = int(host.max(initial=-1)) + 1
    switches = _with_a_way_back(_switches(values, host, sigma), count)
    if not switches:
        return np.zeros(len(values))
    offsets = np.zeros(count)
    for _ in range(_ROUNDS):
        matrix, right = np.eye(count) / _PRIOR**2, np.zeros(count)
        for one in switches:
            gap = one.difference - (offsets[one.other] - offsets[one.one])
            weight = min(1.0, CLIP_SIGMA * math.sqrt(one.variance) / max(abs(gap), 1e-300)) / one.variance
            for row, sign in ((one.other, 1), (one.one, -1)):
                matrix[row, one.other] += sign * weight
                matrix[row, one.one] -= sign * weight
                right[row] += sign * weight * one.difference
        offsets = np.linalg.solve(matrix, right)
    each: F64 = offsets[host]
    centred: F64 = each - each.mean()
    return centred


def _switches(values: F64, host: I64, sigma: F64) -> list[HostSwitch]:
    edges = [0, *(np.flatnonzero(np.diff(host)) + 1).tolist(), len(host)]
    found = []
    for begin, at, end in zip(edges, edges[1:], edges[2:]):
        before, after = slice(max(begin, at - _BESIDE), at), slice(at, min(end, at + _BESIDE))
        means = [float(np.median(values[part])) for part in (before, after)]
        variance = sum(float(np.mean(sigma[part] ** 2)) / (part.stop - part.start) for part in (before, after))
        found.append(HostSwitch(int(host[at - 1]), int(host[at]), means[1] - means[0], max(variance, 1e-24)))
    return found


def _with_a_way_back(switches: list[HostSwitch], count: int) -> list[HostSwitch]:
    """Those between hosts that a series left and came back to, whatever hosts were between."""
    ways = np.zeros((count, count), bool)
    for one in switches:
        ways[one.one, one.other] = True
    _, group = connected_components(ways, directed=True, connection="strong")
    return [one for one in switches if group[one.one] == group[one.other]]


@dataclass(frozen=True)
class SharedChange:
    """One change of level as several hosts see it."""

    change: float
    error: float
    p_agree: float
    """Probability of differences this large between hosts that see the same (W. G. Cochran, Biometrics 10, 1954)."""
    by_host: Mapping[int, float]
    """The change by each host with runs on both sides."""


def shared_change(values: F64, host: I64, noise: SeriesNoise, begin: int, at: int, end: int) -> SharedChange | None:
    """The change at a position, from the hosts that ran before and after it; None with fewer than two of them.

    Parameters
    ----------
    begin, at, end
        The segments before and after are ``[begin, at)`` and ``[at, end)``.
    """
    place = np.arange(len(values))
    own: list[tuple[int, float, float]] = []
    for one in np.unique(host[begin:end]).tolist():
        before = (host == one) & (place >= begin) & (place < at)
        after = (host == one) & (place >= at) & (place < end)
        if min(before.sum(), after.sum()) < SHORTEST:
            continue
        parts = [_clipped(values[part], noise.sigma[part]) for part in (before, after)]
        variance = sum(float(np.mean(noise.sigma[part] ** 2)) / int(part.sum()) for part in (before, after))
        own.append((one, float(parts[1].mean() - parts[0].mean()), variance * noise.inflation))
    if len(own) < 2:
        return None
    changes, variances = np.array([one[1] for one in own]), np.array([one[2] for one in own])
    change, error, p_agree = _random_effects(changes, variances)
    return SharedChange(change, error, p_agree, {one: difference for one, difference, _ in own})


def _clipped(part: F64, sigma: F64) -> F64:
    middle = np.median(part)
    clipped: F64 = np.clip(part, middle - CLIP_SIGMA * sigma, middle + CLIP_SIGMA * sigma)
    return clipped


def _random_effects(changes: F64, variances: F64) -> tuple[float, float, float]:
    """Mean, its standard error, and the p-value of Cochran's Q."""
    weights = 1 / variances
    mean = float(weights @ changes / weights.sum())
    spread = float(weights @ (changes - mean) ** 2)
    freedom = len(changes) - 1
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    between = max(0.0, (spread - freedom) / scale) if scale > 0 else 0.0
    weights = 1 / (variances + between)
    mean = float(weights @ changes / weights.sum())
    return mean, math.sqrt(1 / float(weights.sum())), float(stats.chi2.sf(spread, freedom))


def disagreeing(
    values: F64, host: I64, noise: SeriesNoise, splits: list[int], floor: float, smallest: float
) -> tuple[int, ...]:
    """Hosts on which the code did something else than on the others.

    Parameters
    ----------
    values
        Without the offsets of hosts, shape (n,).
    splits
        Where the levels of all hosts together change.
    floor, smallest
        As for :func:`change_points`.
    """
    edges = [0, *splits, len(values)]
    found = set()
    for begin, at, end in zip(edges, edges[1:], edges[2:]):
        shared = shared_change(values, host, noise, begin, at, end)
        if shared is not None and shared.p_agree < DISAGREE_P:
            found |= set(_outlying(shared.by_host, smallest))
    levels = np.concatenate(
        [np.full(end - begin, np.median(values[begin:end])) for begin, end in zip(edges, edges[1:])]
    )
    for one in set(np.unique(host).tolist()) - found:
        mine = host == one
        if change_points(values[mine] - levels[mine], floor=floor, smallest=smallest):
            found.add(one)
    return tuple(sorted(found))


def _outlying(by_host: Mapping[int, float], smallest: float) -> list[int]:
    """Hosts whose change differs from what is typical; of two, neither is the typical one."""
    if len(by_host) == 2:
        return list(by_host)
    middle = float(np.median(list(by_host.values())))
    return [one for one, change in by_host.items() if abs(change - middle) >= smallest]
