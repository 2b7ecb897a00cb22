"""A copy of this tree with results of its own, in which the harness runs as a user runs it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from harness.model.spec import ROOT
from harness.platform.processes.child import ChildResult, run_child, start_child

LIMIT_S = 180.0
PARTS = ("harness", "kernel", "targets", "include", "baselines")


class Checkout:
    """The copy; nothing in it is shared with this tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results = root / "results"
        self.scratch = root / "scratch"
        for part in PARTS:
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("tests"))
        self.scratch.mkdir()

    def run(self, *words: str, **environment: str) -> ChildResult:
        """Run a command of the harness to its end; what it says is in ``text``."""
        return run_child(
            self._command(words),
            limit_s=LIMIT_S,
            environment={**self._environment(), **environment},
            cwd=self.root,
            merged=True,
        )

    def start(self, words: Sequence[str], said: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a command of the harness, which says what it says into a file."""
        return start_child(
            self._command(words), stdout=said, stderr=said, environment=self._environment(), cwd=self.root
        )

    def _command(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-B", "-m", "harness", *words]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HARNESS_RESULTS": str(self.results), "TMPDIR": str(self.scratch)}

    def processes(self, name: str = "") -> dict[int, str]:
        """The command line of each process that names this copy, by number; of programs whose name begins so."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                program = (place / "comm").read_text(encoding="utf-8", errors="replace")
                if str(self.root) in line and program.startswith(name):
                    found[int(place.name)] = line
        return found

    def forget(self) -> None:
        """Remove the results."""
        shutil.rmtree(self.results, ignore_errors=True)
