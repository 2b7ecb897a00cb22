"""All files of a report, written into a run's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.model.result import Result
from harness.platform.gnuplot import PlotError, plot_svg
from harness.report.machine import benchmark_json, junit
from harness.report.markdown import markdown
from harness.report.page import Plot, render_page
from harness.report.plots import Ratio, distribution_script, launches_script, ratio_script, series_script, themed

F64 = npt.NDArray[np.float64]


def write_reports(
    result: Result, folder: Path, frame_ms: Mapping[str, F64], effects: Sequence[tuple[float, int]] = ()
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

    Returns
    -------
    tuple of str
        What could not be drawn, for the notices.
    """
    scripts: list[tuple[str, str, str]] = []
    ratios = _ratios(result)
    if ratios:
        limit = next((gate.limit for gate in result.gates if gate.kind == "ratio" and gate.limit), None)
        scripts.append(("ratio", ratio_script(ratios, limit), "Change of frame time with its interval."))
    drawn = {name: values for name, values in frame_ms.items() if len(values) > 2}
    if drawn:
        scripts.append(("distribution", distribution_script(drawn), "How often each frame time occurred."))
        name = next(iter(drawn))
        scripts.append(("frames", series_script(drawn[name], name), "Every frame in its order: pacing and freezes."))
    if len(effects) > 1:
        script = launches_script([effect for effect, _ in effects], [batch for _, batch in effects])
        scripts.append(("launches", script, "Each launch is one sample: their spread is the noise."))
    plots, missing = [], []
    for stem, script, caption in scripts:
        try:
            svg = plot_svg(script)
        except PlotError as error:
            missing.append(error.message)
            continue
        (folder / f"{stem}.gnuplot").write_text(script, encoding="utf-8")
        plots.append(Plot(themed(svg), caption))
    texts = {
        "report.html": render_page(result, folder, plots),
        "report.md": markdown(result),
        "junit.xml": junit(result),
        "benchmark.json": benchmark_json(result),
    }
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return tuple(dict.fromkeys(missing))


def _ratios(result: Result) -> list[Ratio]:
    """The comparisons, as changes of frame time: the inverse of changes of frame rate."""
    found = []
    for gate in result.gates:
        if gate.kind != "ratio" or gate.change is None or gate.low is None or gate.high is None:
            continue
        label = gate.metric if result.command != "ab" else gate.why.partition(":")[0]
        if gate.metric.startswith("fps"):
            change, low, high = (1 / (1 + value) - 1 for value in (gate.change, gate.high, gate.low))
        else:
            change, low, high = gate.change, gate.low, gate.high
        found.append(Ratio(label, change, low, high))
    return found
