"""A nightly run: every cell of the matrix within a time limit, resumable; then history, drift and one verdict.

A finished cell is in the journal and in the history before the next one starts, so that a kill at any moment loses
only the cell that was running, and not even that when its results folder was complete.
"""

from __future__ import annotations

import datetime
import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.gate.approved.references import NoBaseline, read_baseline
from harness.gate.approved.target_references import kept_target_baseline
from harness.history.finding_store import load_findings, store_approvals
from harness.history.journal import CellFinished, Journal, NightPlan
from harness.history.jsonl import LINES_FILE, append_line
from harness.history.matrix import Cell, Matrix, Quarantine, Standing, by_information
from harness.history.queue import QUEUE_DIR, remember
from harness.history.series import HistoryRun, run_record
from harness.history.shared_cells import job_of, limit_s, placed_cells, tied_here
from harness.history.store import History
from harness.history.survey import Survey, survey
from harness.model.baseline import Baseline
from harness.model.errors import StoreError
from harness.model.job import JobCrew, Wish
from harness.model.result import Result, ResultError
from harness.model.spec import Verdict
from harness.platform.files.bounded import read_bounded
from harness.platform.files.store import RESULTS_DIR, load_result
from harness.platform.processes.pipeline import HarnessRun, ran_as_job, run_harness

Runner = Callable[[Cell, float], HarnessRun]
"""Runs one cell with a budget in seconds."""

_AROUND_S = 10.0
"""What a run may take longer than the one before it: a kernel that has to be built."""


@dataclass(frozen=True)
class Places:
    """Where a nightly run reads and writes; tests use other places."""

    results: Path = RESULTS_DIR
    lines: Path = LINES_FILE
    queue: Path = QUEUE_DIR
    history: str | None = None
    """URL; None means the one of the environment."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one cell."""

    cell: Cell
    finished: CellFinished
    quarantine: Quarantine | None
    expired: bool = False

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.finished.verdict)

    @property
    def counted(self) -> Verdict:
        """Its contribution to the verdict of the nightly run."""
        if self.expired:
            return Verdict.worst([self.verdict, Verdict.USAGE])
        return Verdict.PASS if self.quarantine else self.verdict


@dataclass(frozen=True)
class Night:
    """Results of a nightly run."""

    outcomes: tuple[Outcome, ...]
    dropped: tuple[Cell, ...]
    """Cells without time for them, the most informative first."""
    missing_s: float
    """What they would have taken."""
    survey: Survey | None
    """The history with its findings; None when it could not be analysed."""
    since: int
    """The newest run in the history before this nightly run."""
    notices: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """The worst of cells, drift and missing work."""
        verdicts = [outcome.counted for outcome in self.outcomes]
        counted = any(outcome.quarantine is None for outcome in self.outcomes)
        if not counted or self.survey is None or self.dropped:
            verdicts.append(Verdict.INCONCLUSIVE)
        if counted and self.survey is not None and self.survey.alarming():
            verdicts.append(Verdict.REGRESSION)
        return Verdict.worst(verdicts)


def gate_runner(cell: Cell, seconds: float) -> HarnessRun:
    """Run the gate for one cell."""
    return run_harness(("perf", *cell.words(seconds)), limit_s(seconds))


