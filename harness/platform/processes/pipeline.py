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

from harness.model.job import JobEnd
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
    ran = run_program([sys.executable, "-m", module, *words], limit_s, tree, environment)
    folder = next((Path(match[1]) for line in reversed(ran.said) if (match := _REPORT_LINE.match(line))), None)
    return HarnessRun(ran.exit_code, folder, ran.said[-_TAIL_LINES:])


def ran_as_job(end: JobEnd) -> HarnessRun:
    """A run that ended on another host."""
    return HarnessRun(end.exit_code, Path(end.folder) if end.folder else None, end.said)


def run_suites(words: tuple[str, ...], limit_s: float, tree: Path, environment: Mapping[str, str]) -> HarnessRun:
    """Run ``ci/test`` with these words, as :func:`run_harness`; its logs are the folder that it leaves."""
    ran = run_program([sys.executable, "ci/test", *words], limit_s, tree, environment)
    logs = tree / "build" / "test"
    return HarnessRun(ran.exit_code, logs if logs.is_dir() else None, ran.said[-_TAIL_LINES:])


def run_program(
    command: list[str], limit_s: float, tree: Path, environment: Mapping[str, str] | None = None
) -> HarnessRun:
    """Run a program of a tree to its end or its limit; all of its lines, and no folder."""
    with tempfile.TemporaryFile() as output:
        process = start_child(
            command,
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
    return HarnessRun(code if 0 <= code <= 5 else 5, None, tuple(lines))
