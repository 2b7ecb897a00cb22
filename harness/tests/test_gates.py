"""Every gate kind, tripped and not; metrics overridden; verdicts and their sentences."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from harness.core.comparison.statistics import Decision, Launch, Plan, State, decide_effects
from harness.gate.judging import gates
from harness.gate.judging.basis import Basis, Figures
from harness.gate.judging.further_gates import picture_gate
from harness.gate.judging.judge import missing_gate
from harness.gate.judging.metrics import HIGHER, LOWER, RULES, Rule, not_offered, row_of
from harness.gate.judging.rule_file import rules_from_toml
from harness.gate.judging.tails import compare_tails, holm
from harness.gate.judging.verdict import Judgement, judge
from harness.model.record import Incident
from harness.model.result import Arm, Frames, Gate, Metric
from harness.model.spec import BUILT_IN, FOREIGN, UsageError, Verdict

FPS = Rule("fps_trace", "ratio", HIGHER, smallest=0.015, primary=True)
GOOD = {
    "fps_trace": 350.0,
    "frame_ms_p95": 3.1,
    "frame_ms_p99": 3.4,
    "fps_low_1pct": 280.0,
    "completions_per_frame": 2.0,
    "fences_per_frame": 2.0,
    "spins_per_frame": 271.0,
    "timeouts": 0.0,
    "rekicks": 0.0,
    "instructions_per_frame": 5_510_409.0,
    "boot_ms": 140.0,
}
NO_KEYS = {"input_late": "keys are pressed on request"}


def _metric(name: str, value: float) -> Metric:
    return Metric(value, row_of(name).unit, "trace", n=600)


def _arm(barrier: str = "acquire_progress", **changes: float | None) -> Arm:
    values = {name: value for name, value in (GOOD | changes).items() if value is not None}
    metrics = {name: _metric(name, value) for name, value in values.items()}
    return Arm({"ARCH": "x86_64", "BARRIER": barrier}, "ab" * 32, metrics, scene="12ab")


def _decision(effect: float, spread: float = 0.005) -> Decision:
    effects = effect + spread * np.linspace(-1, 1, 70)[np.random.default_rng(1).permutation(70)]
    return decide_effects(effects, np.repeat([0, 1], 35))


def _judge(**changes: object) -> Judgement:
    basis = Basis(_arm(), _arm(), _decision(0.0), frames=Frames(checked=400, intact=400), not_measured=NO_KEYS)
    return judge(dataclasses.replace(basis, **changes))


def _verdicts(judgement: Judgement) -> dict[tuple[str, str], Verdict | None]:
    return {(gate.metric, gate.kind): gate.verdict for gate in judgement.gates}


# Verdicts


def test_a_sound_unchanged_run_passes_and_says_so() -> None:
    judgement = _judge()
    assert judgement.verdict is Verdict.PASS
    assert judgement.sentence.startswith("pass: 350 frames/s, no change beyond ±1.5 %: frame time ")
    assert judgement.sentence.endswith("400 of 400 pictures right")
    assert _verdicts(judgement)["spins_per_frame", "report"] is None


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({"decision": _decision(0.05)}, Verdict.REGRESSION, "regression: 5.1 % slower than the baseline (+"),
        ({"decision": _decision(-0.05)}, Verdict.PASS, "4.9 % faster (−"),
        ({"decision": _decision(0.0, 0.5)}, Verdict.INCONCLUSIVE, "inconclusive: undecided, up to "),
        (
            {"frames": None, "left_out": ("pictures", "exact")},
            Verdict.INCONCLUSIVE,
            "pictures and exact were not asked",
        ),
        ({"reference": None, "no_reference": "no baseline"}, Verdict.INCONCLUSIVE, "inconclusive: no baseline"),
        ({"candidate": None}, Verdict.INCONCLUSIVE, "the candidate was not measured"),
        ({"candidate": _arm(fps_trace=9.9)}, Verdict.REGRESSION, "below the floor of 10"),
        ({"candidate": _arm(fps_trace=None)}, Verdict.INCONCLUSIVE, "frame rate: no data"),
        ({"candidate": _arm(completions_per_frame=4.0)}, Verdict.REGRESSION, "completions a frame: 4 completions"),
        ({"candidate": _arm(fences_per_frame=2.5)}, Verdict.REGRESSION, "at most one a completion (2) allowed"),
        ({"candidate": _arm(fences_per_frame=None)}, Verdict.INCONCLUSIVE, "fences a frame: no data"),
        (
            {"candidate": _arm(timeouts=1.0)},
            Verdict.GUEST_FAILED,
            "waits that gave up: 1 wait (none allowed): the driver gave up",
        ),
        (
            {"candidate": _arm(rekicks=2.0)},
            Verdict.GUEST_FAILED,
            "missed notifications: 2 notifications (none allowed)",
        ),
        (
            {"candidate": _arm(instructions_per_frame=5_516_000.0)},
            Verdict.REGRESSION,
            "5,591 more instructions a frame (+0.101 %; up to 0.05 % allowed)",
        ),
        ({"candidate": _arm(instructions_per_frame=None)}, Verdict.INCONCLUSIVE, "instructions a frame: no data"),
        ({"frames": None}, Verdict.INCONCLUSIVE, "no pictures were checked"),
        ({"frames": Frames(checked=0)}, Verdict.INCONCLUSIVE, "no pictures were checked"),
        ({"frames": Frames(checked=9, intact=8, torn=1)}, Verdict.GUEST_FAILED, "1 of 9 pictures wrong: 1 torn"),
        (
            {"incidents": (Incident(Verdict.GUEST_FAILED, "panic at x"),)},
            Verdict.GUEST_FAILED,
            "guest-failed: panic at x",
        ),
        ({"reference": dataclasses.replace(_arm(), scene="34cd")}, Verdict.INCONCLUSIVE, "make approve"),
    ],
)
def test_each_gate_trips_its_own_verdict(changes: dict[str, object], verdict: Verdict, words: str) -> None:
    judgement = _judge(**changes)
    assert judgement.verdict is verdict
    assert words in judgement.sentence


def test_the_worst_of_several_wins_and_the_rest_are_counted() -> None:
    judgement = _judge(
        candidate=_arm(timeouts=3.0, fps_trace=5.0),
        incidents=(Incident(Verdict.INCONCLUSIVE, "noisy host"), Incident(Verdict.HARNESS_FAILED, "disk full")),
    )
    assert judgement.verdict is Verdict.HARNESS_FAILED
    assert judgement.problems == ("disk full", "noisy host")


def test_no_rule_can_make_a_run_without_frame_rate_pass() -> None:
    silent = tuple(dataclasses.replace(rule, kind="report") for rule in RULES)
    assert _judge(rules=silent).verdict is Verdict.PASS
    assert _judge(rules=silent, candidate=_arm(fps_trace=None)).verdict is Verdict.INCONCLUSIVE


def test_a_foreign_kernel_is_judged_by_what_it_offers() -> None:
    seen = ("fps_trace", "frame_ms_p95", "frame_ms_p99", "fps_low_1pct", "boot_ms")
    bare = Arm({}, "ab" * 32, {name: _metric(name, GOOD[name]) for name in seen})
    judgement = _judge(candidate=bare, reference=bare, capabilities=FOREIGN)
    assert judgement.verdict is Verdict.PASS
    absent = {gate.metric: gate for gate in judgement.gates if gate.verdict is None}
    assert absent["completions_per_frame"].why == "not applicable: this kernel prints no records"
    assert absent["completions_per_frame"].value is None


def test_what_nobody_asked_for_is_not_applicable_with_the_reason() -> None:
    unasked = NO_KEYS | {"instructions_per_frame": "the exact stage was left out"}
    judgement = _judge(candidate=_arm(instructions_per_frame=None), not_measured=unasked)
    assert judgement.verdict is Verdict.PASS
    assert _verdicts(judgement)["instructions_per_frame", "rise"] is None


def test_spinning_strategies_may_fence_as_often_as_they_like() -> None:
    spinning = _arm("seqcst_spin", fences_per_frame=1500.0)
    assert _judge(candidate=spinning).verdict is Verdict.PASS


def test_below_thirty_frames_a_second_is_a_notice() -> None:
    judgement = _judge(candidate=_arm(fps_trace=29.0), reference=_arm(fps_trace=29.0))
    assert judgement.verdict is Verdict.PASS
    assert judgement.notices == ("frame rate: warning: 29 frames/s is below 30",)


def test_the_same_kernel_needs_no_comparison_and_still_pictures() -> None:
    words = "the same kernel, byte for byte"
    judgement = _judge(decision=None, same_kernel=words)
    assert judgement.verdict is Verdict.PASS and f"350 frames/s, {words}" in judgement.sentence
    found = {(gate.metric, gate.kind): gate for gate in judgement.gates}
    assert (found["fps_trace", "ratio"].change, found["fps_trace", "ratio"].low) == (0.0, 0.0)
    assert found["frame_ms_p99", "ratio"].verdict is None
    assert _judge(decision=None, same_kernel=words, frames=None).verdict is Verdict.INCONCLUSIVE
    assert _judge(decision=None, same_kernel=words, candidate=_arm(fps_trace=9.9)).verdict is Verdict.REGRESSION
    slow = _judge(
        decision=None,
        same_kernel=words,
        candidate=_arm(fps_window=99.0),
        stored_fps={"fps_window": 350.0},
        same_host=True,
    )
    assert slow.verdict is Verdict.PASS and "so it is the host" in slow.notices[0]


# Single kinds


def _figures(candidate: Metric, reference: Metric | None, decision: Decision | None = None) -> Figures:
    return Figures(Basis(_arm(), _arm(), decision), _arm(), candidate, reference)


@pytest.mark.parametrize(
    ("candidate", "verdict", "why"),
    [
        (5_510_409.0, Verdict.PASS, "exactly equal"),
        (5_510_410.0, Verdict.PASS, "1 more instructions a frame (+0.000 %)"),
        (5_513_164.0, Verdict.PASS, "2,755 more instructions a frame (+0.050 %)"),
        (5_513_165.0, Verdict.REGRESSION, "up to 0.05 % allowed)"),
        (5_000_000.0, Verdict.PASS, "510,409 fewer instructions a frame (−9.3 %)"),
    ],
)
def test_rise(candidate: float, verdict: Verdict, why: str) -> None:
    rule = Rule("instructions_per_frame", "rise", LOWER, smallest=0.0005)
    metric, reference = (_metric("instructions_per_frame", value) for value in (candidate, 5_510_409.0))
    gate = gates.KINDS["rise"].judge(rule, _figures(metric, reference))
    assert gate.verdict is verdict and why in gate.why


@pytest.mark.parametrize(
    ("candidate", "reference", "n", "verdict"),
    [
        (150.0, 140.0, 9, Verdict.PASS),
        (205.0, 140.0, 9, Verdict.REGRESSION),
        (185.0, 140.0, 9, Verdict.PASS),
        (1060.0, 1000.0, 9, Verdict.PASS),
        (90.0, 140.0, 9, Verdict.PASS),
        (900.0, 140.0, 2, None),
    ],
)
def test_a_boot_that_takes_longer_fails(candidate: float, reference: float, n: int, verdict: Verdict | None) -> None:
    """A quarter longer and 50 ms: less of either is the host's noise."""
    rule = next(rule for rule in RULES if rule.metric == "boot_ms")
    ours, theirs = (Metric(value, "ms", "trace", n=n) for value in (candidate, reference))
    gate = gates.KINDS["growth"].judge(rule, _figures(ours, theirs))
    assert gate.verdict is verdict, gate.why
    if verdict is Verdict.REGRESSION:
        assert gate.why == "+46 %, 205 ms where the reference has 140 ms (up to 25 % or 50 ms allowed)"
    assert gates.KINDS["growth"].judge(rule, _figures(ours, None)).verdict is None


