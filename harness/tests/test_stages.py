"""Stages: what runs, what is skipped and why, on stages that are made up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.front.words import parse
from harness.gate import evaluate, session
from harness.gate.measured import ArmKernel, Measured, Order
from harness.gate.stages.catalogue import STAGE_NAMES, STAGES
from harness.gate.stages.stage import Session, Stage
from harness.model.errors import GuestError
from harness.model.metric import Metric
from harness.model.record import Incident, RunRecord
from harness.model.result import Result
from harness.model.spec import BUILT_IN, Machine, RunParams, UsageError, Verdict

ORDER = Order(ArmKernel("candidate", Path("k.elf"), "", None, BUILT_IN), None, Machine(), RunParams())
COST = Metric(0.5, "ratio", "guest")


class MadeUp(Stage):
    """A stage that brings an overhead."""

    def __init__(self, name: str, long: bool = False, fails: str = "", odd: str = "", lacks: str | None = None) -> None:
        self.name, self.long, self.fails, self.odd, self.lacks = name, long, fails, odd, lacks

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        return self.lacks

    def measure(self, session: Session, measured: Measured) -> Measured:
        if self.fails:
            raise GuestError(self.fails, session.folder / self.name / "serial.log")
        return dataclasses.replace(measured, overhead=COST)

    def incidents(self, measured: Measured) -> tuple[Incident, ...]:
        return (Incident(Verdict.GUEST_FAILED, self.odd),) if self.odd and measured.overhead else ()

    def record(self, measured: Measured, run: RunRecord) -> RunRecord:
        return dataclasses.replace(run, overhead=measured.overhead)

    def replay(self, folder: Path, result: Result, run: RunRecord, measured: Measured) -> Measured:
        return dataclasses.replace(measured, overhead=run.overhead)


def measured(patch: pytest.MonkeyPatch, stages: tuple[Stage, ...], order: Order = ORDER) -> Measured:
    patch.setattr(session, "STAGES", stages)
    patch.setattr(evaluate, "STAGES", stages)
    return session.measure(order, Path("/run"), lambda text: None)


def test_a_stage_of_its_own_is_run_and_recorded_without_another_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, (MadeUp("new"),))
    assert found.overhead == COST and not found.skipped and found.seconds > 0
    assert evaluate.record_of(found).overhead == COST


def test_a_guest_that_fails_is_not_measured_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, (MadeUp("one", fails="no frame"), MadeUp("two"), MadeUp("three", long=True)))
    assert found.incidents == (Incident(Verdict.GUEST_FAILED, "one: no frame (see one/serial.log)"),)
    assert found.skipped == {"two": "the guest had failed before", "three": "the guest had failed before"}


def test_what_a_stage_saw_stops_long_stages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, (MadeUp("one", odd="torn"), MadeUp("two"), MadeUp("three", long=True)))
    assert found.skipped == {"three": "the guest had failed before"}
    assert evaluate.incidents_of(found) == (Incident(Verdict.GUEST_FAILED, "torn"),)


def test_what_was_not_asked_for_or_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = (MadeUp("one"), MadeUp("two"), MadeUp("three", lacks="no counters"), MadeUp("four", lacks=""))
    found = measured(monkeypatch, stages, dataclasses.replace(ORDER, stages=frozenset({"two"})))
    assert found.skipped == {"one": "not asked for", "three": "no counters"}


def test_the_setting_takes_the_names_of_the_stages() -> None:
    assert STAGE_NAMES == ("window", "pictures", "overhead", "exact", "timing")
    assert set(parse(["perf"]).several("STAGES")) == set(stage.name for stage in STAGES)
    with pytest.raises(UsageError, match="overhead"):
        parse(["perf", "STAGES=perturbation"])
