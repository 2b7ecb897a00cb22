"""The harness run as a process of its own: what a night and a bisection are made of.

The child dies with its parent, and its QEMUs with it, so that a night that was killed leaves nothing running and can be
resumed at once.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.model.spec import ROOT

_REPORT_LINE = re.compile(r"^report: (.+)/report\.html$")
_TAIL_LINES = 5


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    exit_code: int
    folder: Path | None
    """The results folder that it left, if it left one."""
    said: tuple[str, ...]
    """Its last lines."""


def run_harness(words: tuple[str, ...], limit_s: float, module: str = "harness") -> Ran:
    """Run ``python3 -m harness`` with these words.

    Parameters
    ----------
    limit_s
        After so long it is ended; the exit code is then 5.
    module
        What is run in its place, by tests.
    """
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", module, *words]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        output, _ = process.communicate(timeout=limit_s)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.terminate()
        output = _last_words(process) + f"\nended after {limit_s:.0f} s\n".encode()
        code = 5
    except BaseException:
        process.terminate()
        _last_words(process)
        raise
    lines = output.decode(errors="replace").splitlines()
    folder = next((Path(match[1]) for line in reversed(lines) if (match := _REPORT_LINE.match(line))), None)
    return Ran(code if 0 <= code <= 5 else 5, folder, tuple(lines[-_TAIL_LINES:]))


def _last_words(process: subprocess.Popen[bytes]) -> bytes:
    """Wait for a process that was asked to end, and insist."""
    try:
        return process.communicate(timeout=10)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]
