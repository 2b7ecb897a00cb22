"""The case study's closing words follow from what was measured, whichever way that goes."""

from __future__ import annotations

import re

import pytest

from harness.explain.case_report import CandidateRow, EventsPerFrame, StepRow, closing_sentences, measured_words
from harness.explain.effects import Effect, Worth
from harness.model.case_study import CASE_CANDIDATES, CASE_FIGURES, CASE_STEPS, ClaimedFigure


def effect(change: float, half: float = 0.02) -> Effect:
    worth = Worth.NOISE if abs(change) <= half else Worth.SLOWER if change > 0 else Worth.FASTER
    return Effect((("step", ""),), worth, change, change - half, change + half, 16)


def counts(fences: float = 2, timeouts: float = 0) -> EventsPerFrame:
    return EventsPerFrame(100, fences, 250.0, 2, timeouts)


def rows(changes: dict[str, float], fps: float = 200.0, fences: float = 700.0, timeouts: float = 0) -> list[StepRow]:
    """Steps with planted changes of frame time; those not named are the code of the step before."""
    found = []
    for number, step in enumerate(CASE_STEPS):
        planted = effect(changes[step.name]) if step.name in changes else None
        same = "" if planted or number == 0 else "identical code"
        found.append(StepRow(step, counts(fences, timeouts), fps, planted, same))
    return found


def candidates(changes: list[float], fps: float = 150.0) -> list[CandidateRow]:
    return [CandidateRow(one, counts(), fps, effect(change)) for one, change in zip(CASE_CANDIDATES, changes)]


def test_causes_stand_or_fall_by_the_measurement_alone() -> None:
    planted = {
        "case-2-acquire": 0.003,
        "case-8-unlogged": -0.4,
        "case-9-plain-counters": 0.01,
        "case-10-bulk-fill": -0.3,
    }
    said = " ".join(closing_sentences(rows(planted), candidates([0.005, 0.3]), CASE_FIGURES))
    stands, falls = re.findall(r"(?:These stand as causes|These fall): (.*?\))\.", said)
    assert stands.startswith("the serial line in every frame (without it frame time −40.0 %")
    assert "one volatile store a pixel" in stands and "fence" not in stands
    assert "the full fence before every look" in falls and "the atomic counters in the poll loop" in falls
    fenced, bare = (text for text in said.split("Never tried: ")[1:])
    assert "falls as a cause" in fenced and "stands as a cause" in bare and "does not explain 1" in bare


def test_the_other_way_round_the_words_turn() -> None:
    planted = {"case-2-acquire": -0.5, "case-8-unlogged": 0.004, "case-9-plain-counters": 0.2, "case-10-bulk-fill": 0.0}
    said = " ".join(closing_sentences(rows(planted), candidates([40.0, 0.0], fps=1.2), CASE_FIGURES))
    assert "These stand as causes: the full fence before every look at used->idx (without it frame time −50.0 %" in said
    assert "the serial line in every frame (without it frame time +0.4 %" in said
    assert "the atomic counters in the poll loop (without it frame time +20.0 %" in said
    assert "GPU_FENCE=on on the first step): stands as a cause" in said and "and explains 1 FPS" in said
    assert "the slowest kernel shows 1.2 FPS, which is what was claimed" in said


def test_noise_that_could_hide_a_cause_leaves_it_open() -> None:
    vague = Effect((("s", ""),), Worth.NOISE, -0.05, -0.6, 1.4, 4)
    steps = [StepRow(step, counts(), 200.0, vague if number else None) for number, step in enumerate(CASE_STEPS)]
    tried = [CandidateRow(one, counts(), 200.0, vague) for one in CASE_CANDIDATES]
    said = " ".join(closing_sentences(steps, tried, CASE_FIGURES))
    assert "These stand" not in said and "These fall" not in said and said.count(": open, ") == len(CASE_CANDIDATES)
    assert "These stay open: the full fence before every look" in said
    assert measured_words(vague, "", "").startswith("noise that may hide 140 %: ")


def test_claimed_figures_are_held_against_measured_ones() -> None:
    def said(fps: float, fences: float) -> list[str]:
        return list(closing_sentences(rows({"case-8-unlogged": -0.1}, fps, fences), [], CASE_FIGURES))[:3]

    far = said(200.0, 700.0)
    assert far[0] == "case-0-seqcst: 1 FPS claimed, 200 measured: the claim is 200 times too low."
    assert far[1] == "case-0-seqcst: 2,000,000 fences a frame claimed, 700 measured: the claim is 2,857 times too high."
    assert far[2] == "case-2-acquire: 30+ FPS claimed, 200 measured: the claim holds."
    near = said(1.3, 1_900_000.0)
    assert [text.rsplit(": ", 1)[1] for text in near] == ["the claim holds.", "the claim holds.", "the claim fails."]


def test_timeouts_are_told() -> None:
    planted = {"case-8-unlogged": -0.1}
    assert "no wait timed out." in closing_sentences(rows(planted), [], CASE_FIGURES)[-1]
    slow = closing_sentences(rows(planted, timeouts=2), [], CASE_FIGURES)[-1]
    assert "waits timed out, up to 2 a frame" in slow


def test_nothing_is_said_of_what_was_not_measured() -> None:
    empty = [StepRow(step, None, None, None, "", "the guest failed: no frame") for step in CASE_STEPS]
    said = closing_sentences(empty, [], CASE_FIGURES)
    assert said[0] == "case-0-seqcst: 1 FPS claimed, not measured here."
    assert "These stand" not in " ".join(said)
    assert said[-1] == "No step was timed, so no cause can be judged."


def test_every_figure_comes_from_the_measurement() -> None:
    """Two measurements that agree in nothing: the same words, with no number in common but those of the claims."""
    planted = {"case-2-acquire": 0.003, "case-8-unlogged": -0.4, "case-10-bulk-fill": -0.3}
    others = {"case-2-acquire": 0.012, "case-8-unlogged": -0.331, "case-10-bulk-fill": -0.253}
    first = closing_sentences(rows(planted, 211.0, 713.0), candidates([0.005, 0.31], 137.0), CASE_FIGURES)
    second = closing_sentences(rows(others, 223.0, 719.0), candidates([0.013, 0.272], 139.0), CASE_FIGURES)
    number = re.compile(r"\d[\d,]*(?:\.\d+)?")
    claimed = {"0", "1", "2", "10", "30", "2,000,000"}
    for ours, theirs in zip(first, second):
        assert number.sub("", ours) == number.sub("", theirs)
        assert set(number.findall(ours)) & set(number.findall(theirs)) <= claimed, (ours, theirs)


@pytest.mark.parametrize(
    ("change", "half", "says"),
    [
        (-0.2, 0.05, "frame time −20.0 % (−25.0 to −15.0 %)"),
        (0.01, 0.02, "noise: frame time +1.0 % (−1.0 to +3.0 %)"),
    ],
)
def test_a_step_is_told_as_a_change_of_frame_time(change: float, half: float, says: str) -> None:
    assert measured_words(effect(change, half), "", "") == says


def test_what_was_not_timed_says_why() -> None:
    assert measured_words(None, "identical code", "") == "nothing to measure: identical code"
    assert measured_words(None, "", "no time was left") == "not measured: no time was left"


def test_claims_name_steps_that_exist() -> None:
    names = {step.name for step in CASE_STEPS}
    assert {figure.step for figure in CASE_FIGURES} <= names
    assert all(isinstance(figure, ClaimedFigure) and figure.value > 0 for figure in CASE_FIGURES)
