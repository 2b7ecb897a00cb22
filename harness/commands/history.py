"""Look after the history: findings, export, import, prune."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from harness.core.wording import signed_percent
from harness.history.finding_words import finding_sentence
from harness.history.jsonl import LINES_FILE, export_lines, import_lines
from harness.history.nightly import record_of
from harness.history.prune import Retention, prune
from harness.history.queue import deliver
from harness.history.series import WITHDRAWN
from harness.history.store import REBUILD, History, history_file, is_empty_file
from harness.history.survey import acknowledge, read, survey
from harness.model.errors import StoreError
from harness.model.result import ResultError
from harness.model.spec import Verdict
from harness.platform.files.store import saved_run
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 100
EXAMPLES = ("findings", 'acknowledge FINDING=3 REASON="new scene"', "export history.jsonl")
NEXT = "make report renders it as a site"

Action = Callable[[tuple[str, ...], Arguments, Printer], Verdict]


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``history export|import|prune|findings|acknowledge|analyze|hosts|check|deliver|add [KEY=VALUE …]``."""
    action, *words = arguments.words
    return _ACTIONS[action](tuple(words), arguments, out)


def _file(words: tuple[str, ...], arguments: Arguments) -> Path:
    return Path(words[0]) if words else arguments.path("FILE") or LINES_FILE


def _export(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    path = _file(words, arguments)
    with History() as history:
        count = export_lines(history, path)
    out.line(f"{count} runs written to {path}")
    return Verdict.PASS


def _import(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    path = _file(words, arguments)
    with History() as history:
        done = import_lines(history, path)
    for text in done.refused:
        out.line(f"refused: {text}")
    if done.kept is not None:
        out.line(f"rejected lines are in {done.kept}")
    out.line(f"{done.added} runs added, {done.known} were there already, {len(done.refused)} lines refused")
    return Verdict.INCONCLUSIVE if done.refused else Verdict.PASS


def _add(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    """Results folders of single runs, under the name of a cell; one that is damaged does not hold up the others."""
    folders = [saved_run(Path(word)) for word in words]
    refused = 0
    with History() as history:
        for folder in folders:
            try:
                record = record_of(folder, arguments.text("CELL"))
            except (StoreError, ResultError) as error:
                refused += 1
                out.line(f"refused: {error}")
                continue
            out.line(f"{folder.name}: {'added' if history.append(record) else 'was there already'}")
    return Verdict.HARNESS_FAILED if refused else Verdict.PASS


def _prune(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    rule = Retention(arguments.integer("KEEP"), arguments.integer("EVERY"))
    with History() as history:
        done = prune(history, rule)
    out.line(f"{done.runs} runs with {done.points} points dropped, {done.left} kept; findings and approvals all kept")
    return Verdict.PASS


def _findings(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    with History() as history:
        look = read(history)
    everything = arguments.flag("ALL")
    shown = [f for f in look.findings if f.series_id in look.keys and (everything or f.status != WITHDRAWN)]
    for finding in shown:
        reason = f" ({finding.reason})" if finding.reason else ""
        sentence = finding_sentence(finding, look.keys[finding.series_id], look.runs)
        out.line(f"{finding.id}: {finding.status}{reason}: {sentence}")
    out.line(f"{len(shown)} findings, {len(look.alarming())} open for the worse")
    return Verdict.PASS


def _acknowledge(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    with History() as history:
        finding = acknowledge(history, arguments.integer("FINDING"), arguments.text("REASON"))
    out.line(f"finding {finding.id} ({signed_percent(finding.change, 2)}) is acknowledged: {finding.reason}")
    return Verdict.PASS


def _analyze(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    """Look for drift now, as a night does."""
    with History() as history:
        look = survey(history)
    for finding in look.alarming():
        out.line(f"finding {finding.id}: {finding_sentence(finding, look.keys[finding.series_id], look.runs)}")
    out.line(f"{len(look.series)} series, {len(look.alarming())} findings open for the worse")
    return Verdict.REGRESSION if look.alarming() else Verdict.PASS


def _hosts(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    """The kinds of hosts that runs came from."""
    with History() as history:
        rows = history.hosts()
    for row in rows:
        out.line(f"{row.runs} runs, the newest of {row.newest[:10]}: {row.label}")
    out.line(f"{len(rows)} kinds of hosts; absolute figures are compared within a kind only")
    return Verdict.PASS


def _check(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    if is_empty_file():
        raise StoreError(f"the history {history_file()} is an empty file: {REBUILD}")
    with History() as history:
        said = history.check()
        runs = len(history.runs())
    if said:
        raise StoreError(f"history {history.where} is damaged: {said}")
    out.line(f"history {history.where}: sound, {runs} runs")
    return Verdict.PASS


def _deliver(words: tuple[str, ...], arguments: Arguments, out: Printer) -> Verdict:
    done = deliver()
    for text in done.said:
        out.line(text)
    out.line(f"{done.delivered} runs delivered, {done.waiting} waiting")
    return Verdict.HARNESS_FAILED if done.waiting else Verdict.PASS


_ACTIONS: Mapping[str, Action] = {
    "export": _export,
    "import": _import,
    "add": _add,
    "prune": _prune,
    "findings": _findings,
    "acknowledge": _acknowledge,
    "analyze": _analyze,
    "hosts": _hosts,
    "check": _check,
    "deliver": _deliver,
}
