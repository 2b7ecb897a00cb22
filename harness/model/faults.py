"""The deliberate faults of the built-in kernel, read from ``kernel/fault/``, where each one is declared once."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FAULT_DIR = Path(__file__).resolve().parents[2] / "kernel" / "fault"

_DECLARATION = re.compile(
    r"^FAULT_DECLARE\(\s*(?P<name>[a-z_]+),"
    r'\s*"(?P<seen>[a-z]+)",\s*(?P<code>\d),\s*"(?P<needs>[^"]*)",\s*"(?P<what>[^"]+)",',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Fault:
    """One value of ``FAULT``."""

    name: str
    seen: str
    """The class as which the harness must see it, in one word."""
    code: int
    """Exit code of ``perf``."""
    needs: str
    """Without which it has no effect: empty, ``blk=``, ``VIRGL=1``, ``CURSOR=hw``, ``DRAW=gpu``, ``HEADS=2``,
    ``pixels`` that the kernel draws itself, or a stage: ``latency`` or ``modes``."""
    what: str
    """It does, in words."""


@functools.cache
def fault_table(folder: Path = FAULT_DIR) -> Mapping[str, Fault]:
    """Every fault that the files of a folder declare, by name."""
    # No bound needed: sources of this tree.
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.c"))]
    found = [match for text in texts for match in _DECLARATION.finditer(text)]
    return {m["name"]: Fault(m["name"], m["seen"], int(m["code"]), m["needs"], m["what"]) for m in found}
