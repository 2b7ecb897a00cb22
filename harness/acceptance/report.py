"""The checklist for people: lines on a terminal, and Markdown fit for a merge request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from harness.acceptance.criteria import Criterion, Status
from harness.model.result import Gate, Result
from harness.report.markdown import cell

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


def _row(line: Criterion) -> str:
    status = line.status.value if line.status is Status.PASS else f"**{line.status.value}**"
    texts = [line.level.value, line.name, line.figure, line.source]
    return "| " + " | ".join([status, *(cell(text) for text in texts)]) + " |"


def markdown(result: Result, lines: Sequence[Criterion], kernel: str) -> str:
    """All of ``acceptance.md``: verdict, what was tested where, one table a device.

    Parameters
    ----------
    kernel
        Its switches and its hash.
    """
    commit = str(result.source.get("git", ""))[:12] or "no commit"
    text = [f"### Acceptance: {result.verdict.value}", "", cell(result.sentence), ""]
    text += [f"- kernel: {cell(kernel)}, {commit}{' with changes' if result.source.get('dirty') else ''}"]
    text += [f"- compiler: {cell(result.compiler)}"]
    if result.host is not None:
        text += [f"- host: {cell(result.host.cpu)}, {result.host.cores} cores, {cell(result.host.os)}"]
    if result.qemu is not None:
        text += [f"- QEMU {cell(result.qemu.version)}, {result.qemu.accelerator}"]
    text += [f"- {cell(notice)}" for notice in result.notices]
    for device, title in _TITLES.items():
        rows = [_row(line) for line in lines if line.device == device]
        if rows:
            text += ["", f"#### {title}", "", "| | weight | criterion | figure | evidence |", "|---|---|---|---|---|"]
            text += rows
    text += ["", f"`{result.command}`, exit {result.exit_code}, {result.seconds:.0f} s, {result.started}"]
    return "\n".join(text) + "\n"
