"""Processes that end with the harness, however it ends.

``setpriv --pdeathsig KILL`` has the kernel kill the child when the thread that started it dies. A shell between the two
exits when the harness ended before that took effect. Each child leads a process group of its own, so that
whatever it starts ends with it, and a Ctrl-C in the terminal reaches only the harness.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.model.errors import HarnessError

_GUARD = 'test "$PPID" -eq "$0" && exec "$@"'
_ENVIRONMENT = ("PATH", "HOME", "TMPDIR")

Stream = int | IO[bytes]

OUTPUT_BYTES_MAX = 16 << 20
"""More output than this from a tool is a flood."""
_POLL_S, _STOP_POLL_S = 0.2, 0.005
_STOP_S = 10.0

LASTING_THREAD = threading.main_thread()
"""The thread that lives as long as the process: a child's parent-death signal follows the thread that started it."""


class ChildError(HarnessError):
    """A process that cannot be started, takes too long, or says too much."""


@dataclass(frozen=True)
class ChildResult:
    """How a child ended, and all that it said."""

    status: int
    """Negative for a signal."""
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Text of its standard output."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def errors(self) -> tuple[str, ...]:
        """The lines of its standard error."""
        return tuple(self.stderr.decode("utf-8", "replace").splitlines())


def clean_environment(*, scratch: Path | None = None) -> dict[str, str]:
    """The part of the environment that a child needs, and nothing that could change its behaviour.

    Parameters
    ----------
    scratch
        Where it keeps temporary files. Compilers have a folder that is cleared: one that is killed leaves its files.
    """
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"LC_ALL": "C.UTF-8"}
    return kept if scratch is None else kept | {"TMPDIR": str(scratch)}


def start_child(
    command: Sequence[str],
    *,
    stdout: Stream = subprocess.DEVNULL,
    stderr: Stream = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: Stream = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a process; call from the main thread, whose death the child then follows.

    Parameters
    ----------
    environment
        All of the child's environment; by default :func:`clean_environment`.

    Raises
    ------
    ChildError
        When it cannot be started. A program that does not exist ends with status 127 instead.
    """
    assert threading.current_thread() is LASTING_THREAD, "a child would die with this thread"
    guarded = ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", _GUARD, str(os.getpid()), *command]
    try:
        return subprocess.Popen(
            guarded,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            env=clean_environment() if environment is None else environment,
            start_new_session=True,
            cwd=cwd,
        )
    except OSError as error:
        hint = ": install the package util-linux" if error.filename == guarded[0] else ""
        raise ChildError(f"{command[0]} cannot be started: {error.filename}: {error.strerror}{hint}") from error


def end_child(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and all that it has started; returns when it has ended. Harmless when it has ended before."""
    # Until it is waited for, its process id and its group's id are not used again.
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def stop_child(child: subprocess.Popen[bytes], patience_s: float = _STOP_S) -> None:
    """Ask a child to end, so that it can clean up, and insist after a while."""
    if not _has_ended(child):
        os.kill(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + patience_s
        while not _has_ended(child) and time.monotonic() < deadline:
            time.sleep(_STOP_POLL_S)
    end_child(child)


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended, without reaping it: its process id stays its own."""
    if child.returncode is not None:
        return True
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def run_child(
    command: Sequence[str],
    *,
    limit_s: float,
    output_bytes: int = OUTPUT_BYTES_MAX,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    merged: bool = False,
    given: bytes = b"",
) -> ChildResult:
    """Run a tool to its end, and whatever it started too.

    Parameters
    ----------
    output_bytes
        The most that it may say on each stream.
    merged
        Its standard error goes where its output does.
    given
        What it reads on its standard input.

    Raises
    ------
    ChildError
        When there is no such program, or it takes or says too much.
    """
    if os.sep not in command[0] and shutil.which(command[0]) is None:
        raise ChildError(f"{command[0]} is not installed")
    name = shlex.join(command)[:80]
    with contextlib.ExitStack() as stack:
        pipes = [os.pipe() for _ in range(1 if merged else 2)]
        # No bound needed: pipes to its own child, with deadlines.
        readers = [stack.enter_context(open(reader, "rb", buffering=0)) for reader, _ in pipes]
        writers = [stack.enter_context(open(writer, "wb", buffering=0)) for _, writer in pipes]
        # A file, which is read at any pace: a pipe would have to be filled while the answer is drained.
        try:
            reads = stack.enter_context(tempfile.TemporaryFile())
            reads.write(given)
            reads.seek(0)
        except OSError as error:
            place = tempfile.tempdir or tempfile.gettempprefix()
            raise ChildError(f"{name} cannot be given its input in {place}: {error.strerror}") from error
        child = start_child(
            command, stdin=reads, stdout=writers[0], stderr=writers[-1], environment=environment, cwd=cwd
        )
        stack.callback(end_child, child)
        for writer in writers:
            writer.close()
        said = _listen(child, readers, limit_s, output_bytes, name)
    return ChildResult(child.returncode, said[0], b"" if merged else said[1])


def _listen(
    child: subprocess.Popen[bytes], readers: Sequence[IO[bytes]], limit_s: float, output_bytes: int, name: str
) -> list[bytes]:
    """Read until a child has ended, even when one of its own children holds the pipes for longer."""
    said = [bytearray() for _ in readers]
    deadline = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        for index, reader in enumerate(readers):
            selector.register(reader, selectors.EVENT_READ, index)
        while True:
            ended = _has_ended(child)
            ready = selector.select(0 if ended else _POLL_S) if selector.get_map() else []
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                said[key.data] += chunk
                if not chunk:
                    selector.unregister(key.fileobj)
            if max(map(len, said)) > output_bytes:
                raise ChildError(f"{name} says more than {output_bytes} bytes")
            if ended and not ready:
                return [bytes(part) for part in said]
            if time.monotonic() > deadline:
                raise ChildError(f"{name} has not ended after {limit_s:g} s")
            if not selector.get_map():
                time.sleep(_STOP_POLL_S)
