"""The guest's serial line: drained by a thread of its own, kept whole, written to a file as it comes."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from harness.core.guest.last_words import headline, last_words
from harness.core.guest.serial_noise import without_noise
from harness.model.errors import GuestError, StoreError
from harness.model.spec import Limits

PANIC = re.compile(rb"\[PANIC\]")
"""How a kernel that keeps kernel/run/serial-protocol.md begins its last words."""
PATTERN_BYTES = 4096
"""A pattern is searched for within this much of an unfinished line."""
PIPE_BYTES = 1 << 20
FORGET_S = 60.0
REMEMBERED_BYTES = 1 << 20


def serial_fifos(path: Path) -> int:
    """Two named pipes, ``<path>.in`` and ``<path>.out``, for a line that is typed to; our reading end of the second."""
    for end in (".in", ".out"):
        os.mkfifo(f"{path}{end}", 0o600)
    # No bound needed: a pipe that QEMU writes, without waiting.
    ours = os.open(f"{path}.out", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(ours, True)
    with contextlib.suppress(OSError):
        fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return ours


def serial_pipe() -> tuple[int, int]:
    """Read and write end of a large pipe.

    Not a socket: QEMU writes single bytes, a socket accounts some hundred bytes for each, and QEMU's 16550 drops what
    it could not write after a few attempts. On a busy host that loses pieces of lines.
    """
    ours, theirs = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return ours, theirs


class Console:
    """Reads a duplicate of a file descriptor until its other end closes.

    A duplicate, because an interrupt can come when the reader runs and its creator does not know of it yet: each closes
    its own.

    The reader never stops before the guest does: a serial line that is not drained would slow the guest down. A guest
    that writes more than ``limits.serial_bytes`` is marked as a flood and no longer kept.

    Parameters
    ----------
    panic
        How a line begins in which the guest says that it panicked; None of a guest that has no such line.
    endless
        For a guest that runs until somebody ends it: memory keeps the last minute or so, the log keeps everything,
        and a flood is what brings that much within a minute.

    Raises
    ------
    OSError
        When the log cannot be created.
    """

    def __init__(
        self,
        descriptor: int,
        path: Path,
        limits: Limits,
        *,
        endless: bool = False,
        panic: re.Pattern[bytes] | None = PANIC,
    ) -> None:
        self._panic = panic
        self._log = open(path, "wb", buffering=0)
        self._descriptor = os.dup(descriptor)
        self._path = path
        self._limits = limits
        self._data = bytearray()
        self._searched = 0
        self._panic_at = -1
        self._forgotten = 0
        self._forget_s = time.monotonic() + FORGET_S if endless else math.inf
        self._change = threading.Condition()
        self.first_byte_ns: int | None = None
        """Host monotonic time of the first byte."""
        self.flooded = False
        self.closed = False
        self.write_error: OSError | None = None
        self._thread = threading.Thread(target=self._drain, name="console", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with self._log as log:
            while True:
                try:
                    chunk = os.read(self._descriptor, 65536)
                except OSError:
                    chunk = b""
                if not chunk:
                    break
                self._keep(chunk, log.write)
        os.close(self._descriptor)
        with self._change:
            self.closed = True
            self._change.notify_all()

    def _keep(self, chunk: bytes, write: Callable[[bytes], int | None]) -> None:
        with self._change:
            if self.first_byte_ns is None:
                self.first_byte_ns = time.monotonic_ns()
            self._forget()
            if len(self._data) + len(chunk) > self._limits.serial_bytes:
                self.flooded = True
            else:
                self._data += chunk
                self._search_panic()
                self._write_all(chunk, write)
            self._change.notify_all()

    def _forget(self) -> None:
        if time.monotonic() < self._forget_s or self._panic_at >= 0:
            return
        self._forget_s = time.monotonic() + FORGET_S
        dropped = max(len(self._data) - REMEMBERED_BYTES, 0)
        del self._data[:dropped]
        self._forgotten += dropped
        self._searched = max(self._searched - dropped, 0)

    def _search_panic(self) -> None:
        if self._panic_at < 0 and self._panic is not None:
            found = self._panic.search(self._data, self._searched)
            self._panic_at = found.start() if found else -1
            self._searched = max(self._data.rfind(b"\n") + 1, len(self._data) - PATTERN_BYTES, 0)

    def _write_all(self, chunk: bytes, write: Callable[[bytes], int | None]) -> None:
        try:
            while chunk and self.write_error is None:
                chunk = chunk[write(chunk) or 0 :]
        except OSError as error:
            self.write_error = error

    def content(self) -> bytes:
        """Everything so far that is still in memory."""
        with self._change:
            return bytes(self._data)

    def since(self, offset: int) -> bytes:
        """Everything from a byte on that is still in memory."""
        with self._change:
            return bytes(self._data[max(offset - self._forgotten, 0) :])

    def last_words(self) -> str:
        """The guest's words about its end, in one harmless line; maybe empty."""
        return last_words(self.content())

    @property
    def size(self) -> int:
        """How much has come so far, bytes; a flood does not count."""
        with self._change:
            return self._forgotten + len(self._data)

    def wait_for(self, needle: bytes, timeout_s: float, what: str) -> None:
        """Wait until ``needle`` has been printed.

        Raises
        ------
        GuestError
            When it is not within ``timeout_s``, the guest panics first, floods the line, or ends.
        StoreError
            When the log cannot be written.
        """
        deadline = time.monotonic() + timeout_s
        seen = 0
        with self._change:
            while self._data.find(needle, max(seen - self._forgotten - len(needle), 0)) < 0:
                seen = self.size
                self.check()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise GuestError(f"no {what} within {timeout_s:g} s", self._path)
                if self.closed:
                    said = last_words(bytes(self._data))
                    raise GuestError(f"the guest ended before {what}{f': {said}' if said else ''}", self._path)
                self._change.wait(left)

    def wait_match(self, pattern: re.Pattern[bytes], start: int, timeout_s: float, what: str) -> int:
        """Wait until a pattern matches what was printed from ``start`` on; returns where its match ends.

        Raises as :meth:`wait_for`, with ``what`` as the complaint.
        """
        deadline = time.monotonic() + timeout_s
        with self._change:
            while (found := pattern.search(self._data, max(start - self._forgotten, 0))) is None:
                self.check()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise GuestError(f"{what} within {timeout_s:g} s", self._path)
                if self.closed:
                    raise GuestError(f"the guest ended: {what}", self._path)
                self._change.wait(left)
            return self._forgotten + found.end()

    def check(self) -> None:
        """Raise the error that the line itself shows: a log that cannot be written, a panic, a flood."""
        with self._change:
            if self.write_error:
                raise StoreError(f"the serial log cannot be written: {self.write_error.strerror}", self._path)
            end = self._data.find(b"\n", self._panic_at) if self._panic_at >= 0 else -1
            if end >= 0:
                begin = self._panic_at if self._panic is PANIC else self._data.rfind(b"\n", 0, self._panic_at) + 1
                line = without_noise(bytes(self._data[begin:end])).removeprefix(b"[PANIC]")
                raise GuestError(f"the guest panicked: {headline(line)}", self._path)
            if self.flooded:
                raise GuestError(f"the serial line brought more than {self._limits.serial_bytes} bytes", self._path)

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the line, once QEMU has ended."""
        self._thread.join(timeout_s)
