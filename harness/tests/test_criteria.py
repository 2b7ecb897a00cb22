"""The checklist's lines: each trips on evidence planted against it, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.acceptance.criteria import Criterion, Status, criteria, sentence_of, verdict_of
from harness.acceptance.evidence import (
    Absent,
    ApprovedEvidence,
    BuildEvidence,
    DeviceEvidence,
    DiskLoad,
    EventCounts,
    Evidence,
    FrameRateChange,
    InputEvidence,
    PictureEvidence,
    RingCode,
    Roulette,
)
from harness.acceptance.report import acceptance_markdown, gates_of, plain_lines, terminal_lines
from harness.core.machine_code.ringpoints import claimed
from harness.model.result import Frames, Result
from harness.model.spec import Verdict
from harness.model.suites import SuiteRun

INTACT = Frames(checked=300, intact=300)
COUNTS = EventCounts(1400, 1400, 0, 0, 2.0, 130.0, 2.0, (2, 2), 1.0, source="counts/serial.log")
SUITES = SuiteRun("all", 397, 0)
RACE = SuiteRun("icount", 2, 0, (), {"preempt_race.none is lost": True, "preempt_race.none is doubled": True})


def ring_code(strategy: str = "acquire_progress", arch: str = "aarch64") -> RingCode:
    """Code that is what a strategy claims."""
    places = tuple((point.value, operations) for point, operations in claimed(strategy, arch).items())
    return RingCode(arch, strategy, "0" * 64, places)


def clean_device(device: str) -> DeviceEvidence:
    """A device on which everything is as it should be."""
    path = {"2d": "2d", "virgl": "virgl transfer"}[device]
    return DeviceEvidence(
        device,
        path,
        SUITES,
        Roulette(30.0, 9000, 300.0, True, path, "percpu"),
        PictureEvidence(INTACT, 0.0099),
        COUNTS,
        replace(COUNTS, fences=1200.0, spins=150.0, most_fences_a_completion=900.0),
        FrameRateChange(0.004, -0.01, 0.02, 12),
        DiskLoad(2000, 0, 31.0, 4.0),
        InputEvidence(60, 59, 0, 14.2, 22.0, 0.06, 0.3),
        ApprovedEvidence("x86_64/acquire_progress", "1" * 64, 290.0, Frames(checked=40, intact=40)),
    )


CLEAN = Evidence(BuildEvidence(("gcc", "clang")), RACE, ring_code(), (clean_device("virgl"), clean_device("2d")))
PER_DEVICE = 19
ANYWHERE = 4


def planted(**changes: object) -> Evidence:
    """Clean evidence with some of the 2D device's replaced."""
    return replace(CLEAN, devices=(CLEAN.devices[0], replace(CLEAN.devices[1], **changes)))


def seen(**changes: object) -> Evidence:
    """Clean evidence with something about the roulette changed."""
    return planted(roulette=replace(CLEAN.devices[1].roulette, **changes))


def keyed(**changes: object) -> Evidence:
    """Clean evidence with something about the keys changed."""
    return planted(input=replace(CLEAN.devices[1].input, **changes))


def counting(**changes: object) -> Evidence:
    """Clean evidence with something about the optimised strategy's counts changed."""
    return planted(optimised=replace(COUNTS, **changes))


def failing(evidence: Evidence) -> dict[str, Criterion]:
    """The lines that do not pass, by name."""
    return {line.name: line for line in criteria(evidence) if line.status is not Status.PASS}


def test_clean_evidence_passes_every_line() -> None:
    lines = criteria(CLEAN)
    assert failing(CLEAN) == {} and len(lines) == ANYWHERE + 2 * PER_DEVICE
    assert verdict_of(lines) is Verdict.PASS
    assert sentence_of(lines) == "pass: 38 of 38 musts and 4 of 4 targets are met"


def test_the_sentence_tells_the_worst() -> None:
    missed = criteria(seen(fps=29.0))
    assert sentence_of(missed).startswith(
        "pass: 38 of 38 musts and 3 of 4 targets are met; FAIL: FPS ≥ 30 over 30 s on 2d"
    )
    both = criteria(replace(seen(fps=29.0, probed=False), built=Absent("no clang")))
    assert "; FAIL: driver probe succeeded on 2d: the serial log does not" in sentence_of(both)


def test_a_comparison_names_both_logs() -> None:
    [line] = [line for line in criteria(counting(source="a.log")) if line.name == "spins of the same order"][1:]
    assert line.source == "counts/serial.log, a.log"


def test_no_line_at_all_is_no_pass() -> None:
    assert verdict_of([]) is Verdict.INCONCLUSIVE


