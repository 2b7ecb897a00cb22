"""Tables of a command, on the terminal and on a page of its own, with the same words in both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.model.result import Result
from harness.report.files import write_junit
from harness.report.printer import Printer
from harness.report.render import markdown, page
from harness.report.run_view import facts
from harness.report.view import Column, Link, ReportView, Section, TableRow, table, texts

_FIGURE = re.compile(r"[+−-]?[0-9]|[–—]?$")


class TellingPrinter:
    """A printer that keeps the tables that pass through it."""

    def __init__(self, out: Printer) -> None:
        self._out = out
        self.sections: list[Section] = []

    def line(self, text: str) -> None:
        self._out.line(text)

    def progress(self, text: str) -> None:
        self._out.progress(text)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self._out.table(title, header, rows)
        head = [_column(name, at, [row[at] for row in rows]) for at, name in enumerate(header)]
        made = table(head, [TableRow(texts(*row)) for row in rows])
        self.sections.append(Section(title[:1].upper() + title[1:], table=made))


def _column(name: str, at: int, cells: Sequence[str]) -> Column:
    """A column that begins with figures stands to the right; others but the first say their name on a phone."""
    figures = at > 0 and all(_FIGURE.match(text) for text in cells)
    return Column(name, number=figures, labelled=at > 0 and not figures)


def next_lines(result: Result) -> tuple[str, ...]:
    """What to do next, a line each."""
    return tuple(
        f"next: {step.why}: {step.command}" if step.command else f"next: {step.why}" for step in result.next_steps
    )


def summary_view(result: Result, sections: Sequence[Section], again: str) -> ReportView:
    """The verdict, what to do next, and these sections."""
    return ReportView(
        command=result.command,
        verdict=result.verdict,
        headline=result.sentence,
        started=result.started,
        seconds=result.seconds,
        problems=result.problems,
        next_steps=result.next_steps,
        sections=tuple(sections),
        again=again,
    )


def write_told(told: TellingPrinter, result: Result, folder: Path, again: str, links: Sequence[Link] = ()) -> None:
    """Write ``report.html``, ``report.md`` and ``junit.xml``: the verdict, then the text."""
    view = replace(
        summary_view(result, told.sections, again),
        notices=result.notices,
        facts=facts(result),
        links=(Link("data (JSON)", "result.json"), *links),
    )
    (folder / "report.html").write_text(page(view), encoding="utf-8")
    (folder / "report.md").write_text(markdown(view), encoding="utf-8")
    write_junit(result, folder)
