"""Runs of a history that is stored before an attack."""

from __future__ import annotations

from harness.history.series import RATIO, HistoryRun, SeriesPoint, record_to_line

RUNS = 60
"""Number of runs in a stored history."""


def history_run(
    number: int, cell: str = "x86_64 acquire_progress 2d", points: tuple[SeriesPoint, ...] | None = None
) -> HistoryRun:
    """A run; its ratio is its number in thousandths above 1, unless points are given."""
    if points is None:
        points = (SeriesPoint("fps_trace", RATIO, "since kernel 0123", 1 + number / 1000),)
    return HistoryRun(
        run_id=f"2026-run-{number}",
        cell=cell,
        started=f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}+00:00",
        verdict="pass",
        sentence=f"pass: run {number}",
        commit=f"{number:040x}",
        dirty=False,
        host="a host",
        compiler="gcc 12",
        folder=f"run-{number}",
        seconds=60.0,
        points=points,
    )


def history_lines(first: int, last: int) -> bytes:
    """Runs as lines of a file, the last one included."""
    return b"".join(record_to_line(history_run(number)).encode() + b"\n" for number in range(first, last + 1))
