"""Every system call of a program that writes, as a point at which it is killed, interrupted, or finds the disk full."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.model.spec import ROOT

WRITES = (
    "write pwrite64 writev fsync ftruncate rename renameat renameat2 link linkat symlink symlinkat mkdir mkdirat "
    "unlink unlinkat rmdir chmod fchmod fchmodat"
).split()
_PRE = "?"
"""Before a name: an architecture that has no such call does without."""
LIMIT_S = 60.0
_HEARS = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""A program started in the background would not hear an interrupt."""
KILL, INTERRUPT, FULL = "signal=KILL", "signal=INT", "error=ENOSPC"


@dataclass(frozen=True)
class Ended:
    """How a program ended that was disturbed at its nth write, and what it said."""

    point: str
    status: int
    said: str


def find_points(code: str, place: Path, log: Path) -> list[tuple[str, int]]:
    """Every write of a program that nothing disturbs: the call's name, and which of that name it is."""
    done = _run(["-o", str(log)], code, place)
    assert done.returncode == 0, done.stdout
    names = re.findall(r"^(\w+)\(", log.read_text(errors="replace"), re.MULTILINE)
    seen: Counter[str] = Counter()
    points = []
    for name in names:
        seen[name] += 1
        points.append((name, seen[name]))
    return points


def disturb(
    code: str, prepare: Callable[[], Path], log: Path, how: str, every: int = 1
) -> Iterator[tuple[Path, Ended]]:
    """Run a program once for each of its writes, in a place prepared anew, disturbed there.

    Parameters
    ----------
    code
        Python, which finds its place in ``sys.argv[1]``.
    how
        KILL, INTERRUPT or FULL.
    every
        Only one write in this many, and the last five, where things become visible.
    """
    points = find_points(code, prepare(), log)
    for index, (name, number) in enumerate(points):
        if index % every and index < len(points) - 5:
            continue
        place = prepare()
        done = _run(["-o", str(log), "-e", f"inject={name}:{how}:when={number}"], code, place)
        assert how != KILL or done.returncode == -9, f"{name} {number} killed nothing: {done.stdout}"
        yield place, Ended(f"{name} {number}", done.returncode, done.stdout)


def _run(options: list[str], code: str, place: Path) -> subprocess.CompletedProcess[str]:
    names = ",".join(_PRE + name for name in WRITES)
    command = ["strace", "-qq", "-e", f"trace={names}", "-e", "signal=none", *options]
    command += [sys.executable, "-B", "-c", _HEARS + code, str(place)]
    return subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LIMIT_S,
        check=False,
    )
