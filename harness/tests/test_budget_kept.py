"""Budgets on a clock that is made up: a command takes what it was given and at most a tenth more."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from pathlib import Path

import pytest

from harness.commands import calibrate, survey
from harness.core import budget
from harness.front.words import parse
from harness.gate import session
from harness.gate.calibration.budgeted import DRAWS_LEAST, DrawingTime
from harness.gate.calibration.recording import FEWEST_ROUNDS
from harness.gate.measured import ArmKernel, Order
from harness.gate.stages import STAGES
from harness.model.errors import QemuError
from harness.model.record import Lease
from harness.model.spec import BUILT_IN, Machine, RunParams, Verdict
from harness.platform.files import store
from harness.platform.host.leases import WAIT_S
from harness.platform.processes.pipeline import HarnessRun
from harness.settings import Arguments
from harness.tests.printer import RecordingPrinter

ORDER = Order(ArmKernel("candidate", Path("k.elf"), "", None, BUILT_IN), None, Machine(), RunParams())
TOLERANCE = 1.1


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def run(self, words: tuple[str, ...], limit_s: float) -> HarnessRun:
        """A command that takes all of its budget and a little more."""
        given = dict(word.split("=", 1) for word in words if "=" in word)
        self.now_s += 1.05 * float(given["BUDGET"])
        return HarnessRun(Verdict.INCONCLUSIVE.exit_code, None, ("inconclusive: nothing",))


@pytest.mark.parametrize(("targets", "budget_s"), [(1, 60), (3, 180), (8, 700), (1, 36_000)])
def test_a_survey_takes_its_budget(
    targets: int, budget_s: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printer: RecordingPrinter
) -> None:
    clock = Clock()
    monkeypatch.setattr("harness.commands.survey.time.monotonic", clock)
    monkeypatch.setattr(survey, "run_harness", clock.run)
    monkeypatch.setattr(survey, "find_target", lambda name: None)
    names = ",".join(f"t{number}" for number in range(targets))
    given = {"TARGETS": names, "BUDGET": str(budget_s), "PAGE": str(tmp_path / "page.html")}
    begun_s = clock.now_s
    survey.main(Arguments("survey", given), printer)
    assert clock.now_s - begun_s <= TOLERANCE * budget_s


@pytest.mark.parametrize("budget_s", [40.0, 60.0, 400.0, 3600.0])
def test_waiting_for_cores_is_part_of_a_budget_that_was_given(budget_s: float) -> None:
    order = dataclasses.replace(ORDER, budget_s=budget_s, bounded=True)
    waits_s = session._wait_s(order)
    after = session._after_waiting(order, Lease((0, 1), 2, waits_s, ()))
    assert waits_s <= WAIT_S and after.budget_s + waits_s == pytest.approx(budget_s)
    least_s = sum(stage.least_s(order) for stage in STAGES if order.asks_for(stage.name))
    assert after.budget_s >= min(least_s, budget_s), "the stages keep what they need"


def test_without_a_budget_the_wait_comes_on_top() -> None:
    assert session._wait_s(ORDER) == WAIT_S
    assert session._after_waiting(ORDER, Lease((0, 1), 2, 200.0, ())).budget_s == ORDER.budget_s


def test_shares_of_several_runs_are_the_whole() -> None:
    from harness.front.words import parse_each

    for line in ("perf ARCH=all BUDGET=300", "perf BARRIER=linux,acquire_load,full_progress BUDGET=200"):
        each = parse_each(line.split())
        assert sum(one.number("BUDGET") for one in each) == pytest.approx(float(line.rpartition("=")[2]), rel=1e-4)
        assert all(one.number("BUDGET") >= one.least_s > budget.BUILD_S for one in each)


def test_a_calibration_leaves_time_for_its_sessions() -> None:
    drawing = DrawingTime(session_s=0.03, series=8)
    assert drawing.within(drawing.seconds(1000), 1000) == 1000
    fit = drawing.within(drawing.seconds(1000) / 2, 1000)
    assert DRAWS_LEAST < fit < 1000 and drawing.seconds(fit) <= drawing.seconds(1000) / 2
    assert drawing.within(0.0, 1000) == DRAWS_LEAST
    assert budget.FEWEST_LAUNCHES == FEWEST_ROUNDS


@pytest.mark.slow
def test_a_calibration_s_budget_is_the_whole_command_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printer: RecordingPrinter
) -> None:
    """Launches end when what is left is needed for the sessions, however long the builds took."""
    given: list[float] = []

    def record(*arguments: object) -> None:
        assert isinstance(arguments[-1], float)
        given.append(arguments[-1])
        raise QemuError("enough")

    clock = Clock()
    monkeypatch.setattr("harness.commands.calibrate.time.monotonic", clock)
    monkeypatch.setattr(calibrate, "RunFolder", lambda command: store.RunFolder(command, tmp_path))
    # Another worker may hold the cores, and a clock that stands still ends no wait.
    monkeypatch.setattr(calibrate, "lease_cores", lambda **_: contextlib.nullcontext())
    monkeypatch.setattr(calibrate, "drawing_time", lambda effects: DrawingTime(0.02, 6))
    monkeypatch.setattr(calibrate, "planted_effects", lambda *rest: setattr(clock, "now_s", clock.now_s + 17.0))
    monkeypatch.setattr(calibrate, "record", record)
    for words, left_s in (("BUDGET=300 DRAWS=1000", 300 - 17 - DrawingTime(0.02, 6).seconds(1000)), ("", math.inf)):
        with pytest.raises(QemuError):
            calibrate.main(parse(["calibrate", "EFFECTS=5", *words.split()]), printer)
        assert given[-1] == pytest.approx(left_s, abs=1.0)
