"""Run the whole matrix, with history and drift."""

from __future__ import annotations

import contextlib
import datetime
from dataclasses import asdict, replace
from pathlib import Path

from harness.cluster.bundle import Provisions
from harness.cluster.crew import ClusterCrew, crew_for
from harness.core.budget import MARGIN, rounded_s
from harness.gate.approved.references import BASELINES_DIR, NoBaseline, approval_notices, read_baseline
from harness.gate.approved.target_references import read_target_baseline
from harness.gate.finish import say_json
from harness.history.finding_words import finding_sentence
from harness.history.journal import Journal, only_night
from harness.history.matrix import Matrix
from harness.history.matrix_file import parse_matrix
from harness.history.nightly import Night, NightlyRun
from harness.history.nightly_page import CellRow, FindingRow, NightView, next_steps_of, night_markdown, night_page
from harness.history.series import Finding
from harness.history.shared_cells import usual_noise
from harness.history.store import History
from harness.history.survey import Survey
from harness.model.baseline import Baseline
from harness.model.errors import StoreError
from harness.model.result import Result, ResultError
from harness.model.spec import ROOT, Switches, UsageError, Verdict
from harness.platform.files.bounded import read_bounded, why_unread
from harness.platform.files.store import RunFolder
from harness.platform.host.identity import host_facts
from harness.platform.kernels.build import source_state
from harness.platform.kernels.targets import read_target
from harness.report.files import write_junit
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 70
EXAMPLES = ("", "MINUTES=60", "BUDGET=7200 CELL_SECONDS=45", "CLUSTER=local", "CLUSTER=tls://scheduler:8786")
NEXT = "make report renders the history as a site"
TAKES = ("--json",)
MEASURES = True
WRITES = ("journal", "line", "queue")

