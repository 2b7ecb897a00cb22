"""The checklist measured for real, piece by piece, and the command around it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.acceptance import measure as acceptance
from harness.acceptance.checklist import PROBED, counted, roulette_of
from harness.acceptance.criteria import Status, criteria, verdict_of
from harness.acceptance.evidence import (
    Absent,
    DiskLoad,
    EventCounts,
    InputEvidence,
    PictureEvidence,
    RingCode,
    Roulette,
)
from harness.acceptance.measure import AcceptancePlan, Checklist
from harness.commands.acceptance import plan_of
from harness.core import budget
from harness.front.words import parse
from harness.gate.measuring.suites import read_suites, suite_boots
from harness.gate.measuring.window import Observed, assemble
from harness.model.spec import Machine, RunParams, Switches, UsageError, Verdict
from harness.platform.kernels.build import build_kernel, compiler_identity
from harness.platform.machine.ending import Ending
from harness.tests.machine import MachineModel, run_model
from harness.tests.programs import instead, real, run_harness, without
from harness.tests.test_criteria import CLEAN, PER_DEVICE

PLAIN = Machine(vcpus=2)
SMALL = RunParams(mode=(320, 240))


def checklist(folder: Path, **switches: str) -> Checklist:
    """A checklist of short pieces, with its kernels built."""
    plan = AcceptancePlan(Switches.of(switches), params=SMALL, roulette_s=0.5, pictures=12, budget_s=5)
    made = Checklist(plan, folder, lambda text: None)
    made.kernel = build_kernel(plan.switches)
    return made


def window_counts(model: MachineModel) -> EventCounts:
    """Counts of a pretended machine's run."""
    logs = run_model(model)
    observed = Observed(Ending(True, "guest-shutdown"), 1_700_000_000_000_000_000, (), "7.2.0", ("qemu",))
    return counted(assemble(observed, logs.serial, logs.trace), "serial.log")


def test_every_frame_of_a_clean_run_is_counted() -> None:
    found = window_counts(MachineModel(frames=200, warmup=20))
    assert (found.presented, found.records, found.gaps, found.lost) == (200, 200, 0, 0)
    assert (found.fences, found.completions, found.completions_range) == (2.0, 2.0, (2, 2))
    assert found.most_fences_a_completion == 1.0 and found.findings == ()


@pytest.mark.slow
def test_missing_records_and_lies_are_counted() -> None:
    assert window_counts(MachineModel(number_lie=50)).gaps == 5
    skipping = window_counts(MachineModel(skip_flush=frozenset({100, 200})))
    assert skipping.records - skipping.presented == 2 and skipping.findings
    assert window_counts(MachineModel(completion_lie=1)).completions_range == (3, 3)


def test_a_run_without_records_is_counted_as_such() -> None:
    observed = Observed(Ending(True, "guest-shutdown"), 1_700_000_000_000_000_000, (), "7.2.0", ("qemu",))
    trace = run_model(MachineModel(frames=30)).trace
    found = counted(assemble(observed, b"[DONE] status=ok\n", trace), "serial.log")
    assert found.records == 0 and found.presented == 50


def test_every_frame_of_the_roulette_counts_towards_its_time() -> None:
    slow = {frame: 20_000_000 for frame in range(100)}
    logs = run_model(MachineModel(frames=300, long_frames=slow))
    observed = Observed(Ending(True, "guest-shutdown"), 1_700_000_000_000_000_000, (), "7.2.0", ("qemu",))
    window = assemble(observed, logs.serial, logs.trace)
    seen = roulette_of(window, f"{PROBED}\nvirtio-gpu: 2d\n", "serial.log")
    assert window.warm.frames > 0 and seen.frames == len(logs.flush_ns) - 1
    assert seen.seconds == pytest.approx((logs.flush_ns[-1] - logs.flush_ns[0]) / 1e9, rel=1e-3)
    assert seen.probed and seen.path == "2d" and not seen.preempt and not seen.fallback


def test_suites_are_read_with_what_the_host_saw() -> None:
    suite = b"  KTAP version 1\n  1..2\n  ok 1 one\n  ok 2 two # SKIP no\nok 1 suite\n"
    log = b"KTAP version 1\n1..1\n" + suite + b"[DONE] status=ok\n"
    run = read_suites("all", log)
    assert (run.passed, run.failed, run.tests) == (1, 0, {"suite.one": True})
    assert read_suites("all", log, "it hangs").failed == 1
    assert read_suites("all", b"").complaints == ("no suite ran",)


