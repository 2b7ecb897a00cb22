"""The page of a proof: a matrix of kernels and questions, each cycle drawn, and what is claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.model.result import Result
from harness.platform.files.atomic import write_whole
from harness.proof.decided.decide import Cycle
from harness.proof.decided.devices import DeviceModel
from harness.proof.decided.questions import QUESTIONS
from harness.proof.decided.weakest import Minimal
from harness.proof.drawing import draw_cycle
from harness.proof.practice import TCG, PracticeFound
from harness.proof.run import POINTS, Proof
from harness.report.files import write_junit
from harness.report.render import environment, markdown
from harness.report.told import summary_view
from harness.report.view import Section, TableRow, columns, symbol_of, table, texts, tone_of
from harness.report.words import when_words

_CSS = {"forbidden": "good", "allowed": "bad", "not asked": "muted"}
_SYMBOL = {"forbidden": "✓", "allowed": "✗", "not asked": "–"}
CYCLES_SHOWN = 12


@dataclass(frozen=True)
class StrategyRow:
    """One kernel of the matrix."""

    proof: Proof
    instructions: str
    """The fences at its points, in words."""
    fps: float | None
    """The frame rate of this ELF, in the newest saved run that measured it."""
    more: str = ""
    """The points where it is stronger than needed."""


def claim(proof: Proof, device: DeviceModel) -> str:
    """The claim of a proof."""
    refuted = len(proof.refuted)
    found = "no cycle" if not refuted else f"cycles for {refuted} question{'s' if refuted > 1 else ''}"
    return (
        f"For this ELF ({proof.sha256[:12]}), on the executed paths ({proof.coverage.share}), "
        f"against {device.words}, under the memory model of "
        f"{proof.arch}: {found} among {proof.pairs:,} pairs of accesses."
    )


def _cells(proof: Proof) -> list[dict[str, str]]:
    return [
        {"word": one.word, "css": _CSS[one.word], "symbol": _SYMBOL[one.word], "pairs": f"{one.pairs:,} pairs"}
        for one in proof.answers
    ]


def _cycles(rows: Sequence[StrategyRow]) -> list[dict[str, object]]:
    """One cycle a question and architecture, of the kernel with the fewest that has it."""
    seen: dict[tuple[str, str], tuple[StrategyRow, Cycle]] = {}
    for row in sorted(rows, key=lambda one: len(one.proof.refuted)):
        for answer in row.proof.answers:
            for cycle in answer.cycles:
                seen.setdefault((row.proof.arch, cycle.question), (row, cycle))
    shown = sorted(seen.items(), key=lambda one: rows.index(one[1][0]))[:CYCLES_SHOWN]
    return [
        {
            "title": f"{question}: {row.proof.label}",
            "svg": draw_cycle(cycle),
            "asks": next(one.asks for one in QUESTIONS if one.name == question),
            "first": cycle.first,
            "second": cycle.second,
        }
        for (_, question), (row, cycle) in shown
    ]


def write_page(
    path: Path,
    result: Result,
    rows: Sequence[StrategyRow],
    device: DeviceModel,
    minimal: Mapping[str, Minimal],
    practice: PracticeFound,
) -> None:
    """Write ``report.html``."""
    page = environment().get_template("proof.html.j2")
    write_whole(
        path,
        page.render(
            title=result.sentence,
            result=result,
            begun=when_words(result.started),
            verdict_class=tone_of(result.verdict),
            symbol=symbol_of(result.verdict),
            questions=QUESTIONS,
            rows=[
                {
                    "label": row.proof.label,
                    "cells": _cells(row.proof),
                    "instructions": row.instructions,
                    "fps": "–" if row.fps is None else f"{row.fps:.0f}",
                    "more": row.more,
                    "claim": claim(row.proof, device),
                    "coverage": str(row.proof.coverage),
                }
                for row in rows
            ],
            device=device,
            minimal={
                arch: [{"point": POINTS[one.point], "enough": " or ".join(one.enough)} for one in found.weakest]
                for arch, found in minimal.items()
            },
            together={arch: found.together for arch, found in minimal.items()},
            cycles=_cycles(rows),
            practice=practice,
            tcg=TCG,
        ),
    )


def write_summary(folder: Path, result: Result, rows: Sequence[StrategyRow], again: str) -> None:
    """Write ``report.md`` and ``junit.xml``: the verdict, and what was found of each kernel."""
    shown = [
        TableRow(texts(row.proof.label, ", ".join(row.proof.refuted) or "nothing", f"{row.proof.pairs:,}"))
        for row in rows
    ]
    kernels = Section("Kernels", table=table(columns("kernel", "what can go wrong", "#pairs decided"), shown))
    view = summary_view(result, (kernels,), again)
    (folder / "report.md").write_text(markdown(view), encoding="utf-8")
    write_junit(result, folder)
