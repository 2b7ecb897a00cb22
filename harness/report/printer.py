"""Where a command talks to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Verbatim(str):
    """A line of the harness's own that is printed unchanged: JSON, a command of a CI service."""


class Printer(Protocol):
    """Where a command talks to people; the command line implements it."""

    def line(self, text: str) -> None:
        """A line that stays."""

    def progress(self, text: str) -> None:
        """Progress: replaces the line before on a terminal, prints a line now and then in a log."""

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A small table."""
