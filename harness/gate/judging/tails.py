"""Further metrics of the launches that a comparison was decided on: tails of the frame time.

Judging several metrics raises more false alarms than judging one, so p-values are corrected (S. Holm, Scand. J.
Statist. 6, 1979). There is one analysis, at the end; a change must show in both halves of the launches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.core.arrays import F64
from harness.core.comparison.estimate import estimate
from harness.core.comparison.statistics import Launch, State
from harness.gate.judging.metrics import HIGHER, Rule

_TRIM = 0.1
_FEWEST = 8


@dataclass(frozen=True)
class Tail:
    """One metric compared over the launches. Changes are relative, candidate / reference - 1 of the raw value."""

    metric: str
    state: State
    worse: bool
    """The estimate is in the bad direction."""
    change: float
    low: float
    high: float
    """95 % interval."""
    p: float
    """The chance of seeing this without a change for the worse, corrected for the number of metrics."""
    launches: int


def compare_tails(launches: Sequence[Launch], rules: Sequence[Rule], alpha: float = 0.05) -> tuple[Tail, ...]:
    """Compare every metric of these rules that at least eight launches hold for both arms."""
    found: list[tuple[Rule, F64]] = []
    for rule in rules:
        pairs = [launch.paired[rule.metric] for launch in launches if rule.metric in launch.paired]
        logs = np.array([math.log(ours / theirs) for ours, theirs in pairs if ours > 0 and theirs > 0])
        if len(logs) >= _FEWEST:
            found.append((rule, logs))
    corrected = holm([_worse_p(rule, logs) for rule, logs in found])
    return tuple(_tail(rule, logs, p, alpha) for (rule, logs), p in zip(found, corrected))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given."""
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _worse_p(rule: Rule, logs: F64) -> float:
    """One-sided p-value that the metric did not get worse."""
    found = estimate(logs, _TRIM)
    assert found is not None
    towards_worse = -found.effect if rule.better == HIGHER else found.effect
    return float(stats.t.sf(towards_worse / found.error, found.freedom))


def _tail(rule: Rule, logs: F64, p: float, alpha: float) -> Tail:
    found = estimate(logs, _TRIM)
    assert found is not None
    half = found.half_width(float(stats.norm.isf(0.025)))
    sign = -1.0 if rule.better == HIGHER else 1.0
    worse = sign * found.effect > 0
    needed = math.log1p(rule.smallest)
    middle = len(logs) // 2
    halves = [sign * float(np.median(part)) for part in (logs[:middle], logs[middle:])]
    state = State.UNDECIDED
    if p < alpha and sign * found.effect >= needed and min(halves) >= needed / 2:
        state = State.CHANGED
    elif sign * found.effect + half < needed:
        state = State.UNCHANGED
    change, ends = math.expm1(found.effect), (math.expm1(found.effect - half), math.expm1(found.effect + half))
    return Tail(rule.metric, state, worse, change, ends[0], ends[1], p, len(logs))
