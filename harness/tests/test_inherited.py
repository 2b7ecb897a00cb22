"""What a caller hands down to a program that it starts: signals that are ignored or blocked, masks, alarms."""

from __future__ import annotations

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