def test_the_ratio_gate_speaks_of_frame_rate_in_its_own_direction() -> None:
    gate = gates.KINDS["ratio"].judge(
        FPS, _figures(_metric("fps_trace", 333.0), _metric("fps_trace", 350.0), _decision(0.05))
    )
    assert gate.change == pytest.approx(math.exp(-0.05) - 1, abs=1e-3)
    assert gate.low is not None and gate.high is not None and gate.change is not None
    assert gate.low < gate.change < gate.high < 0


def test_not_slower_is_enough_when_faster_is_unsure() -> None:
    decision = dataclasses.replace(_decision(-0.05), state=State.UNDECIDED, direction="none")
    gate = gates.KINDS["ratio"].judge(FPS, _figures(_metric("fps_trace", 365.0), _metric("fps_trace", 350.0), decision))
    assert gate.verdict is Verdict.PASS and gate.why.startswith("not slower by 1.5 %: frame time −4.9 % (")


@pytest.mark.parametrize(
    ("fps", "same_host", "decision", "verdict"),
    [
        (200, True, None, Verdict.INCONCLUSIVE),
        (200, True, _decision(0.8), Verdict.REGRESSION),
        (200, True, _decision(0.0), None),
        (200, False, None, None),
        (300, True, None, Verdict.PASS),
    ],
)
def test_a_stored_frame_rate_gates_only_on_its_own_host(
    fps: float, same_host: bool, decision: Decision | None, verdict: Verdict | None
) -> None:
    stored = {"fps_window": 350.0}
    judgement = _judge(
        candidate=_arm(fps_window=fps), stored_fps=stored, same_host=same_host, decision=decision, reference=None
    )
    assert _verdicts(judgement)["fps_window", "bound"] is verdict