def plan_words(**settings: str) -> AcceptancePlan:
    return plan_of(parse(["acceptance", *(f"{key}={value}" for key, value in settings.items())]))


def test_settings_are_understood() -> None:
    assert plan_words() == AcceptancePlan(Switches())
    assert not plan_words(VIRGL="0").virgl and plan_words(VIRGL="1", VIDEO="1") == AcceptancePlan(Switches())
    assert plan_words(BOOT_LOG_TIMEOUT="2").roulette_s == 2


@pytest.mark.parametrize("setting", [{"VIRGL": "yes"}, {"VIDEO": "gtk"}, {"BOOT_LOG_TIMEOUT": "0"}, {"PICTURES": "x"}])
def test_settings_that_make_no_sense_are_refused(setting: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(setting))):
        plan_words(**setting)


def gl_lines(folder: Path) -> tuple[set[str], set[Status], Verdict]:
    """Figures and statuses of the GL device's lines, the rest being clean, and what it comes to."""
    found = checklist(folder / "run").with_gl(PLAIN, suite_boots("x86_64")[0])
    lines = criteria(replace(CLEAN, devices=(found, CLEAN.devices[1])))
    told = [line for line in lines if line.device == "virgl"]
    assert len(told) == PER_DEVICE
    return {line.figure for line in told}, {line.status for line in told}, verdict_of(lines)


@pytest.mark.qemu
def test_without_xvfb_its_half_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", without(tmp_path / "path", "Xvfb"))
    [figure], statuses, verdict = gl_lines(tmp_path)
    assert "not on xvfb: Xvfb is not installed" in figure
    assert statuses == {Status.NOT_RUN} and verdict is Verdict.HARNESS_FAILED


@pytest.mark.qemu
def test_without_the_gl_device_its_half_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = real("qemu-system-x86_64")
    script = (
        f'case "$*" in *gl-pci*) echo "qemu: not a valid device model name" >&2; exit 1;; esac; exec {genuine} "$@"'
    )
    monkeypatch.setenv("PATH", instead(tmp_path, "qemu-system-x86_64", script))
    [figure], statuses, verdict = gl_lines(tmp_path)
    assert "not a valid device model name" in figure and "qemu-system-modules-opengl" in figure
    assert statuses == {Status.NOT_RUN} and verdict is Verdict.HARNESS_FAILED


@pytest.mark.slow
def test_half_of_it_is_never_green(tmp_path: Path) -> None:
    half = checklist(tmp_path)
    half.plan = replace(half.plan, virgl=False)
    found = half.with_gl(PLAIN, suite_boots("x86_64")[0])
    lines = criteria(replace(CLEAN, devices=(found, CLEAN.devices[1])))
    assert verdict_of(lines) is Verdict.INCONCLUSIVE


def test_a_missing_compiler_leaves_warnings_untested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = checklist(tmp_path)
    compiler_identity.cache_clear()
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", without(tmp_path / "path", "clang"))
    found = made.attempt("build", made.build)
    assert isinstance(found, Absent) and found.verdict is Verdict.HARNESS_FAILED and "clang" in found.why


@pytest.mark.slow
def test_a_compiler_that_complains_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"gcc": "  CC main.c\n", "clang": "main.c:1:1: warning: unused variable\n"}
    made = checklist(tmp_path)
    monkeypatch.setattr(acceptance, "run_make", lambda tree, words, what, scratch: said[what.rpartition(" ")[2]])
    found = made.build()
    assert len(found.complaints) == 2 and "unused variable" in found.complaints[0]


@pytest.mark.qemu
def test_a_sound_kernel_is_found_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "COUNTED_S", 0.5)
    monkeypatch.setattr(acceptance, "DISK_S", 1.0)
    monkeypatch.setattr(acceptance, "APPROVED_S", 0.5)
    monkeypatch.setattr(acceptance, "APPROVED_PICTURES", 5)
    monkeypatch.setattr(budget, "CHANGE_ON_DEVICE_S", 12.0)
    made = checklist(tmp_path)
    made.plan = replace(made.plan, budget_s=None)
    made.spinning = build_kernel(Switches.of({"BARRIER": "seqcst_spin"}))
    made.suites = build_kernel(Switches(), test=True)
    found = made.on_device(PLAIN, replace(suite_boots("x86_64")[0], suite="virtqueue"))
    assert isinstance(found.optimised, EventCounts) and found.optimised.records > 0
    assert isinstance(found.disk, DiskLoad) and found.disk.requests > 0
    keys = found.input
    assert isinstance(keys, InputEvidence) and keys.shown > 50 and 0 < keys.clock_error < keys.median < keys.tail
    # A busy host may know the times to within more than is allowed.
    found = replace(found, input=replace(keys, clock_error=min(keys.clock_error, 1.0)))
    lines = criteria(replace(CLEAN, ring=made.read_ring(), devices=(found,)))
    failed = [line for line in lines if line.status is Status.FAIL and line.verdict is not Verdict.PASS]
    assert failed == []
    short = {line.name for line in lines if line.status is Status.NOT_RUN}
    assert {"FPS ≥ 10 over 30 s", "no visual corruption"} <= short, "half a second and 12 pictures prove nothing"
    named = {name for line in lines for name in line.source.split(", ") if name}
    assert [name for name in named if not (tmp_path / name).is_file()] == []


