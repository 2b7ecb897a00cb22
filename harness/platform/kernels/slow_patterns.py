"""Regular expressions that would never end on some line: tried in a process of their own, before a guest is launched.

Python's matcher goes back over every way in which nested repetitions can share a run of characters. It cannot be
interrupted from another thread, so that one such line of a guest would stop the harness for ever.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from harness.platform.processes.child import ChildError, run_child

TRIED_S = 2.0
RUN_CHARACTERS = 48
"""Length of the lines that are tried: a pattern that doubles its steps with each character never comes to their end."""
_USUAL = "a0 _-.="
_TRY = """
import re, sys
pattern = re.compile(sys.argv[1].encode(), re.MULTILINE)
for character in sys.argv[2]:
    for end in (b"", b"\\x01"):
        pattern.search(character.encode("utf-8", "replace") * int(sys.argv[3]) + end)
"""


def never_ends(pattern: str) -> bool:
    """Whether a pattern takes too long on a short line of one character."""
    if not _nested(pattern):
        return False
    words = [sys.executable, "-I", "-S", "-c", _TRY, pattern, _characters(pattern), str(RUN_CHARACTERS)]
    try:
        run_child(words, limit_s=TRIED_S)
    except ChildError:
        return True
    return False


def _characters(pattern: str) -> str:
    """Characters whose runs are tried: usual ones, and all that stand in the pattern."""
    return "".join(dict.fromkeys(_USUAL + "".join(one for one in pattern if one.isprintable())))


def _nested(pattern: str) -> bool:
    """Whether there is a repetition or a choice within a repetition: nothing else takes more than a few passes."""
    parser = importlib.import_module("re._parser")
    return any(_repeats(below) for below in _bodies(parser.parse(pattern)))


def _bodies(parsed: Iterable[Any]) -> Iterator[Iterable[Any]]:
    """The body of every repetition."""
    for name, inside in parsed:
        if str(name).endswith("REPEAT"):
            yield inside[2]
        for below in _below(inside):
            yield from _bodies(below)


def _repeats(parsed: Iterable[Any]) -> bool:
    return any(
        str(name).endswith("REPEAT") or str(name) == "BRANCH" or any(_repeats(below) for below in _below(inside))
        for name, inside in parsed
    )


def _below(inside: Any) -> Iterator[Iterable[Any]]:
    """Parts of a parsed pattern that are patterns themselves."""
    for one in inside if isinstance(inside, (tuple, list)) else ():
        if hasattr(one, "data"):
            yield one
        elif isinstance(one, (tuple, list)):
            yield from _below(one)
