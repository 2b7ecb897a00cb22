"""The history as JSON lines: export, import, and the line that every run leaves beside the database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Row

from harness.history import schema
from harness.history.series import HistoryRun, SeriesPoint, record_from_line, record_to_line
from harness.history.store import History, HistoryDamaged, HistoryUnreachable
from harness.model.errors import StoreError
from harness.model.result import ResultError
from harness.model.spec import UsageError
from harness.platform.files import atomic
from harness.platform.files.bounded import HISTORY_BYTES_MAX, read_bounded
from harness.platform.files.outputs import make_place
from harness.platform.files.store import RESULTS_DIR

_BATCH = 500
"""Runs that are imported in one transaction."""
_TAIL_BYTES = 1 << 20
"""The last bytes of the file that are searched for a run."""
LINES_FILE = RESULTS_DIR / "history.jsonl"


@dataclass(frozen=True)
class Imported:
    """Result of an import."""

    added: int
    known: int
    """Runs that were there already."""
    refused: tuple[str, ...]
    """Lines that were not taken, with their numbers and the reason."""
    kept: Path | None = None
    """Where those lines are."""


def append_line(record: HistoryRun, path: Path = LINES_FILE) -> None:
    """Add a run to the file, unless it is one of the last there; a line that a crash cut short is closed first."""
    atomic.append_line(path, record_to_line(record).encode(), search_bytes=_TAIL_BYTES)


def export_runs(history: History) -> Iterator[HistoryRun]:
    """Every run with its points, oldest first."""
    names = schema.series.c
    with history.reading() as connection:
        keys = {
            row.id: (row.metric, row.scope, row.context)
            for row in connection.execute(sa.select(names.id, names.metric, names.scope, names.context))
        }
        rows = connection.execution_options(yield_per=10_000).execute(
            sa.select(schema.points).order_by(schema.points.c.seq, schema.points.c.series_id)
        )
        groups = itertools.groupby(rows, key=lambda row: int(row.seq))
        group = next(groups, None)
        named = sa.select(schema.runs, schema.hosts.c.label.label("host")).select_from(schema.runs.join(schema.hosts))
        for run in connection.execute(named.order_by(schema.runs.c.seq)).all():
            points: tuple[SeriesPoint, ...] = ()
            if group is not None and group[0] == run.seq:
                points = tuple(sorted((_point(keys[row.series_id], row) for row in group[1]), key=lambda p: p.key))
                group = next(groups, None)
            yield HistoryRun(
                run_id=run.run_id,
                cell=run.cell,
                started=run.started,
                verdict=run.verdict,
                sentence=run.sentence,
                commit=run.commit_id,
                dirty=run.dirty,
                host=run.host,
                compiler=run.compiler,
                folder=run.folder,
                seconds=run.seconds,
                points=points,
            )


def _point(key: tuple[str, str, str], row: Row) -> SeriesPoint:
    metric, scope, context = key
    return SeriesPoint(metric, scope, context, row.value, row.low, row.high)


def export_lines(history: History, path: Path) -> int:
    """Write every run to a file, whole; returns how many.

    Raises
    ------
    UsageError
        When no file can be of that name.
    StoreError
        When it cannot be written, or the history does not answer.
    """
    count = 0
    try:
        make_place(path)
        with atomic.whole_file(path) as file:
            for record in export_runs(history):
                file.write(record_to_line(record).encode() + b"\n")
                count += 1
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error
    return count


def import_lines(history: History, path: Path) -> Imported:
    """Add every run of a file that the history lacks; other lines are written to a file beside it.

    Raises
    ------
    UsageError
        When the file cannot be read.
    StoreError
        When the history does not answer.
    """
    try:
        lines = read_bounded(path, HISTORY_BYTES_MAX).split(b"\n")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"{path}: {'no such file' if isinstance(error, FileNotFoundError) else 'a folder'}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    rejected: dict[int, str] = {}
    records: list[tuple[int, HistoryRun]] = []
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                records.append((number, record_from_line(line)))
        except ResultError as error:
            rejected[number] = str(error)
    added = known = 0
    for begin in range(0, len(records), _BATCH):
        batch = records[begin : begin + _BATCH]
        for (number, record), done in zip(batch, _added(history, [record for _, record in batch])):
            added, known = added + (done is True), known + (done is False)
            if done is None:
                rejected[number] = f"another run has the id {record.run_id}"
            elif isinstance(done, str):
                rejected[number] = done
    kept = _keep_rejected(path, lines, rejected)
    return Imported(added, known, tuple(f"{path.name}:{n}: {why}" for n, why in sorted(rejected.items())), kept)


def _added(history: History, records: list[HistoryRun]) -> list[bool | None | str]:
    """As :meth:`History.append_all`; a run that the database refuses is replaced by a text that says why."""
    try:
        return [*history.append_all(records)]
    except (HistoryDamaged, HistoryUnreachable):
        raise
    except StoreError as error:
        if len(records) == 1:
            return [error.message]
    return [done for record in records for done in _added(history, [record])]


def _keep_rejected(path: Path, lines: list[bytes], rejected: Mapping[int, str]) -> Path | None:
    """The lines that were not taken, as they were, each after its reason."""
    if not rejected:
        return None
    kept = path.with_name(f"{path.name}.rejected")
    content = [f"# line {n}: {why}\n".encode("utf-8", "replace") + lines[n - 1] + b"\n" for n, why in rejected.items()]
    try:
        atomic.write_whole(kept, b"".join(content))
    except OSError as error:
        raise StoreError(f"{kept} cannot be written: {error.strerror}") from error
    return kept
