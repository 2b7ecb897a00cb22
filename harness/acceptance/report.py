"""The checklist for people: lines on a terminal, and Markdown fit for a merge request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from harness.acceptance.criteria import Criterion, Status
from harness.model.result import Gate, Result
from harness.model.spec import Verdict
from harness.report.render import markdown
from harness.report.run_view import facts, reproduce
from harness.report.view import ReportView, Section, TableCell, TableRow, columns, table, texts, tone_of

FILE_NAME = "acceptance.md"
_TITLES = {"": "On every device", "virgl": "GL device (VIRGL=1), on a display", "2d": "Plain 2D device"}


def terminal_lines(lines: Iterable[Criterion]) -> tuple[str, ...]:
    """One line a criterion: status, device, weight, name, figure, evidence."""
    return tuple(
        f"{line.status.value:<7} {line.device or 'all':<5} {line.level.value:<6} {line.name}: {line.figure}"
        + (f" [{line.source}]" if line.source else "")
        for line in lines
    )


def gates_of(lines: Iterable[Criterion]) -> tuple[Gate, ...]:
    """The lines as gates, for all other reports."""
    return tuple(
        Gate(
            f"{line.device} {line.name}".strip(),
            line.level.value,
            line.verdict,
            f"{line.status.value}: {line.figure}",
        )
        for line in lines
    )


def plain_lines(lines: Iterable[Criterion]) -> list[dict[str, Any]]:
    """The lines as JSON values."""
    return [
        asdict(line) | {key: getattr(line, key).value for key in ("status", "level", "failure", "verdict")}
        for line in lines
    ]


def _row(line: Criterion) -> TableRow:
    status = TableCell(line.status.value, tone_of(line.verdict), strong=line.status is not Status.PASS)
    return TableRow((status, *texts(line.level.value, line.name, line.figure, line.source)))


def acceptance_view(result: Result, lines: Sequence[Criterion], kernel: str) -> ReportView:
    """What the checklist shows: verdict, what was tested where, one table a device.

    Parameters
    ----------
    kernel
        Its switches and its hash.
    """
    head = columns("verdict", "weight", "criterion", "figure", "evidence")
    failed_first = sorted(lines, key=lambda line: line.verdict in (None, Verdict.PASS))
    failing = {line.device for line in failed_first if line.verdict not in (None, Verdict.PASS)}
    places = sorted(_TITLES, key=lambda device: device not in failing)
    sections = [
        Section(_TITLES[device], table=table(head, [_row(line) for line in failed_first if line.device == device]))
        for device in places
        if any(line.device == device for line in lines)
    ]
    return ReportView(
        command=result.command,
        verdict=result.verdict,
        headline=result.sentence,
        title="Acceptance",
        started=result.started,
        seconds=result.seconds,
        next_steps=result.next_steps,
        sections=tuple(sections),
        notices=result.notices,
        facts=(("kernel", kernel), *facts(result)),
        again=reproduce(result),
    )


def acceptance_markdown(result: Result, lines: Sequence[Criterion], kernel: str) -> str:
    """All of ``acceptance.md``."""
    return markdown(acceptance_view(result, lines, kernel))
