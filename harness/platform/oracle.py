"""The oracle: the kernel's own scene, built natively, so that every pixel of every frame is known.

The shared library is built from ``kernel/scene`` once for each content of its sources and kept under ``build/oracle``.
Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B, as captures are.
"""

from __future__ import annotations

import ctypes
import hashlib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from harness.model.errors import BuildError
from harness.model.spec import KERNEL_DIR, Limits
from harness.platform.atomic import write_whole
from harness.platform.build import BUILD_DIR, compiler_identity
from harness.platform.child import ChildError, run_child

Image = npt.NDArray[np.uint8]

ORACLE_DIR = BUILD_DIR / "oracle"
DEFAULT_SEED = 1
"""What the kernel takes when no seed is given."""
_FLAGS = ("-std=c11", "-O2", "-shared", "-fPIC", "-ffreestanding", "-fvisibility=default")


class _Canvas(ctypes.Structure):
    """``struct canvas`` of kernel/scene/canvas.h."""

    _fields_ = [
        ("pixels", ctypes.c_void_p),
        ("width_px", ctypes.c_uint32),
        ("height_px", ctypes.c_uint32),
        ("stride_px", ctypes.c_uint32),
    ]


class _Rect(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in ("x0", "y0", "x1", "y1")]


class _Damage(ctypes.Structure):
    """``struct roulette_damage`` of kernel/scene/roulette.h."""

    _fields_ = [("count", ctypes.c_uint32), ("rects", _Rect * 4)]


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
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
    except OSError as error:
        raise BuildError(f"the oracle's sources cannot be read: {error}") from error
    library = ORACLE_DIR / f"{digest.hexdigest()[:16]}.so"
    if not library.exists():
        _compile([*command, f"-I{kernel_dir}", *(str(s) for s in sources if s.suffix == ".c")], library)
    return library


def _compile(command: list[str], library: Path) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
            part = Path(folder) / library.name
            done = run_child([*command, "-o", str(part)], limit_s=Limits().build_s)
            if done.status:
                telling = [line for line in done.errors if "rror" in line] or list(done.errors)
                raise BuildError("the oracle does not build: " + " | ".join(telling[:3]))
            library.parent.mkdir(parents=True, exist_ok=True)
            write_whole(library, part.read_bytes())
    except (OSError, ChildError) as error:
        raise BuildError(f"the oracle cannot be built: {error}") from error


class Oracle:
    """What every frame of one mode and seed looks like.

    Not for use by several threads at once: it draws on one canvas.

    Raises
    ------
    BuildError
        When the library cannot be built or loaded.
    ValueError
        When the scene does not offer the mode.
    """

    def __init__(self, width_px: int, height_px: int, seed: int = DEFAULT_SEED, library: Path | None = None) -> None:
        path = library or build_oracle()
        try:
            self._scene = ctypes.CDLL(str(path))
        except OSError as error:
            raise BuildError(f"the oracle {path.name} cannot be loaded: {error}") from error
        self._scene.roulette_size.restype = ctypes.c_uint32
        self._roulette = ctypes.create_string_buffer(self._scene.roulette_size())
        if self._scene.roulette_init(self._roulette, width_px, height_px, ctypes.c_uint32(seed)):
            raise ValueError(f"the scene does not offer {width_px}x{height_px}")
        self._pixels: Image = np.zeros((height_px, width_px, 4), np.uint8)
        self._canvas = _Canvas(self._pixels.ctypes.data, width_px, height_px, width_px)

    def draw(self, frame: int) -> Image:
        """Draw one frame whole: shape (height, width, 4), B, G, R, 0. The next call draws on the same array."""
        self._scene.roulette_draw(self._roulette, ctypes.byref(self._canvas), ctypes.c_uint32(frame))
        return self._pixels

    def draw_dirty(self, previous: int, frame: int) -> tuple[Image, tuple[Rect, ...]]:
        """Draw what differs from `previous`, which must be on the canvas; the array, and what was touched."""
        damage = _Damage()
        self._scene.roulette_draw_dirty(
            self._roulette,
            ctypes.byref(self._canvas),
            ctypes.c_uint32(previous),
            ctypes.c_uint32(frame),
            ctypes.byref(damage),
        )
        return self._pixels, tuple(Rect(r.x0, r.y0, r.x1, r.y1) for r in damage.rects[: damage.count])

    def picture(self, frame: int) -> Image:
        """One frame as a capture would show it, shape (height, width, 3), R, G, B; an array of its own."""
        picture: Image = cv2.cvtColor(self.draw(frame), cv2.COLOR_BGRA2RGB)
        return picture

    def shows(self, picture: Image, frame: int) -> bool:
        """Whether a capture is exactly this frame, every pixel."""
        return bool(np.array_equal(picture, self.picture(frame)))