def test_the_pictures_gate_states_its_bound() -> None:
    gate = picture_gate(Frames(checked=400, intact=400))
    assert gate.why == "400 of 400 pictures right (fewer than 0.7 % can be wrong)"


def test_every_rule_is_of_a_known_metric_and_told_what_is_missing() -> None:
    for rule in RULES:
        assert rule.unit
        gate = missing_gate(rule, None)
        assert gate.value is None
        assert gate.verdict is (None if rule.kind == "report" else Verdict.INCONCLUSIVE)
        assert missing_gate(rule, "not offered") == Gate(rule.metric, rule.kind, None, "not applicable: not offered")


@pytest.mark.parametrize(
    ("metric", "switches", "offered"),
    [
        ("fences_per_frame", {}, True),
        ("fences_per_frame", {"LOG": "none"}, False),
        ("fences_per_frame", {"COUNTERS": "none"}, False),
        ("timeouts", {"COUNTERS": "none"}, True),
        ("fps_trace", {"LOG": "none", "COUNTERS": "none"}, True),
    ],
)
def test_switches_say_what_a_build_can_offer(metric: str, switches: dict[str, str], offered: bool) -> None:
    assert (not_offered(metric, BUILT_IN, switches) is None) is offered
    if metric != "fps_trace":
        assert not_offered(metric, FOREIGN, {}) is not None


