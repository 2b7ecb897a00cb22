"""Malformed commands: answers read from a recorded boot and from altered ones, and a real boot of the suite."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.core.guest.refusals import ANSWERS_MAX, refused_commands
from harness.gate.judging.figures import ArmFigures
from harness.gate.kernels import built_in
from harness.gate.measured import ArmKernel, KernelSource, Measured, Order
from harness.gate.measuring.refusals import ANSWERS_FILE
from harness.gate.stage import Session
from harness.gate.stages.refusals import RefusalsStage
from harness.model import codec
from harness.model.record import StageRecord
from harness.model.refusals_record import RefusalsRecord, RefusedCommand
from harness.model.spec import Device, Machine, RunParams, Switches, Verdict
from harness.report.refusals_view import answers_table, refusals_section

RECORDED = (Path(__file__).parent / "data" / "refusals-qemu-7.2.log").read_text(encoding="utf-8")
STAGE = RefusalsStage("refusals")
REPORT = "virtio-gpu: error response, command 0x104 response 0x1205\n"
WIDE = "    # refusal: a flush that is too wide: 0x1205\n    ok 12 a flush that is too wide\n"


def order_of(**changes: object) -> Order:
    kernel = ArmKernel("candidate", Path("k.elf"), "0", Switches(), built_in(), source=KernelSource("gcc"))
    return Order(dataclasses.replace(kernel, **changes), None, Machine(), RunParams())


def record_of(log: str, *failed: str) -> RefusalsRecord:
    return RefusalsRecord("7.2.22", refused_commands(log), failed)


def verdicts(record: RefusalsRecord) -> list[tuple[Verdict, str]]:
    return [(one.verdict, one.text) for one in STAGE.incidents(record, order_of())]


def test_every_answer_of_a_recorded_boot_is_read() -> None:
    record = record_of(RECORDED)
    assert len(record.answers) == 25 and record.wrong == () and verdicts(record) == []
    assert record.answers[0] == RefusedCommand("a resource of number 0", 0x101, 0x1203, True, True)
    assert record.answers[-1] == RefusedCommand("a flush, cut short", 0, 0x1100, None, True)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (REPORT + WIDE, WIDE, "the driver does not report a flush that is too wide"),
        (REPORT, REPORT.replace("1205", "1203"), "the driver does not report a flush that is too wide"),
    ],
)
def test_an_error_that_the_driver_keeps_to_itself_is_found(before: str, after: str, says: str) -> None:
    assert RECORDED.count(before) >= 1
    at = RECORDED.index(REPORT + WIDE)
    record = record_of(RECORDED[:at] + RECORDED[at:].replace(before, after, 1))
    assert [one.sent for one in record.wrong] == ["a flush that is too wide"]
    assert verdicts(record) == [(Verdict.GUEST_FAILED, f"refusals: {says}")]


def test_another_answer_than_the_specified_one_is_found() -> None:
    wrong = WIDE.replace("0x1205", "0x1100").replace("ok 12", "not ok 12")
    record = record_of(RECORDED.replace(REPORT + WIDE, wrong), "gpu_refusals.a flush that is too wide ()")
    [found] = record.wrong
    assert (found.sent, found.response, found.as_wanted) == ("a flush that is too wide", 0x1100, False)
    assert [one for one, _ in verdicts(record)] == [Verdict.GUEST_FAILED]
    assert "another error is specified" in str(refusals_section(record))
    side = ArmFigures(Measured(order_of(), (record,)), "candidate")
    answered, wrongly = side.refusals(), side.wrong_refusals()
    assert answered is not None and wrongly is not None and (answered.value, wrongly.value) == (25, 1)


def test_no_answer_at_all_is_wrong_even_where_none_is_specified() -> None:
    record = record_of(RECORDED.replace("a flush, cut short: 0x1100", "a flush, cut short: 0x0"))
    assert [(one.sent, one.response) for one in record.wrong] == [("a flush, cut short", 0)]


def test_a_suite_that_sends_nothing_is_no_pass() -> None:
    skipped = record_of("    ok 1 the device refuses what is malformed # SKIP this machine has none\n")
    assert verdicts(skipped) == [(Verdict.INCONCLUSIVE, "refusals: no command was sent")]
    side = ArmFigures(Measured(order_of(), (skipped,)), "candidate")
    assert side.refusals() is None and side.wrong_refusals() is None
    assert verdicts(record_of("", "no suite ran")) == [(Verdict.GUEST_FAILED, "refusals: no suite ran")]


def test_a_log_cannot_make_a_record_of_any_length() -> None:
    many = "".join(f"# refusal: number {at}: 0x1203\n" for at in range(2 * ANSWERS_MAX))
    assert len(refused_commands(many)) == ANSWERS_MAX
    assert refused_commands("# refusal: " + 300 * "x" + ": 0x1203\n# refusal: y: 0x123456789\n") == ()


def test_the_stage_needs_a_kernel_that_is_built_here_and_the_2d_device() -> None:
    nothing = Measured(order_of())
    assert STAGE.obstacle(order_of(), nothing) is None
    assert "built here" in (STAGE.obstacle(order_of(source=None), nothing) or "")
    gl = dataclasses.replace(order_of(), machine=Machine(device=Device.GPU_GL))
    assert "2D device" in (STAGE.obstacle(gl, nothing) or "")


def test_versions_stand_side_by_side_and_in_order() -> None:
    ours = record_of(RECORDED)
    cut = dataclasses.replace(ours.answers[-1], command=0x104, response=0x1205)
    newer = RefusalsRecord("10.0.2", (*ours.answers[:-1], cut))
    head, _, *rows = answers_table([newer, ours]).splitlines()
    assert head == "| malformed | command | error wanted | QEMU 7.2.22 | QEMU 10.0.2 |"
    assert rows[-1] == "| a flush, cut short | RESOURCE_FLUSH | not specified | OK | invalid parameter 0x1205 |"
    assert rows[0].endswith("| invalid resource 0x1203 | as wanted | as wanted |") and len(rows) == 25


@pytest.mark.qemu
def test_a_real_boot_answers_as_recorded_and_is_read_again(tmp_path: Path) -> None:
    measured = Measured(order_of())
    record = STAGE.measure(Session(measured.order, tmp_path, lambda text: None), measured)
    assert verdicts(record) == [] and len(record.answers) == len(refused_commands(RECORDED))
    stored = codec.to_json(STAGE.record(record))
    assert codec.from_json(StageRecord.member("refusals"), stored) == record
    assert codec.from_json(RefusalsRecord, (tmp_path / "refusals" / ANSWERS_FILE).read_text()) == record
