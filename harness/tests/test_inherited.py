"""What a caller hands down to a program that it starts: signals that are ignored or blocked, masks, alarms."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from harness.model.spec import ROOT

STARTED = """
import os, runpy, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""As a caller may that reads no child's end, and no signal while it starts one."""
SEEN = """
import signal
from harness.model.interrupts import take_signals
take_signals()
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getsignal(signal.SIGCHLD).name)
"""


def started(*words: str) -> subprocess.CompletedProcess[str]:
    """Python, started by such a caller."""
    return subprocess.run(
        [sys.executable, "-c", STARTED, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_signals_are_heard_whatever_the_caller_ignores_or_blocks() -> None:
    done = started("-c", SEEN)
    assert done.stdout.split() == ["set()", "SIG_DFL"], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "code"), [("gcc", 0), ("/bin/false", 5)])
def test_how_a_child_ended_is_known_where_a_caller_ignores_its_own(compiler: str, code: int) -> None:
    done = started("-m", "harness", "build", f"CC={compiler}")
    assert done.returncode == code, done.stdout + done.stderr


def on_a_terminal(words: tuple[str, ...], *, gone: bool = False, **environment: str) -> tuple[int, str]:
    """Exit code and words of the harness on a terminal, or on one that has gone before anything is said there."""
    parent, child = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        cwd=ROOT,
        stdin=child,
        stdout=child,
        stderr=child,
        env=os.environ | {"TERM": "xterm", "NO_COLOR": "1"} | environment,
        start_new_session=True,
    )
    os.close(child)
    said = b""
    with contextlib.suppress(OSError):
        while not gone and (chunk := os.read(parent, 65536)):
            said += chunk
    os.close(parent)
    return running.wait(100), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", said.decode("utf-8", "replace"))


@pytest.mark.slow
@pytest.mark.parametrize("columns", ["0", "1", "-5", "x", "9" * 30])
def test_every_line_is_printed_whatever_the_width_is_said_to_be(columns: str) -> None:
    code, said = on_a_terminal(("compare", "A=none", "B=none"), COLUMNS=columns)
    assert code == 2 and re.search(r"usage:\s+A=none:\s+no\s+saved\s+run", said), said


@pytest.mark.slow
@pytest.mark.parametrize("words", [("help",), ("compare", "A=none", "B=none")])
def test_a_terminal_that_has_gone_leaves_the_harness_s_own_code(words: tuple[str, ...]) -> None:
    code, _ = on_a_terminal(words, gone=True)
    assert code == 5, code


STILL_HELD = """
import os, pty, sys
from harness.__main__ import _let_go
parent, child = pty.openpty()
os.dup2(child, 1)
os.close(child)
os.close(parent)
sys.stdout.write("a line of which the end is not there yet")
_let_go()
sys.exit(3)
"""


def test_what_a_stream_holds_that_has_gone_does_not_change_the_code() -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", STILL_HELD],
        cwd=ROOT,
        env=buffered,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr


@pytest.mark.slow
def test_an_alarm_that_a_caller_set_is_an_interrupt(tmp_path: Path) -> None:
    """It outlasts the start of a program, as ``perl -e 'alarm 9; exec @ARGV'`` uses it."""
    caller = "import os, signal, sys; signal.alarm(1); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    words = ("-m", "harness", "boot", "BOOT_LOG_TIMEOUT=60")
    done = subprocess.run(
        [sys.executable, "-c", caller, *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HARNESS_RESULTS": str(tmp_path / "results")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 5 and "harness-failed: " in done.stdout + done.stderr
    assert (tmp_path / "results" / "latest" / "exit_code").read_text() == "5\n"


LIMITED = """
import os, resource, sys
os.umask(0o777)
resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
"""As a caller may that lets nobody use its files, not even itself."""


def test_what_is_made_can_be_used_whatever_the_caller_s_mask_and_stack() -> None:
    seen = """
import os, resource
from harness.__main__ import _use_own_limits
_use_own_limits()
print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_STACK)[0] >> 20)
"""
    done = subprocess.run([sys.executable, "-c", LIMITED, seen], cwd=ROOT, capture_output=True, text=True, timeout=60)
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    most = 8 if hard == resource.RLIM_INFINITY else min(hard >> 20, 8)
    assert done.stdout.split() == ["0o77", str(most)], done.stderr
