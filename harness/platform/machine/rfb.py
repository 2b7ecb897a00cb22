"""A viewer's connection to QEMU's VNC server (RFB, RFC 6143), over a socket pair that the monitor hands it.

It asks for no picture: it says which size the viewer's window has, which QEMU's virtio-gpu hands on to its guest as a
change of the display, and receives the shape of the guest's cursor. Extensions beyond the RFC, SetDesktopSize and the
cursor with opacity, are those of the RFB protocol's community (rfbproto).
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from harness.core.arrays import Image
from harness.model.errors import HarnessError
from harness.platform.machine.qmp import Qmp

VERSION = b"RFB 003.008\n"
NAME = "viewer"
"""What the descriptor is called that QEMU is handed."""
_NO_PASSWORD, _SHARED = 1, 1
_SET_ENCODINGS, _SET_DESKTOP_SIZE = 2, 251
_EXTENDED_SIZE, _CURSOR, _DESKTOP_SIZE = -308, -314, -223
_UPDATE = 0
_FORWARDED = 4
"""QEMU's answer to a size: the guest was told."""
_BYTES_MAX = 1 << 22
_SIDE_MAX = 256


class RfbError(HarnessError):
    """A server that does not speak the protocol, or refuses."""


@dataclass(frozen=True)
class CursorShape:
    """A cursor as a viewer gets it."""

    hot: tuple[int, int]
    pixels: Image
    """Shape (height, width, 4); QEMU sends B, G, R and opacity, as they lie in its memory."""


class Viewer:
    """One viewer; use as a context manager.

    Parameters
    ----------
    timeout_s
        Longest wait for each of the server's answers.
    """

    def __init__(self, qmp: Qmp, timeout_s: float) -> None:
        self._qmp = qmp
        self._timeout_s = timeout_s
        self._sock: socket.socket | None = None
        self.cursor: CursorShape | None = None
        """The shape that came last."""

    def __enter__(self) -> "Viewer":
        ours, theirs = socket.socketpair()
        self._sock = ours
        try:
            with theirs:
                self._qmp.send_descriptor(NAME, theirs.fileno())
                self._qmp.execute("add_client", protocol="vnc", fdname=NAME, skipauth=True)
            self._greet()
        except BaseException:
            ours.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._sock is not None
        self._sock.close()

    def resize(self, width_px: int, height_px: int) -> None:
        """Tell the guest that its display has another size.

        Raises
        ------
        RfbError
            When QEMU does not hand it on.
        """
        screen = struct.pack(">IHHHHI", 0, 0, 0, width_px, height_px, 0)
        self._send(struct.pack(">BxHHBx", _SET_DESKTOP_SIZE, width_px, height_px, 1) + screen)
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            status = self._message()
            if status == _FORWARDED:
                return
            if status is not None and status > 0:
                raise RfbError(f"the display takes no size of {width_px}x{height_px}: status {status}")
        raise RfbError("the display did not answer to another size")

    def wait_cursor(self) -> CursorShape:
        """The shape of the guest's cursor, once it is there."""
        deadline = time.monotonic() + self._timeout_s
        while self.cursor is None:
            if time.monotonic() > deadline:
                raise RfbError("no cursor's shape came")
            self._message()
        return self.cursor

    def _greet(self) -> None:
        if self._receive(len(VERSION)) != VERSION:
            raise RfbError("the VNC server speaks another protocol")
        self._send(VERSION)
        kinds = self._receive(self._receive(1)[0])
        if _NO_PASSWORD not in kinds:
            raise RfbError("the VNC server wants a password")
        self._send(bytes([_NO_PASSWORD]))
        if self._receive(4) != bytes(4):
            raise RfbError("the VNC server refused the viewer")
        self._send(bytes([_SHARED]))
        [length] = struct.unpack(">20xI", self._receive(24))
        self._receive(length)
        kinds_wanted = (_EXTENDED_SIZE, _CURSOR)
        self._send(struct.pack(f">BxH{len(kinds_wanted)}i", _SET_ENCODINGS, len(kinds_wanted), *kinds_wanted))

    def _message(self) -> int | None:
        """Read one message; the server's answer to a size, if it is one. Others than updates were not asked for."""
        if self._receive(1)[0] != _UPDATE:
            raise RfbError("the VNC server sent what was not asked for")
        [count] = struct.unpack(">xH", self._receive(3))
        status = None
        for _ in range(count):
            x, y, width, height, kind = struct.unpack(">HHHHi", self._receive(12))
            if kind == _EXTENDED_SIZE:
                self._receive(4 + 16 * self._peek_screens())
                status = y if x == 1 else status
            elif kind == _CURSOR:
                self._take_cursor(x, y, width, height)
            elif kind != _DESKTOP_SIZE:
                raise RfbError(f"the VNC server sent an encoding that was not asked for: {kind}")
        return status

    def _peek_screens(self) -> int:
        assert self._sock is not None
        return int(self._sock.recv(1, socket.MSG_PEEK)[0])

    def _take_cursor(self, x: int, y: int, width: int, height: int) -> None:
        [encoding] = struct.unpack(">i", self._receive(4))
        if encoding or max(width, height) > _SIDE_MAX:
            raise RfbError(f"a cursor of {width}x{height} in encoding {encoding}")
        pixels = np.frombuffer(self._receive(width * height * 4), np.uint8).reshape(height, width, 4)
        self.cursor = CursorShape((x, y), pixels)

    def _send(self, content: bytes) -> None:
        assert self._sock is not None
        try:
            self._sock.settimeout(self._timeout_s)
            self._sock.sendall(content)
        except OSError as error:
            raise RfbError(f"the VNC server does not listen: {error}") from error

    def _receive(self, length: int) -> bytes:
        """Exactly this many bytes."""
        assert self._sock is not None
        if length > _BYTES_MAX:
            raise RfbError(f"the VNC server announces {length} bytes")
        content = b""
        try:
            self._sock.settimeout(self._timeout_s)
            while len(content) < length:
                chunk = self._sock.recv(length - len(content))
                if not chunk:
                    raise RfbError("the VNC server closed the connection")
                content += chunk
        except OSError as error:
            raise RfbError(f"the VNC server does not answer: {error}") from error
        return content
