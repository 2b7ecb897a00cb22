"""Frame stamps, decoded from pictures alone.

Written from the stamp's description, not from the kernel's code, so that a bug in one does not hide in the other. A
strip is 4 rows at the very top or bottom; from the left edge it holds 72 cells of 4 pixels, one bit each, the highest
first: 8 bits of sync, 32 of frame number, 32 of CRC-32 (IEEE 802.3) over frame, width, height and strip (0 top, 1
bottom) as little-endian 32-bit words. A 1 is a grey of level 0x3a, a 0 one of 0x16.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

TOP, BOTTOM = 0, 1
STRIP_ROWS = 4
ASTRAY_PX = 64
_CELL_PX = 4
_CELLS = 72
_WIDTH_PX = _CELLS * _CELL_PX
_SYNC = 0xB2
_THRESHOLD = (0x16 + 0x3A) / 2


@dataclass(frozen=True)
class Stamps:
    """Frame numbers at the top and the bottom of one picture; None where there is none."""

    top: int | None
    bottom: int | None

    @property
    def frame(self) -> int | None:
        """The number that both agree on."""
        return self.top if self.top == self.bottom else None


def decode_stamps(picture: Image) -> Stamps:
    """Decode both strips.

    Parameters
    ----------
    picture
        Shape (height, width, 3) or (height, width, 4), uint8, any order of channels; a fourth one is ignored.
    """
    return Stamps(_decode_strip(picture, TOP), _decode_strip(picture, BOTTOM))


def decode_frame(picture: Image) -> int | None:
    """The frame number of an untorn picture; None when the strips are unreadable or disagree."""
    return decode_stamps(picture).frame


def salvage_frame(picture: Image) -> int | None:
    """What a picture claims to be whose rows went astray: a frame number from any single row near the top or bottom.

    Rows up to ``ASTRAY_PX`` from their place are tried, moved right by up to as much; everything else must be exact.
    """
    if not _has_room(picture):
        return None
    height, width = picture.shape[:2]
    reach = min(ASTRAY_PX, width - _WIDTH_PX)
    middles = np.arange(reach + 1)[:, None] + np.arange(_CELLS) * _CELL_PX + 1
    near = min(STRIP_ROWS + ASTRAY_PX, height // 2)
    for strip, rows in ((TOP, range(near)), (BOTTOM, range(height - 1, height - 1 - near, -1))):
        for y in rows:
            bits = picture[y, :, :3].mean(axis=1)[middles] > _THRESHOLD
            packed = np.packbits(bits, axis=1)
            for found in packed[packed[:, 0] == _SYNC]:
                frame = _checked_frame(found.tobytes(), strip, picture.shape)
                if frame is not None:
                    return frame
    return None


def _has_room(picture: Image) -> bool:
    height, width = picture.shape[:2]
    return picture.ndim == 3 and picture.shape[2] >= 3 and height >= 2 * STRIP_ROWS and width >= _WIDTH_PX


def _decode_strip(picture: Image, strip: int) -> int | None:
    if not _has_room(picture):
        return None
    rows = picture[:STRIP_ROWS] if strip == TOP else picture[-STRIP_ROWS:]
    return _decode_cells(rows, strip, picture.shape)


def _decode_cells(rows: Image, strip: int, shape: tuple[int, ...]) -> int | None:
    """Decode the cells of one strip, averaged over its rows; None when sync or CRC is wrong."""
    cells = rows[:, :_WIDTH_PX, :3].reshape(len(rows), _CELLS, _CELL_PX * 3)
    bits = cells.mean(axis=(0, 2)) > _THRESHOLD
    return _checked_frame(np.packbits(bits).tobytes(), strip, shape)


def _checked_frame(cells: bytes, strip: int, shape: tuple[int, ...]) -> int | None:
    sync, frame, crc = struct.unpack(">BII", cells)
    words = struct.pack("<4I", frame, shape[1], shape[0], strip)
    return int(frame) if sync == _SYNC and crc == zlib.crc32(words) else None
