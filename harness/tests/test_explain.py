"""An explanation: what it refuses, what it says when sections are missing, its page, and a short real one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path

import pytest

from harness.commands.explain import details_of
from harness.explain import ablate as track
from harness.explain.ablate import COLD, Bench, ablate, fitted, other_values
from harness.explain.case_report import EventsPerFrame, Replay, StepRow, closing_sentences
from harness.explain.effects import Ablation, Changes, Effect, Interaction, Unmeasured, Worth
from harness.explain.explanation import CASE, SWITCHES, Explanation, Regression
from harness.explain.report import Page, write_explanation
from harness.explain.run import ExplainRequest, explain, in_turn, quick_choice
from harness.explain.saved_run import open_regression
from harness.front.words import parse
from harness.gate.measuring.protocol import choose_protocol
from harness.model.case_study import CASE_FIGURES, CASE_STEPS
from harness.model.errors import BuildError, GuestError
from harness.model.record import JudgedBy, RunRecord
from harness.model.result import Arm, Gate, ReplayError, Result, result_to_json
from harness.model.spec import Machine, RunParams, RunSpec, Switches, UsageError, Verdict
from harness.platform.files.store import load_result
from harness.platform.kernels.build import BuiltKernel, build_kernel
from harness.platform.machine.pin import probe_rights

MACHINE = Machine(vcpus=1, maxcpus=2)


def effect(changes: Changes, worth: Worth, change: float) -> Effect:
    return Effect(changes, worth, change, change - 0.02, change + 0.02, 14)


def explanation(claimed: str = "30+ FPS expected") -> Explanation:
    fill, log, spin = ((("FILL", "pixel"),), (("LOG", "frame"),), (("SPIN", "none"),))
    effects = (effect(fill, Worth.SLOWER, 0.81), effect(log, Worth.SLOWER, 0.4), effect(spin, Worth.NOISE, -0.004))
    pair = Interaction(fill + log, 1.2, 1.21, -0.01, -0.05, 0.03, True)
    same_code = Unmeasured((("BARRIER", "linux"),), "identical code to the base", ())
    steps = [dataclasses.replace(step, claimed=claimed) for step in CASE_STEPS[:3]]
    rows = tuple(
        StepRow(
            step,
            EventsPerFrame(100, 713.5, 712.0, 2, 0),
            211.0,
            effect((("s", ""),), Worth.NOISE, 0.003) if i else None,
        )
        for i, step in enumerate(steps)
    )
    replay = Replay("2d", rows, (), closing_sentences(rows, (), CASE_FIGURES))
    ablation = Ablation("x86_64", 2.34, effects, (pair,), (same_code,), "pinned")
    return Explanation("x86_64", EventsPerFrame(100, 2.0, 271.0, 2.0, 0.0), ablation=ablation, replays=(replay,))


def written(found: Explanation, folder: Path) -> tuple[str, str]:
    result = Result("explain", Verdict.PASS, found.sentence, "2026-01-01T00:00:00+00:00", 12.0)
    assert not write_explanation(Page(result, found, "make explain"), folder)
    return (folder / "report.html").read_text(), (folder / "report.md").read_text()


def test_the_page_has_every_section_and_needs_nothing_else(tmp_path: Path) -> None:
    page, text = written(explanation(), tmp_path)
    for content in (page, text):
        assert "A frame of x86" in content and "2.34 ms" in content
        assert "FILL=pixel" in content and "+81.0 %" in content and "+1.90 ms" in content
        assert "identical code" in content and "case-2-acquire" in content.replace("\\", "")
    assert page.count('<svg class="plot" role="img"') == 2 and "var(--series-2)" in page
    assert not re.search(r"\b(src|href)=(?![\"'](data:|#))", page) and "<script" not in page


def test_a_missing_section_is_absent_with_its_reason(tmp_path: Path) -> None:
    missing = {SWITCHES: "no switch was measured: does not build", CASE: "QUICK=1 leaves it out"}
    found = Explanation("x86_64 BARRIER=linux", missing=missing)
    page, _ = written(found, tmp_path)
    assert all(why in page for why in missing.values())
    assert "<svg" not in page and "nothing could be measured" in page


def test_texts_are_escaped(tmp_path: Path) -> None:
    page, text = written(explanation("<script>alert(1)</script> | [x](y)"), tmp_path)
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "<script>" not in text and "\\[x\\]" in text


def test_the_sentence_names_the_dearest_switch_and_counts_the_noise() -> None:
    said = explanation().sentence
    assert "FILL=pixel is worth most: frames 81 % longer" in said and said.endswith("1 of 3 changes is noise")


def test_every_other_value_is_tried_and_faults_are_only_taken_out() -> None:
    plain = {name for ((name, _),) in other_values(Switches())}
    assert "FAULT" not in plain and {"BARRIER", "LOG", "FILL"} <= plain
    broken = other_values(Switches().but(FAULT="slow_draw", LOG="frame"))
    assert (("FAULT", "none"),) in broken and (("LOG", "deferred"),) in broken
    assert (("LOG", "frame"),) not in broken
    quick = quick_choice(Switches().but(LOG="frame"), other_values(Switches().but(LOG="frame")))
    assert (("LOG", "deferred"),) in quick and len({name for ((name, _),) in quick}) == len(quick)


def test_every_switch_has_its_turn_before_any_has_a_second() -> None:
    everything = other_values(Switches())
    order = in_turn(everything)
    assert sorted(order) == sorted(everything)
    first = order[: len({name for ((name, _),) in everything})]
    assert len({name for ((name, _),) in first}) == len(first)


def test_slices_grow_with_the_frame() -> None:
    protocol = choose_protocol(probe_rights())
    assert fitted(protocol, 2.0) == protocol
    assert fitted(protocol, 20.0).slice_s == pytest.approx(0.16)
    assert fitted(protocol, 1000.0).slice_s == 0.25


def bench() -> Bench:
    return Bench(MACHINE, choose_protocol(probe_rights()), pairs=0)


@pytest.mark.slow
def test_identical_code_and_what_does_not_build_are_said_and_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(switches: Switches, compiler: str) -> BuiltKernel:
        if switches.get("SPIN") == "none":
            raise BuildError("x86_64 SPIN=none does not build: poll.c:1: error: planted")
        return build_kernel(switches, compiler=compiler)

    monkeypatch.setattr(track, "build_kernel", build)
    monkeypatch.setattr(track, "time_pair", lambda *rest: pytest.fail("identical code was measured"))
    changes: list[Changes] = [(("BARRIER", "linux"),), (("SPIN", "none"),), (("CPUS", "8"),)]
    found = ablate(build_kernel(Switches()), changes, bench(), tmp_path, 60.0, lambda text: None)
    why = {one.changes: one.why for one in found.unmeasured}
    assert why[changes[0]] == "identical code to the base"
    assert "does not build" in why[changes[1]] and "planted" in why[changes[1]]
    assert "one CPU" in why[changes[2]]
    assert not found.effects


@pytest.mark.slow
def test_what_a_warm_tlb_is_worth_is_asked_as_a_change_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def fail(candidate: BuiltKernel, reference: BuiltKernel, *rest: object, tlb: str) -> None:
        asked.append((tlb, "same" if candidate.sha256 == reference.sha256 else "other"))
        raise GuestError("planted")

    monkeypatch.setattr(track, "time_pair", fail)
    changes: list[Changes] = [COLD, (("OPTS", "tlb=cold"), ("FILL", "pixel"))]
    ablate(build_kernel(Switches()), changes, bench(), tmp_path, 60.0, lambda text: None)
    assert asked == [("cold", "same"), ("cold", "other")]


def test_only_the_candidate_is_cold_when_that_is_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str | None, str | None, bool]] = []

    def compare(arms: dict[str, RunSpec], *rest: object, same_tlb: bool, **more: object) -> None:
        seen.append((arms["candidate"].params.tlb, arms["reference"].params.tlb, same_tlb))

    monkeypatch.setattr(track, "compare", compare)
    built = build_kernel(Switches())
    track.time_pair(built, built, bench(), tmp_path / "cold", 9.0, lambda text: None, tlb="cold")
    track.time_pair(built, built, bench(), tmp_path / "plain", 9.0, lambda text: None)
    assert seen == [("cold", None, False), (None, None, True)]


def test_different_code_is_not_taken_for_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*rest: object, **more: object) -> None:
        raise GuestError("no frame within 10 s of the launch")

    monkeypatch.setattr(track, "time_pair", fail)
    changes: list[Changes] = [(("BARRIER", "seqcst_spin"),)]
    found = ablate(build_kernel(Switches()), changes, bench(), tmp_path, 60.0, lambda text: None)
    assert found.unmeasured == (Unmeasured(changes[0], "the guest failed: no frame within 10 s of the launch"),)


@pytest.mark.slow
def test_a_short_explanation_of_a_real_kernel(tmp_path: Path) -> None:
    question = ExplainRequest("default", build_kernel(Switches()), MACHINE, 16.0, (), quick=True)
    found = explain(question, tmp_path / "work", lambda text: None)
    assert found.ablation is not None
    asked = set(quick_choice(Switches(), other_values(Switches())))
    answered = [one.changes for one in found.ablation.effects] + [one.changes for one in found.ablation.unmeasured]
    assert set(answered) == asked and len(answered) == len(asked)
    assert found.missing[CASE].startswith("QUICK=1")
    if not found.ablation.effects:
        assert "no time was left" in found.missing[SWITCHES] and "BUDGET=" in found.sentence
    written(found, tmp_path)


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [
        ((), {"BARRIER": "none"}, "BARRIER=none: unknown value"),
        ((), {"BARIER": "linux"}, "BARIER=linux: did you mean BARRIER=linux"),
        (("case-99",), {}, "NAME=case-99: unknown value"),
        (("default",), {"NAME": "case-1-logged"}, "takes one NAME"),
        ((), {"QUICK": "yes"}, "QUICK=yes: 1 or 0"),
        ((), {"BUDGET": "1"}, "BUDGET=1: must lie between"),
        ((), {"RESULT": "results/x", "LOG": "frame"}, "LOG=frame has no meaning beside RESULT=results/x"),
    ],
)
def test_requests_that_make_no_sense_are_refused(words: tuple[str, ...], settings: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(["explain", *words, *(f"{key}={value}" for key, value in settings.items())])


def saved(folder: Path, verdict: Verdict = Verdict.REGRESSION, command: str = "perf", problem: str = "") -> Path:
    """A run of the gate as it is stored, with a candidate that differs from its reference in one switch."""
    kernel = b"\x7fELF candidate"
    place = folder / "baselines" / "x86_64" / "acquire_progress"
    place.mkdir(parents=True)
    (place / "kernel.elf").write_bytes(b"\x7fELF reference")
    (folder / "candidate.elf").write_bytes(kernel)
    arms = {
        "candidate": Arm(Switches().but(LOG="frame").everything(), hashlib.sha256(kernel).hexdigest(), {}),
        "reference": Arm(Switches().everything(), "", {}),
    }
    gate = Gate("fps_trace", "ratio", verdict, "slower", value=300.0, reference=400.0, change=-0.25)
    runs = {"candidate": RunRecord(RunParams(), judged_by=JudgedBy("x86_64/acquire_progress"))}
    problems = (problem,) if problem else ()
    result = Result(command, verdict, "said", "", 60.0, arms=arms, gates=(gate,), problems=problems, runs=runs)
    (folder / "result.json").write_text(result_to_json(result), encoding="utf-8")
    return folder


def test_a_regression_is_opened_with_what_changed(tmp_path: Path) -> None:
    run = open_regression(saved(tmp_path))
    assert run.slower == pytest.approx(1 / 3)
    assert run.restorations == ((("LOG", "deferred"),),)
    assert run.notices == (
        f"{tmp_path.name} lacks window/serial.log and window/trace.log: what they said is measured again",
    )
    (tmp_path / "window").mkdir()
    for name in ("serial.log", "trace.log"):
        (tmp_path / "window" / name).touch()
    assert not open_regression(tmp_path).notices


def restored(*effects: Effect, unmeasured: tuple[Unmeasured, ...] = ()) -> Ablation:
    return Ablation("x86_64 LOG=frame", 4.0, effects, (), unmeasured)


def test_a_regression_says_which_switch_gives_it_back() -> None:
    back = (("LOG", "deferred"),)
    idle = effect((("SPIN", "pause"),), Worth.NOISE, 0.001)
    found = Regression("run", "said", 1 / 3, restored(effect(back, Worth.FASTER, -0.24), idle))
    assert found.lines[0] == "run: frames take 33.3 % longer than the reference's"
    assert found.lines[1].startswith("LOG=deferred gives all of it back (−24.0 %, −26.0 to −22.0 % of its frame time)")
    half = Regression("run", "said", 1 / 3, restored(effect(back, Worth.FASTER, -0.12), idle))
    assert "LOG=deferred gives 48 % of it back" in half.lines[1]


def test_a_regression_that_no_switch_gives_back_says_so() -> None:
    idle = effect((("SPIN", "pause"),), Worth.NOISE, 0.001)
    broken = Unmeasured((("LOG", "deferred"),), "does not build: planted")
    tried = Regression("run", "said", 0.3, restored(idle, unmeasured=(broken,)))
    assert tried.lines[1] == "no switch gives it back: tried SPIN=pause, LOG=deferred (does not build: planted)"
    source = Regression("run", "said", 0.3)
    assert source.lines[1] == "no build switch differs: the change is in the source"
    other = Regression("run", "said", 0.3, None, "this tree builds another kernel")
    assert "this tree builds another kernel" in other.lines[1]


def test_the_page_of_a_regression(tmp_path: Path) -> None:
    back = effect((("LOG", "deferred"),), Worth.FASTER, -0.24)
    page, text = written(Explanation("run", regression=Regression("run", "<said>", 1 / 3, restored(back))), tmp_path)
    assert "LOG=deferred gives all of it back" in page and "&lt;said&gt;" in page
    assert "gives all of it back" in text


@pytest.mark.parametrize(
    ("verdict", "command", "problem", "error", "says"),
    [
        (Verdict.PASS, "perf", "", UsageError, "says pass: there is no regression in it"),
        (Verdict.REGRESSION, "ab", "", UsageError, "is a run of ab"),
        (Verdict.GUEST_FAILED, "perf", "the guest panicked: x.c:3", GuestError, "its guest failed: the guest panicked"),
    ],
)
def test_runs_without_a_regression_are_refused(
    tmp_path: Path, verdict: Verdict, command: str, problem: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        open_regression(saved(tmp_path, verdict, command, problem))


def test_runs_with_missing_or_wrong_files_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / "candidate.elf").write_bytes(b"another")
    with pytest.raises(ReplayError, match="is not the kernel that was measured"):
        open_regression(folder)
    (folder / "candidate.elf").unlink()
    with pytest.raises(ReplayError, match="the candidate's kernel is missing"):
        open_regression(folder)
    with pytest.raises(ReplayError, match="nowhere cannot be replayed: its result.json cannot be read: No such file"):
        open_regression(tmp_path / "nowhere")


def test_what_is_stored_can_be_read_again(tmp_path: Path) -> None:
    found = explanation()
    result = Result("explain", Verdict.PASS, found.sentence, "", 1.0, details={"explain": details_of(found)})
    (tmp_path / "result.json").write_text(result_to_json(result), encoding="utf-8")
    stored = load_result(tmp_path).details["explain"]
    assert stored["ablation"]["effects"][0]["worth"] == "slower"
    assert json.dumps(stored)