MATRIX = ROOT / "ci" / "nightly.toml"
_SYMBOLS = {Verdict.PASS: "✓", Verdict.INCONCLUSIVE: "?"}


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``nightly [MATRIX=ci/nightly.toml] [BUDGET=…] [CELL_SECONDS=…] [CLUSTER=…]``; a killed one goes on."""
    baselines = approved_baselines(out)
    matrix = read_matrix(arguments, baselines)
    baselines = (*baselines, *target_baselines(matrix, out))
    with only_night():
        crew = crew_of(arguments, matrix, baselines, out)
        shift = NightlyRun(matrix, Journal(), progress=out.progress, crew=crew)
        source = source_state()
        night = shift.run(str(source["git"]), baselines, datetime.datetime.now(datetime.timezone.utc))
        night = replace(night, notices=(*night.notices, *approval_notices(source, judges=False)))
        run = RunFolder("nightly")
        view = view_of(night, run.started)
        (run.path / "report.md").write_text(night_markdown(view), encoding="utf-8")
        (run.path / "report.html").write_text(night_page(view), encoding="utf-8")
        if crew is not None:
            crew.page.keep(run.path)
        result = _result(night, view, source)
        write_junit(result, run.path)
        folder = run.commit(result)
        shift.journal.close()
    if arguments.json:
        say_json(folder, out)
        return night.verdict
    rows = [[_SYMBOLS.get(c.verdict, "✗"), c.label, c.verdict.value, c.remark or c.sentence] for c in view.cells]
    out.table("cells", ["", "cell", "verdict", ""], rows)
    for row in (*view.fresh, *view.open):
        out.line(f"finding {row.number} ({row.status}): {row.sentence}")
    for text in view.notices:
        out.line(f"note: {text}")
    out.line(night_sentence(night))
    for step in next_steps_of(view):
        out.line(f"next: {step.why}: {step.command}" if step.command else f"next: {step.why}")
    out.line(f"report: {folder / 'report.html'}")
    return night.verdict


def crew_of(arguments: Arguments, matrix: Matrix, baselines: tuple[Baseline, ...], out: Printer) -> ClusterCrew | None:
    """The hosts that CLUSTER names; without it the cells run here, one after the other."""
    request = arguments.cluster
    if request is None:
        return None
    provisions = Provisions(
        tuple(cell.switches for cell in matrix.cells if not cell.target), tuple(b.commit for b in baselines if b.commit)
    )
    noise: dict[str, float] = {}
    with contextlib.suppress(StoreError), History() as history:  # the night says what is wrong with it
        noise = usual_noise(history)
    return crew_for(request, provisions, "nightly", out.progress, usual_noise=noise)


def approved_baselines(out: Printer, root: Path = BASELINES_DIR) -> tuple[Baseline, ...]:
    """Every baseline that can be read; of the others, a line each."""
    found = []
    for path in sorted(root.glob("*/*/baseline.json")):
        try:
            found.append(read_baseline(path.parent.parent.name, path.parent.name, root)[0])
        except (NoBaseline, ResultError) as error:
            out.line(f"note: {error}")
    return tuple(found)


def target_baselines(matrix: Matrix, out: Printer) -> tuple[Baseline, ...]:
    """Those of the targets of a matrix that were approved."""
    found = []
    for word in (cell.target for cell in matrix.cells if cell.target):
        try:
            found.append(read_target_baseline(read_target(word)).baseline)
        except NoBaseline:
            continue  # The run says it: floor and pictures judge it.
        except (ResultError, UsageError) as error:
            out.line(f"note: {error}")
    return tuple(found)


def read_matrix(arguments: Arguments, baselines: tuple[Baseline, ...]) -> Matrix:
    """The matrix file with what the command line changes of it."""
    path = (
        ROOT / (arguments.path("MATRIX") or MATRIX) if not arguments.has("MATRIX") else Path(arguments.text("MATRIX"))
    )
    try:
        text = read_bounded(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"MATRIX={path}: cannot be read: {why_unread(error)}") from error
    approved: dict[str, dict[str, Switches]] = {}
    for baseline in baselines:
        switches = Switches.of({**baseline.switches, "ARCH": baseline.arch})
        approved.setdefault(baseline.arch, {})[baseline.name] = switches
    return parse_matrix(text, path.name, approved, arguments.given, path.resolve().parent)


def night_sentence(night: Night) -> str:
    """The night in one sentence."""
    verdict = night.verdict
    counts = "1 cell" if len(night.outcomes) == 1 else f"{len(night.outcomes)} cells"
    if night.dropped:
        counts += f", {len(night.dropped)} more dropped for lack of time"
    quarantined = sum(outcome.quarantine is not None for outcome in night.outcomes)
    if quarantined:
        counts += f", {quarantined} in quarantine"
    fresh = len(night.survey.fresh(night.since)) if night.survey else 0
    alarming = len(night.survey.alarming()) if night.survey else 0
    moved = f"; {fresh} new findings, {alarming} unacknowledged for the worse" if fresh or alarming else ""
    cause = f": {night.problems[0]}".replace(f": {verdict.value}: ", ": ", 1) if night.problems else ""
    return f"{verdict.value}: {counts}{moved}{cause}"


def view_of(night: Night, started: str) -> NightView:
    """A night's rows, as the report shows them."""
    cells = []
    for outcome in night.outcomes:
        remark = ""
        if outcome.quarantine:
            remark = f"in quarantine until {outcome.quarantine.until}: {outcome.quarantine.reason}"
        done = outcome.finished
        cells.append(CellRow(done.cell, outcome.verdict, done.sentence, done.folder, done.seconds, remark))
    fresh: tuple[Finding, ...] = ()
    still: tuple[Finding, ...] = ()
    if night.survey is not None:
        fresh = night.survey.fresh(night.since)
        still = tuple(finding for finding in night.survey.alarming() if finding not in fresh)
    return NightView(
        night.verdict,
        night_sentence(night),
        started,
        night.seconds,
        cells,
        _finding_rows(night.survey, fresh),
        _finding_rows(night.survey, still),
        [cell.label for cell in night.dropped],
        rounded_s((night.seconds + night.missing_s) * MARGIN),
        night.notices,
        night.problems,
    )


def _finding_rows(survey: Survey | None, findings: tuple[Finding, ...]) -> list[FindingRow]:
    if survey is None:
        return []
    rows = []
    for finding in findings:
        runs = survey.runs
        folders = [runs[seq].folder if seq in runs else "" for seq in (finding.before_seq, finding.after_seq)]
        sentence = finding_sentence(finding, survey.keys[finding.series_id], survey.runs)
        rows.append(FindingRow(finding.id or 0, finding.status, sentence, finding.worse, folders[0], folders[1]))
    return rows


def _result(night: Night, view: NightView, source: dict[str, object]) -> Result:
    return Result(
        command="nightly",
        verdict=night.verdict,
        sentence=view.sentence,
        started=view.started,
        seconds=night.seconds,
        host=host_facts(),
        source=source,
        notices=night.notices,
        problems=night.problems,
        next_steps=next_steps_of(view),
        details={
            "cells": [asdict(outcome.finished) for outcome in night.outcomes],
            "dropped": list(view.dropped),
            "findings": [asdict(row) for row in (*view.fresh, *view.open)],
        },
    )
