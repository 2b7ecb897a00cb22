"""A driver's manners as one self-contained page and as Markdown."""

from __future__ import annotations

from pathlib import Path

from harness.explain.manners.manner import DriverManner
from harness.explain.manners.watch import DriverAnswer
from harness.model.result import Result
from harness.report.files import write_junit
from harness.report.render import markdown
from harness.report.render import page as html_page
from harness.report.run_view import facts
from harness.report.view import ReportView, Section, TableCell, TableRow, columns, table, texts


def write_manners(result: Result, found: DriverAnswer, again: str, folder: Path) -> None:
    """Write ``report.html``, ``report.md`` and ``junit.xml``.

    Parameters
    ----------
    again
        The command that asks the same again.
    """
    view = manners_view(result, found, again)
    (folder / "report.html").write_text(html_page(view), encoding="utf-8")
    (folder / "report.md").write_text(markdown(view), encoding="utf-8")
    write_junit(result, folder)


def manners_view(result: Result, found: DriverAnswer, again: str) -> ReportView:
    """Everything that the page shows."""
    rows = [_row(one) for one in found.manners]
    lead = (f"{found.wait.words[0].upper()}{found.wait.words[1:]}.",)
    section = Section("The driver's manners", lead, table=table(columns("rule", "what was seen", "what to do"), rows))
    return ReportView(
        command="explain",
        verdict=result.verdict,
        headline=f"{result.sentence}.",
        started=result.started,
        seconds=result.seconds,
        next_steps=result.next_steps,
        sections=(section,),
        notices=result.notices,
        facts=facts(result),
        again=again,
    )


def _row(one: DriverManner) -> TableRow:
    advice = one.advice or ("nothing" if one.looked else "–")
    return TableRow((TableCell(one.rule, "bad" if one.tripped else ""), *texts(one.figures, advice)))
