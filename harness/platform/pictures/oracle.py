"""The oracle: the kernel's own scene, built natively, so that every pixel of every frame is known.

The shared library is built from ``kernel/scene`` once for each content of its sources and kept under ``build/oracle``.
Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B, as captures are.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import mmap
import os
import signal
import socket
import stat
import subprocess
import sys
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from harness.core.arrays import Image
from harness.model.errors import BuildError
from harness.model.spec import KERNEL_DIR
from harness.platform.kernels.build import BUILD_DIR, compiler_identity
from harness.platform.kernels.shared_library import compile_library
from harness.platform.pictures import oracle_child
from harness.platform.processes.child import ChildError, end_child, start_child

ORACLE_DIR = BUILD_DIR / "oracle"
DEFAULT_SEED = 1
"""The kernel's seed when none is given."""
LOAD_S, REQUEST_S = 30.0, 20.0
"""Longest time to load the scene, and to draw one frame."""
_GOING_S = 2.0
_ANSWER_BYTES, _WORD = 512, 0xFFFFFFFF
_FLAGS = ("-std=c11", "-O2", "-shared", "-fPIC", "-ffreestanding", "-fvisibility=default")


@dataclass(frozen=True)
class Rect:
    """Half open, in pixels: x0 <= x < x1, y0 <= y < y1."""

    x0: int
    y0: int
    x1: int
    y1: int


def build_oracle(kernel_dir: Path = KERNEL_DIR, flags: Iterable[str] = (), compiler: str = "gcc") -> Path:
    """Build the library of a ``kernel/`` folder's scene, or find the one built before from the same content.

    Raises
    ------
    BuildError
        When the compiler is missing or refuses the sources.
    """
    sources = sorted((kernel_dir / "scene").glob("*.[ch]")) + [kernel_dir / "options.h"]
    sources += (kernel_dir / "base").glob("minmax.h")
    command = [compiler, *_FLAGS, *flags]
    digest = hashlib.sha256(repr((command, compiler_identity(compiler))).encode())
    try:
        for source in sources:
            # No bound needed: sources of this tree, and the library made of them.
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
    except OSError as error:
        raise BuildError(f"the oracle's sources cannot be read: {error}") from error
    library = ORACLE_DIR / f"{digest.hexdigest()[:16]}.so"
    if not library.exists():
        named = [str(source) for source in sources if source.suffix == ".c"]
        compile_library([*command, f"-I{kernel_dir}", *named], library, "the oracle")
    return library