class NightlyRun:
    """Does one nightly run; hold :func:`harness.history.journal.only_night` meanwhile."""

    def __init__(
        self,
        matrix: Matrix,
        journal: Journal,
        runner: Runner = gate_runner,
        places: Places = Places(),
        progress: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
        crew: JobCrew | None = None,
    ) -> None:
        self.matrix = matrix
        self.journal = journal
        self.runner = runner
        self.places = places
        self.progress = progress
        self.clock = clock
        self.crew = crew
        """Hosts that share the cells; without it they run here, one after the other."""
        self.notices: list[str] = []

    def run(self, commit: str, baselines: tuple[Baseline, ...], now: datetime.datetime) -> Night:
        """The whole nightly run, continued from where the journal ends."""
        begun = self.clock()
        standings, since = self._standings()
        self._open_journal(commit, now)
        for finished in self.journal.finished:
            self._remember(finished)
        dropped = self._run_cells(standings)
        survey = self._survey(baselines)
        outcomes = self._outcomes(now.date())
        return Night(
            outcomes,
            tuple(dropped),
            sum(self._expected_s(cell, standings) for cell in dropped),
            survey,
            since,
            tuple(dict.fromkeys(self.notices)),
            tuple(_problems(outcomes)),
            sum(finished.seconds for finished in self.journal.finished) or self.clock() - begun,
        )

    def _open_journal(self, commit: str, now: datetime.datetime) -> None:
        digest = self.matrix.digest
        if self.journal.resumable(digest, commit, now):
            count = len(self.journal.finished)
            self.notices.append(
                f"a nightly run that was cut short continued: {count} of {len(self.matrix.cells)} cells were done"
            )
            self._adopt()
            return
        if self.journal.plan is not None:
            self.notices.append(
                f"the unfinished nightly run of {self.journal.plan.started} was given up: commit or matrix changed, "
                f"or it is too old; its {len(self.journal.finished)} finished cells are in the history"
            )
            for finished in self.journal.finished:
                self._remember(finished)
        self.journal.start(NightPlan(now.isoformat(timespec="seconds"), digest, commit))

    def _adopt(self) -> None:
        """Take over the results of cells that were running when the nightly run was cut short, where they wrote one."""
        assert self.journal.plan is not None
        by_label = {cell.label: cell for cell in self.matrix.cells}
        for label, path in placed_cells(self.places.results, self.journal):
            if label in by_label:
                self.journal.finish(_finished(by_label[label], load_result(path), path.name))
        if self.journal.begun is None:
            return
        label, at = self.journal.begun
        cell = by_label.get(label)
        folder = None if cell is None else _finished_since(self.places.results, cell, at)
        if cell is not None and folder is not None:
            self.journal.finish(_finished(cell, load_result(folder), folder.name))

    def _run_cells(self, standings: Mapping[str, Standing]) -> list[Cell]:
        """Run the remaining cells, the most informative first; returns those without time for them."""
        done = {finished.cell for finished in self.journal.finished}
        left = [cell for cell in by_information(self.matrix.cells, standings) if cell.label not in done]
        budget_s = self.matrix.minutes * 60
        used_s = sum(finished.seconds for finished in self.journal.finished)
        dropped: list[Cell] = []
        if self.crew is not None:
            begun = self.clock()
            shared = [cell for cell in left if not tied_here(cell)]
            dropped = self._share_cells(self.crew, shared, standings, budget_s - used_s if budget_s else math.inf)
            used_s += self.clock() - begun
            left = [cell for cell in left if tied_here(cell)]
        for index, cell in enumerate(left):
            expected_s = self._expected_s(cell, standings)
            if budget_s and used_s + expected_s > budget_s:
                return dropped + left[index:]
            self.progress(f"nightly: {cell.label} ({len(self.journal.finished) + 1} of {len(self.matrix.cells)})")
            self.journal.begin(cell.label)
            started = self.clock()
            finished = self._judged(cell, self.runner(cell, self.matrix.cell_seconds), lambda: self.clock() - started)
            used_s += finished.seconds
            self.journal.finish(finished)
            self._remember(finished)
        return dropped

    def _share_cells(
        self, crew: JobCrew, left: Sequence[Cell], standings: Mapping[str, Standing], left_s: float
    ) -> list[Cell]:
        """Let a crew run what is left; returns what there was no time for."""
        assert self.journal.plan is not None
        wishes = {
            cell.label: Wish(
                job_of(cell, self.matrix.cell_seconds, self.journal.plan),
                self._expected_s(cell, standings),
                standings.get(cell.label, Standing()).host,
            )
            for cell in left
        }
        waiting = {cell.label: cell for cell in left}
        try:
            for end in crew.run(list(wishes.values()), left_s):
                cell = waiting.pop(end.job.label)
                ran = ran_as_job(end)
                finished = self._judged(cell, ran, lambda: end.seconds)
                self.journal.finish(finished)
                self._remember(finished)
                done = len(self.journal.finished)
                self.progress(f"nightly: {cell.label} by {end.host} ({done} of {len(self.matrix.cells)})")
        finally:
            self.notices += crew.notices
        return list(waiting.values())

    def _expected_s(self, cell: Cell, standings: Mapping[str, Standing]) -> float:
        before_s = standings.get(cell.label, Standing()).seconds
        return before_s + _AROUND_S if before_s else self.matrix.cell_seconds

    def _judged(self, cell: Cell, ran: HarnessRun, elapsed: Callable[[], float]) -> CellFinished:
        """A run's outcome: its result, or without one its exit code and last words."""
        if ran.folder is not None:
            try:
                return replace(_finished(cell, load_result(ran.folder), ran.folder.name), seconds=elapsed())
            except (StoreError, ResultError) as error:
                return CellFinished(cell.label, Verdict.HARNESS_FAILED.value, str(error), "", elapsed())
        verdict = next((one for one in Verdict if one.exit_code == ran.exit_code), Verdict.HARNESS_FAILED)
        if verdict is Verdict.PASS:
            verdict = Verdict.HARNESS_FAILED  # a pass without a result does not count
        words = [line for line in ran.said if not line.startswith("verdict:")]
        return CellFinished(cell.label, verdict.value, words[-1] if words else "it said nothing", "", elapsed())

    def _remember(self, finished: CellFinished) -> None:
        """Bring a finished cell into the history; doing so twice does nothing."""
        if not finished.folder:
            return
        try:
            record = record_of(self.places.results / finished.folder, finished.cell)
        except (StoreError, ResultError) as error:
            self.notices.append(f"{finished.cell}: not in the history: {error}")
            return
        append_line(record, self.places.lines)
        self.notices += remember(record, self.places.history, self.places.queue).said

    def _standings(self) -> tuple[dict[str, Standing], int]:
        """The history's knowledge of each cell, and its newest run; nothing where it cannot be read."""
        try:
            with History(self.places.history) as history:
                return read_standings(history)
        except StoreError as error:
            self.notices.append(error.message)
            return {}, 0

    def _survey(self, baselines: tuple[Baseline, ...]) -> Survey | None:
        self.progress("nightly: looking for drift")
        try:
            with History(self.places.history) as history:
                store_approvals(history, baselines)
                return survey(history, self.matrix.drift)
        except StoreError as error:
            self.notices.append(f"drift was not searched: {error.message}")
            return None

    def _outcomes(self, today: datetime.date) -> tuple[Outcome, ...]:
        by_label = {finished.cell: finished for finished in self.journal.finished}
        outcomes = []
        for cell in self.matrix.cells:
            if cell.label in by_label:
                quarantine = self.matrix.quarantine_of(cell)
                expired = quarantine is not None and quarantine.expired(today)
                outcomes.append(Outcome(cell, by_label[cell.label], None if expired else quarantine, expired))
        return tuple(outcomes)


