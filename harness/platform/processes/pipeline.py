"""The harness run as a process of its own, as nightly runs and bisections do.

The child dies with its parent, and its QEMUs with it, so that a night that was killed leaves nothing running and can be
resumed at once.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.model.spec import ROOT
from harness.platform.processes.child import start_child, stop_child

_REPORT_LINE = re.compile(r"^report: (.+)/report\.html$")
_TAIL_LINES = 5


@dataclass(frozen=True)
class HarnessRun:
    """How a run ended."""

    exit_code: int
    folder: Path | None
    """The results folder that it left, if it left one."""
    said: tuple[str, ...]
    """Its last lines."""


def run_harness(
    words: tuple[str, ...],
    limit_s: float,
    module: str = "harness",
    tree: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> HarnessRun:
    """Run ``python3 -m harness`` with these words.

    Parameters
    ----------
    limit_s
        After this time it is ended; the exit code is then 5.
    module
        What is run in its place, by tests.
    tree
        The sources to run from.
    environment
        All of the child's environment; by default this process's.
    """
    with tempfile.TemporaryFile() as output:
        process = start_child(
            [sys.executable, "-m", module, *words],
            stdout=output,
            stderr=output,
            environment=os.environ if environment is None else environment,
            cwd=tree,
        )
        try:
            code, late = process.wait(limit_s), ""
        except subprocess.TimeoutExpired:
            code, late = 5, f"ended after {limit_s:.0f} s"
        finally:
            stop_child(process)
        output.seek(0)
        lines = [*output.read().decode(errors="replace").splitlines(), *([late] if late else [])]
    folder = next((Path(match[1]) for line in reversed(lines) if (match := _REPORT_LINE.match(line))), None)
    return HarnessRun(code if 0 <= code <= 5 else 5, folder, tuple(lines[-_TAIL_LINES:]))
