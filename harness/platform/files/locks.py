"""Locks between processes: one file each, held until the holder releases it or ends, with a time limit.

The holder writes its name into the file; the lock itself is ``flock``, so a killed holder leaves none.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from harness.model.errors import HarnessError, StoreError

POLL_S = 0.05
_HOLDER_BYTES_MAX = 200


class Busy(HarnessError):
    """Somebody else holds a lock for longer than we may wait; ``holder`` says who, in words."""

    def __init__(self, path: Path, wait_s: float, holder: str) -> None:
        waited = f" and did not let go within {wait_s:g} s" if wait_s else ""
        super().__init__(f"{path} is held by {holder}{waited}: try again when it has ended")
        self.holder = holder


@contextlib.contextmanager
def lock(path: Path, *, wait_s: float, purpose: str) -> Iterator[None]:
    """Hold a lock file while the body runs; its folder is made, and the file stays.

    Parameters
    ----------
    wait_s
        How long to wait for another holder; 0 only tries.
    purpose
        What the holder does, for those that wait: ``approve``.

    Raises
    ------
    Busy
        When another process, or another part of this one, holds it for longer.
    StoreError
        When the file cannot be made or locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # No bound needed: lock files.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise StoreError(f"{path.parent} cannot be written: {error.strerror}") from error
    try:
        acquire(descriptor, path, wait_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, {purpose}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock an open file or folder, if no other process holds it; closing the descriptor lets go.

    Raises
    ------
    OSError
        When its file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def acquire(descriptor: int, path: Path, wait_s: float) -> None:
    """Lock an open file within a time limit; ``path`` is what it is called. Raises as :func:`lock`."""
    deadline = time.monotonic() + wait_s
    try:
        while not try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise Busy(path, wait_s, _holder(descriptor))
            time.sleep(POLL_S)
    except OSError as error:
        raise StoreError(f"{path} cannot be locked: {error.strerror}") from error


def _holder(descriptor: int) -> str:
    said = os.pread(descriptor, _HOLDER_BYTES_MAX, 0).decode("utf-8", "replace").strip()
    return said or "another process"
