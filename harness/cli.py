"""The command line: words in, and the exact exit code out. Nothing else prints."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

from harness.front.terminal import TerminalPrinter
from harness.front.words import parse_each
from harness.model.errors import HarnessError
from harness.model.interrupts import listen, raised_again
from harness.model.result import ResultError
from harness.model.spec import UsageError, Verdict
from harness.model.values import shown
from harness.platform.files.latest import latest_entry, record_ending, turn_back
from harness.platform.files.store import add_files, kept_of
from harness.settings import MEASURING, Arguments

_NO_THREAD = "can't start new thread"
"""Python's word for it."""


class Interrupted(KeyboardInterrupt):
    """An interrupt, as a subclass: after a KeyboardInterrupt that leaves the exec of a string, as in the making of a
    dataclass, Python ends itself by SIGINT and not with our exit code, even where it was caught.
    """


def main(words: Sequence[str]) -> int:
    """Run one command; returns the exit code of its verdict."""
    listen(_interrupt)
    quiet = "--json" in words
    printer = TerminalPrinter(quiet)
    asked = False
    try:
        with raised_again(Interrupted, _interrupt):
            verdict, asked = _outcome(words, printer)
        listen(signal.SIG_IGN)
    except KeyboardInterrupt as error:
        printer.renew()
        verdict = Verdict.HARNESS_FAILED
        _end(words, error, verdict, f"{verdict.value}: interrupted{_stored(words[0], error)}", printer)
    finally:
        printer.close()
    listen(signal.SIG_IGN)
    if not quiet and not asked:
        printer.line(f"verdict: {verdict.value} (exit {verdict.exit_code})")
    if printer.lost:
        verdict = Verdict.HARNESS_FAILED
        said = f"{verdict.value}: output cannot be written: {printer.lost}"
        # The terminal may be gone, and both streams with it.
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{said}\n")
        _record(words, None, verdict, said, "", printer)
    return verdict.exit_code


def _outcome(words: Sequence[str], printer: TerminalPrinter) -> tuple[Verdict, bool]:
    """Run what was asked for; the worst verdict, and whether a line has already said it."""
    try:
        each = parse_each(words)
    except UsageError as error:
        _end(words, error, Verdict.USAGE, f"usage: {error} (exit {Verdict.USAGE.exit_code})", printer)
        return Verdict.USAGE, True
    if len(each) == 1:
        return _attempt(each[0], printer, alone=True)
    return _attempt_each(each, printer), False


def _attempt_each(each: Sequence[Arguments], printer: TerminalPrinter) -> Verdict:
    """Several runs, one after the other, then one table; the worst verdict, which the latest result says too."""
    verdicts, rows, entries = [], [], []
    for number, arguments in enumerate(each, 1):
        if not arguments.json:
            printer.line(f"{number} of {len(each)}: {arguments.again}")
        printer.headline = ""
        verdict, _ = _attempt(arguments, printer, alone=False)
        verdicts.append(verdict)
        entries.append((latest_entry(), printer.headline))
        rows.append([verdict.value, _what_differs(arguments, each), printer.headline.partition(": ")[2]])
    if not each[0].json:
        printer.table(f"{len(each)} runs", ["verdict", "run", "what was found"], rows)
    worst = Verdict.worst(verdicts)
    _show_worst(each[0].command, worst, *entries[verdicts.index(worst)], printer)
    return worst


def _show_worst(command: str, worst: Verdict, entry: str, said: str, printer: TerminalPrinter) -> None:
    """Let ``latest`` be the run that decides the exit code, or what is left of it."""
    if command not in MEASURING or entry == latest_entry():
        return
    try:
        if not turn_back(entry):
            _record([command], None, worst, said or f"{worst.value}: no result was stored", "", printer)
    except (HarnessError, OSError) as problem:
        printer.line(f"note: {problem}")


def _what_differs(arguments: Arguments, each: Sequence[Arguments]) -> str:
    """The words of one of several runs that the others do not share."""
    shared = set.intersection(*(set(one.given.items()) for one in each))
    return " ".join(f"{name}={value}" for name, value in arguments.given.items() if (name, value) not in shared)


def _attempt(arguments: Arguments, printer: TerminalPrinter, alone: bool) -> tuple[Verdict, bool]:
    """Run one command, and turn whatever it raises into a line; returns the verdict, and whether it was refused.

    A refusal is said in one line, with the exit code.
    """
    words = [arguments.command, *(f"{name}={value}" for name, value in arguments.given.items())]
    words += [f"--{option}" for option in arguments.options]
    before = latest_entry()
    try:
        verdict = _run(arguments.command, arguments, printer)
        if latest_entry() == before:
            _record(words, None, verdict, f"{verdict.value}: no result was stored", "", printer)
        return verdict, False
    except Exception as error:
        verdict, said = _meaning(error)
        if verdict is Verdict.USAGE and alone:
            said = f"{said} (exit {verdict.exit_code})"
        _end(words, error, verdict, said, printer)
        return verdict, verdict is Verdict.USAGE


