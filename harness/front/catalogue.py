"""What commands there are: read from their files, which are not run, so that help works where nothing is installed.

A command's file holds everything about it: the first sentence of its docstring is its line in every list, ``ORDER`` its
place there, ``EXAMPLES`` are command lines, ``NEXT`` is what to run after it.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.model.declared import constants_of

FOLDER = Path(__file__).resolve().parents[1] / "commands"


@dataclass(frozen=True)
class Command:
    """What is said of one command."""

    name: str
    purpose: str
    """One line: the same in the Makefile's help, here and in README."""
    order: int
    examples: tuple[str, ...]
    """Words after the command's name."""
    next: str
    """What to run after it."""


@functools.cache
def commands(folder: Path = FOLDER) -> Mapping[str, Command]:
    """Every command by name, in the order of the help."""
    found = [_read(path) for path in folder.glob("*.py") if path.stem != "__init__"]
    return {command.name: command for command in sorted(found, key=lambda one: (one.order, one.name))}


def _read(path: Path) -> Command:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = constants_of(tree, ("ORDER", "EXAMPLES", "NEXT"))
    purpose = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    return Command(
        path.stem,
        purpose[:1].lower() + purpose[1:],
        constants.get("ORDER", 99),
        tuple(constants.get("EXAMPLES", ())),
        constants.get("NEXT", ""),
    )
