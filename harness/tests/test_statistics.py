"""The comparison on planted truth: coverage, false alarms, power, and each rule of the protocol."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness.core.comparison.estimate import hodges_lehmann
from harness.core.comparison.sequential import bounds, look_sizes, spent
from harness.core.comparison.statistics import (
    CANDIDATE,
    REFERENCE,
    Launch,
    Next,
    Plan,
    Slice,
    State,
    balanced_blocks,
    decide,
    decide_effects,
    launch_effect,
    next_look,
)
from harness.gate.calibration.power import coverage
from harness.gate.calibration.reference_methods import mann_whitney, mean_threshold
from harness.gate.calibration.simulate import (
    DrawEffects,
    autocorrelated,
    bimodal,
    heavy_tailed,
    normal,
    resampled,
    run_session,
    with_outliers,
)
from harness.tests.fuzz import FULL
from harness.tests.simulated import HostNoise, effects_of, simulate_launch

SERIES: dict[str, Callable[[float], DrawEffects]] = {
    "normal": normal,
    "heavy tails": heavy_tailed,
    "bimodal": bimodal,
    "outliers": with_outliers,
    "autocorrelated": autocorrelated,
}
ZEROS70 = np.zeros(70, np.int64)


def _slice(slot: int, core: int, role: str, ms: float) -> Slice:
    return Slice(slot, core, role, ms * 1e6, 14)


# Bounds


def test_bounds_are_the_published_ones() -> None:
    """C. Jennison and B. W. Turnbull, Group Sequential Methods, 2000, table 7.3 (rho = 2, five looks, 5 %)."""
    assert bounds((1.0,), 0.05) == pytest.approx((1.960,), abs=0.002)
    assert bounds((0.2, 0.4, 0.6, 0.8, 1.0), 0.05)[-1] == pytest.approx(2.115, abs=0.005)


def test_bounds_spend_what_they_may_and_no_more() -> None:
    fractions = tuple(look / 10 for look in range(1, 11))
    limits = np.array(bounds(fractions, 0.05))
    rng = np.random.default_rng(1)
    walks = np.cumsum(rng.normal(size=(200_000, 10)), axis=1) / np.sqrt(np.arange(1, 11))
    crossed = np.maximum.accumulate(np.abs(walks) > limits, axis=1).mean(axis=0)
    for share, fraction in zip(crossed, fractions):
        assert share == pytest.approx(spent(0.05, fraction), abs=0.002)


def test_bounds_refuse_looks_that_do_not_rise() -> None:
    with pytest.raises(ValueError):
        bounds((0.5, 0.5), 0.05)


def test_looks_are_within_the_plan() -> None:
    assert look_sizes(70, 10, 8) == (8, 14, 21, 28, 35, 42, 49, 56, 63, 70)
    assert look_sizes(5, 10, 8) == (5,)


# One launch


def test_cores_roles_and_drift_cancel() -> None:
    """Core 1 is 10 % slower, the host slows by 3 % a slot, the candidate takes 2 % longer: 2 % is what comes out."""
    slices = []
    for slot in range(14):
        for side, role in enumerate((CANDIDATE, REFERENCE)):
            core = (side + slot) % 2
            level = 0.02 * (role == CANDIDATE) + 0.10 * core + 0.03 * slot
            slices.append(_slice(slot, core, role, 3 * math.exp(level)))
    assert launch_effect(Launch(tuple(slices))) == pytest.approx(0.02, abs=1e-12)
    assert len(balanced_blocks(slices)) == 7


def test_one_core_taken_in_turns_in_reversed_order_cancels_drift() -> None:
    order = (CANDIDATE, REFERENCE, REFERENCE, CANDIDATE) * 4
    slices = [
        _slice(slot, 0, role, 3 * math.exp(0.02 * (role == CANDIDATE) + 0.01 * slot)) for slot, role in enumerate(order)
    ]
    assert launch_effect(Launch(tuple(slices))) == pytest.approx(0.02, abs=1e-12)


def test_an_order_that_never_balances_in_time_still_pairs_cores() -> None:
    order = (CANDIDATE, REFERENCE) * 6
    slices = [_slice(slot, 0, role, 3 * math.exp(0.02 * (role == CANDIDATE))) for slot, role in enumerate(order)]
    assert launch_effect(Launch(tuple(slices))) == pytest.approx(0.02, abs=1e-12)


def test_a_launch_without_one_role_has_no_effect() -> None:
    assert math.isnan(launch_effect(Launch(tuple(_slice(slot, 0, CANDIDATE, 3) for slot in range(8)))))
    assert math.isnan(launch_effect(Launch(())))


def test_hodges_lehmann_shrugs_at_an_outlier() -> None:
    assert hodges_lehmann(np.array([1.0, 2.0, 3.0, 4.0, 900.0])) == pytest.approx(3.0)


@pytest.mark.slow
def test_launch_effects_are_unbiased_in_a_noisy_drifting_host() -> None:
    rng = np.random.default_rng(2)
    noise = HostNoise(drift=0.01, host_sd=0.2, core_sd=0.05, spike_share=0.03)
    effects = effects_of([simulate_launch(rng, 0.03, noise) for _ in range(400)])
    assert effects.mean() == pytest.approx(0.03, abs=3 * effects.std() / 20)
    assert effects.std() < 2 * noise.launch_sd


# The decision


def test_too_few_launches_are_undecided_whatever_they_say() -> None:
    for count in range(8):
        decision = decide_effects(np.full(count, 0.5) + np.arange(count) * 1e-3, np.zeros(count, np.int64))
        assert decision.state is State.UNDECIDED and decision.next is Next.MORE
    assert math.isnan(decide([]).ratio)
    assert decide([], Plan(launches=0)).next is Next.STOP


def test_an_alarm_asks_for_a_second_batch_and_is_no_finding_without_it() -> None:
    effects = np.random.default_rng(3).normal(0.10, 0.02, 70)
    first = decide_effects(effects[:8], np.zeros(8, np.int64))
    assert first.next is Next.CONFIRM and first.state is State.UNDECIDED
    batches = np.repeat([0, 1], 8)
    second = decide_effects(effects[:16], batches)
    assert second.confirmed and second.state is State.CHANGED and second.direction == "slower"
    assert second.next is Next.STOP
    assert second.low < math.exp(0.10) < second.high
    assert "slower" in second.words and "confirmed" in second.words


def test_a_second_batch_that_disagrees_leaves_it_undecided() -> None:
    rng = np.random.default_rng(4)
    effects = np.concatenate([rng.normal(0.08, 0.02, 14), rng.normal(0, 0.02, 14)])
    decision = decide_effects(effects, np.repeat([0, 1], 14))
    assert not decision.confirmed and decision.state is State.UNDECIDED
    assert "not confirmed" in decision.words


def test_faster_is_found_like_slower() -> None:
    effects = np.random.default_rng(5).normal(-0.10, 0.02, 16)
    decision = decide_effects(effects, np.repeat([0, 1], 8))
    assert (decision.state, decision.direction) == (State.CHANGED, "faster")
    assert decision.ratio < 1 and decision.rules_out_slower(0.015)


def test_identical_is_unchanged_early() -> None:
    decision = run_session(np.random.default_rng(6).normal(0, 0.01, 70), Plan())
    assert decision.state is State.UNCHANGED and decision.launches < 35
    assert decision.high - 1 < 0.015 and 1 - decision.low < 0.015


def test_a_loud_host_is_undecided_and_says_what_it_hides() -> None:
    decision = run_session(np.random.default_rng(7).normal(0, 0.2, 70), Plan())
    assert decision.state is State.UNDECIDED and decision.next is Next.STOP
    assert decision.detectable > 0.05
    wanted = "the smallest detectable change is"
    assert wanted in decide_effects(normal(0.2)(np.random.default_rng(1), 70), ZEROS70).words


@pytest.mark.parametrize(("effect", "wrong"), [(0.016, State.UNCHANGED), (0.011, State.CHANGED)])
def test_effects_beside_the_smallest_that_matters_are_not_mistaken(effect: float, wrong: State) -> None:
    draws = (normal(0.004)(np.random.default_rng(random_state), 70) + effect for random_state in range(20))
    assert all(run_session(effects, Plan()).state is not wrong for effects in draws)


def test_decisions_change_only_at_announced_looks() -> None:
    plan = Plan(launches=40)
    effects = np.random.default_rng(8).normal(0.02, 0.025, 40)
    announced = set()
    for total in range(40):
        announced.add(total + next_look(total, 0, plan))
    for total in range(1, 40):
        now = decide_effects(effects[: total + 1], np.zeros(total + 1, np.int64), plan)
        before = decide_effects(effects[:total], np.zeros(total, np.int64), plan)
        if total + 1 not in announced and total >= plan.fewest:
            assert now == before


def test_launches_that_cannot_be_paired_are_left_out() -> None:
    rng = np.random.default_rng(9)
    launches = [simulate_launch(rng, 0.0) for _ in range(20)]
    broken = [Launch(launch.slices[:1]) for launch in launches]
    whole = decide(launches + broken)
    assert whole.words.endswith("; 20 of 40 launches told nothing")
    assert replace(whole, words=decide(launches).words) == decide(launches)


@pytest.mark.parametrize("name", SERIES)
def test_intervals_hold_at_all_looks_at_once(name: str) -> None:
    """Within a point of 95 %, plus three standard errors of the simulation."""
    runs = 4000 if FULL else 150
    share = coverage(SERIES[name](0.025), runs, np.random.default_rng(10))
    allowed = 0.01 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert abs(share - 0.95) <= allowed + (0.01 if name == "autocorrelated" else 0)


def _states(draw: DrawEffects, effect: float, runs: int, planned: int, random_state: int) -> Counter[str]:
    rng = np.random.default_rng(random_state)
    found: Counter[str] = Counter()
    for _ in range(runs):
        decision = run_session(draw(rng, planned) + effect, Plan(launches=planned))
        found[decision.direction if decision.state is State.CHANGED else decision.state.value] += 1
    return found


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.slow
def test_no_false_alarms(name: str) -> None:
    """At most 1 in 200, here none at all in the fast form."""
    runs = 1500 if FULL else 40
    found = _states(SERIES[name](0.025), 0.0, runs, 70, random_state=11)
    assert found["slower"] + found["faster"] <= runs // 200


@pytest.mark.parametrize(("effect", "planned", "power"), [(0.03, 70, 0.99), (0.03, 35, 0.95), (0.02, 70, 0.90)])
@pytest.mark.slow
def test_power(effect: float, planned: int, power: float) -> None:
    runs = 1500 if FULL else 60
    found = _states(normal(0.025), effect, runs, planned, random_state=12)
    assert found["slower"] / runs >= power - 2.5 * math.sqrt(power * (1 - power) / runs)
    assert found["faster"] == 0


def test_an_offset_between_builds_of_the_same_source_is_no_regression() -> None:
    found = _states(normal(0.025), 0.005, 1000 if FULL else 40, 70, random_state=13)
    assert found["slower"] <= (10 if FULL else 1)


def test_resampling_recorded_launches_keeps_their_spread_not_their_offset() -> None:
    recorded = 0.04 + np.random.default_rng(14).normal(0, 0.02, 62)
    drawn = resampled(recorded)(np.random.default_rng(15), 5000)
    assert abs(np.median(drawn)) < 0.003 and drawn.std() == pytest.approx(recorded.std(), rel=0.05)


# Others


def test_rivals_answer_as_they_would() -> None:
    base = np.linspace(3.0, 3.1, 20)
    assert mann_whitney(base + 0.2, base) == 1 and mann_whitney(base - 0.2, base) == -1
    assert mann_whitney(base, base) == 0 and mann_whitney(base[:1], base) == 0
    assert mann_whitney(np.full(5, 3.0), np.full(5, 3.0)) == 0
    assert mean_threshold(base * 1.06, base, 0.05) == 1 and mean_threshold(base * 1.04, base, 0.05) == 0
    assert mean_threshold(base / 1.06, base, 0.05) == -1


@pytest.mark.full
def test_ten_thousand_comparisons() -> None:
    """All series, no effect: false alarms of the protocol over 10,000 sessions, with their bound."""
    alarms, total = 0, 0
    for random_state, (name, series) in enumerate(SERIES.items()):
        found = _states(series(0.025), 0.0, 2000, 70, random_state=100 + random_state)
        alarms += found["slower"] + found["faster"]
        total += 2000
    assert total == 10_000
    assert alarms / total <= 1 / 200
