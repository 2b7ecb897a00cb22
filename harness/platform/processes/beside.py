"""Work that is done beside other work: by a copy of this process, on CPUs of its own, which ends with this one.

A child follows the thread that started it (:mod:`harness.platform.processes.child`), so that threads will not do: the
copy has a main thread of its own, whose children follow it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1


class Beside(Generic[T]):
    """Begins the work when it is made; use as a context manager, which ends what is still going on.

    Parameters
    ----------
    work
        What the copy does. It prints nothing; its result is pickled.
    cpus
        Which the copy may use.
    """

    def __init__(self, work: Callable[[], T], cpus: Collection[int]) -> None:
        parent = os.getpid()
        self._answer, answer = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            _work(work, cpus, answer, parent)
        os.close(answer)
        self.ended_by = 0
        """The signal that ended the copy before it answered, once the result was asked for; 0 for none."""

    def __enter__(self) -> "Beside[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def result(self) -> T | None:
        """Result of the work; None when it failed, which is then to be done in another way. Waits for it."""
        # No bound needed: pipes to its own child.
        with os.fdopen(os.dup(self._answer), "rb") as answer:
            content = answer.read()
        # Nobody else holds its end of the pipe: it has answered, or is no more.
        status = os.waitpid(self._pid, 0)[1]
        os.close(self._answer)
        self._pid = 0
        self.ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        try:
            found: tuple[T] = pickle.loads(content)
            return found[0]
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, TypeError, ValueError):
            return None

    def _end(self) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            os.close(self._answer)
            self._pid = 0


def _work(work: Callable[[], T], cpus: Collection[int], answer: int, parent: int) -> None:
    """In the copy: never returns."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, cpus)
            content = pickle.dumps((work(),))
            with os.fdopen(answer, "wb") as pipe:
                pipe.write(content)
            status = 0
    finally:
        # The copied files and exit handlers belong to the other process.
        os._exit(status)
