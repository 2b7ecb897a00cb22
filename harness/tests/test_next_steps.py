"""Every ending says what to do next, with lines that can be pasted into a shell."""

from __future__ import annotations

import dataclasses
import html
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from harness.core import budget
from harness.front.words import parse
from harness.gate.judging.next_steps import again, given_words, next_steps
from harness.model.record import JudgedBy, RunRecord
from harness.model.result import Arm, Frames, Gate, Result, result_to_json
from harness.model.spec import ROOT, RunParams, Verdict
from harness.model.upgrade import load_result
from harness.report.files import write_reports
from harness.report.render import terminal_lines
from harness.report.run_view import reproduce, short_view
from harness.settings import MEASURING

FOLDER = ROOT / "results" / "20261128T100000Z-perf"
APPROVED = Arm({"FAULT": "none"}, "", {}, build={"commit": "ab" * 20})
RUN = RunRecord(RunParams(), judged_by=JudgedBy("x86_64/acquire_progress"))


def result(verdict: Verdict, **changes: Any) -> Result:
    made = Result("perf", verdict, verdict.value, "2026-11-28T10:00:00Z", 60.0, runs={"candidate": RUN})
    return dataclasses.replace(made, **changes)


def said(found: Result, folder: Path = FOLDER) -> str:
    return "\n".join(f"{step.why}: {step.command}" for step in next_steps(found, folder))


def test_a_regression_is_explained_and_bisected() -> None:
    arms = {"candidate": Arm({"FAULT": "none"}, "", {}), "reference": APPROVED}
    source = {"git": "cd" * 20, "dirty": False}
    given = ("ARCH=riscv64", "BUDGET=90", "LOG=frame")
    words = said(result(Verdict.REGRESSION, arms=arms, source=source, words=given))
    assert "make explain RESULT=results/20261128T100000Z-perf" in words
    assert words.endswith("make bisect GOOD=abababababab BAD=HEAD ARCH=riscv64 LOG=frame")


@pytest.mark.parametrize(
    ("switches", "source"),
    [
        ({"FAULT": "none"}, {"git": "cd" * 20, "dirty": True}),
        ({"FAULT": "none"}, {"git": "ab" * 20, "dirty": False}),
        ({"FAULT": "slow_draw"}, {"git": "cd" * 20, "dirty": False}),
    ],
)
def test_where_no_commit_did_it_none_is_looked_for(switches: dict[str, str], source: dict[str, Any]) -> None:
    arms = {"candidate": Arm(switches, "", {}), "reference": APPROVED}
    words = said(result(Verdict.REGRESSION, arms=arms, source=source))
    assert "make explain" in words and "bisect" not in words


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


def test_noise_is_not_cured_by_other_stages() -> None:
    gate = Gate("fps_trace", "ratio", Verdict.INCONCLUSIVE, "undecided", 1.0, 1.0, -0.02, -0.15, 0.1, 0.015)
    run = dataclasses.replace(RUN, skipped={"exact": "not asked for"})
    words = said(result(Verdict.INCONCLUSIVE, gates=(gate,), runs={"candidate": run}, words=("STAGES=timing",)))
    assert "stop other programs" in words and words.endswith("make perf STAGES=timing BUDGET=300")


def test_without_a_baseline_the_run_is_approved() -> None:
    run = dataclasses.replace(RUN, judged_by=JudgedBy(no_reference="no baseline x86_64/linux: run …"))
    assert 'make approve REASON="…"' in said(result(Verdict.INCONCLUSIVE, runs={"candidate": run}))


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("KERNEL=new.bin", "make ab A=./old.bin B=./new.bin"),
        ("KERNEL=out/a b.elf", "make ab A=./old.elf 'B=out/a b.elf'"),
        ("ISO=os.iso", "make ab A=./old.iso B=./os.iso"),
    ],
)
def test_an_image_without_a_baseline_is_compared_with_another(word: str, command: str) -> None:
    run = dataclasses.replace(RUN, judged_by=JudgedBy(no_reference="this image has no baseline to be compared with"))
    assert said(result(Verdict.INCONCLUSIVE, runs={"candidate": run}, words=(word,))).endswith(command)


def test_what_was_left_out_is_asked_for() -> None:
    run = dataclasses.replace(RUN, skipped={"timing": "not asked for"})
    words = said(result(Verdict.INCONCLUSIVE, runs={"candidate": run}, words=("STAGES=window", "LOG=frame")))
    assert words.endswith("(timing): make perf LOG=frame")


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("skipped", [{}, {"timing": "not asked for"}, {"timing": budget.no_time(5)}])
@pytest.mark.parametrize(
    "line",
    [
        "perf",
        "perf BUDGET=25 STAGES=window,pictures PICTURES=60",
        "perf BUDGET=3600 OPTS='mode=320x240 seed=3'",
        "perf BUDGET=20 STAGES=exact ARCH=riscv64",
        "perf PICTURES=5000 STAGES=pictures BUDGET=170",
        "ab A='HEAD~3 LOG=none' B=default",
        "ab A=x.elf B=y.elf C=z.elf D=u.elf E=v.elf F=w.elf G=t.elf H=s.elf I=r.elf J=q.elf BUDGET=270",
        "ab TARGET=one,two,three BUDGET=75",
        "explain BUDGET=7000",
        "explain",
        "acceptance",
        "acceptance BUDGET=5000",
        "bisect GOOD=v1 BAD=HEAD BUDGET=50000",
    ],
)
def test_the_command_to_run_next_is_accepted(line: str, verdict: Verdict, skipped: dict[str, str]) -> None:
    """A proposed command has no budget that would be refused, above or below."""
    command, *words = shlex.split(line)
    parse([command, *words])
    letters = [word for word in words if word[1] == "="] or ["a", "b", "c"]
    run = dataclasses.replace(RUN, skipped=skipped)
    problems = tuple(skipped.values())
    made = Result(command, verdict, verdict.value, "2026-11-28T10:00:00Z", 60.0, problems=problems, words=tuple(words))
    made = dataclasses.replace(made, runs={"candidate": run}, arms={letter[0]: APPROVED for letter in letters})
    for step in next_steps(made, FOLDER):
        if step.command.startswith("make "):
            parse(shlex.split(step.command)[1:])


