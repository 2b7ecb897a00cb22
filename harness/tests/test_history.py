"""The history: runs kept once, also with several writers, and whatever happens to the database."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from harness.history import schema
from harness.history.finding_store import load_findings, store_approvals, store_findings
from harness.history.jsonl import append_line, export_lines, export_runs, import_lines
from harness.history.prune import AROUND, Retention, prune
from harness.history.queue import deliver, remember
from harness.history.series import (
    ABSOLUTE,
    EXACT,
    NEW,
    RATIO,
    STEP,
    Finding,
    SeriesPoint,
    anchor_of,
    record_from_line,
    record_to_line,
)
from harness.history.store import History, HistoryDamaged, HistoryUnreachable
from harness.model.baseline import Approval, Baseline
from harness.model.errors import StoreError
from harness.model.result import Fingerprint
from harness.robustness.history_samples import history_run
from harness.tests.databases import approved_kernels, to_version_2, waiting

pytestmark = pytest.mark.xdist_group("history")
"""One server of databases is enough."""


def finding(at: int, series_id: int = 1) -> Finding:
    return Finding(series_id, STEP, NEW, at - 1, at, at, at, -0.05, -0.06, -0.04, 1e-5, True, 0.0)


def baseline(kernel: str, ratio: float | None, *links: tuple[str, float | None]) -> Baseline:
    history = tuple(Approval(f"2026-01-0{i}", "why", "c" * 40, sha, {}, r) for i, (sha, r) in enumerate(links, 1))
    host = Fingerprint("cpu", 2, "7.2", "tcg")
    return Baseline(
        "x86_64",
        "b",
        "why",
        "2026-02-01",
        "d" * 40,
        "",
        "gcc",
        kernel,
        "",
        {},
        {},
        {},
        host,
        ratio=ratio,
        history=history,
    )


@pytest.mark.slow
def test_a_run_is_kept_once_with_all_its_points(url: str) -> None:
    points = (
        SeriesPoint("fps_trace", ABSOLUTE, "a host", 312.5),
        SeriesPoint("fps_trace", RATIO, "since kernel 01", 1.01, 1.0, 1.02),
        SeriesPoint("timeouts", EXACT, "gcc", None),
    )
    run = history_run(1, points=points)
    with History(url) as history:
        assert history.append(run)
        assert not history.append(run)
        assert not history.append(replace(run, points=points[::-1]))
        with pytest.raises(StoreError, match="another run with the id 2026-run-1"):
            history.append(replace(run, sentence="something else"))
        assert [row.run_id for row in history.runs()] == ["2026-run-1"]
        assert list(export_runs(history)) == [run]
        stored = {key.scope: history.series(number, key) for number, key in history.series_keys().items()}
    assert stored[RATIO].value.tolist() == [1.01] and stored[RATIO].low.tolist() == [1.0]
    assert stored[EXACT].value.tolist() == []


def test_runs_are_ordered_by_arrival_when_the_clock_goes_backwards(url: str) -> None:
    with History(url) as history:
        for number, started in enumerate(("2026-03-01", "2026-02-01", "2026-01-01")):
            history.append(replace(history_run(number), started=started))
        key = next(iter(history.series_keys().items()))
        assert [row.started for row in history.runs()] == ["2026-03-01", "2026-02-01", "2026-01-01"]
        assert history.series(*key).value.tolist() == [1.0, 1.001, 1.002]
        assert [row.run_id for row in history.runs(newest=2)] == ["2026-run-1", "2026-run-2"]


def _append_some(url: str, first: int) -> None:
    with History(url) as history:
        for number in range(first, first + 15):
            history.append(history_run(number))
        history.append(history_run(999))


@pytest.mark.slow
def test_writers_at_once_lose_nothing_and_double_nothing(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append_some, args=(url, 100 * i)) for i in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    with History(url) as history:
        rows = history.runs()
        assert len(rows) == len({row.run_id for row in rows}) == 46
        assert len(history.series_keys()) == 1
        number, key = next(iter(history.series_keys().items()))
        assert len(history.series(number, key).value) == 46
        assert history.check() == ""


def test_a_transaction_that_fails_leaves_nothing(url: str) -> None:
    with History(url) as history:
        with pytest.raises(StoreError):
            with history.transaction() as connection:
                history._append(connection, history_run(1))
                connection.execute(schema.points.insert().values(series_id=1, seq=1, value=1.0))
        assert history.runs() == [] and history.series_keys() == {}


def test_findings_and_approvals_come_back(url: str) -> None:
    with History(url) as history:
        for number in range(1, 4):
            history.append(history_run(number))
        stored = store_findings(history, [finding(2)])[0]
        assert stored.id is not None
        changed = replace(stored, status="fixed", fixed_seq=3, companions=(("boot_ms (absolute)", 0.5),))
        store_findings(history, [changed])
        assert load_findings(history) == [changed]
        approved = baseline("b" * 64, 1.02, ("a" * 64, None))
        assert store_approvals(history, [approved]) == 2
        assert store_approvals(history, [approved]) == 0
        assert approved_kernels(history) == ["a" * 64, "b" * 64]


def test_a_damaged_file_is_reported_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    garbage = b"this was a database once" * 400
    path.write_bytes(garbage)
    with pytest.raises(HistoryDamaged, match="left as it is") as refused:
        History(f"sqlite:///{path}")
    assert path.read_bytes() == garbage
    # Its frames are alive, so that what nobody closed is open still.
    assert refused.tb and str(path) not in {os.path.realpath(name) for name in Path("/proc/self/fd").iterdir()}


@pytest.mark.slow
def test_broken_pages_are_reported_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with History(f"sqlite:///{path}") as history:
        for number in range(200):
            history.append(history_run(number, points=tuple(SeriesPoint(f"m{i}", RATIO, "k", 1.0) for i in range(5))))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    delivery = remember(history_run(1000), f"sqlite:///{path}", tmp_path / "queue")
    assert delivery.waiting == 1 and "damaged" in delivery.said[0]
    assert path.read_bytes()[4096:8192] == b"\xa5" * 4096
    assert waiting(tmp_path / "queue") == 1


def test_another_programs_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE addresses (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="no history of this harness"):
        History(f"sqlite:///{path}")


def test_a_newer_history_is_refused(url: str) -> None:
    with History(url) as history:
        with history.transaction() as connection:
            connection.execute(schema.meta.update().values(value=str(schema.SCHEMA + 1)))
    with pytest.raises(StoreError, match=f"schema {schema.SCHEMA + 1}, this is {schema.SCHEMA}: update the harness"):
        History(url)


def test_an_older_history_is_migrated_or_left_whole(url: str) -> None:
    with History(url) as history:
        history.append(history_run(1))
        with history.transaction() as connection:
            connection.execute(schema.meta.update().values(value=str(schema.SCHEMA - 1)))

        def add_column(connection: sa.engine.Connection) -> None:
            connection.execute(sa.text("ALTER TABLE runs ADD COLUMN weather TEXT"))

        def fail(connection: sa.engine.Connection) -> None:
            add_column(connection)
            raise StoreError("the migration met something unknown")

        with pytest.raises(StoreError, match="unknown"):
            with history.transaction() as connection:
                schema.prepare(connection, url, {schema.SCHEMA - 1: fail})
        with history.reading() as connection:
            assert schema.version(connection, url) == schema.SCHEMA - 1
            assert "weather" not in {column["name"] for column in sa.inspect(connection).get_columns("runs")}
        with history.transaction() as connection:
            schema.prepare(connection, url, {schema.SCHEMA - 1: add_column})
        with history.reading() as connection:
            assert schema.version(connection, url) == schema.SCHEMA
        assert [row.run_id for row in history.runs()] == ["2026-run-1"]


def test_metrics_of_an_old_history_get_their_present_names(url: str) -> None:
    """Runs stored before are known again, by their old line and by the one that is written now."""
    old = replace(history_run(1), points=(SeriesPoint("perturbation", ABSOLUTE, "host", 0.002),))
    line = record_to_line(old).encode()
    with History(url) as history:
        history.append(old)
        with history.transaction() as connection:
            to_version_2(connection)
            connection.execute(schema.meta.update().values(value="1"))
    with History(url) as history:
        (again,) = export_runs(history)
        assert [point.metric for point in again.points] == ["overhead_events"]
        assert again == record_from_line(line)
        assert history.append(again) is False and history.append(old) is False


def test_a_locked_database_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.history.store.BUSY_S", 0.05)
    url = f"sqlite:///{tmp_path / 'history.db'}"
    History(url).close()
    holder = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with History(url) as history, pytest.raises(HistoryUnreachable):
        history.append(history_run(1))
    holder.close()
    with History(url) as history:
        assert history.append(history_run(1))


def test_runs_wait_for_a_database_that_does_not_answer(server: str, tmp_path: Path) -> None:
    nobody = f"postgresql+psycopg2://postgres@/postgres?host={tmp_path}"
    queue = tmp_path / "queue"
    for number in (1, 2):
        delivery = remember(history_run(number), nobody, queue)
    assert delivery.delivered == 0 and delivery.waiting == 2
    assert "cannot be reached" in delivery.said[0] and "2 runs wait" in delivery.said[0]
    url = f"sqlite:///{tmp_path / 'history.db'}"
    assert remember(history_run(3), url, queue).delivered == 3
    assert waiting(queue) == 0
    with History(url) as history:
        assert [row.run_id for row in history.runs()] == ["2026-run-1", "2026-run-2", "2026-run-3"]
    assert deliver(url, queue).delivered == 0


def test_a_queued_file_that_is_no_run_is_kept_and_named(tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    queue.mkdir()
    (queue / "00000001-odd.json").write_text('{"kind": "run"')
    delivery = remember(history_run(2), f"sqlite:///{tmp_path / 'history.db'}", queue)
    assert delivery.delivered == 1 and "00000001-odd.rejected" in delivery.said[0]
    assert (queue / "00000001-odd.rejected").exists()


def test_lines_go_out_and_come_back(tmp_path: Path) -> None:
    lines = tmp_path / "history.jsonl"
    with History(f"sqlite:///{tmp_path / 'one.db'}") as one:
        for number in range(5):
            one.append(history_run(number))
        assert export_lines(one, lines) == 5
        exported = list(export_runs(one))
    with lines.open("a", encoding="utf-8") as file:
        file.write('{"schema": 99, "kind": "run"}\nnot json\n\n')
        file.write(lines.read_text().splitlines()[0].replace("pass: run 0", "pass: forged") + "\n")
    with History(f"sqlite:///{tmp_path / 'two.db'}") as two:
        imported = import_lines(two, lines)
        assert (imported.added, imported.known) == (5, 0)
        assert [line.split(": ")[0] for line in imported.refused] == [
            "history.jsonl:6",
            "history.jsonl:7",
            "history.jsonl:9",
        ]
        assert list(export_runs(two)) == exported
        assert import_lines(two, lines).known == 5


def test_a_line_cut_short_by_a_crash_damages_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    append_line(history_run(1), path)
    append_line(history_run(1), path)
    whole = path.read_text()
    assert whole.count("\n") == 1
    path.write_text(whole + whole[: len(whole) // 2])
    append_line(history_run(2), path)
    with History(f"sqlite:///{tmp_path / 'history.db'}") as history:
        imported = import_lines(history, path)
        assert imported.added == 2 and len(imported.refused) == 1


@pytest.mark.slow
def test_pruning_keeps_changes_approvals_and_the_anchor(url: str) -> None:
    with History(url) as history:
        history.append_all([history_run(number) for number in range(1, 301)])
        stored = store_findings(history, [finding(100)])
        store_approvals(history, [replace(baseline("b" * 64, None), commit=f"{150:040x}")])
        pruned = prune(history, Retention(newest=50, every=10))
        left = {int(row.run_id.rpartition("-")[2]) for row in history.runs()}
        number, key = next(iter(history.series_keys().items()))
        assert len(history.series(number, key).value) == len(left) == pruned.left == 300 - pruned.runs
        assert load_findings(history) == stored and len(approved_kernels(history)) == 1
    assert set(range(251, 301)) <= left
    assert set(range(1, AROUND + 1)) <= left
    assert set(range(100 - AROUND, 100 + AROUND + 1)) <= left
    assert 150 in left
    assert 60 not in left and len(left) < 150


def test_the_anchor_is_the_oldest_kernel_that_the_chain_reaches() -> None:
    assert anchor_of(baseline("c" * 64, None)) == ("c" * 12, 1.0)
    anchor, factor = anchor_of(baseline("c" * 64, 0.99, ("a" * 64, None), ("b" * 64, 0.98)))
    assert anchor == "a" * 12 and factor == pytest.approx(0.98 * 0.99)
    anchor, factor = anchor_of(baseline("c" * 64, 0.99, ("a" * 64, None), ("b" * 64, None)))
    assert anchor == "b" * 12 and factor == pytest.approx(0.99)
