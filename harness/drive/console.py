"""The guest's serial line: drained by a thread of its own, kept whole, written to a file as it comes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from harness.drive.errors import GuestError
from harness.spec import Limits


class Console:
    """Reads a file descriptor, which it then owns, until its other end closes.

    The reader never stops before the guest does: a serial line that is not drained would slow the guest down. A guest
    that writes more than ``limits.serial_bytes`` is marked as a flood and no longer kept.
    """

    def __init__(self, descriptor: int, path: Path, limits: Limits) -> None:
        self._descriptor = descriptor
        self._path = path
        self._limits = limits
        self._data = bytearray()
        self._change = threading.Condition()
        self.first_byte_ns: int | None = None
        """Host monotonic time of the first byte."""
        self.flooded = False
        self.closed = False
        self.write_error: OSError | None = None
        self._thread = threading.Thread(target=self._drain, name="console", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with open(self._path, "wb", buffering=0) as log:
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
            if len(self._data) + len(chunk) > self._limits.serial_bytes:
                self.flooded = True
            else:
                self._data += chunk
                try:
                    write(chunk)
                except OSError as error:
                    self.write_error = self.write_error or error
            self._change.notify_all()

    def content(self) -> bytes:
        """Everything so far."""
        with self._change:
            return bytes(self._data)

    @property
    def size(self) -> int:
        """How much has been kept so far, bytes."""
        with self._change:
            return len(self._data)

    def wait_for(self, needle: bytes, timeout_s: float, what: str) -> None:
        """Wait until ``needle`` has been printed.

        Raises
        ------
        GuestError
            When it is not within ``timeout_s``, the guest panics first, floods the line, or ends.
        """
        deadline = time.monotonic() + timeout_s
        seen = 0
        with self._change:
            while self._data.find(needle, max(seen - len(needle), 0)) < 0:
                seen = len(self._data)
                self.check()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise GuestError(f"no {what} within {timeout_s:g} s", self._path)
                if self.closed:
                    raise GuestError(f"the guest ended before {what}", self._path)
                self._change.wait(left)

    def check(self) -> None:
        """Raise what the line alone already says: a panic, a flood, a log that cannot be written."""
        with self._change:
            at = self._data.find(b"[PANIC]")
            if at >= 0 and b"\n" in self._data[at:]:
                line = bytes(self._data[at:]).partition(b"\n")[0].decode("utf-8", "replace").strip()
                raise GuestError(f"the guest panicked: {line[8:]}", self._path)
            if self.flooded:
                raise GuestError(f"the serial line brought more than {self._limits.serial_bytes} bytes", self._path)
            if self.write_error:
                raise GuestError(f"the serial log cannot be written: {self.write_error}", self._path)

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the line, once QEMU has gone."""
        self._thread.join(timeout_s)
