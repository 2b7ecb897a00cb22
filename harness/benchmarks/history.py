"""History at the size of years: appending, change points, and the site."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.benchmarks import Figure, Measure, run_own
from harness.history.drift import SeriesData, find_drifts
from harness.history.series import ABSOLUTE, RATIO, HistoryRun, SeriesKey, SeriesPoint
from harness.history.store import History

POINTS, POINTS_A_RUN = 1_000_000, 100
SITE_LIMIT_S = 600.0
APPENDS = 21
SERIES, RUNS = 100, 1000
STEP = 0.02
"""Planted in every tenth series."""
BATCH = 500
HOST = "a host"


def _append(folder: Path) -> list[Figure]:
    """appending to a history of a million points"""
    begun = time.monotonic()
    with History(f"sqlite:///{folder / 'large.db'}") as history:
        _fill(history, made_up_runs(POINTS // POINTS_A_RUN, cells=1, points=POINTS_A_RUN))
        filled_s = time.monotonic() - begun
        times = []
        for record in made_up_runs(APPENDS, cells=1, points=POINTS_A_RUN, start=POINTS):
            before = time.perf_counter()
            history.append(record)
            times.append((time.perf_counter() - before) * 1e3)
    what = f"append of a run of {POINTS_A_RUN} points to {POINTS:,} (filled in {filled_s:.0f} s)"
    return [Figure(what, float(np.median(times)), "ms", 50)]


def _drift(folder: Path) -> list[Figure]:
    """change points of many series"""
    rng = np.random.default_rng(1)
    runs = np.arange(RUNS, dtype=np.int64)
    series = []
    for number in range(SERIES):
        moved = np.where(runs >= RUNS // 2, STEP if number % 10 == 0 else 0.0, 0.0)
        value = np.exp(rng.normal(0, 0.004, RUNS) - moved)
        key = SeriesKey(f"cell {number}", "fps_trace", RATIO, "anchor")
        series.append(SeriesData(number, key, runs, value, np.zeros(RUNS, np.int64)))
    begun = time.perf_counter()
    found = find_drifts(series)
    seconds = time.perf_counter() - begun
    right = {drift.series_id for drift in found}
    wrong = right ^ {number for number in range(SERIES) if number % 10 == 0}
    return [
        Figure(f"change points of {SERIES} series of {RUNS} points", seconds, "s", 10),
        Figure("series told wrongly, of those", len(wrong), "", 0),
    ]


def _site(folder: Path) -> list[Figure]:
    """the site of a long history"""
    url = f"sqlite:///{folder / 'site.db'}"
    cells = SERIES // 4
    with History(url) as history:
        _fill(history, made_up_runs(RUNS * cells, cells=cells, points=4))
    site = folder / "site"
    begun = time.monotonic()
    run_own(["report", f"SITE={site}"], SITE_LIMIT_S, HISTORY_URL=url)
    seconds = time.monotonic() - begun
    # The largest child so far; a smaller figure than another topic's child cannot be told apart, a larger one can.
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    what = f"site of {SERIES} series of {RUNS} runs"
    return [
        Figure(what, seconds, "s", 60),
        Figure(f"{what}: the largest child's memory", peak_mb, "MB", 500),
    ]


def _fill(history: History, records: Iterator[HistoryRun]) -> None:
    batch: list[HistoryRun] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            history.append_all(batch)
            batch = []
    history.append_all(batch)


def made_up_runs(count: int, cells: int, points: int, start: int = 0) -> Iterator[HistoryRun]:
    """Runs of several cells in turn, with noise and nothing else."""
    rng = np.random.default_rng(start)
    for number in range(start, start + count):
        values = np.exp(rng.normal(0, 0.004, points))
        yield HistoryRun(
            run_id=f"run-{number}",
            cell=f"cell {number % cells}",
            started=f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}+00:00",
            verdict="pass",
            sentence="pass: made up",
            commit=f"{number:040x}",
            dirty=False,
            host=HOST,
            compiler="gcc",
            folder=f"run-{number}",
            seconds=60.0,
            points=tuple(
                SeriesPoint(f"metric_{i}", RATIO if i % 2 else ABSOLUTE, HOST, float(value))
                for i, value in enumerate(values)
            ),
        )


FIGURES: tuple[Measure, ...] = (_append, _drift, _site)
