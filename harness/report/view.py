"""The view of a report: what it shows, in words, independent of its form.

Every feature builds its reports from these pieces; the templates turn a view into a page, Markdown or terminal text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.model.result import NextStep
from harness.model.spec import Verdict
from harness.report.words import when_words

GOOD, BAD, UNSURE, MUTED = "good", "bad", "unsure", "muted"
_TONES = {Verdict.PASS: GOOD, Verdict.INCONCLUSIVE: UNSURE, None: MUTED}
_SYMBOLS = {Verdict.PASS: "✓", Verdict.INCONCLUSIVE: "?", None: "·"}


def tone_of(verdict: Verdict | None) -> str:
    """The colour of a verdict, by name."""
    return _TONES.get(verdict, BAD)


def symbol_of(verdict: Verdict | None) -> str:
    """A sign besides the colour."""
    return _SYMBOLS.get(verdict, "✗")


@dataclass(frozen=True)
class TableCell:
    """One cell of a table."""

    text: str
    tone: str = ""
    href: str = ""
    small: str = ""
    """A second line, muted: the name in the data, or an interval."""
    code: bool = False
    strong: bool = False
    colour: str = ""
    """Colour of a swatch before the text, as in a plot."""


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand to the right."""

    name: str
    number: bool = False
    labelled: bool = False
    """Text that says nothing without the column's name, which a phone shows in each cell."""


@dataclass(frozen=True)
class TableRow:
    """One row; ``why`` stands in words under it."""

    cells: tuple[TableCell, ...]
    why: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """Rows that are compared with each other."""

    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True)
class Plot:
    """A finished plot, in a wide and a narrow drawing: the only text of a page that is not escaped.

    ``chart`` holds what a browser needs to let it be hovered and zoomed, as JSON; empty where there is nothing to zoom.
    """

    svg: str
    caption: str
    narrow: str = ""
    chart: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, with what it shows."""

    uri: str
    caption: str


@dataclass(frozen=True)
class PictureComparison:
    """Pictures of one bad frame side by side."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Film:
    """Frames in one tall picture, which the page moves through."""

    sprite: str
    count: int
    width: int
    height: int


@dataclass(frozen=True)
class Movie:
    """A WebM of a run as a data URI: captured beside expected."""

    uri: str
    wrong: int
    frames: int


@dataclass(frozen=True)
class Section:
    """A headed part of a report; ``folded`` ones are closed at first."""

    title: str
    lead: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    table: Table | None = None
    closing: tuple[str, ...] = ()
    evidence: tuple[PictureComparison, ...] = ()
    film: Film | None = None
    movie: Movie | None = None
    folded: bool = False
    emphatic: bool = False
    """The closing words are the answer to a question, and are set apart."""


@dataclass(frozen=True)
class Highlight:
    """One thing that changed or failed, with its figure and its bounds."""

    label: str
    figure: str
    words: str
    tone: str


@dataclass(frozen=True)
class Link:
    """A link to another page."""

    text: str
    href: str


@dataclass(frozen=True)
class ReportView:
    """All that a report shows."""

    command: str
    verdict: Verdict
    headline: str
    started: str = ""
    seconds: float = 0.0
    title: str = ""
    """The heading of a report that is a thing of its own, as a comparison of two arms; else the headline is it."""
    changes: tuple[Highlight, ...] = ()
    past: Plot | None = None
    """How the metric went in the runs before, as a line as small as a word."""
    problems: tuple[str, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
    sections: tuple[Section, ...] = ()
    notices: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    """Where and how it was measured."""
    again: str = ""
    """The command that does the same again."""
    qemu: str = ""
    """QEMU's own command line."""
    links: tuple[Link, ...] = ()
    judged: bool = True
    """Whether it judges; a page that only shows has no verdict."""

    @property
    def begun(self) -> str:
        """When it was started, to the minute, in plain words; unchanged where it is not a time."""
        return when_words(self.started)

    @property
    def tone(self) -> str:
        return tone_of(self.verdict)

    @property
    def symbol(self) -> str:
        return symbol_of(self.verdict)

    @property
    def exit_code(self) -> int:
        return self.verdict.exit_code

    @property
    def marker(self) -> str:
        """Identifies the kind of report, so that the next one replaces it where it was posted."""
        return f"performance-report: {self.command}"


def columns(*names: str) -> tuple[Column, ...]:
    """Columns by name; a leading ``#`` marks numbers, ``:`` text that needs the name beside it on a phone."""
    return tuple(Column(name.lstrip("#:"), name.startswith("#"), name.startswith(":")) for name in names)


def table(head: Sequence[Column], rows: Sequence[TableRow]) -> Table | None:
    """A table; empty where there are no rows."""
    return Table(tuple(head), tuple(rows)) if rows else None


def texts(*values: str) -> tuple[TableCell, ...]:
    """Plain cells."""
    return tuple(TableCell(value) for value in values)
