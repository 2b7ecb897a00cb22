"""The report of a nightly run: one page, and a summary in Markdown for mail or chat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.model.spec import Verdict
from harness.report.markdown import cell as escaped
from harness.report.page import environment, verdict_class, verdict_symbol


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
    """Findings of earlier nights that nobody has acknowledged."""
    dropped: Sequence[str]
    notices: Sequence[str]
    problems: Sequence[str]


def night_markdown(view: NightView) -> str:
    """The summary."""
    lines = [f"### {verdict_symbol(view.verdict)} {escaped(view.sentence)}", ""]
    lines += [f"- **{escaped(text)}**" for text in view.problems]
    for title, findings in (("New", view.fresh), ("Still open", view.open)):
        lines += [f"- {title}: finding {row.number}, {escaped(row.sentence)}" for row in findings]
    lines += ["", "| cell | verdict | what | s |", "|---|---|---|---:|"]
    for row in view.cells:
        verdict = f"{verdict_symbol(row.verdict)} {row.verdict.value}{' (quarantined)' if row.remark else ''}"
        what = f"{row.sentence}; {row.remark}" if row.remark else row.sentence
        lines.append(f"| {escaped(row.label)} | {verdict} | {escaped(what)} | {row.seconds:.0f} |")
    if view.dropped:
        lines += ["", f"No time for: {escaped(', '.join(view.dropped))}"]
    lines += [""] + [f"- {escaped(text)}" for text in view.notices]
    lines += ["", f"`nightly`, {view.started}, {view.seconds / 60:.0f} min, exit {view.verdict.exit_code}"]
    return "\n".join(lines) + "\n"


def night_page(view: NightView) -> str:
    """The page: self-contained, with links to the runs beside it."""
    template = environment().get_template("dashboard-night.html.j2")
    return template.render(
        title=f"nightly: {view.verdict.value}",
        view=view,
        verdict_class=verdict_class,
        verdict_symbol=verdict_symbol,
    )
