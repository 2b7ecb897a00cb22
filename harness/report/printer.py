"""Where a command talks to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Verbatim(str):
    """A line that is ours to the letter and reaches the output as it is: JSON, a command of a CI service."""


class Printer(Protocol):
    """Where a command talks to people. Only the command line implements it for real."""

    def line(self, text: str) -> None:
        """A line that stays."""

    def progress(self, text: str) -> None:
        """What is going on: replaces the one before on a terminal, a plain line now and then in a log."""

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A small table."""
