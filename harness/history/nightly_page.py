"""The report of a nightly run: one page, and a summary in Markdown for mail or chat."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from harness.model.result import NextStep
from harness.model.spec import Verdict
from harness.report.render import markdown, page
from harness.report.view import (
    BAD,
    GOOD,
    MUTED,
    Link,
    ReportView,
    Section,
    TableCell,
    TableRow,
    columns,
    symbol_of,
    table,
    tone_of,
)


@dataclass(frozen=True)
class CellRow:
    """One cell as it is shown."""

    label: str
    verdict: Verdict
    sentence: str
    folder: str
    """Name of its results folder beside that of the nightly run; empty when there is none."""
    seconds: float
    remark: str = ""
    """Its quarantine, if it has one."""


@dataclass(frozen=True)
class FindingRow:
    """One finding as it is shown."""

    number: int
    status: str
    sentence: str
    worse: bool | None
    before_folder: str
    after_folder: str
    """Names of the results folders of the runs on either side."""


@dataclass(frozen=True)
class NightView:
    """All that the report of a nightly run shows."""

    verdict: Verdict
    sentence: str
    started: str
    seconds: float
    cells: Sequence[CellRow]
    fresh: Sequence[FindingRow]
    """Findings of this nightly run."""
    open: Sequence[FindingRow]
    """Findings of earlier nights that are not acknowledged."""
    dropped: Sequence[str]
    would_do_s: int
    """The budget with which none of them had been dropped."""
    notices: Sequence[str]
    problems: Sequence[str]


def _finding_rows(view: NightView) -> list[TableRow]:
    rows = []
    for one in (*view.fresh, *view.open):
        tone = BAD if one.worse else MUTED if one.worse is None else GOOD
        symbol = "▼" if one.worse else "◆" if one.worse is None else "▲"
        runs = [TableCell(text, href=_address(folder)) if folder else TableCell("") for text, folder in _sides(one)]
        rows.append(
            TableRow(
                (
                    TableCell(f"finding {one.number}"),
                    TableCell(f"{symbol} {one.status}", tone),
                    TableCell(one.sentence),
                    *runs,
                )
            )
        )
    return rows


def _sides(one: FindingRow) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("before", one.before_folder), ("after", one.after_folder)


def _address(folder: str) -> str:
    return f"../{quote(folder, safe='')}/report.html"


def _cell_row(one: CellRow) -> TableRow:
    verdict = f"{symbol_of(one.verdict)} {one.verdict.value}{' (quarantined)' if one.remark else ''}"
    tone = MUTED if one.remark else tone_of(one.verdict)
    what = f"{one.sentence}; {one.remark}" if one.remark else one.sentence
    return TableRow(
        (
            TableCell(one.label, href=_address(one.folder) if one.folder else ""),
            TableCell(verdict, tone),
            TableCell(what),
            TableCell(f"{one.seconds:.0f}"),
        )
    )


def next_steps_of(view: NightView) -> tuple[NextStep, ...]:
    """What to do about the worst of the night."""
    worse = next((one for one in (*view.fresh, *view.open) if one.worse), None)
    if worse is not None:
        command = f'make history acknowledge FINDING={worse.number} REASON="…"'
        return (NextStep(f"look at both runs of finding {worse.number}; where it is meant, settle it", command),)
    bad = [one for one in view.cells if one.verdict is not Verdict.PASS and not one.remark and one.folder]
    if not bad and view.dropped:
        return (NextStep("give the night the time that was missing", f"make nightly BUDGET={view.would_do_s}"),)
    if not bad:
        return ()
    worst = max(bad, key=lambda one: one.verdict.severity)
    if worst.verdict is Verdict.REGRESSION:
        return (
            NextStep(
                f"see which part of {worst.label} grew", f"make explain RESULT=results/{shlex.quote(worst.folder)}"
            ),
        )
    short = [int(found) for one in bad for found in re.findall(r"BUDGET=(\d+) would do", one.sentence)]
    if short:
        return (NextStep("give each cell the time that was missing", f"make nightly CELL_SECONDS={max(short)}"),)
    return (NextStep(f"open the report of {worst.label}: its first screen says what to do"),)


def night_view_of(view: NightView) -> ReportView:
    """The night as any other report."""
    settle = (
        'A finding fails every night until it is fixed or acknowledged: make history acknowledge FINDING=… REASON="…"'
    )
    sections = []
    found = _finding_rows(view)
    if found:
        head = columns("no.", "status", "finding", "before", "after")
        sections.append(Section("What moved", table=table(head, found), closing=(settle,)))
    dropped = (f"No time for: {', '.join(view.dropped)}",) if view.dropped else ()
    cells = sorted(view.cells, key=lambda one: one.verdict.severity if not one.remark else -1, reverse=True)
    head = columns("cell", "verdict", "what", "#s")
    sections.append(Section("Cells", table=table(head, [_cell_row(one) for one in cells]), closing=dropped))
    return ReportView(
        command="nightly",
        verdict=view.verdict,
        headline=view.sentence,
        started=view.started,
        seconds=view.seconds,
        problems=tuple(text for text in view.problems if text not in view.sentence),
        next_steps=next_steps_of(view),
        sections=tuple(sections),
        notices=tuple(view.notices),
        links=(Link("history", "../site/index.html"),),
    )


def night_markdown(view: NightView) -> str:
    """The summary."""
    return markdown(night_view_of(view))


def night_page(view: NightView) -> str:
    """The page: self-contained, with links to the runs beside it."""
    return page(night_view_of(view))
