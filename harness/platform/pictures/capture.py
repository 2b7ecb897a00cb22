"""Pictures from QEMU: the PPM that ``screendump`` writes, as an array."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.core.arrays import Image
from harness.model.errors import HarnessError
from harness.model.spec import Limits
from harness.platform.files.bounded import read_bounded
from harness.platform.machine.qmp import Qmp

HEADER_BYTES_MAX = 64

_HEADER = re.compile(rb"P6\s+(\d{1,6})\s+(\d{1,6})\s+(\d{1,5})\s")


class CaptureError(HarnessError):
    """A picture that cannot be read."""


@dataclass(frozen=True)
class Screendump:
    """One captured frame."""

    pixels: Image
    """Shape (height, width, 3), channels R, G, B."""
    before_ns: int
    """Host time since the epoch just before the capture was asked for …"""
    after_ns: int
    """… and just after it was answered."""

    @property
    def time_ns(self) -> int:
        return (self.before_ns + self.after_ns) // 2


def parse_ppm(content: bytes, limits: Limits = Limits()) -> Image:
    """Parse a binary PPM (P6, 8 bits a channel).

    Raises
    ------
    CaptureError
        On another format, an impossible size, or another number of bytes than the header promises.
    """
    header = _HEADER.match(content)
    if header is None:
        raise CaptureError("the screendump is not a binary PPM")
    width_px, height_px, depth = (int(group) for group in header.groups())
    size = width_px * height_px * 3
    if depth != 255 or not size or size > limits.picture_bytes:
        raise CaptureError(f"the screendump is {width_px}x{height_px} with {depth} levels, which cannot be")
    rows = np.frombuffer(content, np.uint8, offset=header.end())
    # QEMU 7.2 writes rows as they lie in memory, padded to four bytes.
    padded_bytes = (width_px * 3 + 3) // 4 * 4
    if len(rows) not in (size, padded_bytes * height_px):
        raise CaptureError(f"the screendump is cut off or too long: {len(rows)} of {size} bytes")
    pixels = rows.reshape(height_px, -1)[:, : width_px * 3]
    return np.ascontiguousarray(pixels).reshape(height_px, width_px, 3)


def screendump(qmp: Qmp, folder: Path, limits: Limits = Limits(), head: int = 0, device: str = "") -> Screendump:
    """Capture the scanout now; the file is removed.

    Parameters
    ----------
    device, head
        The display device by its id, and which of its scanouts; by default the machine's first.

    Raises
    ------
    QmpError
        When QEMU refuses or does not answer.
    CaptureError
        When its output is not a picture, or larger than ``limits.picture_bytes``: the guest chooses the size.
    """
    path = folder / "screendump.ppm"
    before_ns = time.time_ns()
    which = {"device": device, "head": head} if device else {}
    qmp.execute("screendump", filename=str(path), **which)
    after_ns = time.time_ns()
    try:
        size = path.stat().st_size
        if size > limits.picture_bytes + HEADER_BYTES_MAX:
            raise CaptureError(f"the screendump has {size} bytes, more than the limit of {limits.picture_bytes}")
        content = read_bounded(path, limits.picture_bytes + HEADER_BYTES_MAX)
    except OSError as error:
        raise CaptureError(f"the screendump cannot be read: {error.strerror}") from error
    finally:
        path.unlink(missing_ok=True)
    return Screendump(parse_ppm(content, limits), before_ns, after_ns)
