"""Recording launches of a known effect: the same source against itself, and against injected slow-downs.

Images are linked in several orders, so that candidate and reference are never the same bytes. Effects and pairs of
images alternate from launch to launch, so that a host that changes its speed meets all of them alike.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.core.arrays import F64
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, launch_effect
from harness.core.comparison.undisturbed import COMPUTED
from harness.gate.calibration.power import BY_COMPUTED, CHECK, RecordedPair, Series
from harness.gate.measuring.comparison import fitted_slices
from harness.gate.measuring.launch import ClockStepped, MeasuredLaunch, measure_launch
from harness.gate.measuring.protocol import Protocol
from harness.model.spec import RunSpec

LOADED = "beside a competing load"
"""The notice of evidence that was recorded so."""
RUN_DELAY, STOLEN = "run delay", "stolen"
SLICES, LOW, MEAN = "slice medians", "whole-launch 5 % quantile", "whole-launch mean"
ESTIMATORS = (SLICES, MEAN, LOW)
CHOSEN = "as the host asked for"
LOW_QUANTILE = 0.05


@dataclass(frozen=True)
class InjectedEffect:
    """One planted effect: its arms, one mapping a pair of images."""

    name: str
    planted: float
    pairs: tuple[Mapping[str, RunSpec], ...]


@dataclass(frozen=True)
class CalibrationRecording:
    """All launches, and what one took."""

    series: tuple[Series, ...]
    each_s: float
    protocol: Protocol | None = None
    """Fitted to the frame time; None of evidence that was read again."""


FEWEST_ROUNDS = 6
"""Launches of each effect, whatever the time: two of each of three pairs of images."""
PAIR_LEAST = 2
"""Launches of a pair of images below which nothing is known of its offset."""


def record(
    injected_effects: Sequence[InjectedEffect],
    launches: int,
    folder: Path,
    protocol: Protocol,
    random_state: int,
    progress: Callable[[str], None],
    budget_s: float = math.inf,
) -> CalibrationRecording:
    """Measure every effect this many times, or as often as fits into the budget.

    Raises
    ------
    GuestError
        When a guest fails: a calibration must be complete.
    """
    rng = np.random.default_rng(random_state)
    rows: dict[tuple[str, int], list[MeasuredLaunch]] = {}
    found = fitted_slices(injected_effects[0].pairs[0], folder / "warm-up", protocol, rng)
    protocol, round_s = found.protocol, found.launch_s * len(injected_effects)
    progress(_expected(len(injected_effects), launches, found.launch_s, budget_s))
    begun, rounds = time.monotonic(), 0
    while rounds < launches and (rounds < FEWEST_ROUNDS or time.monotonic() - begun + round_s <= budget_s):
        left_s = min((launches - rounds) * round_s, budget_s - (time.monotonic() - begun))
        for place in rng.permutation(len(injected_effects)):
            injected = injected_effects[int(place)]
            pair = rounds % len(injected.pairs)
            left = f"{max(left_s, 0) / 60:.1f} min left"
            progress(f"calibrate: launch {rounds + 1} of at most {launches}, {injected.name}; about {left}")
            try:
                measured = measure_launch(injected.pairs[pair], folder / "launch", protocol, rng, 0)
            except ClockStepped:
                continue
            shutil.rmtree(folder / "launch", ignore_errors=True)
            rows.setdefault((injected.name, pair), []).append(replace(measured, trace_log={}))
        rounds += 1
        round_s = (time.monotonic() - begun) / rounds
    series = tuple(
        Series(
            injected.name,
            injected.planted,
            tuple(
                recorded_pair(rows[injected.name, pair])
                for pair in range(len(injected.pairs))
                if len(rows.get((injected.name, pair), ())) >= PAIR_LEAST
            ),
        )
        for injected in injected_effects
    )
    # A launch that tells nothing takes its time all the same.
    told = sum(len(one.effects) for one in series)
    return CalibrationRecording(series, (time.monotonic() - begun) / max(told, 1), protocol)


def _expected(effects: int, launches: int, launch_s: float, budget_s: float) -> str:
    """How long it will take, by what the first launch took."""
    whole_s = effects * launches * launch_s
    words = f"calibrate: {effects} effects, {launches} launches each of about {launch_s:.1f} s"
    if whole_s <= budget_s:
        return f"{words}: about {whole_s / 60:.1f} min"
    fit = max(int(budget_s / launch_s / effects), FEWEST_ROUNDS)
    return f"{words}, of which {fit} fit into {budget_s:g} s"


def recorded_pair(launches: Sequence[MeasuredLaunch]) -> RecordedPair:
    """Launches of one pair of images, with their effects by every estimator; those without any are left out."""
    sound = [one for one in launches if np.isfinite(launch_effect(one.launch))]
    noted: dict[str, F64] = {
        RUN_DELAY: _array([math.nan if one.load.run_delay is None else one.load.run_delay for one in sound]),
        STOLEN: _array([math.nan if one.load.stolen is None else one.load.stolen for one in sound]),
        SLICES: _array([launch_effect(replace(one.launch, undisturbed=None, preempted="")) for one in sound]),
        LOW: _array([_ratio(one, lambda times: float(np.quantile(times, LOW_QUANTILE))) for one in sound]),
        MEAN: _array([_ratio(one, lambda times: float(np.mean(times))) for one in sound]),
        BY_COMPUTED: _array([float(one.launch.summed_by == COMPUTED) for one in sound]),
    }
    for name in sorted({name for one in sound if one.launch.undisturbed is not None for name in one.launch.checks}):
        noted[CHECK + name] = _array([one.launch.checks.get(name, math.nan) for one in sound])
    times = {role: _array([float(np.mean(one.frame_ms[role])) for one in sound]) for role in (CANDIDATE, REFERENCE)}
    effects = _array([launch_effect(one.launch) for one in sound])
    return RecordedPair(effects, times[CANDIDATE], times[REFERENCE], noted)


def _array(values: Sequence[float]) -> F64:
    return np.array(values, np.float64)


def _ratio(launch: MeasuredLaunch, summary: Callable[[F64], float]) -> float:
    ours, theirs = (summary(launch.frame_ms[role]) for role in (CANDIDATE, REFERENCE))
    return math.log(ours / theirs) if ours > 0 and theirs > 0 else math.nan


def estimator_rows(series: Series) -> list[tuple[str, float, float]]:
    """Standard deviation of one launch's effect, plain and robust, by estimator; empty of evidence without.

    Launches of few of each pair of images say little of its centre: the offsets between pairs are part of the noise.
    """
    found: list[tuple[str, float, float]] = []
    for name in (*ESTIMATORS, CHOSEN):
        values = [pair.effect if name == CHOSEN else pair.noted.get(name) for pair in series.pairs]
        together = np.concatenate([np.zeros(0), *(one for one in values if one is not None)])
        together = together[np.isfinite(together)]
        centred = together - (np.median(together) if len(together) else 0.0)
        if len(centred) >= 4 and (name != CHOSEN or found):
            robust = 1.4826 * float(np.median(np.abs(centred)))
            found.append((name, float(centred.std(ddof=1)), robust))
    return found
