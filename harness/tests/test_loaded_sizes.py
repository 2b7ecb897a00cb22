"""Large changes on a host that preempts: their size, and what is said where the figures of a launch disagree."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.core.comparison.contradiction import doubt_of
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, Decision, State, decide, launch_effect
from harness.core.comparison.undisturbed import COMPUTED, LOW, MEAN, undisturbed_effect
from harness.core.counts.costs import Prediction
from harness.gate.judging.basis import Basis
from harness.gate.judging.count_gates import contradicted
from harness.gate.judging.gates import _decided
from harness.gate.measuring.launch import EMPTY_SLICES, MeasuredLaunch, slice_launch
from harness.gate.measuring.timing import estimator_words
from harness.model.record import Launch, LaunchLoad, Plan
from harness.model.spec import Verdict
from harness.tests.preemption import BASE_NS, FLUSH, preempted_launch
from harness.tests.test_costs import decision

PLANTED = 0.60
ARMS = (CANDIDATE, REFERENCE)


def _launches(effect: float, count: int, share: float, frame_ns: float) -> list[MeasuredLaunch]:
    rng = np.random.default_rng(11)
    return [preempted_launch(rng, effect, share, frame_ns=frame_ns) for _ in range(count)]


def _holds(decision: Decision, truth: float) -> bool:
    return decision.low <= 1 + truth <= decision.high


@pytest.mark.parametrize("share", [0.15, 0.5, 0.7])
@pytest.mark.parametrize("frame_ns", [0.85e6, 3e6, 8e6, 20e6])
@pytest.mark.slow
def test_a_large_change_has_its_size_and_an_interval_that_holds_it(share: float, frame_ns: float) -> None:
    launches = [one.launch for one in _launches(math.log1p(PLANTED), 16, share, frame_ns)]
    decision = decide(launches, Plan(launches=16))
    assert decision.ratio - 1 == pytest.approx(PLANTED, rel=0.2)
    assert _holds(decision, PLANTED) and not decision.rules_out_slower(0.015), decision.words


@pytest.mark.parametrize("frame_ns", [0.85e6, 8e6])
@pytest.mark.slow
def test_an_unchanged_kernel_raises_no_doubt(frame_ns: float) -> None:
    launches = [one.launch for one in _launches(0.0, 24, 0.5, frame_ns)]
    checks = {name: np.array([one.checks.get(name, math.nan) for one in launches]) for name in (COMPUTED, MEAN)}
    assert doubt_of(np.array([launch_effect(one) for one in launches]), checks, 0.1).size == 0
    assert "told nothing" not in decide(launches).words


def _caught_up(rng: np.random.Generator) -> Launch:
    """A launch whose candidate needs 60 % more, but shows most of its frames at once after a late one."""
    numbers = {role: np.arange(240) for role in ARMS}
    times = {role: rng.normal(1.0, 0.02, 240) for role in ARMS}
    times[CANDIDATE] *= np.where(np.arange(240) % 8 < 5, 1.0, 2.6)[rng.permutation(240)]
    times[REFERENCE] *= np.where(np.arange(240) % 4 == 0, 1.3, 1.0)
    found = undisturbed_effect(numbers, times, {CANDIDATE: 1.6, REFERENCE: 1.0}, ARMS)
    assert found.by == LOW and abs(found.effect) < 0.05
    return Launch((), undisturbed=found.effect, preempted="50 % run delay", summed_by=found.by, checks=found.checks)


def test_fast_frames_that_only_caught_up_hide_no_regression() -> None:
    rng = np.random.default_rng(5)
    launches = [_caught_up(rng) for _ in range(24)]
    decision = decide(launches, Plan(launches=24))
    assert decision.state is State.UNDECIDED and _holds(decision, PLANTED)
    assert "by computed time a frame" in decision.words and "+60" in decision.words
    assert _decided(decision, 0.015)[0] is Verdict.INCONCLUSIVE
    blind = decide([replace(one, checks={}) for one in launches], Plan(launches=24))
    assert blind.rules_out_slower(0.015), "the low end alone would have passed it"


def test_a_change_that_is_certain_beyond_the_doubt_is_kept_with_a_wider_interval() -> None:
    rng = np.random.default_rng(6)
    launches = [
        Launch((), batch=int(number >= 12), undisturbed=effect, preempted="busy", checks={COMPUTED: effect - 0.15})
        for number, effect in enumerate(rng.normal(0.4, 0.01, 24))
    ]
    sure = decide([replace(one, checks={}) for one in launches], Plan(launches=24))
    wider = decide(launches, Plan(launches=24))
    assert sure.state is wider.state is State.CHANGED and wider.direction == "slower"
    assert wider.low < math.exp(0.25) < sure.low and "by computed time a frame" in wider.words
    further = [replace(one, checks={COMPUTED: (one.undisturbed or 0) - 0.4}) for one in launches]
    assert decide(further, Plan(launches=24)).state is State.UNDECIDED


def test_no_slices_stand_for_a_launch_that_was_preempted() -> None:
    """Medians of slices mislead there, whether or not anything better is known."""
    quiet = preempted_launch(np.random.default_rng(1), 0.0, 0.0).launch
    assert math.isfinite(launch_effect(quiet))
    blind = replace(quiet, preempted="60 % run delay")
    assert math.isnan(launch_effect(blind))
    assert decide([blind] * 12).words.endswith("12 of 12 launches told nothing (60 % run delay)")


def test_slices_that_hold_no_frames_are_not_left_out() -> None:
    """Frames of 15 ms, every third of 38: slices of 40 ms with such a frame in them hold too few."""
    frame_ns = np.where(np.arange(40) % 3 == 2, 38e6, 15e6)
    start = BASE_NS + 100_000_000
    logs = {}
    for role, factor in ((CANDIDATE, 1.0), (REFERENCE, 0.1)):
        times = BASE_NS + np.cumsum(np.tile(frame_ns, 10) * factor).astype(np.int64)
        logs[role] = "".join(f"7@{at // 10**9}.{at % 10**9 // 1000:06d}:{FLUSH}\n" for at in times.tolist()).encode()
    spans = []
    for slot in range(14):
        begin = start + slot * 40_000_000
        spans += [(begin, begin + 40_000_000, role, (place + slot) % 2) for place, role in enumerate(ARMS)]
    quiet = LaunchLoad(0.0, 0.0, dict.fromkeys(ARMS, 5.6e8), (start, start + 560_000_000))
    found = slice_launch(logs, spans, dict.fromkeys(ARMS, BASE_NS), 0, 0.002, load=quiet).launch
    assert found.preempted == EMPTY_SLICES
    assert launch_effect(found) == pytest.approx(math.log(10), abs=0.1)
    assert EMPTY_SLICES in estimator_words([found])


def test_both_arms_are_summed_up_by_the_same_figure() -> None:
    """One arm fits between preemptions and the other does not: computed time stands for both."""
    launches = [one.launch for one in _launches(math.log(8.0), 6, 0.5, 1.5e6)]
    assert {one.summed_by for one in launches} == {COMPUTED}
    assert np.median([launch_effect(one) for one in launches]) == pytest.approx(math.log(8.0), abs=0.1)
    assert estimator_words(launches).startswith("computed time a frame, because of 50 % run delay")


def test_computed_time_tells_no_narrow_size() -> None:
    """Polling computes, too: as recorded, 6.3 % was read where 8.4 % more was drawn."""
    launches = [
        Launch((), undisturbed=0.061 + noise, preempted="47 % run delay", summed_by=by, checks={MEAN: 0.061 + noise})
        for by in (LOW, COMPUTED)
        for noise in np.random.default_rng(3).permutation(np.linspace(-0.02, 0.02, 24))
    ]
    by_low, by_computed = decide(launches[:24]), decide(launches[24:])
    assert by_low.high < 1.0835 < by_computed.high


def test_a_clock_that_counts_contradict_does_not_pass() -> None:
    same = decision(0.0, 0.003)

    def words(change: float, device: str = "") -> str:
        return contradicted(Basis(None, decision=same, prediction=Prediction(change, {}, device)), same)

    assert "the clock shows at most" in words(0.5)
    assert words(0.5, "notifications +100 %") == "" and words(0.04) == "" and words(-0.5) == ""
    assert contradicted(Basis(None, decision=same), same) == ""
