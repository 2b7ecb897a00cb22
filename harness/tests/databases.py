"""Databases of tests, and what one holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from harness.history import schema
from harness.history.store import History


def approved_kernels(history: History) -> list[str]:
    """Hashes of every approval's kernel, oldest first."""
    table = schema.approvals
    with history.reading() as connection:
        rows = connection.execute(sa.select(table.c.kernel_sha256).order_by(table.c.approved, table.c.label)).all()
    return [str(row[0]) for row in rows]


def to_version_2(connection: sa.engine.Connection) -> None:
    """Give the tables of a history the form that schema 2 had."""
    for statement in (
        "DROP INDEX runs_pending",
        "ALTER TABLE runs DROP COLUMN pending",
        "ALTER TABLE runs ADD COLUMN host TEXT NOT NULL DEFAULT ''",
        "UPDATE runs SET host = (SELECT label FROM hosts WHERE id = host_id)",
        "UPDATE runs SET host_id = NULL",
        # SQLite cannot drop a column that refers to a table.
        "ALTER TABLE runs RENAME COLUMN host_id TO once",
        f"DROP TABLE hosts{' CASCADE' if connection.dialect.name == 'postgresql' else ''}",
        "ALTER TABLE series DROP COLUMN count",
        "ALTER TABLE series DROP COLUMN newest",
        "ALTER TABLE findings DROP COLUMN host",
        "UPDATE meta SET value = '2' WHERE key = 'schema'",
        "DELETE FROM meta WHERE key = 'analysis'",
    ):
        connection.execute(sa.text(statement))


def waiting(queue: Path) -> int:
    """Runs that wait for the history."""
    return len(list(queue.glob("[0-9]*.json")))


@contextlib.contextmanager
def emptied(url: str) -> Iterator[str]:
    """A database whose tables are dropped afterwards."""
    yield url
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        schema.metadata.drop_all(connection)
    engine.dispose()
