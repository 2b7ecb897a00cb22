"""Every system call of a program that writes, as a point at which it is killed, interrupted, or finds the disk full."""

from __future__ import annotations

import compileall
import functools
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.model.errors import HarnessError
from harness.model.spec import ROOT
from harness.platform.files.bounded import read_bounded
from harness.platform.processes.child import end_child, run_child, start_child
from harness.robustness.preloaded import server

WRITES = (
    "write pwrite64 writev pwritev fsync fdatasync ftruncate truncate fallocate rename renameat renameat2 link linkat "
    "symlink symlinkat mkdir mkdirat unlink unlinkat rmdir chmod fchmod fchmodat sendfile copy_file_range"
).split()
_PRE = "?"
"""Before a name: an architecture that has no such call does without."""
LIMIT_S = 120.0
_HEARS = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""A program started in the background would not hear an interrupt."""
KILL, INTERRUPT, FULL = "signal=KILL", "signal=INT", "error=ENOSPC"
HOWS = (KILL, INTERRUPT, FULL)
LAST = 3
"""A subset always includes this many last writes: results become visible there."""


@dataclass(frozen=True)
class Ended:
    """How a program ended that was disturbed at its nth write, and what it said."""

    point: str
    how: str
    status: int
    said: str


def _unchanged(place: Path) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Writer:
    """Something that writes what must last."""

    name: str
    command: Callable[[Path], Sequence[str]]
    """Its words, in a place."""
    fill: Callable[[Path], None]
    """Puts into a new folder what was stored before."""
    problems: Callable[[Path, Ended], list[str]]
    """What is lost or half there in a place where it was disturbed."""
    hows: tuple[str, ...] = HOWS
    environment: Callable[[Path], Mapping[str, str]] = field(default=_unchanged)
    """What it adds to the environment."""
    cwd: Callable[[Path], Path] = field(default=lambda place: ROOT)


def python(code: str) -> Callable[[Path], Sequence[str]]:
    """Words of a writer: Python that finds its place in ``sys.argv[1]``."""
    return lambda place: (sys.executable, "-B", "-c", _HEARS + code, str(place))


def harness(*words: str) -> Callable[[Path], Sequence[str]]:
    """Words of a writer: a command line of the harness; ``{}`` is the place."""
    return lambda place: (sys.executable, "-B", "-m", "harness", *(word.replace("{}", str(place)) for word in words))


def find_points(writer: Writer, place: Path, log: Path) -> list[tuple[str, int]]:
    """Every write of a writer that nothing disturbs: the call's name, and which of that name it is.

    Raises
    ------
    HarnessError
        When it does not end as it should.
    """
    done = _run(writer, place, ["-o", str(log)])
    if done.status not in (0, 4):
        raise HarnessError(f"{writer.name}: status {done.status}: {done.text[-300:]}")
    names = re.findall(r"^(\w+)\(", read_bounded(log).decode("utf-8", "replace"), re.MULTILINE)
    seen: Counter[str] = Counter()
    points = []
    for name in names:
        seen[name] += 1
        points.append((name, seen[name]))
    return points


@dataclass
class Tally:
    """What the attacks on one writer came to."""

    points: int = 0
    problems: list[str] = field(default_factory=list)


def attack(writer: Writer, root: Path, how: str, every: int = 1) -> Tally:
    """Run a writer once for each of its writes, in a freshly prepared place, disturbed there.

    Parameters
    ----------
    root
        A folder in which the places are made.
    every
        Attack one write in ``every``, and the last three.
    """
    tally = Tally()
    for place, ended in disturb(writer, root, how, every):
        tally.points += 1
        tally.problems += [f"{writer.name}, {ended.point} {how}: {text}" for text in writer.problems(place, ended)]
    return tally


def disturb(writer: Writer, root: Path, how: str, every: int = 1) -> Iterator[tuple[Path, Ended]]:
    """Each place in which a writer was disturbed, and how it ended; as :func:`attack`."""
    _compile()
    log = root / "calls.log"
    points = find_points(writer, _place(writer, root, "whole"), log)
    for index, (name, number) in enumerate(points):
        if index % every and index < len(points) - LAST:
            continue
        place = _place(writer, root, f"{how.replace('=', '-')}-{index}")
        done = _run(writer, place, ["-o", str(log), "-e", f"inject={name}:{how}:when={number}"])
        yield place, Ended(f"{name} {number}", how, done.status, done.text)


def _place(writer: Writer, root: Path, name: str) -> Path:
    place = root / f"{writer.name.replace(' ', '-')}-{name}"
    place.mkdir(parents=True)
    writer.fill(place)
    return place


@dataclass(frozen=True)
class _Done:
    status: int
    text: str


@functools.lru_cache(maxsize=1)
def _compile() -> None:
    """Byte code once, since attacked programs write none: its files would be points of their own."""
    compileall.compile_dir(str(ROOT / "harness"), quiet=2)


def _run(writer: Writer, place: Path, options: list[str]) -> _Done:
    names = ",".join(_PRE + name for name in WRITES)
    # Without --seccomp-bpf: with it, a kill comes when the call is over, and a file just emptied is never seen.
    strace = ["strace", "-qq", "-e", f"trace={names}", "-e", "signal=none", *options]
    environment = {**os.environ, **writer.environment(place)}
    if writer.cwd(place) == ROOT:
        return _run_preloaded(writer, place, strace, environment)
    command = [*strace, *writer.command(place)]
    done = run_child(command, limit_s=LIMIT_S, environment=environment, cwd=writer.cwd(place), merged=True)
    return _Done(done.status, done.text)


def _run_preloaded(writer: Writer, place: Path, strace: Sequence[str], environment: Mapping[str, str]) -> _Done:
    """The same with the libraries loaded before, which write nothing: most of the time would go into that."""
    kind, first, *words = writer.command(place)[2:]
    code = first if kind == "-c" else ""
    said = place.parent / f"{place.name}.said"
    said.mkdir()
    with server().held(words, {**environment, "PYTHONDONTWRITEBYTECODE": "1"}, said, code) as pid:
        tracer = start_child([*strace, "-p", str(pid)])
        try:
            _wait_traced(pid, tracer)
            os.kill(pid, signal.SIGCONT)
            status = server().end_of(pid, LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise HarnessError(f"{writer.name} has not ended after {LIMIT_S:g} s") from error
        finally:
            end_child(tracer)
    text = "".join(read_bounded(said / name).decode("utf-8", "replace") for name in ("out", "error"))
    return _Done(status, text)


def _wait_traced(pid: int, tracer: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while re.search(r"^TracerPid:\s*0$", read_bounded(Path(f"/proc/{pid}/status")).decode(), re.MULTILINE):
        if tracer.poll() is not None or time.monotonic() > deadline:
            raise HarnessError(
                f"strace does not trace a process that is not its own child (status {tracer.returncode})"
            )
        time.sleep(0.001)
