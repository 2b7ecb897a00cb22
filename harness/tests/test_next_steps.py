"""Every ending says what to do next, with lines that can be pasted into a shell."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest

from harness.gate.next_steps import again, given_words, next_steps
from harness.model.record import JudgedBy, RunRecord
from harness.model.result import Arm, Frames, Gate, Result, result_to_json
from harness.model.spec import ROOT, RunParams, Verdict
from harness.model.upgrade import load_result
from harness.report.run_view import reproduce

FOLDER = ROOT / "results" / "20261128T100000Z-perf"
RUN = RunRecord(RunParams(), judged_by=JudgedBy("x86_64/acquire_progress"))


def result(verdict: Verdict, **changes: Any) -> Result:
    made = Result("perf", verdict, verdict.value, "2026-11-28T10:00:00Z", 60.0, runs={"candidate": RUN})
    return dataclasses.replace(made, **changes)


def said(found: Result, folder: Path = FOLDER) -> str:
    return "\n".join(f"{step.why}: {step.command}" for step in next_steps(found, folder))


def test_a_regression_is_explained_and_bisected() -> None:
    arms = {"reference": Arm({}, "", {}, build={"commit": "ab" * 20})}
    words = said(result(Verdict.REGRESSION, arms=arms))
    assert "make explain RESULT=results/20261128T100000Z-perf" in words
    assert "make bisect GOOD=abababababab BAD=HEAD" in words
    assert "bisect" not in said(result(Verdict.REGRESSION, arms=arms, source={"dirty": True}))


@pytest.mark.parametrize(
    ("problem", "cause"),
    [
        ("virtio-blk: a disk request was never answered", "notification that was lost"),
        ("torn picture: frame 2768 above row 384", "still being transferred"),
        ("the guest panicked: main.c:3 x", "names the file and the condition"),
        ("pictures: no frame (see pictures/run/serial.log)", "how far it came"),
    ],
)
def test_a_failed_guest_shows_its_evidence_by_full_path(problem: str, cause: str) -> None:
    frames = Frames(9, 8, torn=1, evidence=("pictures/00-torn-difference.png",))
    words = said(result(Verdict.GUEST_FAILED, problems=(problem,), frames=frames))
    assert str(FOLDER / "pictures/00-torn-difference.png") in words and cause in words
    log = "pictures/run/serial.log" if "see " in problem else "window/serial.log"
    assert str(FOLDER / log) in words


def test_an_undecided_run_says_what_is_certain_and_asks_for_time() -> None:
    gate = Gate("fps_trace", "ratio", Verdict.INCONCLUSIVE, "undecided", 1.0, 1.0, -0.02, -0.15, 0.1, 0.015)
    words = said(result(Verdict.INCONCLUSIVE, gates=(gate,), words=("BUDGET=200", "OPTS=mode=320x240 slow=3")))
    assert "not slower by more than 17.6 %" in words
    assert words.endswith("make perf 'OPTS=mode=320x240 slow=3' BUDGET=600")


def test_without_a_baseline_the_run_is_approved() -> None:
    run = dataclasses.replace(RUN, judged_by=JudgedBy(no_reference="no baseline x86_64/linux: run …"))
    assert 'make approve REASON="…"' in said(result(Verdict.INCONCLUSIVE, runs={"candidate": run}))


def test_what_was_left_out_is_asked_for() -> None:
    run = dataclasses.replace(RUN, skipped={"timing": "not asked for"})
    words = said(result(Verdict.INCONCLUSIVE, runs={"candidate": run}, words=("STAGES=window", "LOG=frame")))
    assert words.endswith("(timing): make perf LOG=frame")


def test_a_stage_that_one_session_measured_was_not_left_out() -> None:
    alone = dataclasses.replace(RUN, skipped={"overhead": "not asked for"})
    words = said(result(Verdict.INCONCLUSIVE, command="ab", runs={"A": alone, "B": RUN}))
    assert "left out" not in words and words.endswith("make ab BUDGET=300")


def test_a_gain_is_approved_and_a_plain_pass_needs_nothing() -> None:
    faster = Gate("fps_trace", "ratio", Verdict.PASS, "", 1.0, 1.0, 0.05, 0.04, 0.06, 0.015)
    assert "make approve" in said(result(Verdict.PASS, gates=(faster,)))
    assert said(result(Verdict.PASS, gates=(dataclasses.replace(faster, change=0.001, low=-0.01),))) == ""


def test_the_words_come_back_as_they_were_given(tmp_path: Path) -> None:
    given = given_words((("A", "HEAD~3 BARRIER=linux"), ("OPTS", "mode=320x240")), ("x y",))
    found = load_result(result_to_json(result(Verdict.PASS, command="ab", words=given)), "run")
    assert shlex.split(reproduce(found)) == ["make", "ab", *given]
    assert shlex.split(again(found, OPTS="")) == ["make", "ab", "x y", "A=HEAD~3 BARRIER=linux"]


@pytest.mark.parametrize("verdict", [one for one in Verdict if one is not Verdict.PASS])
def test_no_bad_ending_is_silent(verdict: Verdict) -> None:
    assert next_steps(result(verdict), FOLDER)
