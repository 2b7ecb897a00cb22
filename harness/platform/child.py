"""Processes that end with the harness, in whatever way it ends.

``setpriv --pdeathsig KILL`` has the kernel kill the child when the thread that started it dies. A shell between the two
refuses to go on when the harness was gone before that took effect. Each child leads a process group of its own, so that
whatever it starts ends with it, and a Ctrl-C in the terminal reaches the harness alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from harness.model.errors import HarnessError

_GUARD = 'test "$PPID" -eq "$0" && exec "$@"'
_ENVIRONMENT = ("PATH", "HOME", "TMPDIR")

Stream = int | IO[bytes]


class ChildError(HarnessError):
    """A process that cannot be started."""


def clean_environment() -> dict[str, str]:
    """What a child needs of the environment, and nothing that could change what it does."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"LC_ALL": "C.UTF-8"}


def start_child(
    command: Sequence[str],
    *,
    stdout: Stream = subprocess.DEVNULL,
    stderr: Stream = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
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
    assert threading.current_thread() is threading.main_thread(), "a child would die with this thread"
    guarded = ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", _GUARD, str(os.getpid()), *command]
    try:
        return subprocess.Popen(
            guarded,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            env=clean_environment() if environment is None else environment,
            start_new_session=True,
        )
    except OSError as error:
        hint = ": install the package util-linux" if error.filename == guarded[0] else ""
        raise ChildError(f"{command[0]} cannot be started: {error.filename}: {error.strerror}{hint}") from error


def end_child(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and all that it has started; returns when it is gone. Harmless when it is already."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()
