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
COMMANDS_DIR = ROOT / "harness" / "commands"
MODES_STAGE = "modes"
"""The stage that runs through several sizes: several values of ``MODE`` ask for it."""
OF_A_COMMAND = ("ORDER", "EXAMPLES", "NEXT", "TAKES", "MEASURES", "WRITES")


@dataclass(frozen=True)
class StageRow:
    """Declaration of a stage of the gate."""

    name: str
    order: int
    """Sessions run stages in this order."""
    least_s: float
    """Seconds that it takes on two idle cores, about."""
    on_request: bool = False
    """``ON_REQUEST``: it runs where ``STAGES`` names it, and else not."""


@dataclass(frozen=True)
class CommandRow:
    """Declaration of a command, from its file."""

    name: str
    purpose: str
    """One line, the first of the file's docstring: the same in the Makefile's help, here and in README."""
    order: int
    """``ORDER``: its place in the lists."""
    examples: tuple[str, ...]
    """``EXAMPLES``: words after the command's name."""
    next: str
    """``NEXT``: what to run after it."""
    takes: tuple[str, ...]
    """``TAKES``: settings that other commands take as well, ``switches`` for those of the kernel, ``--json``."""
    measures: bool
    """``MEASURES``: it leaves results, and ``results/latest`` says how its last run ended."""
    writes: tuple[str, ...]
    """``WRITES``: what it writes besides a result, by the names of ``harness/robustness/writers.py``."""


@functools.cache
def stage_table(folder: Path = STAGES_DIR) -> Mapping[str, StageRow]:
    """Every stage by name, in the order in which sessions run them: one file each, with ``ORDER`` and ``LEAST_S``."""
    rows = []
    for path in folder.glob("[!_]*.py"):
        # No bound needed: sources of this tree.
        said = constants_of(ast.parse(path.read_text(encoding="utf-8")), ("ORDER", "LEAST_S", "ON_REQUEST"))
        rows.append(StageRow(path.stem, said["ORDER"], said["LEAST_S"], said.get("ON_REQUEST", False)))
    return {row.name: row for row in sorted(rows, key=lambda row: (row.order, row.name))}


def on_request(stage: str) -> bool:
    """Whether a stage runs only where it is named; false for anything that is not a stage."""
    row = stage_table().get(stage)
    return row is not None and row.on_request


def usual_stages() -> tuple[str, ...]:
    """The stages of a session that names none."""
    return tuple(name for name, row in stage_table().items() if not row.on_request)


@functools.cache
def command_table(folder: Path = COMMANDS_DIR) -> Mapping[str, CommandRow]:
    """Every command by name, in the order of the help."""
    found = [_command(path) for path in folder.glob("[!_]*.py")]
    return {command.name: command for command in sorted(found, key=lambda one: (one.order, one.name))}


def _command(path: Path) -> CommandRow:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = constants_of(tree, OF_A_COMMAND)
    purpose = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    return CommandRow(
        path.stem,
        purpose[:1].lower() + purpose[1:],
        said.get("ORDER", 99),
        tuple(said.get("EXAMPLES", ())),
        said.get("NEXT", ""),
        tuple(said.get("TAKES", ())),
        said.get("MEASURES", False),
        tuple(said.get("WRITES", ())),
    )


def constants_of(tree: ast.Module, names: Collection[str]) -> dict[str, Any]:
    """Those of these constants that a module sets at its top, by name."""
    return {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in names
    }
