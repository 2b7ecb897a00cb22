"""How a metric went in the runs before this one: of the same switches, device and kind of CPU, beside it on disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.wording import amount
from harness.model.errors import StoreError
from harness.model.result import Result, ResultError
from harness.platform.files.store import load_result
from harness.report.words import label_of

RUNS_MAX = 40
METRIC, ARM = "fps_trace", "candidate"
WIDTH_PX, HEIGHT_PX, MARGIN_PX = 260, 44, 5


@dataclass(frozen=True)
class Sparkline:
    """A line as small as a word, with what it shows."""

    svg: str
    words: str


def past_values(result: Result, folder: Path) -> list[float]:
    """The metric in earlier runs like this one, the oldest first, and in this one."""
    now = _value(result)
    if result.command != "perf" or now is None:
        return []
    earlier = sorted(folder.parent.glob(f"[0-9]*-{result.command}"), reverse=True)[:RUNS_MAX]
    found = []
    for path in earlier:
        if path.name == folder.name or path.is_symlink():
            continue
        try:
            other = load_result(path)
        except (StoreError, ResultError, OSError):
            continue
        value = _value(other)
        if value is not None and other.started < result.started and _alike(other, result):
            found.append((other.started, value))
    return [value for _, value in sorted(found)] + [now]


def _value(result: Result) -> float | None:
    arm = result.arms.get(ARM)
    metric = arm.metrics.get(METRIC) if arm is not None else None
    return metric.value if metric is not None and math.isfinite(metric.value) else None


def _alike(one: Result, other: Result) -> bool:
    """Their figures can be compared."""
    ours, theirs = ((run.arms[ARM].switches, run.host.cpu if run.host else "", _device(run)) for run in (one, other))
    return ours == theirs


def _device(result: Result) -> str:
    return result.run.device.value if result.run is not None else ""


def sparkline(values: Sequence[float]) -> Sparkline | None:
    """The line of a metric's values; None of fewer than three, which show no course."""
    if len(values) < 3:
        return None
    low, high = min(values), max(values)
    across = (WIDTH_PX - 2 * MARGIN_PX) / (len(values) - 1)
    up = (HEIGHT_PX - 2 * MARGIN_PX) / (high - low or 1.0)
    points = [(MARGIN_PX + i * across, HEIGHT_PX - MARGIN_PX - (value - low) * up) for i, value in enumerate(values)]
    words = (
        f"{label_of(METRIC)} of the last {len(values)} runs like this one: "
        f"{amount(low)} to {amount(high)} frames/s, now {amount(values[-1])}"
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    svg = (
        f'<svg class="spark" viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" width="{WIDTH_PX}" height="{HEIGHT_PX}" role="img" '
        f'aria-label="{words}"><polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="currentColor"/></svg>'
    )
    return Sparkline(svg, words)