@pytest.mark.qemu
def test_a_torn_picture_and_a_global_counter_are_found(tmp_path: Path) -> None:
    made = checklist(tmp_path, FAULT="tear", PREEMPT="global", BARRIER="seqcst_spin")
    rolled = made.roulette(PLAIN, "roulette")
    # Every fifth frame is torn: twelve pictures miss all of them once in fifteen times.
    torn = 0
    for number in range(5):
        watched = made.watch(PLAIN, f"pictures{number}")
        assert isinstance(watched, PictureEvidence)
        torn += watched.frames.torn
        if torn:
            break
    assert torn > 0
    assert isinstance(rolled, Roulette) and rolled.preempt == "global" and rolled.path == "2d"


@pytest.mark.qemu
def test_a_flush_left_out_is_found_by_counts(tmp_path: Path) -> None:
    found = checklist(tmp_path, FAULT="skip_flush")
    kernel = build_kernel(Switches.of({"FAULT": "skip_flush"}))
    counts = found.count(kernel, PLAIN, "counts")
    assert counts.findings and counts.records > counts.presented


@pytest.mark.qemu
def test_a_guest_that_hangs_fails_its_lines(tmp_path: Path) -> None:
    made = checklist(tmp_path, FAULT="hang")
    found = made.attempt("roulette", lambda: made.roulette(PLAIN, "roulette"))
    assert isinstance(found, Absent) and found.verdict is Verdict.GUEST_FAILED


@pytest.mark.qemu
def test_keys_that_are_read_late_are_found(tmp_path: Path) -> None:
    found = checklist(tmp_path, FAULT="late_input").press_keys(PLAIN, "input")
    assert found.late > 0 and found.shown > 50
    lines = criteria(replace(CLEAN, devices=(replace(CLEAN.devices[1], input=found),)))
    [line] = [line for line in lines if line.name == "every key comes to a frame in time"]
    assert line.status is Status.FAIL and "in a later one than they could" in line.figure


@pytest.mark.slow
def test_a_late_fence_is_seen_in_the_code(tmp_path: Path) -> None:
    late = checklist(tmp_path, ARCH="aarch64", BARRIER="late_publish").read_ring()
    assert isinstance(late, RingCode) and late.sha256
    lines = {line.name: line.status for line in criteria(replace(CLEAN, ring=late))}
    assert lines["labelled points: release before avail->idx"] is Status.FAIL
    assert lines["labelled points: acquire after used->idx moved"] is Status.PASS


@pytest.mark.slow
def test_a_baseline_that_is_missing_is_no_pass(tmp_path: Path) -> None:
    made = checklist(tmp_path, BARRIER="volatile_only")
    found = made.attempt("approved", lambda: made.approved(PLAIN, "approved"))
    assert isinstance(found, Absent) and found.verdict is Verdict.INCONCLUSIVE and "make approve" in found.why


@pytest.mark.full
@pytest.mark.qemu
def test_the_command_from_end_to_end(tmp_path: Path) -> None:
    words = ["BOOT_LOG_TIMEOUT=2", "PICTURES=160", "FAULT=tear"]
    ended = run_harness("acceptance", "--json", *words, limit_s=600)
    result = json.loads(ended.out)
    assert ended.code == result["exit_code"] == 3
    found = {(line["device"], line["name"]): line for line in result["details"]["criteria"]}
    for device in ("virgl", "2d"):
        assert found[device, "no visual corruption"]["status"] == "FAIL"
        assert "torn" in found[device, "no visual corruption"]["figure"]
        assert found[device, "FPS ≥ 10 over 30 s"]["status"] == "NOT RUN"
        assert found[device, "rollback: the approved kernel boots and passes"]["status"] == "PASS"
    assert "#### Plain 2D device" in (Path(result["folder"]) / "acceptance.md").read_text(encoding="utf-8")
