"""The end of a run: reports are written, the folder becomes visible, the verdict is said."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core.statistics import CANDIDATE, REFERENCE, launch_effect
from harness.gate.measured import Measured
from harness.gate.next_steps import next_steps
from harness.model.result import Result
from harness.model.spec import Verdict
from harness.platform.store import RunFolder
from harness.report.files import write_reports
from harness.report.machine import github_lines
from harness.report.printer import Printer, Verbatim

F64 = npt.NDArray[np.float64]


def timed(measured: Measured) -> tuple[dict[str, F64], list[tuple[float, int]]]:
    """Frame times by arm, and each launch's effect with its batch, for the plots."""
    if measured.timing is not None and measured.timing.launches:
        timing = measured.timing
        effects = [(launch_effect(one.launch), one.launch.batch) for one in timing.launches]
        return {role: timing.frame_ms(role) for role in (CANDIDATE, REFERENCE)}, effects
    if measured.window is not None:
        return {CANDIDATE: measured.window.frame_ms}, []
    return {}, []


def say_json(folder: Path, out: Printer) -> None:
    """The whole result in one line, for programs."""
    stored = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    out.line(Verbatim(json.dumps({**stored, "folder": str(folder)})))


def finish(
    run: RunFolder,
    result: Result,
    out: Printer,
    frame_ms: Mapping[str, F64],
    effects: Sequence[tuple[float, int]],
    *,
    json_out: bool = False,
) -> Verdict:
    """Write reports, make the folder visible, say the verdict and what to do next."""
    out.progress("writing the report")
    result = replace(result, next_steps=(*result.next_steps, *next_steps(result, run.final)))
    missing = write_reports(result, run.path, frame_ms, effects)
    result = replace(result, notices=(*result.notices, *(f"report: {text}" for text in missing)))
    folder = run.commit(result)
    if json_out:
        say_json(folder, out)
        return result.verdict
    for notice in result.notices:
        out.line(f"note: {notice}")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_lines(result):
            out.line(Verbatim(line))
    out.line(result.sentence)
    for step in result.next_steps:
        out.line(f"next: {step.why}{f': {step.command}' if step.command else ''}")
    out.line(f"report: {folder / 'report.html'}")
    return result.verdict
