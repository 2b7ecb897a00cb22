"""A printer that keeps what a command says instead of printing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.report.printer import Printer


@dataclass
class RecordingPrinter:
    """Stands for the terminal: lines and tables in order; progress is dropped."""

    lines: list[str] = field(default_factory=list)
    tables: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """Rows by title."""

    def line(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, text: str) -> None:
        pass

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        assert all(len(row) == len(header) for row in rows), title
        self.tables[title] = tuple(tuple(row) for row in rows)


class Transcript(Printer):
    """Keeps everything in order: lines, progress, and of tables the title and the rows."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, text: str) -> None:
        self.said.append(text)

    def progress(self, text: str) -> None:
        self.said.append(text)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.said += [title, *("\t".join(row) for row in rows)]
