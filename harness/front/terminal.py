"""Prints for people: a live status line on a terminal, plain lines otherwise; what is printed is text, never markup."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from harness.core.text import neutral
from harness.model.spec import Verdict
from harness.report.printer import Verbatim

_PLAIN_PROGRESS_S = 5.0
_PLAIN_WIDTH = 160
_LEAST_WIDTH = 20
"""A terminal that is said to be narrower, as by COLUMNS=0, wraps lines itself; at no width nothing would be printed."""
_BAR_AFTER_S = 5.0
_BAR_COLUMNS = 16
_STATUS_COLUMNS = 78
_WORD_COLUMNS = 13
_HEAD_COLUMNS = 8
_NARROW_COLUMNS = 60
_COMMAND = re.compile(r"(next: .+:) ((?:make|git) .+)")
_COUNT = re.compile(r"\b(\d{1,7})(?:/| of )(\d{1,7})\b")
_EXPECTED = re.compile(r",? about (\d{1,5}) s$")
"""How long what begins is expected to take."""

_COLOURS = {
    Verdict.PASS: "green",
    Verdict.REGRESSION: "red",
    Verdict.USAGE: "red",
    Verdict.GUEST_FAILED: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.HARNESS_FAILED: "red",
}
_VERDICTS = frozenset(verdict.value for verdict in Verdict)
_MARKS = {"✓": "green", "✗": "red", "?": "yellow", "PASS": "green", "FAIL": "red", "FAIL:": "red", "NOT": "yellow"}
_STYLES = {verdict.value: colour for verdict, colour in _COLOURS.items()} | _MARKS


def style_of(text: str) -> str:
    """The colour of a line or a cell, by the verdict or mark that it begins with; empty for none."""
    first = text.removeprefix("verdict: ").partition(" ")[0]
    return _STYLES.get(first, "") or _STYLES.get(first.removesuffix(":"), "")


def bar_words(done: float, total: float, elapsed_s: float) -> str:
    """A bar with the remaining time of something that began ``elapsed_s`` ago."""
    share = min(done / total, 1.0)
    filled = int(share * _BAR_COLUMNS)
    left = f" about {elapsed_s * (1 / share - 1):.0f} s left" if share > 0 else ""
    return f"[{'#' * filled}{'-' * (_BAR_COLUMNS - filled)}]{left}"


def timed_words(text: str, elapsed_s: float) -> str:
    """A progress that does not count: with a bar where it says how long it takes, else with the time since then."""
    if elapsed_s < _BAR_AFTER_S or " left" in text:
        return text
    expected = _EXPECTED.search(text)
    if expected is None:
        return f"{text} · {elapsed_s:.0f} s"
    what, total_s = text[: expected.start()], float(expected[1])
    if elapsed_s < total_s:
        return f"{what} {bar_words(elapsed_s, total_s, elapsed_s)}"
    return f"{what} [{'#' * _BAR_COLUMNS}] longer than the usual {total_s:.0f} s"


class _Running:
    """A status line that goes on by itself: rich asks for it several times a second."""

    def __init__(self, text: str, width: int) -> None:
        self._text = text
        self._width = width
        self._begun = time.monotonic()

    def __rich__(self) -> Text:
        text = timed_words(self._text, time.monotonic() - self._begun)
        return Text(text if len(text) <= self._width else f"{text[: self._width - 1]}…")


def _stays_whole(name: str, cells: Sequence[str]) -> bool:
    """Whether a column holds short single words, as verdicts are, which other columns make room for."""
    longest = max((len(cell) for cell in cells), default=0)
    return (
        len(name) <= max(longest, _HEAD_COLUMNS) and longest <= _WORD_COLUMNS and not any(" " in one for one in cells)
    )


class TerminalPrinter:
    """Where a command talks to people."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = self._new_console()
        self._plain = quiet or not self._console.is_terminal or self._console.is_dumb_terminal
        self._set_width()
        self._status: Status | None = None if self._plain else self._console.status("")
        self._last_progress_s = 0.0
        self._counting = ("", 0.0)
        self.headline = ""
        """The last line that begins with a verdict."""
        self.lost = ""
        """Why output could not be written, if so; a closed pipe does not count."""
        if self._status:
            self._status.start()

    @staticmethod
    def _new_console() -> Console:
        return Console(highlight=False, markup=False, emoji=False)

    def _set_width(self) -> None:
        if self._plain:
            self._console.width = _PLAIN_WIDTH
        elif self._console.width < _LEAST_WIDTH:
            self._console.width = _LEAST_WIDTH

    def renew(self) -> None:
        """Begin with a console of its own: one that was interrupted while it printed may hold back all that follows."""
        self.close()
        self._status = None
        self._console = self._new_console()
        self._set_width()

    def line(self, text: str) -> None:
        if isinstance(text, Verbatim):
            self._verbatim(text)
        else:
            text = neutral(text)
            if text.partition(":")[0] in _VERDICTS:
                self.headline = text
            text, command = self._command_apart(text)
            # A word longer than the line, as paths are, stays whole: the terminal wraps it, and it can be copied.
            self._print(Text(text, style=style_of(text), overflow="ignore"), soft_wrap=self._plain)
            if command:
                self._print(Text(f"  {command}"), soft_wrap=True)

    def _command_apart(self, text: str) -> tuple[str, str]:
        """A command to paste on a line of its own, where it would be broken in two."""
        found = _COMMAND.fullmatch(text)
        if self._plain or found is None or len(text) <= self._console.width:
            return text, ""
        return found[1], found[2]

    def progress(self, text: str) -> None:
        text = self._with_bar(neutral(text))
        if self._quiet:
            return
        if self._status:
            width = min(_STATUS_COLUMNS, max(self._console.width - 3, 1))
            self._status.update(_Running(text, width))
        elif time.monotonic() - self._last_progress_s > _PLAIN_PROGRESS_S:
            self._last_progress_s = time.monotonic()
            self._print(Text(text), soft_wrap=True)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = Table(title=Text(neutral(title)), title_justify="left", box=None, pad_edge=False)
        for number, name in enumerate(header):
            whole = self._console.width >= _NARROW_COLUMNS and _stays_whole(name, [row[number] for row in rows])
            table.add_column(Text(neutral(name)), overflow="fold", no_wrap=whole)
        for row in rows:
            cells = [neutral(cell) for cell in row]
            table.add_row(*(Text(cell, style=style_of(cell)) for cell in cells))
        self._print(table)

    def close(self) -> None:
        if self._status:
            self._status.stop()

    def _with_bar(self, text: str) -> str:
        """A progress that counts, with a bar once it has taken a while."""
        found = _COUNT.search(text)
        now = time.monotonic()
        what = text[: found.start()] if found else text
        if what != self._counting[0]:
            self._counting = (what, now)
        elapsed_s = now - self._counting[1]
        if not found or not int(found[2]) or elapsed_s < _BAR_AFTER_S or "left" in text:
            return text
        return f"{text} {bar_words(int(found[1]), int(found[2]), elapsed_s)}"

    def _verbatim(self, text: str) -> None:
        try:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        except OSError as error:
            self._gone(error)

    def _print(self, what: Text | Table, *, soft_wrap: bool = False) -> None:
        try:
            self._console.print(what, soft_wrap=soft_wrap, crop=False)
        except OSError as error:
            self._gone(error)

    def _gone(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self.lost = error.strerror or str(error)
        # The run goes on without output: its verdict is in the exit code and on disk.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
