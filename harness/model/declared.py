"""Constants that files declare of themselves, read without running them: help works where nothing is installed."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.model.spec import ROOT

STAGES_DIR = ROOT / "harness" / "gate" / "stages"


@dataclass(frozen=True)
class StageRow:
    """What is known of a stage of the gate beforehand."""

    name: str
    order: int
    """Sessions run stages in this order."""
    least_s: float
    """What it takes on two idle cores, about."""


@functools.cache
def stage_table(folder: Path = STAGES_DIR) -> Mapping[str, StageRow]:
    """Every stage by name, in the order in which sessions run them: one file each, with ``ORDER`` and ``LEAST_S``."""
    rows = []
    for path in folder.glob("[!_]*.py"):
        said = constants_of(ast.parse(path.read_text(encoding="utf-8")), ("ORDER", "LEAST_S"))
        rows.append(StageRow(path.stem, said["ORDER"], said["LEAST_S"]))
    return {row.name: row for row in sorted(rows, key=lambda row: (row.order, row.name))}


def constants_of(tree: ast.Module, names: Collection[str]) -> dict[str, Any]:
    """Those of these constants that a module sets at its top, by name."""
    return {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in names
    }
