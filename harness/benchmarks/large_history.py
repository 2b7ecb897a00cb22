"""A history of ten million points, in either database: appending, the analysis after a night, and pages."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from harness.benchmarks import Figure, Measure
from harness.benchmarks.history import made_up_runs
from harness.history import schema
from harness.history.drift import DriftSettings
from harness.history.finding_store import store_analysis
from harness.history.site import Dashboard
from harness.history.site_views import series_views, site_view
from harness.history.store import History
from harness.history.survey import read, rule_of, survey
from harness.model.errors import StoreError
from harness.platform.files.postgresql import postgresql

CELLS, METRICS, NIGHTS = 20, 100, 5000
POINTS = CELLS * METRICS * NIGHTS
APPENDS = 21
APPEND_MS, PAGE_S = 20, 1


_COUNT = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {}) SELECT * FROM n) made",
    "postgresql": "(SELECT generate_series(0, {} - 1) AS i) AS made",
}
_NOISE = {"sqlite": "abs(random() % 1000) / 1000.0", "postgresql": "random()"}
_RUNS = """INSERT INTO runs (seq, run_id, digest, cell, started, verdict, sentence, commit_id, dirty, host_id,
    compiler, folder, seconds, pending)
    SELECT i + 1, 'old-' || i, '', 'cell ' || (i % {cells}), '2026-01-01T00:00:00+00:00', 'pass', 'made up', '', FALSE,
    1, 'gcc', '', 60, FALSE FROM {count}"""
_SERIES = """INSERT INTO series (id, cell, metric, scope, context, count, newest)
    SELECT i + 1, 'cell ' || (i / {metrics}), 'metric_' || (i % {metrics}),
    CASE WHEN i % 2 = 1 THEN 'ratio' ELSE 'absolute' END, 'a host', {nights}, 1 FROM {count}"""
_POINTS = """INSERT INTO points (series_id, seq, value)
    SELECT series.id, made.i * {cells} + (series.id - 1) / {metrics} + 1, 1 + 0.004 * {noise}
    FROM series CROSS JOIN {count}"""
_NEXT = "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}"


def _fill(url: str) -> None:
    """Ten million points, made by the database itself."""
    engine = sa.create_engine(url)
    kind = engine.dialect.name
    many = {"cells": CELLS, "metrics": METRICS, "nights": NIGHTS, "noise": _NOISE[kind]}
    statements = [
        "INSERT INTO hosts (id, label) VALUES (1, 'a host')",
        _RUNS.format(**many, count=_COUNT[kind].format(CELLS * NIGHTS)),
        _SERIES.format(**many, count=_COUNT[kind].format(CELLS * METRICS)),
        _POINTS.format(**many, count=_COUNT[kind].format(NIGHTS)),
    ]
    if kind == "postgresql":
        # References are right by construction; checking each of ten million takes minutes.
        statements.insert(0, "SET session_replication_role = replica")
        statements += [
            _NEXT.format(table=table, column=column) for table, column in (("runs", "seq"), ("series", "id"))
        ]
        statements.append(_NEXT.format(table="hosts", column="id"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def _timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _figures(url: str, kind: str) -> list[Figure]:
    History(url).close()
    filled_s = _timed(lambda: _fill(url))
    with History(url) as history:
        store_analysis(history, [], (), rule_of(DriftSettings()))
        with history.reading() as connection:
            held = int(connection.execute(sa.select(sa.func.count()).select_from(schema.points)).scalar_one())
        if held != POINTS:
            raise StoreError(f"{held} points were made, not {POINTS}")
        # One run of every cell: a night.
        night = made_up_runs(CELLS + APPENDS, cells=CELLS, points=METRICS, start=0)
        times = [_timed(functools.partial(history.append, run)) for run in night]
        look = read(history)
        overview_s = _timed(lambda: Dashboard().overview(site_view(look, Path("."))))
        views = series_views(look, Path("."))
        page_s = _timed(lambda: Dashboard().series_page(next(views)))
        survey_s = _timed(lambda: survey(history))
        again_s = _timed(lambda: survey(history))
    what = f"{kind}, {POINTS:,} points"
    return [
        Figure(
            f"{what} (made in {filled_s:.0f} s): append of a run of {METRICS} points",
            float(np.median(times)) * 1e3,
            "ms",
            APPEND_MS,
        ),
        Figure(f"{what}: the overview's page", overview_s, "s", PAGE_S),
        Figure(f"{what}: a series' page, {NIGHTS} runs", page_s, "s", PAGE_S),
        Figure(f"{what}: analysis after a night of {CELLS} cells, {CELLS * METRICS} series", survey_s, "s", None),
        Figure(f"{what}: analysis when nothing is new", again_s, "s", PAGE_S),
    ]


def _sqlite(folder: Path) -> list[Figure]:
    """ten million points in SQLite"""
    return _figures(f"sqlite:///{folder / 'ten-million.db'}", "SQLite")


def _postgresql(folder: Path) -> list[Figure]:
    """ten million points in PostgreSQL"""
    with postgresql(durable=True, shared_mb=256) as url:
        return _figures(url, "PostgreSQL")


FIGURES: tuple[Measure, ...] = (_sqlite, _postgresql)