BROKEN, SLOW = Verdict.GUEST_FAILED, Verdict.REGRESSION
FENCES = {"fences down > 90 %", "fences down > 99 %"}
FPS = {"FPS ≥ 10 over 30 s", "FPS ≥ 30 over 30 s"}
ORDER_A, ORDER_B = "labelled points: release before avail->idx", "labelled points: acquire after used->idx moved"
ROLLBACK = "rollback: the approved kernel boots and passes"
DISK = "no virtio-blk request timeout under load"
KEYS, CLOCK = "every key comes to a frame in time", "input to frame: clock error ≤ 1 ms at 95 %"
TRIPS: list[tuple[Evidence, set[str], Verdict]] = [
    (replace(CLEAN, built=BuildEvidence(("gcc",), ("x.c:1: warning: unused",))), {"builds without warnings"}, BROKEN),
    (replace(CLEAN, race=replace(RACE, tests={"preempt_race.lost": False})), {"race test: no lost reschedule"}, BROKEN),
    (replace(CLEAN, race=replace(RACE, complaints=("hangs",))), {"race test: no lost reschedule"}, BROKEN),
    (replace(CLEAN, ring=ring_code("late_publish")), {ORDER_A}, BROKEN),
    (replace(CLEAN, ring=ring_code("acquire_spin", "riscv64")), {ORDER_B}, BROKEN),
    (replace(CLEAN, ring=ring_code("seqcst_spin")), {ORDER_A, ORDER_B}, BROKEN),
    (replace(CLEAN, ring=replace(ring_code(), differences=("A differs",))), {ORDER_A, ORDER_B}, BROKEN),
    (replace(CLEAN, ring=replace(ring_code(), places=())), {ORDER_A, ORDER_B}, BROKEN),
    (planted(suites=replace(SUITES, failed=1, complaints=("gpu.x",))), {"all in-kernel suites pass"}, BROKEN),
    (planted(suites=replace(SUITES, passed=0)), {"all in-kernel suites pass"}, BROKEN),
    (seen(findings=("the guest hangs",)), {"boots, no hang, no crash"}, BROKEN),
    (seen(probed=False), {"driver probe succeeded"}, BROKEN),
    (seen(fallback="no context"), {"no fallback"}, BROKEN),
    (seen(path="virgl transfer"), {"no fallback"}, BROKEN),
    (seen(fps=9.9), FPS, SLOW),
    (seen(fps=29.9), {"FPS ≥ 30 over 30 s"}, Verdict.PASS),
    (seen(preempt="global"), {"per-CPU preemption counter in use"}, BROKEN),
    (
        planted(pictures=PictureEvidence(Frames(checked=300, intact=299, torn=1), 0.016)),
        {"no visual corruption"},
        BROKEN,
    ),
    (planted(pictures=PictureEvidence(replace(INTACT, findings=("odd",)), 0.01)), {"no visual corruption"}, BROKEN),
    (counting(records=1399), {"[VIRTIO PERF] for every frame"}, BROKEN),
    (counting(gaps=1), {"[VIRTIO PERF] for every frame"}, BROKEN),
    (counting(lost=3), {"[VIRTIO PERF] for every frame"}, BROKEN),
    (counting(findings=("sources disagree",)), {"[VIRTIO PERF] for every frame"}, BROKEN),
    (counting(fences=121.0), FENCES, SLOW),
    (counting(fences=13.0), {"fences down > 99 %"}, Verdict.PASS),
    (counting(most_fences_a_completion=1.5), {"at most one fence a completion"}, SLOW),
    (counting(spins=1501.0), {"spins of the same order"}, SLOW),
    (counting(spins=0.0), {"spins of the same order"}, SLOW),
    (counting(completions_range=(1, 2)), {"completions a frame"}, BROKEN),
    (planted(disk=DiskLoad(2000, 1, 31.0, 4.0)), {DISK}, BROKEN),
    (planted(disk=DiskLoad(2000, 0, 31.0, 4.0, ("virtio-blk: data corrupt",))), {DISK}, BROKEN),
    (keyed(late=1), {KEYS}, BROKEN),
    (keyed(findings=("2 of 60 keys are in no frame",)), {KEYS}, BROKEN),
    (keyed(clock_error=1.01), {CLOCK}, Verdict.INCONCLUSIVE),
    (planted(approved=ApprovedEvidence("x", "1", 9.0, Frames(40, 40))), {ROLLBACK}, BROKEN),
    (planted(approved=ApprovedEvidence("x", "1", 99.0, Frames(40, 39, stale=1))), {ROLLBACK}, BROKEN),
    (planted(approved=ApprovedEvidence("x", "1", 99.0, Frames(40, 40), ("panicked",))), {ROLLBACK}, BROKEN),
    (planted(approved=ApprovedEvidence("x", "1", 99.0, Frames())), {ROLLBACK}, BROKEN),
]


@pytest.mark.parametrize(("evidence", "names", "verdict"), TRIPS)
def test_planted_evidence_trips_its_lines_alone(evidence: Evidence, names: set[str], verdict: Verdict) -> None:
    found = failing(evidence)
    assert set(found) == names
    assert all(line.status is Status.FAIL for line in found.values())
    assert verdict_of(criteria(evidence)) is verdict


