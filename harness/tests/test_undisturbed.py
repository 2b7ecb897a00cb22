"""The estimator for the machine at hand, on made-up hosts: sizes, coverage, false alarms, power, and what decides."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.core.arrays import F64
from harness.core.comparison import undisturbed
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, State, launch_effect
from harness.core.comparison.undisturbed import low_end_effect, preempted
from harness.gate.calibration.power import coverage
from harness.gate.calibration.simulate import resampled, run_session
from harness.gate.measuring.launch import MeasuredLaunch
from harness.gate.measuring.timing import estimator_words
from harness.model.record import Launch, LaunchLoad, Plan
from harness.tests.preemption import preempted_launch

LOADED, QUIET = 0.5, 0.0


def _launches(effect: float, share: float, count: int, random_state: int = 1, **more: float) -> list[MeasuredLaunch]:
    rng = np.random.default_rng(random_state)
    return [preempted_launch(rng, effect, share, **more) for _ in range(count)]


def _effects(launches: list[MeasuredLaunch]) -> F64:
    return np.array([launch_effect(one.launch) for one in launches])


@pytest.mark.parametrize("share", [QUIET, 0.25, LOADED, 0.7])
@pytest.mark.slow
def test_sizes_are_right_whatever_the_load(share: float) -> None:
    found = np.expm1(np.median(_effects(_launches(math.log(1.093), share, 40))))
    assert found == pytest.approx(0.093, abs=0.01)


@pytest.mark.parametrize("frame_ns", [0.8e6, 3e6, 6e6])
@pytest.mark.slow
def test_sizes_are_right_whatever_the_frame_time(frame_ns: float) -> None:
    found = np.expm1(np.median(_effects(_launches(math.log(1.093), LOADED, 60, frame_ns=frame_ns))))
    assert found == pytest.approx(0.093, abs=0.02)


@pytest.mark.slow
def test_medians_of_slices_would_be_noisy_under_load() -> None:
    """Purpose of the low end: without it the same launches are more than twice as noisy."""
    launches = _launches(0.0, LOADED, 40, frame_ns=3e6)
    medians = np.array([launch_effect(replace(one.launch, undisturbed=None, preempted="")) for one in launches])
    assert medians.std() > 2 * _effects(launches).std()


def test_nothing_preempts_and_slices_serve() -> None:
    launches = [one.launch for one in _launches(0.02, QUIET, 4)]
    assert all(launch.undisturbed is None and not launch.preempted for launch in launches)
    assert estimator_words(launches) == "slice medians"


def test_what_was_chosen_is_said_with_its_reason() -> None:
    loaded = [one.launch for one in _launches(0.0, LOADED, 3)]
    assert "low quantiles" in estimator_words(loaded) and "50 % run delay" in estimator_words(loaded)
    mixed = [*loaded, *(one.launch for one in _launches(0.0, QUIET, 1))]
    assert "same number in 3, slice medians in 1 of 4 launches, because of" in estimator_words(mixed)


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (LaunchLoad(0.09, 0.0), ""),
        (LaunchLoad(0.10, 0.0), "10 % run delay"),
        (LaunchLoad(0.0, 0.06), "6 % of the cores' time was stolen"),
        (LaunchLoad(0.0, None), ""),
        (LaunchLoad(None, None), ""),
        (None, ""),
    ],
)
def test_the_host_decides_and_not_the_result(load: LaunchLoad | None, reason: str) -> None:
    slow, fast = np.full(200, 9.0), np.full(200, 3.0)
    assert preempted(load, {CANDIDATE: slow, REFERENCE: fast}) == reason
    assert preempted(load, {CANDIDATE: fast, REFERENCE: slow}) == reason


def test_modes_decide_where_run_delay_cannot_be_read() -> None:
    steady, split = np.full(200, 3.0), np.where(np.arange(200) % 2, 3.0, 6.0)
    assert preempted(LaunchLoad(), {CANDIDATE: steady, REFERENCE: steady}) == ""
    assert "50 % of the frames are late" in preempted(LaunchLoad(), {CANDIDATE: steady, REFERENCE: split})


@pytest.mark.parametrize("share", [QUIET, LOADED])
@pytest.mark.slow
def test_intervals_cover_and_unchanged_trees_do_not_alarm(share: float) -> None:
    recorded = resampled(_effects(_launches(0.0, share, 120)))
    rng = np.random.default_rng(3)
    assert coverage(recorded, 400, rng) >= 0.925
    sessions = [run_session(recorded(rng, 70), Plan()) for _ in range(200)]
    assert sum(one.state is State.CHANGED for one in sessions) <= 1


@pytest.mark.parametrize(("share", "effect"), [(QUIET, 0.02), (LOADED, 0.03)])
@pytest.mark.slow
def test_small_changes_are_found(share: float, effect: float) -> None:
    launches = _effects(_launches(math.log1p(effect), share, 120))
    rng = np.random.default_rng(4)
    found = [run_session(rng.choice(launches, 70), Plan()) for _ in range(60)]
    assert np.mean([one.direction == "slower" for one in found]) >= 0.95


def test_the_scene_cancels_even_where_one_arm_falls_behind() -> None:
    """The reference drew fewer of the numbers: only those that both drew count, so that a costly scene stays out."""
    numbers = np.arange(480)
    scene = np.where(numbers < 240, 1.0, 3.0)
    whole = {CANDIDATE: numbers, REFERENCE: numbers[:240]}
    times = {CANDIDATE: 1.05 * scene, REFERENCE: scene[:240]}
    assert low_end_effect(whole, times, CANDIDATE, REFERENCE) == pytest.approx(math.log(1.05), abs=1e-9)


def test_too_few_common_frames_leave_the_slices() -> None:
    few = {CANDIDATE: np.arange(10), REFERENCE: np.arange(10)}
    times = {role: np.ones(10) for role in few}
    assert math.isnan(low_end_effect(few, times, CANDIDATE, REFERENCE))
    apart = {CANDIDATE: np.arange(100), REFERENCE: np.arange(1000, 1100)}
    assert math.isnan(low_end_effect(apart, {role: np.ones(100) for role in apart}, CANDIDATE, REFERENCE))
    assert launch_effect(Launch((), undisturbed=0.5)) == 0.5


def _error(share: float, frame_ns: float, slices: bool) -> float:
    """Root mean square error of one launch's effect, by medians of slices or by what the low end makes of it."""
    launches = [one.launch for one in _launches(math.log(1.05), share, 30, frame_ns=frame_ns)]
    if slices:
        launches = [replace(launch, undisturbed=None, preempted="") for launch in launches]
    found = np.array([launch_effect(launch) for launch in launches]) - math.log(1.05)
    return float(np.sqrt(np.nanmean(found**2)))


