"""A night on several workers, some of which die, leaves what a night on one machine leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster import crew as crew_module
from harness.cluster.bundle import Provisions
from harness.cluster.crew import ClusterCrew
from harness.cluster.dispatch import Cargo, Dispatcher
from harness.history.journal import Journal, only_night
from harness.history.matrix import Cell, Matrix
from harness.history.matrix_file import parse_matrix
from harness.history.nightly import Night, NightlyRun
from harness.history.shared_cells import usual_noise
from harness.history.store import History
from harness.model.errors import StoreError
from harness.model.spec import Switches, Verdict
from harness.platform.files.store import RunFolder
from harness.platform.processes.pipeline import HarnessRun
from harness.tests.cluster_parts import QUICK, FakeEngine, fake_result, small_cargo
from harness.tests.test_nightly import NOW, places

APPROVED = {"x86_64": {name: Switches.of({"BARRIER": name}) for name in ("acquire_progress", "linux", "seqcst_spin")}}
OFFERS = ("pairs", "arch:x86_64")


def matrix(minutes: float = 0.0) -> Matrix:
    text = (
        f"[night]\nminutes = {minutes}\n[combinations.irq]\nCOMPLETION = 'irq'\n[combinations.pixel]\nFILL = 'pixel'\n"
    )
    return parse_matrix(
        text + "[[matrix]]\nstrategy = ['approved']\ncombination = ['default', 'irq', 'pixel']", "m", APPROVED
    )


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine in whose time dispatchers live, and a bundle that is small."""
    made = FakeEngine(tmp_path / "workers")
    cargo: Cargo = small_cargo(tmp_path)
    monkeypatch.setattr(crew_module, "make_bundle", lambda provisions, store, more: cargo.bundle)
    monkeypatch.setattr(crew_module, "harness_version", lambda: cargo.version)
    monkeypatch.setattr(crew_module, "BlobStore", lambda folder: cargo.store)

    def dispatcher(*arguments: object, **named: object) -> Dispatcher:
        return Dispatcher(*arguments, clock=made.clock, sleep=made.sleep, **named)  # type: ignore[arg-type,misc]

    monkeypatch.setattr(crew_module, "Dispatcher", dispatcher)
    return made


def crew_of(engine: FakeEngine, root: Path) -> ClusterCrew:
    @contextlib.contextmanager
    def opened() -> Iterator[FakeEngine]:
        yield engine

    provisions = Provisions(tuple(cell.switches for cell in matrix().cells))
    return ClusterCrew(opened, provisions, root / "cluster", places(root).results, patience=QUICK)


def night(root: Path, plan: Matrix, crew: ClusterCrew | None) -> Night:
    root.mkdir(exist_ok=True)
    where = places(root)

    def alone(cell: Cell, seconds: float) -> HarnessRun:
        return HarnessRun(0, RunFolder("perf", where.results).commit(fake_result(cell.label)), ())

    with only_night(root / "night"):
        shift = NightlyRun(plan, Journal(root / "night"), alone, where, crew=crew)
        done = shift.run("c0ffee", (), NOW)
        shift.journal.close()
    return done


def kept(root: Path) -> list[tuple[str, str, int]]:
    """What the history holds: cell, verdict and points of each run."""
    with History(places(root).history) as history:
        runs = history.runs()
        points = sum(len(history.series(number, key).value) for number, key in history.series_keys().items())
    return sorted((run.cell, run.verdict, points) for run in runs)


@pytest.mark.slow
def test_a_night_with_a_worker_killed_in_the_middle_equals_the_one_without(engine: FakeEngine, tmp_path: Path) -> None:
    for name in "abcd":
        engine.add(name, OFFERS)
    engine.at(1.5, lambda: engine.kill("b"))
    (tmp_path / "shared").mkdir()
    shared = night(tmp_path / "shared", matrix(), crew_of(engine, tmp_path / "shared"))
    alone = night(tmp_path / "alone", matrix(), None)
    assert shared.verdict is alone.verdict is Verdict.PASS
    assert [one.cell.label for one in shared.outcomes] == [one.cell.label for one in alone.outcomes]
    assert kept(tmp_path / "shared") == kept(tmp_path / "alone") and len(kept(tmp_path / "alone")) == 9
    assert any("b (process" in text and "was lost while it ran" in text for text in shared.notices)


@pytest.mark.slow
def test_a_shared_night_goes_on_where_it_was(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.add("a", OFFERS), engine.add("b", OFFERS)
    root = tmp_path / "shared"
    root.mkdir()
    finish, count = Journal.finish, [0]

    def die(journal: Journal, finished: object) -> None:
        count[0] += 1
        if count[0] == 4:
            raise StoreError("the machine went off")  # its folder is among the results, the journal does not know it
        finish(journal, finished)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "finish", die)
    with pytest.raises(StoreError):
        night(root, matrix(), crew_of(engine, root))
    monkeypatch.setattr(Journal, "finish", finish)
    for worker in engine.workers.values():
        worker.calls = []
    done = night(root, matrix(), crew_of(engine, root))
    assert len(done.outcomes) == 9 and "3 of 9 cells were done" in done.notices[0]
    folders = [path for path in places(root).results.glob("2*-perf*")]
    assert len(folders) == 9 == len(kept(root)), "a cell was measured twice"


def test_cells_that_there_was_no_time_for_are_dropped_from_all_hosts(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("a", OFFERS, run_s=100.0), engine.add("b", OFFERS, run_s=100.0)
    root = tmp_path / "shared"
    root.mkdir()
    done = night(root, matrix(minutes=5), crew_of(engine, root))
    labels = [cell.label for cell in matrix().cells]
    ran = [one.cell.label for one in done.outcomes]
    assert done.dropped and ran + [cell.label for cell in done.dropped] == labels and 2 <= len(ran) <= 8


def test_the_history_says_how_noisy_a_host_usually_is(engine: FakeEngine, tmp_path: Path) -> None:
    from harness.history.series import RATIO, SeriesPoint
    from harness.robustness.history_samples import history_run

    with History(f"sqlite:///{tmp_path / 'h.db'}") as history:
        for number in range(9):
            point = SeriesPoint("fps_trace", RATIO, "since kernel 0123", 1.0, 0.99, 1.01)
            history.append(history_run(number, points=(point,)))
        noise = usual_noise(history)
        assert list(noise) == ["a host"] and noise["a host"] == pytest.approx(0.01)
