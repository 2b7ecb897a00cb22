"""A night: its matrix, its time, its kills, its verdict."""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.front.words import parse
from harness.history.journal import CellFinished, Journal, NightPlan, NightRunning, only_night
from harness.history.matrix import Cell, Matrix, Quarantine, Standing, by_information
from harness.history.matrix_file import parse_matrix
from harness.history.nightly import Night, NightlyRun, Places
from harness.history.series import EXACT, RATIO
from harness.history.store import History
from harness.model.errors import StoreError
from harness.model.result import Arm, Gate, Host, Metric, QemuSetup, Result
from harness.model.spec import Switches, UsageError, Verdict
from harness.platform.files.store import RunFolder
from harness.platform.processes.pipeline import HarnessRun, run_harness
from harness.tests.databases import waiting

NOW = datetime.datetime(2026, 3, 1, 3, 0, tzinfo=datetime.timezone.utc)
APPROVED = {"x86_64": {name: Switches.of({"BARRIER": name}) for name in ("acquire_progress", "linux", "seqcst_spin")}}
SMALL = """
[combinations.irq]
COMPLETION = "irq"
[[matrix]]
strategy = ["approved"]
combination = ["default", "irq"]
"""


def matrix(text: str = SMALL) -> Matrix:
    return parse_matrix(text, "nightly.toml", APPROVED)


def result(cell: Cell, verdict: Verdict = Verdict.PASS, fps: float = 300.0) -> Result:
    metrics = {"fps_trace": Metric(fps, "frames/s", "trace"), "timeouts": Metric(0.0, "waits", "guest")}
    return Result(
        "perf",
        verdict,
        f"{verdict.value}: {cell.label}",
        NOW.isoformat(),
        100.0,
        host=Host("a CPU", 2, "6.1", "Debian"),
        qemu=QemuSetup("7.2.22", "tcg", 1, "multi", ""),
        source={"git": "a" * 40, "dirty": False},
        compiler="gcc 12",
        arms={"candidate": Arm(cell.switches.everything(), "0" * 64, metrics)},
        gates=(Gate("fps_trace", "ratio", verdict, "", value=fps, change=0.0),),
    )


class FakeGate:
    """Stands for the pipeline: commits a result for every cell, as real as the store makes it."""

    def __init__(self, results: Path, verdicts: dict[str, Verdict] | None = None, seconds: float = 0.0) -> None:
        self.results = results
        self.verdicts = verdicts or {}
        self.seconds = seconds
        self.ran: list[str] = []
        self.clock_s = 0.0

    def __call__(self, cell: Cell, seconds: float) -> HarnessRun:
        time.sleep(self.seconds)
        self.clock_s += 100.0
        self.ran.append(cell.label)
        verdict = self.verdicts.get(cell.label, Verdict.PASS)
        folder = RunFolder("perf", self.results).commit(result(cell, verdict))
        return HarnessRun(verdict.exit_code, folder, ())

    def clock(self) -> float:
        return self.clock_s


def places(root: Path) -> Places:
    (root / "results").mkdir(exist_ok=True)
    results = root / "results"
    return Places(results, results / "history.jsonl", results / "queue", f"sqlite:///{results / 'history.db'}")


def night(
    root: Path, plan: Matrix, gate: Callable[[Cell, float], HarnessRun], commit: str = "c0ffee", **more: object
) -> Night:
    where = places(root)
    with only_night(root / "night"):
        clock = gate.clock if isinstance(gate, FakeGate) else time.monotonic
        shift = NightlyRun(plan, Journal(root / "night"), gate, where, clock=clock)
        done = shift.run(commit, (), more.get("now", NOW))  # type: ignore[arg-type]
        shift.journal.close()
    return done