def _problems(outcomes: tuple[Outcome, ...]) -> list[str]:
    found = sorted(outcomes, key=lambda outcome: -outcome.counted.severity)
    problems = [f"{o.cell.label}: {o.finished.sentence}" for o in found if o.quarantine is None and o.verdict.exit_code]
    return [
        *(
            f"{o.cell.label}: its quarantine has expired: repair the cell, or give the quarantine a new date"
            for o in found
            if o.expired
        ),
        *problems,
    ]


def read_standings(history: History) -> tuple[dict[str, Standing], int]:
    """The knowledge of each cell, and the newest run's number."""
    order = history.runs()
    keys = history.series_keys()
    open_cells = [keys[finding.series_id].cell for finding in load_findings(history) if finding.open]
    cells = len({run.cell for run in order})
    standings = {
        run.cell: Standing(
            (len(order) - 1 - index) // cells, run.verdict, run.seconds, open_cells.count(run.cell), run.host
        )
        for index, run in enumerate(order)
    }
    return standings, order[-1].seq if order else 0


def record_of(folder: Path, cell: str) -> HistoryRun:
    """The part of a results folder that the history keeps.

    Raises
    ------
    StoreError, ResultError
        When the folder holds no usable result.
    """
    result = load_result(folder)
    digest = hashlib.sha256(read_bounded(folder / "result.json")).hexdigest()
    return run_record(result, f"{folder.name}-{digest[:12]}", folder.name, cell, _judged_by(folder, result))


def _judged_by(folder: Path, result: Result) -> Baseline | None:
    """The baseline of a saved run, as it was then; None where it had none."""
    arch, _, name = (result.run.judged_by.baseline if result.run else "").partition("/")
    if result.run is None or not name:
        return None
    try:
        if result.run.target is not None:
            return kept_target_baseline(folder, name)
        return read_baseline(arch, name, folder / "baselines")[0]
    except NoBaseline:
        return None


def _finished(cell: Cell, result: Result, folder: str) -> CellFinished:
    return CellFinished(cell.label, result.verdict.value, result.sentence, folder, result.seconds)


def _finished_since(results: Path, cell: Cell, at: float) -> Path | None:
    """A results folder of this cell that was completed after a time of the file system's clock."""
    for folder in sorted(results.glob("[0-9]*-perf*"), reverse=True):
        path = folder / "result.json"
        try:
            if path.stat().st_mtime < at:
                continue
            result = load_result(folder)
        except (OSError, StoreError, ResultError):
            continue
        if _is_of(result, cell):
            return folder
    return None


def _is_of(result: Result, cell: Cell) -> bool:
    """Whether this is what a run of the cell leaves."""
    arm, target = result.arms.get("candidate"), result.run.target if result.run else None
    if cell.target or target is not None:
        return target is not None and target.name == cell.target_name
    return arm is not None and dict(arm.switches) == cell.switches.everything()
