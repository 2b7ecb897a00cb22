"""A virtual display whose pixels can be read at no cost to the program that draws on it.

Xvfb maps its screen into a file in XWD format. Reading races with the X server: stop what draws, and read until two
pictures in a row are the same (:meth:`Xvfb.settled_picture`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import numpy as np

from harness.core.arrays import Image
from harness.model.errors import HarnessError
from harness.model.spec import Limits
from harness.platform.files.bounded import read_bounded
from harness.platform.pictures.capture import CaptureError
from harness.platform.pictures.display_leftovers import clear_leftovers
from harness.platform.processes.child import clean_environment, end_child, start_child

START_S = 10.0
STOP_S = 2.0
SETTLE_S = 0.01
SCREEN_BYTES_MAX = 1 << 30
SCREEN_FILE, COOKIE_FILE = "Xvfb_screen0", "xauthority"
_HEADER = struct.Struct(">25I")
_VERSION, _Z_PIXMAP, _COLOUR_BYTES = 7, 2, 12


SDL_WINDOW_PX = (640, 480)
"""The size for which QEMU's SDL window is centred, before the guest's mode makes it grow to the right and downwards."""


def session_environment() -> dict[str, str]:
    """The caller's environment for a window in the session.

    An SDL that finds no session may draw where nobody looks, and says nothing of it: it is told which kinds there are.
    """
    if not sys.platform.startswith("linux"):
        return dict(os.environ)
    kinds = [kind for kind, name in (("wayland", "WAYLAND_DISPLAY"), ("x11", "DISPLAY")) if os.environ.get(name)]
    return os.environ | {"SDL_VIDEODRIVER": ",".join(kinds or ["x11"])}


def screen_for(mode: tuple[int, int]) -> tuple[int, int]:
    """The smallest screen on which QEMU's SDL window shows all of a mode; there is no window manager to move it."""
    width_px, height_px = (max(first, 2 * size - first) for size, first in zip(mode, SDL_WINDOW_PX))
    return width_px, height_px