def test_more_time_is_more_than_there_was() -> None:
    for command, had_s in (("explain", 330), ("ab", 500), ("perf", 60), ("acceptance", 900)):
        words = ("BUDGET=500",) if command == "ab" else ()
        made = result(Verdict.INCONCLUSIVE, command=command, words=words, runs={}, seconds=900.0)
        assert parse(shlex.split(next_steps(made, FOLDER)[-1].command)[1:]).number("BUDGET") >= 2 * had_s


def test_a_shortened_checklist_is_asked_for_whole() -> None:
    words = ("VIRGL=0", "BOOT_LOG_TIMEOUT=10", "CC=clang")
    assert said(result(Verdict.INCONCLUSIVE, command="acceptance", words=words, runs={})).endswith(
        "ask for the whole checklist: make acceptance CC=clang"
    )


def test_an_arm_s_log_lies_in_the_arm_s_folder() -> None:
    failed = result(Verdict.GUEST_FAILED, command="ab", problems=("B: pictures: torn",))
    assert str(FOLDER / "B" / "window" / "serial.log") in said(failed)


def test_a_stage_that_one_session_measured_was_not_left_out() -> None:
    alone = dataclasses.replace(RUN, skipped={"overhead": "not asked for"})
    words = said(result(Verdict.INCONCLUSIVE, command="ab", runs={"A": alone, "B": RUN}))
    assert "left out" not in words and words.endswith("make ab BUDGET=360")


def test_a_gain_is_approved_and_a_plain_pass_needs_nothing() -> None:
    faster = Gate("fps_trace", "ratio", Verdict.PASS, "", 1.0, 1.0, 0.05, 0.04, 0.06, 0.015)
    assert "make approve" in said(result(Verdict.PASS, gates=(faster,)))
    assert said(result(Verdict.PASS, gates=(dataclasses.replace(faster, change=0.001, low=-0.01),))) == ""


def test_the_words_come_back_as_they_were_given(tmp_path: Path) -> None:
    given = given_words((("A", "HEAD~3 BARRIER=linux"), ("OPTS", "mode=320x240")), ("x y",))
    found = load_result(result_to_json(result(Verdict.PASS, command="ab", words=given)), "run")
    assert shlex.split(reproduce(found)) == ["make", "ab", *given]
    assert shlex.split(again(found, OPTS="")) == ["make", "ab", "x y", "A=HEAD~3 BARRIER=linux"]


NOT_PASSED = [one for one in Verdict if one is not Verdict.PASS]


@pytest.mark.parametrize("verdict", NOT_PASSED)
@pytest.mark.parametrize("command", MEASURING)
@pytest.mark.slow
def test_every_ending_of_every_command_says_the_same_everywhere(command: str, verdict: Verdict, tmp_path: Path) -> None:
    """What happened, to what, and what to do next: on the terminal, on the page, in Markdown and in JUnit."""
    sentence = f"{verdict.value}: frame 7 of this kernel is not right"
    made = result(verdict, command=command, sentence=sentence, words=("BUDGET=300",))
    steps = next_steps(made, tmp_path)
    assert steps and all(step.why for step in steps)
    made = dataclasses.replace(made, next_steps=steps)
    write_reports(made, tmp_path, {})
    suite = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    ended = [(one._elem.text or "") for group in suite for case in group for one in case.result]
    said = {
        "terminal": "\n".join(terminal_lines(short_view(made))),
        "page": html.unescape(re.sub(r"<[^>]*>", "", (tmp_path / "report.html").read_text(encoding="utf-8"))),
        "Markdown": re.sub(r"[\\\u2060]", "", (tmp_path / "report.md").read_text(encoding="utf-8")),
        "JUnit": "\n".join(ended),
    }
    for place, text in said.items():
        missing = [part for step in steps for part in (step.why, step.command) if part not in text]
        assert sentence in text and not missing, (place, missing)


@pytest.mark.parametrize(
    ("command", "words", "details", "last"),
    [
        ("perf", ("TARGET=mine",), {}, "make explain TARGET=mine"),
        ("perf", ("KERNEL=a b.elf",), {}, "make explain 'KERNEL=a b.elf'"),
        ("bisect", ("GOOD=v1", "BAD=v2"), {"candidates": ["ab" * 20]}, "make ab 'A=abababababab~1' B=abababababab"),
        ("bisect", ("REPO=../os",), {"candidates": ["ab" * 20]}, "git -C ../os show abababababab"),
    ],
)
def test_a_regression_without_a_baseline_has_a_command(
    command: str, words: tuple[str, ...], details: dict[str, Any], last: str
) -> None:
    found = result(Verdict.REGRESSION, command=command, words=words, details=details, runs={})
    assert last in [step.command for step in next_steps(found, FOLDER)]


@pytest.mark.parametrize("verdict", [one for one in Verdict if one is not Verdict.PASS])
def test_no_bad_ending_is_silent(verdict: Verdict) -> None:
    assert next_steps(result(verdict), FOLDER)
