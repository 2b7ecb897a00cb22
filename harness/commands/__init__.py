"""One file a subcommand: turns arguments into calls, and results into exit codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Arguments:
    """A command's words: ``KEY=VALUE`` settings, ``--options`` and the rest, in order."""

    settings: Mapping[str, str] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()


class Printer(Protocol):
    """Where a command talks to people. Only the command line implements it for real."""

    def line(self, text: str) -> None:
        """A line that stays."""

    def progress(self, text: str) -> None:
        """What is going on: replaces the one before on a terminal, a plain line now and then in a log."""

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A small table."""