def window_of(screen: Image, mode: tuple[int, int]) -> Image:
    """The part of a screen made by :func:`screen_for` that QEMU's SDL window covers."""
    left, top = ((size - first) // 2 for size, first in zip((screen.shape[1], screen.shape[0]), SDL_WINDOW_PX))
    return screen[top : top + mode[1], left : left + mode[0]]


class DisplayError(HarnessError):
    """A display that does not start."""


def parse_xwd(content: bytes, limits: Limits = Limits()) -> Image:
    """Parse an X window dump: version 7, Z pixmap, 24 bits deep in 32, any byte order.

    Returns
    -------
    Image
        Shape (height, width, 3), channels R, G, B.

    Raises
    ------
    CaptureError
        On another format, an impossible size, or fewer bytes than the header promises.
    """
    if len(content) < _HEADER.size:
        raise CaptureError(f"the window dump is cut off after {len(content)} bytes")
    fields = _HEADER.unpack_from(content)
    header_bytes, version, form, depth, width_px, height_px = fields[:6]
    order, pixel_bits, row_bytes, masks, colours = fields[7], fields[11], fields[12], fields[14:17], fields[19]
    if (version, form, depth, pixel_bits) != (_VERSION, _Z_PIXMAP, 24, 32) or order > 1:
        raise CaptureError(f"the window dump has version {version}, format {form}, {depth} of {pixel_bits} bits")
    start = header_bytes + colours * _COLOUR_BYTES
    if (
        not 0 < width_px * height_px * 4 <= limits.picture_bytes
        or not width_px * 4 <= row_bytes <= limits.picture_bytes
    ):
        raise CaptureError(f"the window dump is {width_px}x{height_px} with rows of {row_bytes} bytes, which cannot be")
    if len(content) < start + row_bytes * height_px:
        raise CaptureError(f"the window dump is cut off: {len(content)} of {start + row_bytes * height_px} bytes")
    shifts = [mask.bit_length() - 8 for mask in masks]
    if [0xFF << max(shift, 0) for shift in shifts] != list(masks):
        raise CaptureError(f"the window dump has channels {', '.join(f'{mask:#x}' for mask in masks)}")
    rows = np.frombuffer(content, np.uint8, row_bytes * height_px, start).reshape(height_px, row_bytes)
    pixels = rows[:, : width_px * 4].reshape(height_px, width_px, 4)
    places = [shift // 8 if order == 0 else 3 - shift // 8 for shift in shifts]
    return np.ascontiguousarray(pixels[:, :, places])


class Xvfb:
    """An X server on a virtual screen, for programs started with :attr:`environment`; use as a context manager.

    It takes the first free display number, admits only who has its cookie, and ends with the harness.

    Parameters
    ----------
    folder
        Private to this display; receives ``xvfb.log``, and until it ends the screen and the cookie.

    Raises
    ------
    DisplayError
        When it is not installed or does not start; carries its last lines.
    """

    def __init__(self, folder: Path, size_px: tuple[int, int]) -> None:
        self.folder = folder
        self.size_px = size_px
        self.number = -1
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Xvfb":
        binary = shutil.which("Xvfb")
        if binary is None:
            raise DisplayError("Xvfb is not installed: install the package xvfb (make setup test)")
        self.folder.mkdir(parents=True, exist_ok=True)
        clear_leftovers()
        cookie = secrets.token_bytes(16)
        self._write_cookie(0, cookie)
        width_px, height_px = self.size_px
        ours, theirs = os.pipe()
        command = [binary, "-displayfd", str(theirs), "-screen", "0", f"{width_px}x{height_px}x24", "-noreset"]
        command += ["-nolisten", "tcp", "-fbdir", str(self.folder), "-auth", str(self._cookie_path)]
        try:
            with open(self.folder / "xvfb.log", "wb") as log:
                self._process = start_child(command, stderr=log, pass_fds=[theirs])
            os.close(theirs)
            theirs = -1
            self.number = self._read_number(ours)
            self._write_cookie(self.number, cookie)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        finally:
            os.close(ours)
            if theirs >= 0:
                os.close(theirs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()  # it then removes its socket and its lock
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        end_child(self._process)
        clear_leftovers(ended=self.number)
        for name in (SCREEN_FILE, COOKIE_FILE):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the display was not entered"
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """All of the environment for a program that draws here, software GL included."""
        return clean_environment() | {
            "DISPLAY": f":{self.number}",
            "XAUTHORITY": str(self._cookie_path),
            "XDG_RUNTIME_DIR": str(self.folder),
            "SDL_VIDEODRIVER": "x11",
            "GDK_BACKEND": "x11",
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }

    def read(self) -> bytes:
        """The whole screen now as a window dump, even in the middle of a change.

        Raises
        ------
        CaptureError
            When the server has ended, or its file cannot be read.
        """
        assert self._process is not None, "the display was not entered"
        if self._process.poll() is not None:
            raise CaptureError("the virtual display has ended", self.folder / "xvfb.log")
        try:
            return read_bounded(self.folder / SCREEN_FILE, SCREEN_BYTES_MAX)
        except OSError as error:
            raise CaptureError(f"the virtual display's screen cannot be read: {error.strerror}") from error

    def picture(self, limits: Limits = Limits()) -> Image:
        """The whole screen now, shape (height, width, 3), even in the middle of a change; raises as :meth:`read`."""
        return parse_xwd(self.read(), limits)

    def settled_picture(self, timeout_s: float, limits: Limits = Limits()) -> Image:
        """The screen once it stands still; stop what draws on it first.

        Raises
        ------
        CaptureError
            When it has not within ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        last = self.read()
        while True:
            time.sleep(SETTLE_S)
            now = self.read()
            if last == now:
                return parse_xwd(now, limits)
            if time.monotonic() > deadline:
                raise CaptureError(f"the virtual display does not stand still within {timeout_s:g} s")
            last = now

    @property
    def _cookie_path(self) -> Path:
        return self.folder / COOKIE_FILE

    def _write_cookie(self, number: int, cookie: bytes) -> None:
        """An Xauthority file with one entry: family local, host name, display number, protocol, cookie."""
        parts = [socket.gethostname().encode(), str(number).encode(), b"MIT-MAGIC-COOKIE-1", cookie]
        entry = struct.pack(">H", 256) + b"".join(struct.pack(">H", len(part)) + part for part in parts)
        with open(os.open(self._cookie_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(entry)

    def _read_number(self, descriptor: int) -> int:
        said = b""
        deadline = time.monotonic() + START_S
        while not said.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))
            chunk = os.read(descriptor, 64) if ready else b""
            if not chunk:
                how = "ended at once" if ready else f"did not start within {START_S:g} s"
                raise DisplayError(f"Xvfb {how}: {self._last_words()}", self.folder / "xvfb.log")
            said += chunk
        return int(said)

    def _last_words(self) -> str:
        text = read_bounded(self.folder / "xvfb.log").decode("utf-8", "replace").strip()
        return " | ".join(text.splitlines()[-3:]) or "no output"
