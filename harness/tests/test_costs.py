"""The time that counts stand for: fitted coefficients, predicted changes, grown parts, and a clock that disagrees."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.core.comparison.statistics import Decision, decide_effects
from harness.core.counts.costs import (
    START,
    Prediction,
    cost_ns,
    costs_words,
    device_words,
    disagreement,
    fit,
    grown,
    predict,
    unchanged,
)
from harness.core.counts.frame_counts import scaled
from harness.gate.judging.basis import Basis
from harness.gate.judging.count_gates import by_counts, part_verdict, prediction_words
from harness.gate.judging.rule_file import load_by_counts
from harness.model.record import CountedFrames, PartCounts
from harness.model.spec import UsageError, Verdict
from harness.tests.test_gates import _arm, _judge

DRAW = PartCounts(1_590_000, 660_000, 141_000, 2_500, 4_800_000)
SUBMIT = PartCounts(706, 299, 137, 45, 1_800, exits=1, notifications=1)
REST = PartCounts(436, 242, 87, 44, 1_858)
PLAIN = CountedFrames(22, {"draw": DRAW, "submit": SUBMIT, "rest": REST}, 3_145_728)


def counted(draw: float = 1.0, submit: float = 1.0, rest: float = 1.0, transferred: float = 1.0) -> CountedFrames:
    submitted = dataclasses.replace(scaled(SUBMIT, submit), exits=1, notifications=1)
    parts = {"draw": scaled(DRAW, draw), "submit": submitted, "rest": scaled(REST, rest)}
    return CountedFrames(22, parts, PLAIN.transferred_bytes * transferred)


def decision(effect: float, spread: float) -> Decision:
    effects = effect + spread * np.linspace(-1, 1, 40)[np.random.default_rng(1).permutation(40)]
    return decide_effects(effects, np.zeros(40, np.int64))


UNDECIDED = decision(0.012, 0.05)


@pytest.mark.parametrize("factor", [0.3, 0.7, 1.0, 1.6, 4.0])
def test_a_faster_or_slower_host_is_learned_from_one_part(factor: float) -> None:
    costs = fit([(DRAW, cost_ns(DRAW, START) * factor)])
    assert costs.fitted == 1
    assert cost_ns(DRAW, costs) == pytest.approx(cost_ns(DRAW, START) * factor, rel=0.06)
    # Far from what was fitted: a kernel that computes and never touches memory.
    computing = PartCounts(3_000_000, 1_000, 150_000)
    assert cost_ns(computing, costs) == pytest.approx(cost_ns(computing, START) * factor, rel=0.5)


def test_several_mixes_tell_coefficients_apart() -> None:
    true = dataclasses.replace(START, access_ns=1.8, instruction_ns=0.1)
    mixes = [DRAW, PartCounts(3e6, 1e4, 1e5), PartCounts(1e5, 9e5, 1e5), PartCounts(4e5, 1e5, 4e5, 1e4)] * 20
    costs = fit([(mix, cost_ns(mix, true)) for mix in mixes])
    assert costs.access_ns == pytest.approx(1.8, rel=0.05) and costs.instruction_ns == pytest.approx(0.1, rel=0.1)


def test_nothing_to_learn_from_leaves_the_usual_costs() -> None:
    assert fit([]) == fit([(DRAW, 0.0)]) == fit([(DRAW, float("nan"))]) == START
    assert costs_words(START).endswith("not fitted on this host") and "0.9 ns an access" in costs_words(START)


def test_a_change_of_drawing_is_predicted_within_a_frame_that_also_waits() -> None:
    costs = fit([(DRAW, 1_000_000)])
    found = predict(counted(draw=1.1), PLAIN, costs, frame_ms=1.6)
    # A tenth more of 1 ms, in a frame of 1.6 ms of which 0.5 ms are the device's.
    assert found.change == pytest.approx(0.1 / 1.5, rel=0.05) and not found.device
    assert found.frame_ms["candidate"] == pytest.approx(1.6) and found.frame_ms["reference"] < 1.52
    less = predict(counted(transferred=0.2), PLAIN, costs, 1.6)
    assert less.change == 0 and less.device == "bytes transferred −80 %"


def test_equal_counts_predict_no_change_at_all_however_sums_are_rounded() -> None:
    for frame_us in range(600, 2600, 7):
        assert predict(PLAIN, PLAIN, START, frame_us / 1e3).change == 0


def test_what_the_device_is_asked_to_do() -> None:
    assert device_words(PLAIN, PLAIN) == ""
    twice = CountedFrames(
        22, {"submit": dataclasses.replace(SUBMIT, notifications=2, exits=2)}, PLAIN.transferred_bytes
    )
    assert device_words(twice, PLAIN) == "notifications +100 %, device accesses +100 %"
    assert "instead of none" in device_words(PLAIN, CountedFrames(1, {}))


@pytest.mark.parametrize(
    ("candidate", "same"),
    [
        (PLAIN, True),
        (counted(draw=1.0004), True),
        (counted(draw=1.002), False),
        (counted(draw=0.99), False),
        (counted(submit=1.2), False),
        (counted(transferred=1.01), False),
    ],
)
def test_unchanged_means_in_every_part(candidate: CountedFrames, same: bool) -> None:
    assert unchanged(candidate, PLAIN) is same


def test_a_part_that_grows_by_a_fifth_is_a_regression_however_small_it_is() -> None:
    basis = Basis(None, counted={"candidate": counted(submit=1.2), "reference": PLAIN})
    verdict, why = part_verdict(basis, "submit", 0.05)
    assert verdict is Verdict.REGRESSION and "where the reference has" in why and "(+20 %)" in why.replace("20.0", "20")
    assert part_verdict(basis, "draw", 0.05) == (Verdict.PASS, "no more than before")


def test_cost_that_only_moved_is_no_regression() -> None:
    rise = SUBMIT.instructions * 0.2
    moved = counted(submit=1.2)
    rest = dataclasses.replace(
        REST,
        instructions=REST.instructions - rise,
        accesses=REST.accesses - SUBMIT.accesses * 0.2,
        blocks=REST.blocks - SUBMIT.blocks * 0.2,
        helpers=REST.helpers - SUBMIT.helpers * 0.2,
    )
    moved = dataclasses.replace(moved, parts={**moved.parts, "rest": rest})
    basis = Basis(None, counted={"candidate": moved, "reference": PLAIN})
    verdict, why = part_verdict(basis, "submit", 0.05)
    assert verdict is Verdict.PASS and why.endswith("100 % of which moved here from rest")


def test_a_part_that_became_far_cheaper_excuses_no_other() -> None:
    both = counted(draw=0.99, submit=1.2)
    (worst, *_) = grown(both, PLAIN, "submit", 0.05)
    assert worst.moved == 0 and worst.own == pytest.approx(0.2, rel=0.02)


def test_a_reference_without_counts_judges_no_part() -> None:
    assert part_verdict(Basis(None, counted={"candidate": PLAIN}), "draw", 0.05)[0] is None


def test_equal_counts_pass_what_the_clock_left_undecided_within_its_bound() -> None:
    arms = {"candidate": PLAIN, "reference": PLAIN}
    judgement = _judge(decision=UNDECIDED, counted=arms)
    assert judgement.verdict is Verdict.PASS
    assert judgement.sentence.startswith("pass: by counts (clock undecided: ") and "frames/s" in judgement.sentence
    changes: tuple[dict[str, object], ...] = (
        {"by_counts": False},
        {"counted": {"candidate": counted(submit=1.2), "reference": PLAIN}},
        {"counted": {"candidate": PLAIN}},
        {"decision": decision(0.012, 0.4)},
    )
    for changed in changes:
        whole: dict[str, object] = {"decision": UNDECIDED, "counted": arms} | changed
        assert _judge(**whole).verdict is not Verdict.PASS


def test_counts_excuse_no_change_that_the_clock_found() -> None:
    basis = Basis(_arm(), counted={"candidate": PLAIN, "reference": PLAIN})
    assert by_counts(basis, decision(0.05, 0.005)) == ""


@pytest.mark.parametrize(
    ("change", "device", "clock", "words"),
    [
        (0.0, "", (-0.01, 0.01), ""),
        (0.02, "", (0.01, 0.02), ""),
        (0.0, "", (0.03, 0.05), "not more work, but slower work"),
        (0.06, "", (-0.01, 0.01), "cheaper than usual"),
        (0.06, "notifications +100 %", (-0.01, 0.01), "the device decides: notifications +100 %"),
    ],
)
def test_what_it_means_that_clock_and_counts_disagree(
    change: float, device: str, clock: tuple[float, float], words: str
) -> None:
    found = disagreement(Prediction(change, {}, device), *clock)
    assert found == words if not words else words in found


def test_the_gate_says_what_counts_predict_beside_the_clock() -> None:
    slower = decision(0.05, 0.005)
    words = prediction_words(Basis(_arm(), decision=slower, prediction=Prediction(0.0, {}, "")))
    assert words.startswith("frame time ") and "by counts" in words and "not more work, but slower work" in words
    device = Prediction(0.0, {}, "notifications +100 %")
    assert prediction_words(Basis(_arm(), decision=slower, prediction=device)).count("the device decides") == 1


def test_the_file_turns_it_off(tmp_path: Path) -> None:
    path = tmp_path / "perf.toml"
    for text, wanted in (("by_counts = false\n", False), ("[metrics]\n", True), ("by_counts = true\n", True)):
        path.write_text(text, encoding="utf-8")
        assert load_by_counts(path) is wanted
    assert load_by_counts(None)
    path.write_text('by_counts = "no"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="neither true nor false"):
        load_by_counts(path)
