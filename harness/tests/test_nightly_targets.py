"""Targets in a night: cells of their own, in the history under their names."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.commands.nightly import target_baselines
from harness.core.comparison.statistics import CANDIDATE
from harness.gate.approved.target_references import KEPT_FILE, write_target_baseline
from harness.history.matrix import Cell, Matrix
from harness.history.matrix_file import parse_matrix
from harness.history.nightly import record_of
from harness.history.series import RATIO
from harness.history.store import History
from harness.model import codec
from harness.model.record import JudgedBy, RunRecord
from harness.model.result import Result
from harness.model.spec import RunParams, UsageError, Verdict
from harness.model.target_baseline import TargetBaseline, new_baseline
from harness.model.target_record import TargetRecord
from harness.platform.files.store import RunFolder
from harness.platform.kernels.targets import read_target, repository_state
from harness.platform.processes.pipeline import HarnessRun
from harness.report.printer import Printer
from harness.tests.test_nightly import APPROVED, night, places, result

FILE = 'image = { kernel = "k.elf" }\n'
MATRIX = '[[matrix]]\ntarget = ["ovmf", "mine.toml"]\nweight = 2.0\n'


@pytest.fixture
def plan(tmp_path: Path) -> Matrix:
    (tmp_path / "mine.toml").write_text(FILE, encoding="utf-8")
    return parse_matrix(MATRIX, "nightly.toml", APPROVED, folder=tmp_path)


def result_of(cell: Cell, verdict: Verdict = Verdict.PASS, baseline: str = "") -> Result:
    record = TargetRecord(cell.target_name, FILE, (), cell.target)
    run = RunRecord(RunParams(), judged_by=JudgedBy(baseline), target=record)
    plain = result(cell, verdict)
    arms = {name: replace(arm, switches={}) for name, arm in plain.arms.items()}
    source = {**plain.source, "target_git": "b" * 40, "target_dirty": True}
    return replace(plain, runs={"candidate": run}, arms=arms, source=source)


def approved(cell: Cell) -> TargetBaseline:
    done = result_of(cell)
    assert done.run is not None and done.run.target is not None
    new = new_baseline(done, done.run.target, "first", "2026-02-01T00:00:00+00:00", dict(done.arms[CANDIDATE].metrics))
    return replace(new, target=replace(new.target, images=()))


class Silent(Printer):
    """Nothing is to be said."""

    def line(self, text: str) -> None:
        raise AssertionError(text)

    def progress(self, text: str) -> None:
        raise AssertionError(text)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        raise AssertionError(title)


class TargetGate:
    """Stands for the pipeline: commits what a run of a target leaves."""

    def __init__(self, results: Path, baseline: TargetBaseline | None = None) -> None:
        self.results = results
        self.baseline = baseline
        self.ran: list[str] = []

    def __call__(self, cell: Cell, seconds: float) -> HarnessRun:
        self.ran.append(cell.label)
        run = RunFolder("perf", self.results)
        if self.baseline is not None:
            (run.path / KEPT_FILE).write_text(codec.to_json(self.baseline), encoding="utf-8")
        folder = run.commit(result_of(cell, baseline=self.baseline.label if self.baseline else ""))
        return HarnessRun(0, folder, ())


def test_a_target_is_a_cell_under_its_name(plan: Matrix, tmp_path: Path) -> None:
    by_label = {cell.label: cell for cell in plan.cells}
    assert list(by_label) == ["target ovmf", "target mine"]
    assert by_label["target ovmf"].words(45) == ("TARGET=ovmf", "BUDGET=45")
    assert by_label["target mine"].words(45)[0] == f"TARGET={tmp_path / 'mine.toml'}"
    assert {cell.weight for cell in plan.cells} == {2.0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[matrix]]\ntarget = ["ovfm"]', "matrix 1.target: ovfm: did you mean ovmf?"),
        ('[[matrix]]\ntarget = ["gone.toml"]', "gone.toml: no such file"),
        ('[[matrix]]\ntarget = "ovmf"', "must be a list"),
        ('[[matrix]]\ntarget = ["ovmf"]\narch = ["x86_64"]', "matrix 1.arch: no such key; there are target weight"),
        ('[[matrix]]\ntarget = ["ovmf", "other/ovmf.toml"]', "two targets are called ovmf"),
    ],
)
def test_what_is_wrong_with_a_target_s_row_is_named(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ovmf.toml").write_text(FILE, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        parse_matrix(text, "nightly.toml", APPROVED, folder=tmp_path)
    assert says in str(caught.value)


def test_a_night_brings_targets_into_the_history_under_their_names(plan: Matrix, tmp_path: Path) -> None:
    done = night(tmp_path, plan, TargetGate(tmp_path / "results"))
    assert done.verdict is Verdict.PASS
    with History(places(tmp_path).history) as history:
        runs, keys = history.runs(), history.series_keys().values()
    assert {run.cell for run in runs} == {"target ovmf", "target mine"}
    assert {run.commit for run in runs} == {"b" * 40}, "the commit of the target's own repository"
    assert {(key.cell, key.metric) for key in keys} >= {("target ovmf", "fps_trace")}


def test_the_ratios_of_an_approved_target_are_chained_to_its_first_approval(plan: Matrix, tmp_path: Path) -> None:
    cell = plan.cells[0]
    gate = TargetGate(tmp_path / "results", approved(cell))
    (tmp_path / "results").mkdir()
    ran = gate(cell, 60)
    assert ran.folder is not None
    ratios = [point for point in record_of(ran.folder, cell.label).points if point.scope == RATIO]
    assert [(point.metric, point.context) for point in ratios] == [("fps_trace", "since kernel " + "0" * 12)]


def test_a_killed_night_takes_over_the_target_that_had_run(plan: Matrix, tmp_path: Path) -> None:
    class Dies(TargetGate):
        def __call__(self, cell: Cell, seconds: float) -> HarnessRun:
            super().__call__(cell, seconds)
            raise KeyboardInterrupt

    broken = Dies(tmp_path / "results")
    with pytest.raises(KeyboardInterrupt):
        night(tmp_path, plan, broken)
    gate = TargetGate(tmp_path / "results")
    night(tmp_path, plan, gate)
    assert sorted(broken.ran + gate.ran) == sorted(cell.label for cell in plan.cells)


def test_approvals_of_targets_are_told_to_the_history(plan: Matrix, tmp_path: Path) -> None:
    out = Silent()
    assert target_baselines(plan, out) == ()
    target = read_target(str(tmp_path / "mine.toml"))
    write_target_baseline(target, approved(plan.cells[1]), {}, [], tmp_path)
    assert [one.label for one in target_baselines(plan, out)] == ["targets/mine"]


def test_the_commit_of_a_target_is_that_of_its_repository(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(FILE, encoding="utf-8")
    target = read_target(str(tmp_path / "mine.toml"))
    assert repository_state(target) == {} == repository_state(read_target("ovmf"))
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    state = repository_state(target)
    assert len(str(state["target_git"])) == 40 and state["target_dirty"] is False
