"""The history of runs: a database that several harnesses may write at once.

SQLite in ``results/history.db`` unless ``HISTORY_URL`` names another database. Everything that belongs together is
written in one transaction. A damaged history is reported and left as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.engine.url import URL, make_url

from harness.core.arrays import F64, I64
from harness.history import schema
from harness.history.series import HistoryRun, SeriesKey, record_to_line
from harness.model.errors import StoreError
from harness.model.spec import UsageError
from harness.model.upgrade import metric_at_first
from harness.platform.files.store import RESULTS_DIR

BUSY_S = 30.0
"""How long a writer waits for another."""
CONNECT_S = 5

REBUILD = "move it away, then 'make history import FILE=results/history.jsonl' builds a new one"

DEFAULT_URL = f"sqlite:///{RESULTS_DIR / 'history.db'}"


class HistoryDamaged(StoreError):
    """The database cannot be read. It is kept for repair."""


class HistoryUnreachable(StoreError):
    """The database does not answer now; what was to be written may be delivered later."""


@dataclass(frozen=True)
class RunRow:
    """One run of the history, without its points."""

    seq: int
    run_id: str
    cell: str
    started: str
    verdict: str
    sentence: str
    commit: str
    host: str
    folder: str
    seconds: float


@dataclass(frozen=True)
class StoredSeries:
    """All points of one series, oldest first; values that are not numbers are left out."""

    id: int
    key: SeriesKey
    seq: I64
    """Run numbers, shape (n,), rising."""
    value: F64
    low: F64
    """Lower ends of 95 % intervals, NaN where there is none."""
    high: F64


@dataclass(frozen=True)
class HostRow:
    """One kind of host."""

    label: str
    runs: int
    newest: str
    """When its newest run began, by the host's clock."""


@dataclass(frozen=True)
class SeriesTip:
    """The end of a series, which needs no reading of its points."""

    count: int
    """Number of values that are numbers."""
    newest: float
    """NaN without any."""


def history_url() -> str:
    """Where the history is, by the environment."""
    return os.environ.get("HISTORY_URL") or DEFAULT_URL


def history_file() -> Path | None:
    """The file of an SQLite history; None for another database."""
    url = _parsed(history_url())
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def is_empty_file() -> bool:
    """Whether the history is a file of no bytes, which SQLite takes for a database, and which holds nothing."""
    path = history_file()
    return path is not None and path.is_file() and path.stat().st_size == 0


def _parsed(text: str) -> URL:
    """The parsed address. Messages do not repeat it, because it may hold a password."""
    try:
        return make_url(text)
    except (exc.ArgumentError, ValueError) as error:
        raise UsageError("HISTORY_URL: not the URL of a database, as in postgresql://user@host:5432/name") from error


