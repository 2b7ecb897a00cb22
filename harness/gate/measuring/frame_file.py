"""``timing.npz``: every frame time of every launch of a run."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from harness.core.arrays import F64
from harness.gate.measuring.timing import Timing
from harness.platform.files.bounded import read_bounded

FRAMES_FILE = "timing.npz"
FRAMES_BYTES_MAX = 256 << 20
"""All frame times of a run, unpacked; an hour of frames at 1,000 a second has 58 MB."""


def save_frames(timing: Timing, folder: Path) -> None:
    """Write every frame time of every launch."""
    arrays: dict[str, F64] = {
        f"{number}-{role}": frame_ms
        for number, launch in enumerate(timing.launches)
        for role, frame_ms in launch.frame_ms.items()
    }
    np.savez_compressed(folder / FRAMES_FILE, **arrays)


def load_frames(path: Path) -> dict[str, F64]:
    """Frame times by launch and role, each of shape (n,), positive.

    Each array's claimed shape is compared with the bytes that are there before any memory is allocated for it.

    Raises
    ------
    ValueError, OSError, zipfile.BadZipFile, zlib.error
        When the file is damaged, or larger than any run's.
    """
    found: dict[str, F64] = {}
    with zipfile.ZipFile(io.BytesIO(read_bounded(path, FRAMES_BYTES_MAX))) as archive:
        if sum(member.file_size for member in archive.infolist()) > FRAMES_BYTES_MAX:
            raise ValueError(f"{path.name} holds more than {FRAMES_BYTES_MAX >> 20} MiB")
        for member in archive.infolist():
            found[member.filename.removesuffix(".npy")] = _array(archive.read(member), member.filename)
    return found


def _array(content: bytes, name: str) -> F64:
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):  # type: ignore[no-untyped-call]
        raise ValueError(f"{name} is not an array of this harness")
    shape, _, kind = np.lib.format.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
    values = content[file.tell() :]
    if kind != np.dtype("<f8") or len(shape) != 1 or shape[0] * 8 != len(values):
        raise ValueError(f"{name} claims {shape} of {kind} and holds {len(values)} bytes")
    frame_ms: F64 = np.frombuffer(values, np.float64)
    if not np.all(np.isfinite(frame_ms) & (frame_ms > 0)):
        raise ValueError(f"{name} holds times that are not positive")
    return frame_ms