class Oracle:
    """The right picture of every frame of one mode and seed.

    The scene is the candidate's own code: it runs in a process of its own
    (:mod:`harness.platform.pictures.oracle_child`) and draws on memory that both see. Only one thread may use it: it
    draws on one canvas.

    Raises
    ------
    BuildError
        When the library cannot be built or loaded; from every method when the scene ends, crashes or does not answer.
    ValueError
        When the scene does not offer the mode.
    """

    def __init__(self, width_px: int, height_px: int, seed: int = DEFAULT_SEED, library: Path | None = None) -> None:
        self._library = library or build_oracle()
        shape = (height_px, width_px, 4)
        if not math.prod(shape):
            raise ValueError(f"the scene does not offer {width_px}x{height_px}")
        with contextlib.ExitStack() as stack:
            canvas = os.memfd_create("oracle", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            stack.callback(os.close, canvas)
            os.ftruncate(canvas, math.prod(shape))
            # Otherwise the process that draws on it could truncate it.
            fcntl.fcntl(canvas, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
            self._pixels: Image = np.frombuffer(mmap.mmap(canvas, math.prod(shape)), np.uint8).reshape(shape)
            self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            stack.callback(theirs.close)
            self._child = self._start(stack, theirs, canvas, (width_px, height_px, seed))
        self._end = weakref.finalize(self, _end, self._channel, self._child)
        self._channel.settimeout(LOAD_S)
        said = self._hear("while it was loaded")
        if said != oracle_child.READY:
            self._end()
            if said == oracle_child.NO_MODE:
                raise ValueError(f"the scene does not offer {width_px}x{height_px}")
            raise BuildError(f"the oracle {self._library} cannot be loaded: {said.decode('utf-8', 'replace')}")
        self._channel.settimeout(REQUEST_S)

    def _start(
        self, stack: contextlib.ExitStack, channel: socket.socket, canvas: int, scene: tuple[int, int, int]
    ) -> subprocess.Popen[bytes]:
        try:
            library = stack.enter_context(self._library.open("rb"))
            # The descriptor gives access even where a folder on the path is closed to the child.
            readable = os.fstat(library.fileno()).st_mode & stat.S_IROTH
            passed = (channel.fileno(), library.fileno(), canvas)
            numbers = (*passed, *scene, os.getpid(), int(os.geteuid() == 0 and bool(readable)))
            script = Path(oracle_child.__file__)
            return start_child([sys.executable, "-I", "-S", str(script), *map(str, numbers)], pass_fds=passed)
        except (OSError, ChildError) as error:
            self._channel.close()
            raise BuildError(f"the oracle {self._library} cannot be loaded: {error}") from error

    def _hear(self, doing: str) -> bytes:
        """The child's answer.

        Raises
        ------
        BuildError
            When there is none.
        """
        try:
            said = self._channel.recv(_ANSWER_BYTES)
        except TimeoutError:
            limit_s = self._channel.gettimeout()
            self._end()
            raise BuildError(f"{self._what}: no answer within {limit_s:g} s {doing}") from None
        except ConnectionError:
            said = b""
        if not said:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_GOING_S)
            self._end()
            raise BuildError(f"{self._what}: the scene {_ending(self._child.returncode)} {doing}")
        return said

    def _ask(self, dirty: bool, previous: int, frame: int) -> tuple[int, ...]:
        """Have a frame drawn; the number of rectangles, and their sides."""
        doing = f"while it drew frame {frame}"
        if not self._end.alive:
            raise BuildError(f"{self._what}: the scene has ended before")
        with contextlib.suppress(ConnectionError):
            self._channel.send(oracle_child.REQUEST.pack(dirty, previous & _WORD, frame & _WORD))
        said = self._hear(doing)
        if len(said) != oracle_child.ANSWER.size:
            raise BuildError(f"{self._what}: an invalid answer {doing}")
        return oracle_child.ANSWER.unpack(said)

    def draw(self, frame: int) -> Image:
        """Draw one frame whole: shape (height, width, 4), B, G, R, 0. The next call draws on the same array."""
        self._ask(False, 0, frame)
        return self._pixels

    def draw_dirty(self, previous: int, frame: int) -> tuple[Image, tuple[Rect, ...]]:
        """Draw what differs from `previous`, which must be on the canvas; the array, and what was touched."""
        count, *sides = self._ask(True, previous, frame)
        if count > len(sides) // 4:
            raise BuildError(f"{self._what}: {count} rectangles of damage in frame {frame}")
        return self._pixels, tuple(Rect(*sides[4 * one : 4 * one + 4]) for one in range(count))

    @property
    def _what(self) -> str:
        return f"the oracle of kernel/scene ({self._library})"

    def picture(self, frame: int) -> Image:
        """One frame as a capture would show it, shape (height, width, 3), R, G, B; an array of its own."""
        picture: Image = cv2.cvtColor(self.draw(frame), cv2.COLOR_BGRA2RGB)
        return picture

    def shows(self, picture: Image, frame: int) -> bool:
        """Whether a capture is exactly this frame, every pixel."""
        return bool(np.array_equal(picture, self.picture(frame)))


def _end(channel: socket.socket, child: subprocess.Popen[bytes]) -> None:
    channel.close()
    end_child(child)


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended the process with status {status}"
