"""All files of a report, written into a run's folder."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.core.arrays import F64
from harness.model.latency_record import LatencyRecord
from harness.model.result import Result
from harness.report.latency_plots import latency_distribution, timeline
from harness.report.latency_view import PLOTS as LATENCY_PLOTS
from harness.report.machine import benchmark_json, junit
from harness.report.plots import PlottedChange, Script, distribution, drawn, frame_series, launches_plot, ratio_plot
from harness.report.render import markdown, page
from harness.report.run_view import arm_names, view_of
from harness.report.view import ReportView
from harness.report.words import label_of


def write_reports(
    result: Result,
    folder: Path,
    frame_ms: Mapping[str, F64],
    effects: Sequence[tuple[float, int]] = (),
    *,
    commit_url: str = "",
    strict: bool = False,
    view: ReportView | None = None,
) -> tuple[str, ...]:
    """Write every report of a result.

    Parameters
    ----------
    folder
        The run's, still private.
    frame_ms
        Frame times by arm, each of shape (n,).
    effects
        Each launch's effect as (log ratio of frame times, batch), in order.
    commit_url
        Where a commit is shown, with ``{commit}`` in it; empty for nowhere.
    strict
        An inconclusive gate is an error for CI, not skipped.
    view
        What page and comment show, where that is not a run of the gate.

    Returns
    -------
    tuple of str
        Plots that could not be drawn, for the notices.
    """
    plots, missing = drawn([*_scripts(result, frame_ms, effects), *_latency_scripts(result)], folder)
    of_latency = tuple(plots.pop(stem) for stem in LATENCY_PLOTS if stem in plots)
    if frame_ms:
        (folder / "frames.csv").write_text(frames_csv(frame_ms), encoding="utf-8")
    (folder / "junit.xml").write_text(junit(result, strict), encoding="utf-8")
    view = view or view_of(result, folder, tuple(plots.values()), commit_url, latency_plots=of_latency)
    texts = {
        "report.html": page(view),
        "report.md": markdown(view),
        "benchmark.json": benchmark_json(result),
    }
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return missing


def write_junit(result: Result, folder: Path) -> None:
    """Write ``junit.xml`` beside a page that is not a run's own."""
    (folder / "junit.xml").write_text(junit(result), encoding="utf-8")


def frames_csv(frame_ms: Mapping[str, F64]) -> str:
    """Every frame time, one a line."""
    text = io.StringIO()
    text.write("arm,frame,frame_ms\n")
    for name, values in frame_ms.items():
        text.writelines(f"{name},{i},{value:.6f}\n" for i, value in enumerate(values.tolist()))
    return text.getvalue()


def frames_from_csv(text: str) -> dict[str, F64]:
    """Frame times by arm, each of shape (n,), as :func:`frames_csv` wrote them; other lines are left out."""
    found: dict[str, list[float]] = {}
    for line in text.splitlines()[1:]:
        with contextlib.suppress(ValueError):
            name, _, value = line.split(",")
            found.setdefault(name, []).append(float(value))
    return {name: np.array(values, np.float64) for name, values in found.items()}


def _scripts(result: Result, frame_ms: Mapping[str, F64], effects: Sequence[tuple[float, int]]) -> list[Script]:
    scripts = []
    ratios = _ratios(result)
    limit = next((gate.limit for gate in result.gates if gate.kind == "ratio" and gate.limit), None)
    if ratios:
        scripts.append(ratio_plot(ratios, limit))
    names = arm_names(result.arms)
    known = {names.get(name, name): values for name, values in frame_ms.items() if len(values) > 2}
    if known:
        name = next(iter(known))
        scripts += [distribution(known), frame_series(known[name], name)]
    effects = [(effect, batch) for effect, batch in effects if math.isfinite(effect)]
    if len(effects) > 1:
        scripts.append(launches_plot([effect for effect, _ in effects], [batch for _, batch in effects], limit))
    return scripts


def _latency_scripts(result: Result) -> list[Script]:
    record = result.run.of(LatencyRecord) if result.run else None
    return [timeline(record.shown), latency_distribution(record.shown)] if record is not None and record.shown else []


def _ratios(result: Result) -> list[PlottedChange]:
    """The comparisons as changes of frame time, + is slower."""
    found = []
    for gate in result.gates:
        change = gate.frame_time
        if gate.kind == "ratio" and change is not None and math.isfinite(change.change + change.low + change.high):
            label = _time_label(gate.metric) if result.command != "ab" else gate.why.partition(":")[0]
            found.append(PlottedChange(label, change.change, change.low, change.high))
    return found


def _time_label(metric: str) -> str:
    """The name of a metric's change, as a change of time."""
    return "frame time" if metric == "fps_trace" else label_of(metric)
