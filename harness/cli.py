"""The command line: words in, printing, progress, and the exact exit code out. Nothing else prints."""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.model.errors import HarnessError
from harness.model.result import ResultError
from harness.model.spec import UsageError, Verdict
from harness.settings import Arguments

_PURPOSES: dict[str, str] = {
    "perf": "measure the kernel against its approved baseline; the gate",
    "ab": "compare any two or more kernels: A=… B=…",
    "explain": "where a frame's time goes, and what each switch is worth",
    "boot": "show the wheel",
    "build": "build one kernel: SWITCH=value …",
    "suites": "the in-kernel suites, on every architecture",
    "approve": "make the last result the baseline: REASON=…",
    "analyze": "judge a saved run again, without QEMU",
    "acceptance": "the manual checklist, automatic",
    "calibrate": "measure the gate itself: false alarms and power",
    "nightly": "the whole matrix, history and drift",
    "bisect": "find the commit: GOOD=… BAD=…",
    "history": "export, import, prune, acknowledge",
    "report": "render the history as a site",
    "bench": "the figures that the project promises",
    "litmus": "write the ring's ordering questions as litmus tests",
    "doctor": "what works on this machine, by trying",
    "golden": "write the hashes of 1,000 frames",
}

COMMANDS: dict[str, str] = {
    name: what for name, what in _PURPOSES.items() if (Path(__file__).parent / "commands" / f"{name}.py").is_file()
}
"""Subcommands with what they are for, in the order of the help."""

_SETTING = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)
_PLAIN_PROGRESS_S = 5.0
_PLAIN_WIDTH = 160


class Interrupted(KeyboardInterrupt):
    """An interrupt, as a subclass: after a KeyboardInterrupt that leaves the exec of a string, as in the making of a
    dataclass, Python ends itself by SIGINT and not with our exit code, even where it was caught.
    """


class TerminalPrinter:
    """Prints for people: a live status on a terminal, plain lines otherwise."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._plain = quiet or not self._console.is_terminal
        self._set_width()
        self._status = None if self._plain else self._console.status("")
        self._last_progress_s = 0.0
        self.lost = ""
        """Why output could not be written, if it could not; a reader who has gone is no reason."""
        if self._status:
            self._status.start()

    def _set_width(self) -> None:
        if self._plain:
            self._console.width = _PLAIN_WIDTH

    def renew(self) -> None:
        """Begin with a console of its own: one that was interrupted while it printed may hold back all that follows."""
        self.close()
        self._status = None
        self._console = Console(highlight=False, soft_wrap=True)
        self._set_width()

    def line(self, text: str) -> None:
        self._print(escape(printable(text)), soft_wrap=True)

    def progress(self, text: str) -> None:
        text = printable(text)
        if self._quiet:
            return
        if self._status:
            self._status.update(escape(text))
        elif time.monotonic() - self._last_progress_s > _PLAIN_PROGRESS_S:
            self._last_progress_s = time.monotonic()
            self._print(escape(text), soft_wrap=True)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
        for name in header:
            table.add_column(escape(name), overflow="fold")
        for row in rows:
            table.add_row(*(escape(printable(cell)) for cell in row))
        self._print(table)

    def close(self) -> None:
        if self._status:
            self._status.stop()

    def _print(self, what: str | Table, *, soft_wrap: bool = False) -> None:
        try:
            self._console.print(what, soft_wrap=soft_wrap)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.lost = error.strerror
            # The run goes on without words: its verdict is in the exit code and on disk.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """Guests and file names are data: control characters do not reach the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def parse(words: Sequence[str]) -> tuple[str, Arguments]:
    """Split the command line.

    Raises
    ------
    UsageError
        Without a command that exists, or with a setting given twice.
    """
    if not words or words[0] in ("-h", "--help", "help"):
        return "help", Arguments()
    command, *rest = words
    if command not in COMMANDS:
        raise UsageError(f"{command}: no such command; there are {' '.join(COMMANDS)}")
    settings: dict[str, str] = {}
    options, others = set(), []
    for word in rest:
        setting = _SETTING.fullmatch(word)
        if setting:
            if setting[1] in settings:
                raise UsageError(f"{setting[1]} is given twice")
            settings[setting[1]] = setting[2]
        elif word.startswith("--"):
            options.add(word[2:])
        else:
            others.append(word)
    return command, Arguments(settings, frozenset(options), tuple(others))


def usage() -> str:
    """One screen of help."""
    lines = [f"  {name:<11} {what}" for name, what in COMMANDS.items()]
    return "usage: python3 -m harness COMMAND [KEY=VALUE …] [--json]\n\n" + "\n".join(lines)


def main(words: Sequence[str]) -> int:
    """Run one command; returns the exit code of its verdict."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    quiet = "--json" in words
    printer = TerminalPrinter(quiet)
    try:
        verdict = _outcome(words, printer)
    except KeyboardInterrupt:
        printer.renew()
        printer.line(f"{Verdict.HARNESS_FAILED.value}: interrupted; nothing was stored")
        verdict = Verdict.HARNESS_FAILED
    finally:
        printer.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if verdict is not None and not quiet:
        printer.line(f"verdict: {verdict.value} (exit {verdict.exit_code})")
    if printer.lost:
        sys.stderr.write(f"harness-failed: output cannot be written: {printer.lost}\n")
        verdict = Verdict.HARNESS_FAILED
    return verdict.exit_code if verdict is not None else 0


def _outcome(words: Sequence[str], printer: TerminalPrinter) -> Verdict | None:
    """Run one command, and turn whatever it raises into a line and a verdict; None when only help was asked for."""
    try:
        command, arguments = parse(words)
        if command == "help":
            printer.line(usage())
            return None
        return _run(command, arguments, printer)
    except UsageError as error:
        printer.line(f"usage: {error}")
        return Verdict.USAGE
    except HarnessError as error:
        printer.line(f"{error.verdict.value}: {error}")
        return error.verdict
    except ResultError as error:
        printer.line(f"{Verdict.HARNESS_FAILED.value}: {error}")
    except OSError as error:
        # A copy names its source first and its target second, and it is the target that fails.
        place = error.filename2 or error.filename
        where = f" {place}" if place else ""
        printer.line(f"{Verdict.HARNESS_FAILED.value}:{where}: {error.strerror or error}")
    except Exception as error:
        # Python's own exit code for this is 1, which here means a regression.
        traceback.print_exc()
        printer.line(f"{Verdict.HARNESS_FAILED.value}: a fault of the harness itself: {type(error).__name__}: {error}")
    return Verdict.HARNESS_FAILED


def _run(command: str, arguments: Arguments, printer: TerminalPrinter) -> Verdict:
    module = importlib.import_module(f"harness.commands.{command}")
    verdict = module.main(arguments, printer)
    assert isinstance(verdict, Verdict)
    return verdict


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """The first interrupt lets everything clean up; the next ends the harness now, and QEMU with it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_now)
    raise Interrupted


def _end_now(signum: int, frame: FrameType | None) -> None:
    os._exit(Verdict.HARNESS_FAILED.exit_code)
