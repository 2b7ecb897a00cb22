"""``python3 -m harness``: runs the command line, under the interpreter that sees Debian's modules.

Python's own exit code for anything that it cannot load is 1, which here means a regression: everything below ends in 5
instead. What ends Python before it reads this file (PYTHONHOME, another folder) is for ``ci/harness`` to tell.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import resource
import signal
import sys
from types import FrameType

DEBIAN_PYTHON = "/usr/bin/python3"
NEEDED = ("numpy", "scipy", "cv2", "rich", "jinja2", "cattrs")
HARNESS_FAILED = 5
STACK_BYTES = 8 << 20


def _fail(text: str) -> int:
    with contextlib.suppress(OSError):
        os.write(2, f"harness-failed: {text} (exit {HARNESS_FAILED})\n".encode("ascii", "backslashreplace"))
    return HARNESS_FAILED


def _reexecute() -> int:
    """Nothing to do when every module is there; else go on under Debian's Python, or say what is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return 0
    if os.path.realpath(sys.executable) != os.path.realpath(DEBIAN_PYTHON) and os.access(DEBIAN_PYTHON, os.X_OK):
        os.execv(DEBIAN_PYTHON, [DEBIAN_PYTHON, "-m", "harness", *sys.argv[1:]])
    return _fail(_recorded(f"Python modules are missing: {' '.join(missing)}: run 'make setup perf'"))


def _recorded(text: str) -> str:
    """What ended a command before it began, once the latest result says it too, of one that measures."""
    with contextlib.suppress(Exception):
        from harness.model.declared import command_table
        from harness.model.spec import Verdict
        from harness.platform.files.latest import record_ending

        row = command_table().get(sys.argv[1] if sys.argv[1:] else "")
        if row is not None and row.measures:
            record_ending(row.name, Verdict.HARNESS_FAILED, f"harness-failed: {text}", {})
    return text


def _interrupt(signum: int, frame: FrameType | None) -> None:
    os._exit(_fail(_recorded("interrupted before anything began")))


def _answer(words: list[str]) -> int | None:
    """Questions that need no modules and no run: help and version. None for any other command line."""
    from harness.front.questions import answer, refusal
    from harness.model.spec import UsageError

    try:
        text = answer(words)
    except UsageError as error:
        sys.stdout.write(f"{refusal(error)}\n")
        return 2
    if text is None:
        return None
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _fail(f"output cannot be written: {error.strerror}")
    return 0


def _open_streams() -> None:
    """Nothing is said and heard where a stream was closed: else the next file that is opened would take its place."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            # No bound needed: this process's own streams, or nothing.
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))


def _use_own_limits() -> None:
    """What is made here can be used here, and the stack suffices, whatever mask and limit a caller hands down."""
    os.umask(os.umask(0o077) & 0o077)
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    most = STACK_BYTES if hard == resource.RLIM_INFINITY else min(hard, STACK_BYTES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_STACK, (most, hard))


def _let_go() -> None:
    """Drop what a stream still holds that has gone: Python would end with a code of its own, 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _main(words: list[str]) -> int:
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a substitute.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    code = _answer(words)
    if code is not None:
        return code
    code = _reexecute()
    if code:
        return code
    from harness.cli import main

    return main(words)


if __name__ == "__main__":
    try:
        # Loading takes a moment; until the command line takes over, an interrupt just ends it.
        from harness.model.interrupts import listen, take_signals

        listen(_interrupt)
        take_signals()
        _use_own_limits()
        code = _main(sys.argv[1:])
        listen(signal.SIG_IGN)
    except (ImportError, SyntaxError, OSError, UnicodeError, AttributeError) as error:
        code = _fail(_recorded(f"the harness cannot be loaded: {type(error).__name__}: {error}"))
    _let_go()
    sys.exit(code)