def test_the_matrix_is_the_product_of_its_lists() -> None:
    plan = matrix(
        SMALL
        + """
[[matrix]]
arch = ["x86_64", "riscv64"]
combination = ["case-0-seqcst"]
device = ["2d", "gl"]
[[exclude]]
arch = "riscv64"
device = "gl"
"""
    )
    labels = [cell.label for cell in plan.cells]
    assert len(labels) == len(set(labels)) == 6 + 3
    assert "x86_64 linux 2d irq" in labels and "riscv64 own gl case-0-seqcst" not in labels
    by_label = {cell.label: cell for cell in plan.cells}
    assert by_label["x86_64 linux 2d irq"].words(60) == (
        "ARCH=x86_64",
        "BARRIER=linux",
        "COMPLETION=irq",
        "BASELINE=irq",
        "BUDGET=60",
    )
    assert "VIRGL=1" in by_label["x86_64 own gl case-0-seqcst"].words(60)
    assert by_label["x86_64 own 2d case-0-seqcst"].switches.get("BARRIER") == "seqcst_spin"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[matrix]]\nstrategy = ['nonsense']", "nightly.toml: matrix 1: BARRIER=nonsense: unknown value"),
        ("[[matrix]]\nstrateg = ['linux']", "matrix 1.strateg: no such key"),
        ("[[matrix]]", "matrix 1.strategy: name some"),
        ("[[matrix]]\nstrategy = ['linux']\narch = ['m68k']", "matrix 1.arch: m68k: unknown"),
        ("[[matrix]]\nstrategy = 'linux'", "must be a list"),
        ("[[matrix]]\nstrategy = ['linux']\nweight = 0", "matrix 1.weight: 0 is not a number"),
        ("[combinations.default]\nFILL = 'pixel'", "the name is taken"),
        ("[combinations.x]\nFILL = 'gold'", "combinations.x: FILL=gold: unknown value"),
        ("[[matrix]]\nstrategy = ['own']\ncombination = ['case-0-seqcst']", "brings its own strategy"),
        ("[[matrix]]\narch = ['riscv64']\nstrategy = ['approved']", "no cell; is a baseline approved"),
        (SMALL + "[[quarantine]]\ncell = 'x'\nreason = 'r'\nuntil = 2026-01-01", "quarantine.cell: 'x' is not a cell"),
        (SMALL + "[[quarantine]]\ncell = 'x86_64 linux 2d irq'\nuntil = 2026-01-01", "a reason is needed"),
        (SMALL + "[[quarantine]]\ncell = 'x86_64 linux 2d irq'\nreason = 'r'\nuntil = 'soon'", "must be a date"),
        (SMALL + "[drift]\nratios = 0.1", "drift.ratios: no such key"),
        ("[night\n", "nightly.toml: "),
    ],
)
def test_what_is_wrong_with_a_matrix_is_named(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        matrix(text)
    assert says in str(caught.value)


def test_the_committed_matrix_is_one() -> None:
    from harness.model.spec import ROOT

    plan = parse_matrix((ROOT / "ci" / "nightly.toml").read_text(), "nightly.toml", APPROVED)
    own = [f"x86_64 {name} 2d default" for name in APPROVED["x86_64"]]
    device = [f"x86_64 acquire_progress {kind}" for kind in ("2d paced", "2d cursor", "2d modes", "gl gpu")]
    assert [cell.label for cell in plan.cells] == [*own, *device, "target ovmf", "target aavmf"]
    for cell in plan.cells:
        parse(["perf", *cell.words(60)])


def test_a_night_brings_every_cell_into_the_history_and_passes(tmp_path: Path) -> None:
    plan = matrix()
    gate = FakeGate(tmp_path / "results")
    done = night(tmp_path, plan, gate)
    assert done.verdict is Verdict.PASS and len(done.outcomes) == 6 == len(gate.ran)
    with History(places(tmp_path).history) as history:
        assert sorted(row.cell for row in history.runs()) == sorted(cell.label for cell in plan.cells)
        scopes = {key.scope for key in history.series_keys().values()}
    assert EXACT in scopes and RATIO not in scopes
    lines = (tmp_path / "results" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["cell"] for line in lines] == gate.ran


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.PASS])
@pytest.mark.slow
def test_the_worst_cell_is_the_nights_verdict(tmp_path: Path, verdict: Verdict) -> None:
    gate = FakeGate(tmp_path / "results", {"x86_64 linux 2d irq": verdict})
    done = night(tmp_path, matrix(), gate)
    assert done.verdict is verdict and "x86_64 linux 2d irq" in done.problems[0]


def test_a_run_without_a_result_is_never_a_pass(tmp_path: Path) -> None:
    done = night(tmp_path, matrix(), lambda cell, seconds: HarnessRun(0, None, ("all is well",)))
    assert done.verdict is Verdict.HARNESS_FAILED
    done = night(
        tmp_path,
        matrix(),
        lambda cell, seconds: HarnessRun(2, None, ("usage: VIRGL: no such setting", "verdict: usage")),
    )
    assert done.verdict is Verdict.USAGE and "no such setting" in done.problems[0]


@pytest.mark.slow
def test_quarantine_counts_for_nothing_until_it_expires(tmp_path: Path) -> None:
    gate = FakeGate(tmp_path / "results", {"x86_64 linux 2d irq": Verdict.GUEST_FAILED})
    held = Quarantine("x86_64 linux 2d irq", "interrupts get lost, being fixed", NOW.date())
    plan = replace(matrix(), quarantines=(held,))
    done = night(tmp_path, plan, gate)
    assert done.verdict is Verdict.PASS and done.outcomes[-3].cell.label in gate.ran
    gate.verdicts = {}
    late = night(tmp_path, plan, gate, now=NOW + datetime.timedelta(days=1))
    assert late.verdict is Verdict.USAGE and "expired" in late.problems[0]
    everything = replace(
        plan, quarantines=tuple(Quarantine(cell.label, "all of it", NOW.date()) for cell in plan.cells)
    )
    assert night(tmp_path, everything, gate).verdict is Verdict.INCONCLUSIVE