def _meaning(error: Exception) -> tuple[Verdict, str]:
    """The verdict that an error means, and the line to say."""
    failed = Verdict.HARNESS_FAILED
    if isinstance(error, UsageError):
        return Verdict.USAGE, f"usage: {error}"
    if isinstance(error, HarnessError):
        return error.verdict, f"{error.verdict.value}: {error}"
    if isinstance(error, ResultError):
        return error.verdict, f"{error.verdict.value}: {error}"
    if isinstance(error, OSError):
        # A copy names its source first and its target second, and it is the target that fails.
        place = error.filename2 or error.filename
        if error.errno == errno.ENAMETOOLONG:
            return Verdict.USAGE, f"usage: {shown(str(place))}: {error.strerror}"
        where = f"{place}: " if place else ""
        limit = " ('ulimit -f' shows a limit)" if error.errno == errno.EFBIG else ""
        return failed, f"{failed.value}: {where}{error.strerror or error}{limit}"
    scarce = _scarce(error)
    if scarce:
        return failed, f"{failed.value}: {scarce}"
    # Python's own exit code for this is 1, which here means a regression.
    traceback.print_exception(error)
    return failed, f"{failed.value}: a fault of the harness itself: {type(error).__name__}: {error}"


def _scarce(error: Exception) -> str:
    """What this machine, or a limit of this shell, does not give; empty for a fault of our own."""
    if isinstance(error, MemoryError):
        return f"not enough memory ('ulimit -v' shows a limit): {str(error) or 'no more is given'}"
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return f"not enough processes ('ulimit -u' shows a limit): {error}"
    if isinstance(error, ImportError) and error.name and not error.name.startswith("harness"):
        return f"{error.name} cannot be loaded: {error}"
    return ""


def _next(words: Sequence[str], error: BaseException, verdict: Verdict) -> str:
    """What to do after a command that ended before it had a result; empty where its line says it."""
    command = words[0]
    if verdict is Verdict.GUEST_FAILED:
        known = isinstance(error, HarnessError) and error.evidence
        return (
            f"{'the last lines of that log say how far the guest came; ' if known else ''}on a busy host, run it again"
        )
    if verdict is not Verdict.HARNESS_FAILED:
        return ""
    if isinstance(error, KeyboardInterrupt):
        return f"measure it again: {_again(words)}" if command in MEASURING and kept_of(error) is None else ""
    if isinstance(error, (HarnessError, ResultError, OSError)) or isinstance(error, Exception) and _scarce(error):
        return "make doctor checks this machine" if command != "doctor" else ""
    return "a fault of this program, not of the kernel: report the lines above, with the command"


def _end(words: Sequence[str], error: BaseException, verdict: Verdict, said: str, printer: TerminalPrinter) -> None:
    """Say how a command ended and what to do next and, of one that measures, let the latest result say it too."""
    quiet = "--json" in words
    printer.line(said)
    step = _next(words, error, verdict)
    if step and not quiet:
        printer.line(f"next: {step}")
    _record(words, error, verdict, said, step, printer)


def _record(
    words: Sequence[str], error: BaseException | None, verdict: Verdict, said: str, step: str, printer: TerminalPrinter
) -> None:
    """Let the latest result be an ending without a result, of a command that measures."""
    command, kept = words[0], kept_of(error) if error else None
    if command not in MEASURING:
        return
    files = _ending_files(words, verdict, said, step)
    try:
        if kept and not kept.complete:
            add_files(kept.folder, files)
        else:
            record_ending(command, verdict, said, {name: files[name] for name in files if name != "report.html"})
    except HarnessError as problem:
        printer.line(f"note: {problem}")


def _ending_files(words: Sequence[str], verdict: Verdict, said: str, step: str) -> Mapping[str, str]:
    """The reports of an ending without a result; none where their modules cannot be loaded."""
    try:
        from harness.front.endings import ending_files
    except ImportError:
        return {}
    return ending_files(words[0], verdict, said.splitlines(), step, _again(words), "--strict" in words)


def _again(words: Sequence[str]) -> str:
    """The command line, quoted for a shell."""
    return shlex.join(["make", words[0], *(word for word in words[1:] if not word.startswith("--"))])


def _stored(command: str, error: BaseException) -> str:
    """Files kept when the run was interrupted."""
    kept = kept_of(error)
    if kept:
        return f"; the result is stored in {kept.folder}"
    return "; no result was stored" if command in MEASURING else ""


def _run(command: str, arguments: Arguments, printer: TerminalPrinter) -> Verdict:
    with _loading():
        module = importlib.import_module(f"harness.commands.{command}")
    verdict = module.main(arguments, printer)
    assert isinstance(verdict, Verdict)
    return verdict


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """Hear the first interrupt when everything is loaded: OpenCV drops whatever is raised while it starts."""
    heard: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        heard.append(signum)
        listen(_end_now)

    listen(note)
    try:
        yield
    finally:
        listen(_end_now if heard else _interrupt)
    if heard:
        raise Interrupted(heard[0])


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """The first interrupt lets everything clean up; the next ends the harness now, and QEMU with it."""
    listen(_end_now)
    raise Interrupted(signum)


def _end_now(signum: int, frame: FrameType | None) -> None:
    os._exit(Verdict.HARNESS_FAILED.exit_code)