@pytest.mark.slow
def test_the_estimator_changes_where_the_two_errors_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undisturbed, "PREEMPTED_FROM", -1.0)
    below, above = 0.5 * 0.10, 2 * 0.10
    assert _error(below, 3e6, slices=True) < 1.1 * _error(below, 3e6, slices=False)
    assert _error(above, 3e6, slices=True) > 1.5 * _error(above, 3e6, slices=False)


@pytest.mark.slow
def test_late_frames_count_as_too_many_before_the_low_end_misleads(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = _error(LOADED, 3e6, slices=False)
    monkeypatch.setattr(undisturbed, "LATE_SHARE", 0.7)
    later = _error(LOADED, 3e6, slices=False)
    monkeypatch.setattr(undisturbed, "LATE_SHARE", 2.0)
    assert usual < 0.7 * later < 0.7 * _error(LOADED, 3e6, slices=False)


@pytest.mark.slow
def test_the_low_end_lies_where_the_error_is_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = _error(LOADED, 1.2e6, slices=False)
    monkeypatch.setattr(undisturbed, "LOW_END", (0.0, 0.02))
    assert _error(LOADED, 1.2e6, slices=False) > 1.1 * usual
    monkeypatch.setattr(undisturbed, "LOW_END", (0.02, 0.25))
    assert _error(LOADED, 1.2e6, slices=False) > 0.8 * usual