def test_the_least_informative_cells_are_dropped_first_and_named(tmp_path: Path) -> None:
    plan = matrix()
    failing = "x86_64 seqcst_spin 2d irq"
    first = night(tmp_path, replace(plan, minutes=0), FakeGate(tmp_path / "results", {failing: Verdict.REGRESSION}))
    assert not first.dropped
    heavy = tuple(replace(c, weight=5.0 if c.label == "x86_64 linux 2d default" else 1.0) for c in plan.cells)
    gate = FakeGate(tmp_path / "results")
    second = night(tmp_path, replace(plan, cells=heavy, minutes=4), gate)
    assert gate.ran == ["x86_64 linux 2d default", failing]
    assert [cell.label for cell in second.dropped] == [c.label for c in plan.cells if c.label not in gate.ran]


@pytest.mark.parametrize(("budget_s", "cells"), [(60, 1), (250, 4), (3600, 6)])
def test_a_night_keeps_its_budget_and_what_it_left_out_is_no_pass(tmp_path: Path, budget_s: int, cells: int) -> None:
    """Cells take all of their time and a little more."""

    class Slow(FakeGate):
        def __call__(self, cell: Cell, seconds: float) -> HarnessRun:
            self.clock_s -= 100.0 - 1.05 * seconds
            return super().__call__(cell, seconds)

    plan = parse_matrix(SMALL, "nightly.toml", APPROVED, {"BUDGET": f"{budget_s}s"})
    gate = Slow(tmp_path / "results")
    done = night(tmp_path, plan, gate)
    assert len(gate.ran) == cells and gate.clock_s <= 1.1 * budget_s
    assert done.verdict is (Verdict.INCONCLUSIVE if done.dropped else Verdict.PASS)
    assert done.missing_s == pytest.approx(60.0 * len(done.dropped))


def test_what_is_new_failing_or_found_comes_first() -> None:
    cells = matrix().cells[:4]
    standings = {
        cells[0].label: Standing(0, "pass", 60.0),
        cells[1].label: Standing(0, "inconclusive", 60.0),
        cells[2].label: Standing(0, "pass", 60.0, open_findings=2),
    }
    assert by_information(cells, standings) == [cells[2], cells[3], cells[1], cells[0]]


def test_an_unfinished_night_goes_on_where_it_was(tmp_path: Path) -> None:
    plan = matrix()

    class Dies(FakeGate):
        def __call__(self, cell: Cell, seconds: float) -> HarnessRun:
            ran = super().__call__(cell, seconds)
            if len(self.ran) == 3:
                raise KeyboardInterrupt  # its results folder is complete, the journal does not know it yet
            return ran

    broken = Dies(tmp_path / "results")
    with pytest.raises(KeyboardInterrupt):
        night(tmp_path, plan, broken)
    gate = FakeGate(tmp_path / "results")
    done = night(tmp_path, plan, gate)
    assert sorted(broken.ran + gate.ran) == sorted(cell.label for cell in plan.cells)
    assert len(done.outcomes) == 6 and "2 of 6 cells were done" in done.notices[0]
    with History(places(tmp_path).history) as history:
        assert len(history.runs()) == 6


def test_a_night_of_another_commit_or_of_last_week_starts_afresh(tmp_path: Path) -> None:
    for commit, later in (("decade", datetime.timedelta()), ("c0ffee", datetime.timedelta(days=7))):
        (tmp_path / "night").mkdir(exist_ok=True)
        journal = Journal(tmp_path / "night")
        journal.start(NightPlan(NOW.isoformat(), matrix().digest, "c0ffee"))
        journal.finish(CellFinished(matrix().cells[0].label, "pass", "pass", "", 1.0))
        gate = FakeGate(tmp_path / "results")
        done = night(tmp_path, matrix(), gate, commit, now=NOW + later)
        assert len(gate.ran) == 6 and "given up" in done.notices[0]


