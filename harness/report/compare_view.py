"""The view of two saved runs side by side. Nothing is judged: both were measured at times of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.comparison.statistics import CANDIDATE
from harness.model.result import Arm, Gate, NextStep, Result
from harness.report.run_view import SIGN, facts
from harness.report.view import (
    Highlight,
    Plot,
    ReportView,
    Section,
    TableCell,
    TableRow,
    columns,
    symbol_of,
    table,
    tone_of,
)
from harness.report.words import change_words, figure, label_of, when_words

APART = (
    "The runs were measured one after the other: differences of time hold what the host did in between, and between "
    "two hosts they mean nothing. 'make ab' measures two kernels side by side."
)


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs."""

    name: str
    """Name of its folder."""
    result: Result
    href: str = ""
    """Its report, relative to the page; empty where there is none."""

    @property
    def arm(self) -> Arm | None:
        """The arm that it measured: its candidate, or else its last arm."""
        arms = self.result.arms
        return arms.get(CANDIDATE) or (list(arms.values())[-1] if arms else None)


MEASURE_BOTH = NextStep(
    "these runs had the host at different times: to be sure, measure both at once", "make ab A=… B=…"
)


def compare_view(one: ComparedRun, other: ComparedRun, plots: Sequence[Plot] = (), again: str = "") -> ReportView:
    """Two runs on one page."""
    sections = [
        Section("The runs", table=table(columns("run", "verdict", "started", "what it said"), _runs((one, other)))),
        Section("Frame times", plots=tuple(plots)) if plots else None,
        _section("Every metric", ("#A", "#B", "#B against A"), _metrics(one, other), SIGN),
        _section("What was judged in each", ("A", "B"), _gates(one, other)),
        _section("What differs between them", ("A", "B"), _differences(one, other)),
    ]
    alike = one.result.host == other.result.host
    return ReportView(
        command="compare",
        verdict=one.result.verdict,
        judged=False,
        headline=f"{other.name} (B) against {one.name} (A)",
        changes=_changes(one, other),
        next_steps=(MEASURE_BOTH,) if alike else (),
        sections=tuple(section for section in sections if section is not None),
        notices=(APART,) if alike else ("The runs were measured on different hosts.", APART),
        again=again,
    )


def _section(title: str, names: tuple[str, ...], rows: Sequence[TableRow], *closing: str) -> Section | None:
    return Section(title, table=table(columns("what", *names), rows), closing=closing) if rows else None


def _runs(sides: tuple[ComparedRun, ComparedRun]) -> list[TableRow]:
    return [
        TableRow(
            (
                TableCell(f"{side.name} ({letter})", href=side.href),
                TableCell(
                    f"{symbol_of(side.result.verdict)} {side.result.verdict.value}", tone_of(side.result.verdict)
                ),
                TableCell(when_words(side.result.started)),
                TableCell(side.result.sentence),
            )
        )
        for letter, side in zip("AB", sides)
    ]


def _metrics(one: ComparedRun, other: ComparedRun) -> list[TableRow]:
    found = [side.arm.metrics if side.arm else {} for side in (one, other)]
    rows = []
    for name in dict.fromkeys((*found[0], *found[1])):
        ours, theirs = found[0].get(name), found[1].get(name)
        values = [
            TableCell(figure(metric.value, metric.unit)) if metric else TableCell("n/a") for metric in (ours, theirs)
        ]
        change = _change(name, ours.value, theirs.value) if ours and theirs else "–"
        label = label_of(name)
        rows.append(TableRow((TableCell(label, small="" if label == name else name), *values, TableCell(change))))
    return rows


def _change(name: str, ours: float, theirs: float) -> str:
    """The change of a rate or a time; + is slower for both."""
    return change_words(Gate(name, "report", None, "", change=theirs / ours - 1))[0] if ours else "–"


def _changes(one: ComparedRun, other: ComparedRun) -> tuple[Highlight, ...]:
    """What people look for first."""
    found = []
    for name, label in (("fps_trace", "frame time"), ("instructions_per_frame", "instructions a frame")):
        ours, theirs = (side.arm.metrics.get(name) if side.arm else None for side in (one, other))
        if ours and theirs:
            words = f"{figure(ours.value, ours.unit)} before, {figure(theirs.value, theirs.unit)} after"
            found.append(Highlight(label, _change(name, ours.value, theirs.value), words, tone_of(None)))
    return tuple(found)


def _gates(one: ComparedRun, other: ComparedRun) -> list[TableRow]:
    found = [{(g.metric, g.kind): g for g in side.result.gates if g.verdict is not None} for side in (one, other)]
    rows = []
    for key in dict.fromkeys((*found[0], *found[1])):
        pair = [side.get(key) for side in found]
        worst = max(gate.verdict.severity for gate in pair if gate is not None and gate.verdict is not None)
        rows.append(
            (worst, TableRow((TableCell(label_of(key[0]), small=", ".join(key), strong=True), *map(_verdict, pair))))
        )
    return [row for _, row in sorted(rows, key=lambda one: one[0], reverse=True)]


def _verdict(gate: Gate | None) -> TableCell:
    if gate is None:
        return TableCell("n/a")
    verdict = gate.verdict.value if gate.verdict else ""
    return TableCell(f"{symbol_of(gate.verdict)} {verdict}", tone_of(gate.verdict), small=gate.why)


def _differences(one: ComparedRun, other: ComparedRun) -> list[TableRow]:
    told = [dict(facts(side.result)) | dict(side.arm.switches if side.arm else {}) for side in (one, other)]
    keys = [key for key in dict.fromkeys((*told[0], *told[1])) if told[0].get(key) != told[1].get(key)]
    return [TableRow((TableCell(key, strong=True), *(TableCell(side.get(key, "–")) for side in told))) for key in keys]
