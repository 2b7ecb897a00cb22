"""The history as JSON lines: export, import, and the line that every run leaves beside the database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from harness.drive import history_schema as schema
from harness.drive.errors import StoreError
from harness.drive.history import History
from harness.drive.store import RESULTS_DIR
from harness.result import ResultError
from harness.series import Point, RunRecord, record_from_plain, record_to_line

LINES_FILE = RESULTS_DIR / "history.jsonl"


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    added: int
    known: int
    """Runs that were there already."""
    refused: tuple[str, ...]
    """Lines that were not taken, with their numbers and the reason."""


def append_line(record: RunRecord, path: Path = LINES_FILE) -> None:
    """Add a run to the file, unless it is its last line already; a line that a crash cut short is closed first."""
    line = record_to_line(record).encode() + b"\n"
    with open(path, "a+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - len(line)))
        tail = file.read()
        if tail == line:
            return
        file.write(line if not tail or tail.endswith(b"\n") else b"\n" + line)
        file.flush()
        os.fsync(file.fileno())


def export_runs(history: History) -> Iterator[RunRecord]:
    """Every run with its points, oldest first."""
    points: dict[int, list[Point]] = {}
    columns = [schema.series.c[name] for name in ("metric", "scope", "context")]
    with history.reading() as connection:
        names = {row[0]: tuple(row[1:]) for row in connection.execute(sa.select(schema.series.c.id, *columns))}
        for row in connection.execute(sa.select(schema.points).order_by(schema.points.c.seq)):
            points.setdefault(row.seq, []).append(Point(*names[row.series_id], row.value, row.low, row.high))
        for row in connection.execute(sa.select(schema.runs).order_by(schema.runs.c.seq)):
            yield RunRecord(
                run_id=row.run_id,
                cell=row.cell,
                started=row.started,
                verdict=row.verdict,
                sentence=row.sentence,
                commit=row.commit_id,
                dirty=row.dirty,
                host=row.host,
                compiler=row.compiler,
                folder=row.folder,
                seconds=row.seconds,
                points=tuple(points.pop(row.seq, ())),
            )


def export_lines(history: History, path: Path) -> int:
    """Write every run to a file, whole; returns how many."""
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with open(part, "w", encoding="utf-8") as file:
            for record in export_runs(history):
                file.write(record_to_line(record) + "\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def import_lines(history: History, path: Path) -> Imported:
    """Add every run of a file that is not there yet.

    Raises
    ------
    StoreError
        When the file cannot be read.
    """
    added = known = 0
    refused: list[str] = []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            plain = json.loads(line)
            if not isinstance(plain, dict):
                raise ResultError("not a run of a history")
            new = history.append(record_from_plain(plain))
            added, known = added + new, known + (not new)
        except (ValueError, ResultError) as error:
            refused.append(f"{path.name}:{number}: {error}")
        except StoreError as error:
            if type(error) is not StoreError:
                raise
            refused.append(f"{path.name}:{number}: {error.message}")
    return Imported(added, known, tuple(refused))
