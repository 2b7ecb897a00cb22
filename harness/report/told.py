"""Tables of a command, on the terminal and on a page of its own, with the same words in both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.model.result import Result
from harness.report.printer import Printer
from harness.report.render import markdown, page
from harness.report.run_view import facts
from harness.report.view import Link, ReportView, Section, TableRow, columns, table, texts


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
        head = columns(*(name if number < 1 else f"#{name}" for number, name in enumerate(header)))
        made = table(head, [TableRow(texts(*row)) for row in rows])
        self.sections.append(Section(title[:1].upper() + title[1:], table=made))


def next_lines(result: Result) -> tuple[str, ...]:
    """What to do next, a line each."""
    return tuple(
        f"next: {step.why}: {step.command}" if step.command else f"next: {step.why}" for step in result.next_steps
    )


def write_told(told: TellingPrinter, result: Result, folder: Path, again: str, links: Sequence[Link] = ()) -> None:
    """Write ``report.html`` and ``report.md``: the verdict, then the text."""
    view = ReportView(
        command=result.command,
        verdict=result.verdict,
        headline=result.sentence,
        started=result.started,
        seconds=result.seconds,
        problems=result.problems,
        next_steps=result.next_steps,
        sections=tuple(told.sections),
        notices=result.notices,
        facts=facts(result),
        again=again,
        links=(Link("data (JSON)", "result.json"), *links),
    )
    (folder / "report.html").write_text(page(view), encoding="utf-8")
    (folder / "report.md").write_text(markdown(view), encoding="utf-8")
