"""Show two saved runs on one page, without measuring."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import numpy as np

from harness.core.arrays import F64
from harness.core.comparison.statistics import CANDIDATE
from harness.gate.measuring.frame_file import FRAMES_FILE, load_frames
from harness.model.errors import StoreError
from harness.model.result import ReplayError
from harness.model.spec import Verdict
from harness.platform.files.atomic import write_whole
from harness.platform.files.outputs import make_place
from harness.platform.files.scratch import scratch_folder
from harness.platform.files.store import load_result, saved_run
from harness.report.compare_view import ComparedRun, compare_view
from harness.report.plots import distribution, drawn
from harness.report.printer import Printer
from harness.report.render import markdown, page
from harness.settings import Arguments

ORDER = 55
EXAMPLES = ("A=results/latest B=results/latest", "A=results/latest B=results/latest PAGE=compare.html")
NEXT = "make ab A=… B=… measures two kernels side by side"


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``compare A=results/… B=results/… [PAGE=results/compare.html]``; judges nothing."""
    target = arguments.path("PAGE")
    assert target is not None
    make_place(target)
    folders = [saved_run(arguments.path(letter), letter) for letter in "AB"]
    sides = [ComparedRun(folder.name, load_result(folder), _report(folder, target)) for folder in folders]
    frame_ms = {f"{letter}: {folder.name}": _frame_ms(folder) for letter, folder in zip("AB", folders)}
    known = {name: values for name, values in frame_ms.items() if len(values) > 2}
    with scratch_folder("compare") as scratch:
        plots, missing = drawn([distribution(known)] if known else [], scratch)
    view = compare_view(sides[0], sides[1], tuple(plots.values()), arguments.again)
    try:
        write_whole(target, page(view))
        write_whole(target.with_suffix(".md"), markdown(view))
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror}") from error
    for text in missing:
        out.line(f"note: {text}")
    for name, side in zip("AB", sides):
        out.line(f"{name}: {side.name}: {side.result.sentence}")
    out.line(f"page: {target.absolute()}")
    return Verdict.PASS


def _report(folder: Path, target: Path) -> str:
    """The run's own page as the new one links it; empty where there is none."""
    found = folder / "report.html"
    return quote(os.path.relpath(found, target.absolute().parent)) if found.is_file() else ""


def _frame_ms(folder: Path) -> F64:
    """Every frame time of the run's candidate; none where it timed nothing.

    Raises
    ------
    ReplayError
        When the file is damaged.
    """
    path = folder / FRAMES_FILE
    if not path.is_file():
        return np.empty(0)
    try:
        parts = [values for name, values in load_frames(path).items() if name.endswith(f"-{CANDIDATE}")]
    except Exception as error:
        raise ReplayError(f"{folder.name} cannot be replayed: {path.name} is damaged: {error}") from error
    return np.concatenate(parts) if parts else np.empty(0)
