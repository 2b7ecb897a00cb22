"""One launch's effect where the host preempts: the undisturbed frames of both arms, compared at the same frame numbers.

A scheduler that gives half of a core to somebody else lengthens every other frame, and the median of a slice then sits
between two modes. The fastest frames were not preempted, whatever the load. Frames carry numbers, and the scene costs
the same at the same number in both arms: what the scene costs there is taken out of both alike, and the low ends of
what is left are compared. A low end is blind to a slow-down of some frames only; the tail gates are there for that.

Where the host tells when each thread lost its core (:mod:`harness.core.comparison.lost_time`), the time that others
took is first taken out of every frame. A preemption is then no longer what makes a frame late. What is left is polling:
a CPU that polls for a device whose thread waits for a core computes too. So the low end is compared, of many more
frames.

Where the host does not tell, and frames are too long to fit between two preemptions, even the fastest one is late. The
mean CPU time of a frame, by the kernel's accounting of the machine's threads, then stands for the frame time.

Both arms are always summed up by the same figure. The other figures that a launch has are kept beside it as checks: a
size on which they do not agree is not told to a narrower interval than their distance
(:mod:`harness.core.comparison.statistics`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from harness.core.arrays import F64, I64
from harness.core.wording import percent
from harness.model.record import LaunchLoad

PREEMPTED_FROM = 0.10
"""Share of its time that a machine waited for a core, from which on medians of slices mislead.

Where the two estimators cross: of frames of 3 ms, one launch's error by medians of slices is 1.1 % and by the low end
1.3 % at 5 % run delay, 1.5 and 1.3 % at 10 %, 3.1 and 1.6 % at 20 % (a made-up host that preempts; a test measures it).
"""
STOLEN_FROM = 0.05
"""The same for time that a hypervisor took: a mean over both cores, one of which may have lost twice as much."""
SPLIT_FROM = 0.2
"""Where run delay cannot be read: share of frames half as long again as the fast ones that shows a second mode.

At 10 % run delay 9 % of frames of 1.2 ms are late and none of 3 ms, at 20 % 24 and 17 %: medians mislead by then.
"""
BLOCK = 16
"""Neighbouring frame numbers over which the scene's cost hardly changes."""
LOW_END = (0.02, 0.12)
"""Quantiles between which frames are averaged: the very fastest are noise, and later ones may be preempted.

The error is flat about there: 1.2 % with the 2 % quantile only, 1.0 % here, 0.9 % up to the 25 % quantile, at half
load and 1.2 ms a frame. The lower end stays clear of frames that met a preemption where these are longer.
"""
LATE_SHARE = 0.4
"""Share of late frames above which frames are too long for the stretches between preemptions.

With frames of 3 ms at half load, a launch's error is 1.3 % with any share up to a half, 2.6 % with 70 %, and 6.6 %
where late frames never count as too many.
"""
KEPT_END = (0.05, 0.3)
"""The same of frames without the time that others took, where the device never waits and so no CPU polls for long.

At 70 % run delay one launch's error was 0.8 % with it and 1.2 % with ``LOW_END``; where the device waited, 4.4 and
2.9 % (16 and 19 launches of one kernel of 0.9 ms a frame, on two cores with up to ten other processes).
"""
DEVICE_PROMPT = 0.02
"""Share of its time below which a device that waits for its core lengthens no frame by much."""
COMMON_SHARE = 0.8
"""Share of both arms' frames that must have a twin, for only these to count."""
FEWEST_FRAMES = 24
"""Fewest frames of each arm for a low end."""
LOW, COMPUTED, MEAN = "low quantiles of frames of the same number", "computed time a frame", "mean frame time"
KEPT = "low quantiles of frames less what others took"
"""What may stand for a launch, and what it is checked by."""


@dataclass(frozen=True)
class Undisturbed:
    """A launch's effect on a host that preempts: log frame time, candidate minus reference."""

    effect: float
    """NaN when nothing stands for it."""
    by: str = ""
    """Which figure it is."""
    checks: Mapping[str, float] = field(default_factory=dict)
    """The same by figures that are noisier, and have other faults."""


def preempted(load: LaunchLoad | None, frame_ms: Mapping[str, F64]) -> str:
    """Why medians of slices mislead, by what the host measured; empty when they do not.

    The effect itself plays no part: what decides is the larger figure of both arms.
    """
    if load is not None and load.stolen is not None and load.stolen >= STOLEN_FROM:
        return f"{percent(load.stolen, 0)} of the cores' time was stolen"
    if load is not None and load.run_delay is not None:
        return f"{percent(load.run_delay, 0)} run delay" if load.run_delay >= PREEMPTED_FROM else ""
    split = max((_late_share(times) for times in frame_ms.values()), default=0.0)
    return f"run delay cannot be read, and {percent(split, 0)} of the frames are late" if split >= SPLIT_FROM else ""