def _where(url: URL) -> str:
    """The name of a history, without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"


def digest_of(record: HistoryRun) -> str:
    """A digest that tells two runs of the same id apart, whatever the order of their points."""
    named = (replace(point, metric=metric_at_first(point.metric)) for point in record.points)
    points = sorted(named, key=lambda point: point.key)
    return hashlib.sha256(record_to_line(replace(record, points=tuple(points))).encode()).hexdigest()


class History:
    """A history, open. Use as a context manager.

    Raises
    ------
    HistoryDamaged
        The file is not a database, or its pages are broken.
    HistoryUnreachable
        No server answers, or another writer holds it for too long.
    StoreError
        It was written by a newer harness, or is something else altogether.
    """

    def __init__(self, url: str | None = None) -> None:
        url = url or history_url()
        parsed = _parsed(url)
        self.where = _where(parsed)
        try:
            self._engine = _engine(url, parsed.get_backend_name())
        except (ValueError, TypeError) as error:
            raise UsageError("HISTORY_URL: an option behind '?' has a value that it cannot have") from error
        except exc.ArgumentError as error:
            raise UsageError(f"HISTORY_URL: {parsed.drivername[:40]} is not a known kind of database") from error
        except ImportError as error:
            raise StoreError(f"HISTORY_URL: {parsed.drivername} needs a Python module: {error.name}") from error
        try:
            with self.reading() as connection:
                ready = schema.version(connection, self.where) == schema.SCHEMA
            if not ready:
                with self.transaction() as connection:
                    schema.prepare(connection, self.where)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "History":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that may write; rolled back as a whole when its body raises."""
        with self._spoken(), self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._spoken(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def _spoken(self) -> Iterator[None]:
        """Turn a database's errors into the harness's own."""
        try:
            yield
        except exc.OperationalError as error:
            if _is_damage(error.orig):
                raise self._damaged(error) from error
            raise HistoryUnreachable(f"history {self.where} cannot be reached: {_first_line(error.orig)}") from error
        except exc.DatabaseError as error:
            if _is_damage(error.orig):
                raise self._damaged(error) from error
            raise StoreError(f"history {self.where}: {_first_line(error.orig)}") from error

    def _damaged(self, error: exc.DBAPIError) -> HistoryDamaged:
        return HistoryDamaged(
            f"history {self.where} is damaged ({_first_line(error.orig)}) and was left as it is: {REBUILD}"
        )

    def append(self, record: HistoryRun) -> bool:
        """Add a run; False when exactly this run is there already.

        Raises
        ------
        StoreError
            When another run has the same id.
        """
        with self.transaction() as connection:
            added = self._append(connection, record)
        if added is None:
            raise StoreError(f"history {self.where} holds another run with the id {record.run_id}: not added")
        return added

    def append_all(self, records: Sequence[HistoryRun]) -> list[bool | None]:
        """Add many runs in one transaction; for each, whether it was added, None when another run has its id."""
        with self.transaction() as connection:
            return [self._append(connection, record) for record in records]

    def _append(self, connection: Connection, record: HistoryRun) -> bool | None:
        runs, digest = schema.runs, digest_of(record)
        fields = {name: getattr(record, name) for name in _SAME_NAMES}
        fields |= {"host_id": self._host_id(connection, record.host), "pending": True}
        insert = self._insert(runs).values(**fields, digest=digest, commit_id=record.commit)
        fresh = connection.execute(insert.on_conflict_do_nothing()).rowcount
        stored = connection.execute(sa.select(runs.c.seq, runs.c.digest).where(runs.c.run_id == record.run_id)).one()
        if not fresh:
            return False if stored.digest == digest else None
        self._add_points(connection, record, stored.seq)
        return True

    def _host_id(self, connection: Connection, label: str) -> int:
        hosts = schema.hosts
        query = sa.select(hosts.c.id).where(hosts.c.label == label)
        found = connection.execute(query).scalar()
        if found is None:
            connection.execute(self._insert(hosts).values(**schema.host_row(label)).on_conflict_do_nothing())
            found = connection.execute(query).scalar_one()
        return int(found)

    def _add_points(self, connection: Connection, record: HistoryRun, seq: int) -> None:
        if not record.points:
            return
        table = schema.series
        wanted = {(point.metric, point.scope, point.context) for point in record.points}
        query = sa.select(table.c.metric, table.c.scope, table.c.context, table.c.id).where(table.c.cell == record.cell)
        known = {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}
        if missing := sorted(wanted - known.keys()):
            rows = [dict(cell=record.cell, metric=m, scope=s, context=c) for m, s, c in missing]
            connection.execute(self._insert(table).on_conflict_do_nothing(), rows)
            known = {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}
        rows_by_series = {
            known[point.metric, point.scope, point.context]: dict(value=point.value, low=point.low, high=point.high)
            for point in record.points
        }
        connection.execute(
            schema.points.insert(), [dict(series_id=key, seq=seq, **row) for key, row in rows_by_series.items()]
        )
        newest = {key: row["value"] for key, row in rows_by_series.items() if row["value"] is not None}
        if newest:
            value = sa.case(newest, value=table.c.id)
            counted = table.update().where(table.c.id.in_(newest)).values(count=table.c["count"] + 1, newest=value)
            connection.execute(counted)

    def _insert(self, table: sa.Table) -> Any:
        """An INSERT of this database that knows ON CONFLICT."""
        if self._engine.dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql

            return postgresql.insert(table)
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)

    def runs(self, newest: int | None = None) -> list[RunRow]:
        """Runs, oldest first; a limit keeps the newest."""
        table = schema.runs
        columns = [schema.hosts.c.label if name == "host" else table.c[name] for name in _RUN_COLUMNS]
        query = sa.select(*columns).select_from(table.join(schema.hosts)).order_by(table.c.seq.desc())
        if newest is not None:
            query = query.limit(newest)
        with self.reading() as connection:
            rows = [RunRow(*row) for row in connection.execute(query)]
        return rows[::-1]

    def hosts(self) -> list[HostRow]:
        """Kinds of hosts, that of the newest run first."""
        runs, hosts = schema.runs, schema.hosts
        query = (
            sa.select(hosts.c.label, sa.func.count(), sa.func.max(runs.c.started))
            .select_from(runs.join(hosts))
            .group_by(hosts.c.id, hosts.c.label)
            .order_by(sa.func.max(runs.c.seq).desc())
        )
        with self.reading() as connection:
            return [HostRow(*row) for row in connection.execute(query)]

    def series_keys(self) -> dict[int, SeriesKey]:
        """Every series by its number, sorted by key."""
        table = schema.series
        query = sa.select(table.c.id, table.c.cell, table.c.metric, table.c.scope, table.c.context)
        with self.reading() as connection:
            rows = [(row[0], SeriesKey(*row[1:])) for row in connection.execute(query)]
        return dict(sorted(rows, key=lambda row: row[1]))

    def tips(self) -> dict[int, SeriesTip]:
        """The end of every series, by its number."""
        table = schema.series
        query = sa.select(table.c.id, table.c["count"], table.c.newest)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return {number: SeriesTip(count, math.nan if newest is None else newest) for number, count, newest in rows}

    def series(self, series_id: int, key: SeriesKey, newest: int | None = None) -> StoredSeries:
        """One series with its points; a limit keeps the newest."""
        table = schema.points
        query = (
            sa.select(table.c.seq, table.c.value, table.c.low, table.c.high)
            .where(table.c.series_id == series_id, table.c.value.is_not(None))
            .order_by(table.c.seq.desc())
        )
        if newest is not None:
            query = query.limit(newest)
        with self.reading() as connection:
            rows = connection.execute(query).all()[::-1]
        seq, value, low, high = zip(*rows) if rows else ((), (), (), ())
        return StoredSeries(series_id, key, np.array(seq, np.int64), _floats(value), _floats(low), _floats(high))

    def check(self) -> str:
        """Read every page of an SQLite history; what is wrong with it, or nothing.

        Slow for a large one; writes go ahead without it.
        """
        if self._engine.dialect.name != "sqlite":
            return ""
        with self.reading() as connection:
            said = [str(row[0]) for row in connection.execute(sa.text("PRAGMA quick_check(5)"))]
        return "" if said == ["ok"] else "; ".join(said)


_SAME_NAMES = "run_id cell started verdict sentence dirty compiler folder seconds".split()
_RUN_COLUMNS = "seq run_id cell started verdict sentence commit_id host folder seconds".split()


def _floats(values: Sequence[float | None]) -> F64:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _engine(url: str, backend: str) -> Any:
    if backend == "sqlite":
        Path(make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_S}, poolclass=sa.pool.NullPool)
        sa.event.listen(engine, "connect", _configure_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    return sa.create_engine(url, connect_args={"connect_timeout": CONNECT_S}, poolclass=sa.pool.NullPool)


def _configure_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    try:
        for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()  # nobody else does: the pool has not got it yet
        raise


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that starts as a reader and writes later can be refused; one that writes says so at once.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _is_damage(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.DatabaseError) and any(
        words in str(error) for words in ("not a database", "malformed")
    )


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