# Tails


def _launches(effect: float, random_state: int = 1, count: int = 60) -> list[Launch]:
    logs = np.random.default_rng(random_state).normal(effect, 0.15, count)
    return [Launch((), paired={"frame_ms_p99": (3.4 * math.exp(log), 3.4)}) for log in logs]


def test_a_worse_tail_is_found_and_a_noisy_one_is_not() -> None:
    rules = [rule for rule in RULES if rule.metric == "frame_ms_p99"]
    (worse,) = compare_tails(_launches(0.3), rules)
    assert worse.state is State.CHANGED and worse.worse and worse.low > 0.1
    (same,) = compare_tails(_launches(0.0), rules)
    assert same.state is State.UNCHANGED
    (better,) = compare_tails(_launches(-0.3), rules)
    assert better.state is State.UNCHANGED and not better.worse
    assert compare_tails(_launches(0.3, count=7), rules) == ()
    judgement = _judge(tails=(worse,))
    assert judgement.verdict is Verdict.REGRESSION and "frame time, 99th percentile: " in judgement.sentence


def test_a_tail_that_only_one_half_of_the_launches_shows_is_no_change() -> None:
    rules = [rule for rule in RULES if rule.metric == "frame_ms_p99"]
    (tail,) = compare_tails(_launches(0.0, count=30) + _launches(0.5, count=30), rules)
    assert tail.state is not State.CHANGED


