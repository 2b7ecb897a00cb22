"""Tables of the history, their version, and the migrations from every older one.

A history is SQLite or PostgreSQL; only the lock of a migration differs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from harness.model.errors import StoreError
from harness.model.result import Fingerprint
from harness.model.upgrade import RENAMED_METRICS

SCHEMA = 3

metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

hosts = sa.Table(
    "hosts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("label", sa.Text, nullable=False, unique=True),  # of its class: the fingerprint, which runs are named by
    sa.Column("cpu", sa.Text),  # these four are null for a label of another form
    sa.Column("cores", sa.Integer),
    sa.Column("qemu", sa.Text),
    sa.Column("accelerator", sa.Text),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),  # the order of arrival, which analysis uses
    sa.Column("run_id", sa.String(200), nullable=False, unique=True),
    sa.Column("digest", sa.String(64), nullable=False),  # SHA-256 of the run's JSON line
    sa.Column("cell", sa.Text, nullable=False),
    sa.Column("started", sa.String(40), nullable=False),
    sa.Column("verdict", sa.String(20), nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("commit_id", sa.String(64), nullable=False),
    sa.Column("dirty", sa.Boolean, nullable=False),
    sa.Column("host_id", sa.ForeignKey("hosts.id")),
    sa.Column("compiler", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float(53), nullable=False),
    sa.Column("pending", sa.Boolean, nullable=False),  # its series were not analysed since it arrived
    sa.Index("runs_by_cell", "cell", "seq"),
    sqlite_autoincrement=True,  # the number of a pruned run is not used again
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("cell", sa.Text, nullable=False),
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("scope", sa.String(10), nullable=False),
    sa.Column("context", sa.Text, nullable=False),
    sa.Column("count", sa.Integer, nullable=False, server_default="0"),  # of points that are numbers
    sa.Column("newest", sa.Float(53)),  # value of the newest of them
    sa.UniqueConstraint("cell", "metric", "scope", "context"),
    sqlite_autoincrement=True,
)

points = sa.Table(
    "points",
    metadata,
    sa.Column("series_id", sa.ForeignKey("series.id"), primary_key=True),
    sa.Column("seq", sa.ForeignKey("runs.seq"), primary_key=True),
    sa.Column("value", sa.Float(53)),  # null: measured, but not a number
    sa.Column("low", sa.Float(53)),
    sa.Column("high", sa.Float(53)),
    sa.Index("points_by_run", "seq"),
    sqlite_with_rowid=False,
)

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("series_id", sa.ForeignKey("series.id"), nullable=False, index=True),
    sa.Column("kind", sa.String(10), nullable=False),  # step or creep
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("before_seq", sa.ForeignKey("runs.seq"), nullable=False),  # last run that is surely before the change
    sa.Column("after_seq", sa.ForeignKey("runs.seq"), nullable=False),  # first run that is surely after it
    sa.Column("at_seq", sa.ForeignKey("runs.seq"), nullable=False),  # most likely first run with the change
    sa.Column("found_seq", sa.ForeignKey("runs.seq"), nullable=False),  # newest run when it was found
    sa.Column("change", sa.Float(53), nullable=False),
    sa.Column("low", sa.Float(53), nullable=False),
    sa.Column("high", sa.Float(53), nullable=False),
    sa.Column("p", sa.Float(53), nullable=False),
    sa.Column("worse", sa.Boolean),  # null: the metric has no better direction
    sa.Column("level_before", sa.Float(53), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("accepted", sa.Float(53), nullable=False),
    sa.Column("fixed_seq", sa.ForeignKey("runs.seq")),
    sa.Column("companions", sa.Text, nullable=False),  # JSON: [[name, change], …]
    sa.Column("host", sa.Text, nullable=False, server_default=""),  # the only hosts that show it; empty: all
    sqlite_autoincrement=True,
)

PENDING = sa.Index("runs_pending", runs.c.seq, postgresql_where=runs.c.pending, sqlite_where=runs.c.pending)
"""Index of the few runs that wait for an analysis."""

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("label", sa.String(200), primary_key=True),  # arch/name
    sa.Column("kernel_sha256", sa.String(64), primary_key=True),
    sa.Column("approved", sa.String(40), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("commit_id", sa.String(64), nullable=False),
    sa.Column("ratio", sa.Float(53)),
)

Migration = Callable[[Connection], None]


def _rename_metrics(connection: Connection) -> None:
    for first, now in RENAMED_METRICS.items():
        connection.execute(series.update().where(series.c.metric == first).values(metric=now))


def _hosts_as_rows(connection: Connection) -> None:
    """Version 2 named the host in every run, and every analysis read everything."""
    hosts.create(connection)
    for (label,) in connection.execute(sa.text("SELECT DISTINCT host FROM runs")).all():
        connection.execute(hosts.insert().values(**host_row(label)))
    for statement in (
        "ALTER TABLE runs ADD COLUMN host_id INTEGER REFERENCES hosts(id)",
        "UPDATE runs SET host_id = (SELECT id FROM hosts WHERE label = runs.host)",
        "ALTER TABLE runs DROP COLUMN host",
        "ALTER TABLE runs ADD COLUMN pending BOOLEAN NOT NULL DEFAULT TRUE",
        "ALTER TABLE series ADD COLUMN count INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE series ADD COLUMN newest DOUBLE PRECISION",
        "ALTER TABLE findings ADD COLUMN host TEXT NOT NULL DEFAULT ''",
    ):
        connection.execute(sa.text(statement))
    PENDING.create(connection)
    count_points(connection)


def host_row(label: str) -> dict[str, str | int | None]:
    """The columns of a host by its label."""
    known = Fingerprint.of_label(label)
    if known is None:
        return {"label": label}
    return {"label": label, **dataclasses.asdict(known)}


def count_points(connection: Connection) -> None:
    """Set ``count`` and ``newest`` of every series from its points."""
    numbers = sa.and_(points.c.series_id == series.c.id, points.c.value.is_not(None))
    count = sa.select(sa.func.count()).select_from(points).where(numbers).scalar_subquery()
    newest = sa.select(points.c.value).where(numbers).order_by(points.c.seq.desc()).limit(1).scalar_subquery()
    connection.execute(series.update().values(count=count, newest=newest))


MIGRATIONS: Mapping[int, Migration] = {1: _rename_metrics, 2: _hosts_as_rows}
"""From a version to the next; each runs inside the transaction that raises the version."""

_ADVISORY_LOCK = 0x7069_7865_6C73


def prepare(connection: Connection, where: str, migrations: Mapping[int, Migration] = MIGRATIONS) -> None:
    """Create the tables, or bring them up to this version, in the connection's transaction.

    Raises
    ------
    StoreError
        When the history is of a newer version, or the database holds something else.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    found = version(connection, where)
    if found is None:
        metadata.create_all(connection)
        connection.execute(meta.insert().values(key="schema", value=str(SCHEMA)))
        return
    if found > SCHEMA:
        raise StoreError(f"history {where} was written by schema {found}, this is {SCHEMA}: update the harness")
    while found < SCHEMA:
        if found not in migrations:
            raise StoreError(f"history {where} has schema {found}, which this harness can no longer read")
        migrations[found](connection)
        found += 1
        connection.execute(meta.update().where(meta.c.key == "schema").values(value=str(found)))


def version(connection: Connection, where: str) -> int | None:
    """The version of the tables; None in an empty database.

    Raises
    ------
    StoreError
        When the database holds tables, but no history.
    """
    tables = set(sa.inspect(connection).get_table_names())
    if not tables:
        return None
    stored = (
        connection.execute(sa.select(meta.c.value).where(meta.c.key == "schema")).scalar() if "meta" in tables else None
    )
    if stored is None or not stored.isdigit():
        raise StoreError(f"{where} is a database, but no history of this harness: it was left as it is")
    return int(stored)
