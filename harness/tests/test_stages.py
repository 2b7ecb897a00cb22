"""Stages: what runs, what is skipped and why, on stages that are made up."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.front.words import parse
from harness.gate import evaluate, session
from harness.gate.measured import ArmKernel, Measured, Order
from harness.gate.stage import Session, Stage
from harness.gate.stages import STAGES
from harness.model import codec
from harness.model.codec import CodecError
from harness.model.declared import stage_table
from harness.model.errors import GuestError
from harness.model.record import Incident, RunRecord, StageRecord
from harness.model.spec import BUILT_IN, Machine, RunParams, Switches, UsageError, Verdict

ORDER = Order(ArmKernel("candidate", Path("k.elf"), "", None, BUILT_IN), None, Machine(), RunParams())


@dataclass(frozen=True)
class Cost(StageRecord, stage="made-up"):
    """Measurement and record of a made-up stage."""

    share: float


class MadeUp(Stage[Cost, Cost]):
    """A stage that brings a cost."""

    brings = keeps = Cost

    def __init__(self, name: str, long: bool = False, fails: str = "", odd: str = "", lacks: str | None = None) -> None:
        super().__init__(name)
        self.long, self.fails, self.odd, self.lacks = long, fails, odd, lacks

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        return self.lacks

    def measure(self, session: Session, measured: Measured) -> Cost | None:
        if self.fails:
            raise GuestError(self.fails, session.folder / self.name / "serial.log")
        return COST

    def incidents(self, brought: Cost, order: Order) -> tuple[Incident, ...]:
        return (Incident(Verdict.GUEST_FAILED, self.odd),) if self.odd else ()


COST = Cost(0.5)


def measured(patch: pytest.MonkeyPatch, stages: tuple[MadeUp, ...], order: Order = ORDER) -> Measured:
    patch.setattr(session, "STAGES", stages)
    patch.setattr(evaluate, "STAGES", stages)
    return session.measure(order, Path("/run"), lambda text: None)


def test_a_stage_of_its_own_is_run_and_recorded_without_another_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, (MadeUp("new"),))
    assert found.of(Cost) == COST and not found.skipped and found.seconds > 0
    run = evaluate.record_of(found)
    assert run.of(Cost) == COST and codec.from_json(RunRecord, codec.to_json(run)) == run


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


def test_a_record_whose_class_is_not_loaded_is_kept_and_read_later() -> None:
    run = codec.from_plain(RunRecord, {"params": {}, "stages": {"later": {"share": 0.5}, "damaged": {}}})

    @dataclass(frozen=True)
    class Later(StageRecord, stage="later"):
        share: float

    @dataclass(frozen=True)
    class Damaged(StageRecord, stage="damaged"):
        share: float

    assert codec.to_plain(run)["stages"] == {"later": {"share": 0.5}, "damaged": {}}
    assert run.of(Later) == Later(0.5) and run.of(Cost) is None
    with pytest.raises(CodecError, match="share: is missing"):
        run.of(Damaged)


def test_the_setting_takes_the_names_of_the_stages() -> None:
    names = [stage.name for stage in STAGES]
    assert names == list(stage_table()) == [stage.keeps.stage for stage in STAGES]
    usual = [name for name in names if not stage_table()[name].on_request]
    assert parse(["perf"]).several("STAGES") == tuple(usual) and len(usual) < len(names)
    with pytest.raises(UsageError, match="overhead"):
        parse(["perf", "STAGES=perturbation"])


def test_a_kernel_that_follows_its_display_is_not_counted_against_one_that_does_not() -> None:
    """Its look at the device once a frame is the price of what was asked for, and no regression."""
    [exact] = [stage for stage in STAGES if stage.name == "exact"]
    follows, stays = (
        ArmKernel("kernel", Path("k.elf"), "", Switches("x86_64", chosen), BUILT_IN)
        for chosen in ((("MODES", "on"),), ())
    )
    nothing = Measured(ORDER)
    for candidate, reference, told in ((follows, stays, True), (stays, stays, False), (follows, follows, False)):
        order = dataclasses.replace(ORDER, candidate=candidate, reference=reference)
        assert bool(exact.obstacle(order, nothing)) is told
