"""Questions about the command line itself, answered without anything installed: help, completion, the version."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.text import neutral
from harness.front import help as helping
from harness.front.completion import SHELLS, completion
from harness.front.words import check_command
from harness.model.spec import UsageError, Verdict
from harness.model.values import shown

_HELP = ("-h", "--help", "help")


def answer(words: Sequence[str]) -> str | None:
    """The answer; None when the words are a command to run.

    Raises
    ------
    UsageError
        For help about a command that does not exist.
    """
    if not words:
        return helping.overview()
    if words[0] == "--version":
        _nothing_more(words[1:])
        return helping.version()
    if words[0] in _HELP:
        # GNU make has no way to hand on a bare word: make help C=perf.
        topics = [word.removeprefix("C=") for word in words[1:] if word not in _HELP]
        _nothing_more(topics[1:])
        return _page(topics[0]) if topics else helping.overview()
    if words[0] == "completion":
        if len(words) != 2 or words[1] not in SHELLS:
            raise UsageError(f"completion: one of {' '.join(SHELLS)}")
        return completion(words[1])
    if any(word in ("-h", "--help") for word in words[1:]):
        return _page(words[0])
    return None


def _page(name: str) -> str:
    check_command(name)
    return helping.page(name)


def _nothing_more(words: Sequence[str]) -> None:
    if words:
        raise UsageError(f"{shown(words[0])}: help takes one command, as in C=perf")


def refusal(error: UsageError) -> str:
    """The line that refuses a question; names that were typed stand in it as text."""
    return neutral(f"usage: {error} (exit {Verdict.USAGE.exit_code})")
