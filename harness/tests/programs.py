"""Programs of the host for tests: fakes on the PATH, the harness itself, and what must die with its parent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.model.spec import ROOT
from harness.robustness.preloaded import run_preloaded
from harness.tests.fuzz import FULL

UNORDERED = f"CONFIG={ROOT / 'harness/tests/data/unordered.toml'}"
"""The ordering of the kernel is not proved: for runs that do not ask about it."""
PACED = ("MODE=320x240", "OPTS=pace=60")
"""A tenth of the pixels, and a guest that is idle between frames: the host does little, and logs are short.
What is wrong with a frame is so in any mode and at any pace."""


def real(name: str) -> str:
    """The path of a program that must be installed."""
    found = shutil.which(name)
    assert found, f"{name} is not installed"
    return found


def fake_program(folder: Path, name: str, script: str, shell: str = "/bin/sh") -> None:
    """Write a script under a program's name."""
    path = folder / name
    path.write_text(f"#!{shell}\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def instead(folder: Path, name: str, script: str) -> str:
    """A PATH on which a script stands in a program's place."""
    fake_program(folder, name, script)
    return f"{folder}:{os.environ['PATH']}"


def without(folder: Path, prefix: str) -> str:
    """A PATH with everything on the present one except programs whose names begin with ``prefix``."""
    for place in os.environ["PATH"].split(":"):
        for program in Path(place).glob("*") if Path(place).is_dir() else ():
            link = folder / program.name
            if not program.name.startswith(prefix) and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


@dataclass(frozen=True)
class HarnessRun:
    """How a run of the harness ended."""

    code: int
    out: str
    error: str

    @property
    def said(self) -> str:
        """Both streams, one after the other."""
        return self.out + self.error


def run_started(words: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float) -> int:
    """Exit code of ``python3 -m harness`` with these words, in an interpreter of its own; as ``run_preloaded``."""
    command = [sys.executable, "-m", "harness", *words]
    with open(folder / "out", "wb") as out, open(folder / "error", "wb") as error:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=error, timeout=limit_s
        )
    return done.returncode


def run_harness(*words: str, environment: Mapping[str, str] | None = None, limit_s: float = 60.0) -> HarnessRun:
    """Run ``python3 -m harness`` with these words; nothing that it started may be left running."""
    apart = {name: value for name, value in os.environ.items() if name == "HARNESS_RESULTS"}
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as said:
        given = apart | dict(os.environ if environment is None else environment) | {"TMPDIR": scratch}
        code = (run_started if FULL else run_preloaded)(words, given, Path(said), limit_s)
        command_lines = [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]
        assert not [line for line in command_lines if scratch in line]
        out, error = ((Path(said) / name).read_text(encoding="utf-8") for name in ("out", "error"))
    return HarnessRun(code, out, error)


def run_perf(*words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and result of ``harness perf``."""
    ended = run_harness("perf", "--json", *words, limit_s=150)
    assert ended.out.startswith("{"), ended.said
    return ended.code, json.loads(ended.out)


def assert_dies_with(script: str, *words: str, how: signal.Signals = signal.SIGKILL) -> None:
    """Run a Python script that prints the number of a process that it started, end the script, and wait for the other.

    Raises
    ------
    AssertionError
        When the process outlives the script.
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", script, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert holder.stdout is not None
    started = psutil.Process(int(holder.stdout.readline()))
    holder.send_signal(how)
    holder.wait(60)
    holder.stdout.close()
    try:
        started.wait(60)
    except psutil.NoSuchProcess:
        pass
    assert not started.is_running()
