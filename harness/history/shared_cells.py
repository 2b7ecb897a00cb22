"""Cells that run on other hosts: as jobs, and as what came back of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from harness.history.journal import Journal, NightPlan
from harness.history.matrix import Cell
from harness.history.series import RATIO
from harness.history.store import History
from harness.model.job import PAIR, Job
from harness.platform.files.job_note import placed
from harness.platform.kernels.targets import read_target

RANDOM_STATE = 1
"""Random state of every cell's plan: the same cell measures in the same order on every host and every night."""
_LIMIT_S = 900.0
"""A cell is ended when it takes longer than this and ten budgets."""
_NOISE_METRIC = "fps_trace"
_NOISE_RUNS = 40
"""A host's usual noise is that of this many latest runs."""


def limit_s(budget_s: float) -> float:
    """How long a cell of this budget may take before it is ended."""
    return _LIMIT_S + 10 * budget_s


def tied_here(cell: Cell) -> bool:
    """Whether a cell's kernel lies in files of this host alone: a target outside of this tree."""
    return "/" in cell.target


def job_of(cell: Cell, budget_s: float, plan: NightPlan) -> Job:
    """A cell of one night as a job."""
    arch = read_target(cell.target).arch if cell.target else cell.arch
    needs = [PAIR, f"arch:{arch}", *(["gl"] if cell.device == "gl" else [])]
    words = ("perf", *cell.words(budget_s), f"RANDOM_STATE={RANDOM_STATE}")
    return Job(plan.started, cell.label, words, plan.commit, limit_s(budget_s), tuple(needs))


def placed_cells(results: Path, journal: Journal) -> Iterator[tuple[str, Path]]:
    """Results of this night that came from other hosts and that the journal does not know: label and folder."""
    if journal.plan is None:
        return
    known = {finished.folder for finished in journal.finished}
    done = {finished.cell for finished in journal.finished}
    for note, path in placed(results, journal.plan.started):
        if path.name not in known and note.label not in done:
            done.add(note.label)
            yield note.label, path


def usual_noise(history: History) -> dict[str, float]:
    """By the label of a host: the usual half width of the interval of a change of its frame rate."""
    hosts = {run.seq: run.host for run in history.runs()}
    widths: dict[str, list[float]] = {}
    for number, key in history.series_keys().items():
        if (key.metric, key.scope) != (_NOISE_METRIC, RATIO):
            continue
        series = history.series(number, key)
        for seq, low, high in zip(series.seq.tolist(), series.low.tolist(), series.high.tolist()):
            if high > low and (host := hosts.get(seq)):
                widths.setdefault(host, []).append((high - low) / 2)
    return {host: statistics.median(found[-_NOISE_RUNS:]) for host, found in widths.items()}