def test_every_line_can_fail_but_the_one_that_only_reports() -> None:
    names = {line.name for line in criteria(CLEAN)} - {"change in FPS, as measured"}
    assert set().union(*(tripped for _, tripped, _ in TRIPS)) == names


@pytest.mark.parametrize(
    ("evidence", "names", "says"),
    [
        (seen(seconds=12.0), FPS, "too short to tell"),
        (planted(pictures=PictureEvidence(Frames(checked=20, intact=20), 0.139)), {"no visual corruption"}, "too few"),
        (
            planted(change=FrameRateChange(0.0, -1.0, float("inf"), 3)),
            {"change in FPS, as measured"},
            "3 launches are too few",
        ),
        (planted(disk=DiskLoad(0, 0, 0.0, 4.0)), {DISK}, "asked for nothing"),
        (keyed(shown=0), {KEYS, CLOCK}, "seen in a frame"),
        (planted(spinning=replace(COUNTS, fences=0.0)), FENCES, "counted no fence"),
        (replace(CLEAN, race=SuiteRun("icount", 5, 0)), {"race test: no lost reschedule"}, "needs -icount"),
    ],
)
def test_too_little_evidence_is_neither_pass_nor_failure(evidence: Evidence, names: set[str], says: str) -> None:
    found = failing(evidence)
    assert set(found) == names
    assert all(line.status is Status.NOT_RUN and says in line.figure for line in found.values())
    assert verdict_of(criteria(evidence)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict.INCONCLUSIVE, Status.NOT_RUN),
        (Verdict.HARNESS_FAILED, Status.NOT_RUN),
        (Verdict.GUEST_FAILED, Status.FAIL),
        (Verdict.USAGE, Status.FAIL),
    ],
)
@pytest.mark.parametrize(
    "piece", ["suites", "roulette", "pictures", "optimised", "spinning", "change", "disk", "input", "approved"]
)
def test_absent_evidence_never_passes(piece: str, verdict: Verdict, status: Status) -> None:
    evidence = planted(**{piece: Absent("it could not be had", verdict, "there")})
    found = failing(evidence)
    assert found and {(line.status, line.figure, line.source) for line in found.values()} == {
        (status, "it could not be had", "there")
    }
    assert verdict_of(criteria(evidence)) is verdict


def test_without_records_there_is_nothing_to_compare() -> None:
    found = failing(counting(records=0, presented=1400, completions_range=(0, 0)))
    assert FENCES | {"[VIRTIO PERF] for every frame", "at most one fence a completion"} <= set(found)


@pytest.mark.parametrize("strategy", ["acquire_progress", "full_progress", "linux", "acquire_load", "no_kick_fence"])
@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
def test_strategies_that_order_both_points_pass(strategy: str, arch: str) -> None:
    assert failing(replace(CLEAN, ring=ring_code(strategy, arch))) == {}


@pytest.mark.parametrize("strategy", ["volatile_only", "late_publish", "seqcst_spin", "acquire_spin"])
def test_x86_orders_both_points_without_an_instruction(strategy: str) -> None:
    lines = criteria(replace(CLEAN, ring=ring_code(strategy, "x86_64")))
    [line] = [line for line in lines if line.name == ORDER_A]
    assert line.status is Status.PASS and line.figure.endswith("a release fence needs no instruction there")


def test_what_the_switches_say_of_completions_counts() -> None:
    dirty = replace(counting(completions=5.0, completions_range=(2, 8)), draws_whole=False)
    assert failing(dirty) == {}
    assert set(failing(replace(dirty, draws_whole=True))) == {"completions a frame"}


def test_reports_say_every_line_and_nothing_as_markup() -> None:
    evidence = replace(
        seen(findings=("a|b **c** <d>",)), built=Absent("clang is not installed", Verdict.HARNESS_FAILED)
    )
    lines = criteria(evidence)
    shown = terminal_lines(lines)
    assert len(shown) == len(lines) and all("\n" not in line for line in shown)
    assert shown[0] == "NOT RUN all   must   builds without warnings: clang is not installed"
    assert "FAIL    2d    must   boots, no hang, no crash: 9000 frames, [DONE] status=ok: a|b **c** <d>" in shown
    result = Result("acceptance", verdict_of(lines), sentence_of(lines), "2026-01-01T00:00:00Z", 200.0)
    text = acceptance_markdown(result, lines, "x86_64, 0000")
    assert "\n### ✗ Acceptance: harness-failed" in text and r"a\|b \*\*c\*\* \<d\>" in text
    assert text.count("\n| PASS |") == 40 and text.count("\n| **") == 2
    assert "#### GL device" in text and "#### Plain 2D device" in text
    assert [gate.verdict for gate in gates_of(lines)] == [line.verdict for line in lines]
    assert plain_lines(lines)[0]["status"] == "NOT RUN"