def undisturbed_effect(
    numbers: Mapping[str, I64],
    frame_ms: Mapping[str, F64],
    computed_ms: Mapping[str, float],
    arms: tuple[str, str],
    kept_ms: Mapping[str, F64] = MappingProxyType({}),
    device_delay: float | None = None,
) -> Undisturbed:
    """Log frame time, candidate minus reference, without the time that other processes took.

    Parameters
    ----------
    numbers, frame_ms
        By role: each frame's number and its time, shape (n,), numbers rising.
    computed_ms
        By role: what a frame computed, on average; empty when that is not known.
    arms
        The candidate and the reference.
    kept_ms
        By role: the frame times without what others took; empty where that is not known.
    device_delay
        Share of the time that the device's thread waited for a core.
    """
    prompt = device_delay is not None and device_delay < DEVICE_PROMPT
    ends = KEPT_END if prompt else LOW_END
    checks = {MEAN: _log_ratio([float(np.mean(frame_ms[role])) if len(frame_ms[role]) else 0.0 for role in arms])}
    if len(computed_ms) == 2:
        computed = _log_ratio([computed_ms[role] for role in arms])
        checks[COMPUTED] = computed
    if len(kept_ms) == 2:
        kept = kept_effect(numbers, kept_ms, arms, ends)
        if math.isfinite(kept):
            return Undisturbed(kept, KEPT, _known(checks))
    if len(computed_ms) == 2:
        if any(_late_low_end(frame_ms[role], computed_ms[role]) for role in arms):
            return Undisturbed(checks.pop(COMPUTED), COMPUTED, _known(checks))
    return Undisturbed(low_end_effect(numbers, frame_ms, *arms), LOW, _known(checks))


def _log_ratio(values: Sequence[float]) -> float:
    """Candidate to reference; NaN where one is not known."""
    ours, theirs = values
    return math.log(ours / theirs) if ours > 0 and theirs > 0 else math.nan


def _known(checks: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in checks.items() if math.isfinite(value)}


def _late_low_end(frame_ms: F64, computed_ms: float) -> bool:
    """Whether nearly all frames of an arm met a preemption, so that chance decides which did not."""
    if len(frame_ms) < FEWEST_FRAMES or _late_share(frame_ms) > LATE_SHARE:
        return True
    return math.exp(_low_end(np.log(frame_ms), LOW_END)) > computed_ms


def _late_share(frame_ms: F64) -> float:
    if len(frame_ms) < FEWEST_FRAMES:
        return 0.0
    return float(np.mean(frame_ms > 1.5 * np.quantile(frame_ms, LOW_END[1])))


def low_end_effect(numbers: Mapping[str, I64], frame_ms: Mapping[str, F64], candidate: str, reference: str) -> float:
    """Log frame time, candidate minus reference, of the undisturbed frames; NaN with too few that both arms drew.

    Parameters
    ----------
    numbers, frame_ms
        By role: each frame's number and its time, shape (n,), numbers rising.
    """
    common = np.intersect1d(numbers[candidate] // BLOCK, numbers[reference] // BLOCK)
    kept = {role: np.isin(numbers[role] // BLOCK, common) & (frame_ms[role] > 0) for role in (candidate, reference)}
    if min(int(np.count_nonzero(mask)) for mask in kept.values()) < FEWEST_FRAMES:
        return math.nan
    logs = {role: np.log(frame_ms[role][mask]) for role, mask in kept.items()}
    place = {role: np.searchsorted(common, numbers[role][mask] // BLOCK) for role, mask in kept.items()}
    scene = _scene_cost(logs, place, len(common))
    levels = {role: _low_end(logs[role] - scene[place[role]], LOW_END) for role in (candidate, reference)}
    return levels[candidate] - levels[reference]


def kept_effect(
    numbers: Mapping[str, I64], kept_ms: Mapping[str, F64], arms: tuple[str, str], ends: tuple[float, float]
) -> float:
    """Log frame time, candidate minus reference, of frames without what others took; NaN with too few.

    Where both arms drew nearly the same frame numbers, only these count. Under load one arm often runs far ahead: all
    frames then count, because few twins are left, and which arm is ahead is chance.
    """
    if min(len(kept_ms[role]) for role in arms) < FEWEST_FRAMES:
        return math.nan
    first, last = max(int(numbers[role][0]) for role in arms), min(int(numbers[role][-1]) for role in arms)
    twins = {role: (numbers[role] >= first) & (numbers[role] <= last) for role in arms}
    share = min(float(np.mean(mask)) for mask in twins.values())
    counted = {role: kept_ms[role][twins[role]] if share >= COMMON_SHARE else kept_ms[role] for role in arms}
    levels = [_low_end(np.log(counted[role][counted[role] > 0]), ends) for role in arms]
    return levels[0] - levels[1]


def _scene_cost(logs: Mapping[str, F64], place: Mapping[str, I64], blocks: int) -> F64:
    """Cost of each block of frame numbers relative to the others, by the fast frames of both arms, shape (blocks,).

    Each arm is first brought to its own low end, so that the slower arm counts as much as the other.
    """
    level = {role: values - _low_end(values, LOW_END) for role, values in logs.items()}
    together = np.concatenate(list(level.values()))
    where = np.concatenate(list(place.values()))
    low = np.array([np.quantile(together[where == block], 0.25) for block in range(blocks)])
    # A block in which nothing ran undisturbed says little of the scene: it may not lift its own late frames.
    usual = float(np.median(low))
    return np.minimum(low, usual + 3 * 1.4826 * float(np.median(np.abs(low - usual))))


def _low_end(values: F64, ends: tuple[float, float]) -> float:
    """Mean of the values between two low quantiles."""
    ordered = np.sort(values)
    first, last = int(ends[0] * len(values)), max(int(math.ceil(ends[1] * len(values))), 2)
    return float(ordered[first:last].mean())