def test_false_alarms_of_many_tails_stay_rare() -> None:
    metrics = ("frame_ms_p95", "frame_ms_p99", "fps_low_1pct")
    rules = [rule for rule in RULES if rule.metric in metrics and rule.kind == "ratio"]
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(200):
        logs = rng.standard_t(3, (40, 3)) * 0.1
        launches = [Launch((), paired={name: (math.exp(log), 1.0) for name, log in zip(metrics, row)}) for row in logs]
        alarms += any(tail.state is State.CHANGED for tail in compare_tails(launches, rules))
    assert alarms <= 2


def test_holm_is_the_textbook_one() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.7, 0.9]) == [1.0, 1.0]


# Overrides


def test_a_user_can_override_sizes_and_silence_rules() -> None:
    rules = rules_from_toml(
        "[metrics.fps_trace.ratio]\nsmallest = 0.02\n[metrics.fps_trace.floor]\nlimit=25\n"
        '[metrics.fps_low_1pct.ratio]\nkind = "report"\n',
        "perf.toml",
    )
    changed = {(rule.metric, rule.kind): rule for rule in rules}
    assert changed["fps_trace", "ratio"].smallest == 0.02 and changed["fps_trace", "floor"].limit == 25
    assert ("fps_low_1pct", "report") in changed and len(rules) == len(RULES)
    assert rules_from_toml("", "perf.toml") == RULES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[metrics.fps_trace.ratio]\n\nsmalest = 0.02", "perf.toml:3: metrics.fps_trace.ratio.smalest: no such key"),
        ("a=1\n[metrics.fps]\n[metrics.fps.ratio]\n", "perf.toml:2: metrics.fps: no such metric; there are fps_trace"),
        ("[metrics.fps_trace.rise]\nsmallest=0.1", "perf.toml:1: metrics.fps_trace.rise: fps_trace has no such rule"),
        (
            "[metrics.fps_trace.ratio]\nsmallest = 2",
            "perf.toml:2: metrics.fps_trace.ratio.smallest: 2 is not a relative",
        ),
        (
            "[metrics.fps_trace.ratio]\nsmallest = 'x'",
            "perf.toml:2: metrics.fps_trace.ratio.smallest: 'x' is not a number",
        ),
        ("[metrics.fps_trace.ratio]\nsmallest = true", "True is not a number"),
        ("[metrics.fps_trace.ratio]\nkind = 'equal'", "perf.toml:2: metrics.fps_trace.ratio.kind: a rule can only"),
        ("[metrics.fps_trace]\nratio = 5", "must hold tables"),
        ("metrics = 5", "perf.toml:1: metrics: must hold tables"),
        ("[metrics", "perf.toml: Expected ']'"),
    ],
)
def test_what_is_wrong_with_an_override_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        rules_from_toml(text, "perf.toml")
    assert message in str(raised.value)


def test_the_plan_of_the_primary_metric_is_its_rules() -> None:
    assert Plan().smallest == next(rule.smallest for rule in RULES if rule.primary)


def test_a_reference_of_another_compiler_raises_no_regression() -> None:
    slower = _judge(decision=_decision(0.05))
    assert slower.verdict is Verdict.REGRESSION
    unlike = _judge(decision=_decision(0.05), other_compiler="built by gcc 12, the candidate by gcc 13")
    gate = next(gate for gate in unlike.gates if (gate.metric, gate.kind) == ("fps_trace", "ratio"))
    assert unlike.verdict is Verdict.INCONCLUSIVE and gate.why.endswith("the candidate by gcc 13")
    floor = _judge(decision=_decision(0.05), other_compiler="x", candidate=_arm(fps_trace=5.0))
    assert floor.verdict is Verdict.REGRESSION, "what compares with nothing is judged as ever"
