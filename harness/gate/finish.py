"""The end of a run: reports are written, the folder becomes visible, the verdict is said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.core.arrays import F64
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, launch_effect
from harness.gate.judging.next_steps import next_steps
from harness.gate.measured import Measured
from harness.gate.measuring.timing import Timing
from harness.gate.measuring.window import Window
from harness.model.result import Result
from harness.model.spec import Verdict
from harness.platform.files.bounded import read_bounded
from harness.platform.files.store import RunFolder
from harness.report.files import write_reports
from harness.report.machine import github_lines
from harness.report.printer import Printer, Verbatim
from harness.report.render import terminal_lines
from harness.report.run_view import short_view
from harness.report.view import ReportView


def timed(measured: Measured) -> tuple[dict[str, F64], list[tuple[float, int]]]:
    """Frame times by arm, and each launch's effect with its batch, for the plots."""
    timing, window = measured.of(Timing), measured.of(Window)
    if timing is not None and timing.launches:
        effects = [(launch_effect(one.launch), one.launch.batch) for one in timing.launches]
        return {role: timing.frame_ms(role) for role in (CANDIDATE, REFERENCE)}, effects
    if window is not None:
        return {CANDIDATE: window.frame_ms}, []
    return {}, []


def say_json(folder: Path, out: Printer) -> None:
    """The whole result in one line, for programs."""
    stored = json.loads(read_bounded(folder / "result.json"))
    out.line(Verbatim(json.dumps({**stored, "folder": str(folder)})))


def commit_url_of(environment: Mapping[str, str]) -> str:
    """Where the CI service that runs this shows a commit; empty outside of one."""
    server, repository = environment.get("GITHUB_SERVER_URL", ""), environment.get("GITHUB_REPOSITORY", "")
    if server and repository:
        return f"{server}/{repository}/commit/{{commit}}"
    project = environment.get("CI_PROJECT_URL", "")
    return f"{project}/-/commit/{{commit}}" if project else ""


def finish(
    run: RunFolder,
    result: Result,
    out: Printer,
    frame_ms: Mapping[str, F64],
    effects: Sequence[tuple[float, int]],
    *,
    json_out: bool = False,
    commit_url: str = "",
    strict: bool = False,
    show: Callable[[Result], ReportView] | None = None,
) -> Verdict:
    """Write reports, make the folder visible, say the verdict and what to do next.

    Parameters
    ----------
    commit_url
        Where a commit is shown, with ``{commit}`` in it; empty for where CI says, if it does.
    strict
        What could not be decided is an error in JUnit.
    show
        What page and comment show, where that is not a run of the gate.
    """
    out.progress("writing the report")
    commit_url = commit_url or commit_url_of(os.environ)
    result = replace(result, next_steps=(*result.next_steps, *next_steps(result, run.final)))
    view = show(result) if show is not None else None
    missing = write_reports(result, run.path, frame_ms, effects, commit_url=commit_url, strict=strict, view=view)
    result = replace(result, notices=(*result.notices, *(f"report: {text}" for text in missing)))
    folder = run.commit(result)
    if json_out:
        say_json(folder, out)
        return result.verdict
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_lines(result):
            out.line(Verbatim(line))
    for line in terminal_lines(short_view(result)):
        out.line(line)
    out.line(f"report: {folder / 'report.html'}")
    return result.verdict