def test_a_torn_journal_line_costs_its_cell_only(tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    journal = Journal(tmp_path / "night")
    journal.start(NightPlan(NOW.isoformat(), "digest", "c0ffee"))
    journal.finish(CellFinished("one", "pass", "pass", "", 1.0))
    with open(tmp_path / "night" / "journal.jsonl", "a") as file:
        file.write('{"kind": "finished", "cell": "tw')
    journal = Journal(tmp_path / "night")
    assert [finished.cell for finished in journal.finished] == ["one"]
    journal.finish(CellFinished("three", "pass", "pass", "", 1.0))
    assert [finished.cell for finished in Journal(tmp_path / "night").finished] == ["one", "three"]


def test_two_nights_at_once_are_one_too_many(tmp_path: Path) -> None:
    with only_night(tmp_path):
        with pytest.raises(NightRunning, match=f"another nightly is running on this machine .process {os.getpid()}"):
            with only_night(tmp_path):
                raise AssertionError("two nights at once")
    with only_night(tmp_path):
        pass


def test_without_its_history_a_night_is_judged_but_not_green(tmp_path: Path) -> None:
    where = places(tmp_path)
    Path(str(where.history).removeprefix("sqlite:///")).write_bytes(b"no database at all, sorry" * 100)
    gate = FakeGate(tmp_path / "results")
    done = night(tmp_path, matrix(), gate)
    assert done.verdict is Verdict.INCONCLUSIVE and done.survey is None
    assert any("damaged" in notice for notice in done.notices)
    assert waiting(where.queue) == 6
    Path(str(where.history).removeprefix("sqlite:///")).unlink()
    assert night(tmp_path, matrix(), gate).verdict is Verdict.PASS
    with History(where.history) as history:
        assert len(history.runs()) == 12


def test_a_pipeline_that_hangs_is_ended_and_one_that_fails_says_why() -> None:
    ran = run_harness(("no-such-command",), 60)
    assert ran.exit_code == 2 and ran.folder is None and "no such command" in " ".join(ran.said)


def _one_night(root: Path) -> None:
    night(root, matrix(), FakeGate(root / "results", seconds=0.03))


def _kill_at(root: Path, moment_s: float) -> bool:
    """Run a night and kill it after a while. Returns whether it had ended before, however shortly."""
    process = multiprocessing.get_context("fork").Process(target=_one_night, args=(root,))
    process.start()
    process.join(moment_s)
    if process.exitcode is None and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join(120)
    reported = (root / "results" / "latest").exists() and not (root / "night" / "journal.jsonl").exists()
    return process.exitcode == 0 or reported


def kill_and_resume(root: Path, random_state: int) -> None:
    """Kill a night up to four times, let it end, and count."""
    rng = random.Random(random_state)
    root.mkdir()
    for _ in range(4):
        if _kill_at(root, rng.uniform(0.0, 0.6)):
            break
    else:
        assert _kill_at(root, 60.0)
    folders = [path for path in (root / "results").glob("*-perf*") if not path.name.startswith(".")]
    cells = [json.loads((path / "result.json").read_text())["sentence"].removeprefix("pass: ") for path in folders]
    assert sorted(cells) == sorted(cell.label for cell in matrix().cells), "a finished cell was lost or repeated"
    with History(places(root).history) as history:
        assert sorted(row.folder for row in history.runs()) == sorted(path.name for path in folders)
        assert history.check() == ""
    lines = (root / "results" / "history.jsonl").read_text().splitlines()
    whole = [json.loads(line)["folder"] for line in lines if line.endswith("}")]
    assert sorted(whole) == sorted(path.name for path in folders)


@pytest.mark.parametrize("random_state", range(6))
@pytest.mark.slow
def test_a_night_killed_at_any_moment_loses_nothing_and_completes(tmp_path: Path, random_state: int) -> None:
    kill_and_resume(tmp_path / "night", random_state)


@pytest.mark.full
@pytest.mark.parametrize("random_state", range(100, 150))
def test_a_night_killed_at_fifty_more_moments(tmp_path: Path, random_state: int) -> None:
    kill_and_resume(tmp_path / "night", random_state)


def test_results_that_cannot_be_written_stop_the_night(tmp_path: Path) -> None:
    (tmp_path / "night").write_text("a file where a folder is needed")
    with pytest.raises(StoreError):
        night(tmp_path, matrix(), FakeGate(tmp_path / "results"))


@pytest.mark.parametrize(
    "line", ['{"kind": "finished", "cell": 5}', "[" * 100_000, '{"kind": "plan", "started": null}', '"finished"', "{}"]
)
def test_a_damaged_line_of_the_journal_is_ignored(tmp_path: Path, line: str) -> None:
    journal = Journal(tmp_path)
    journal.start(NightPlan("2026-01-01T00:00:00+00:00", "d", "c"))
    journal.finish(CellFinished("one", "pass", "pass", "", 1.0))
    with open(tmp_path / "journal.jsonl", "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    again = Journal(tmp_path)
    assert again.plan == journal.plan and again.finished == journal.finished
