"""Frame stamps, decoded from pictures.

Written from the stamp's description, not from the kernel's code, so that a bug in one does not hide in the other. A
strip is 4 rows at the very top or bottom; from the left edge it holds 72 cells of 4 pixels, one bit each, the highest
first: 8 bits of sync, 32 of frame number, 32 of CRC-32 (IEEE 802.3) over frame, width, height and strip (0 top, 1
bottom) as little-endian 32-bit words. A 1 is a grey of level 0x3a, a 0 one of 0x16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from harness.core.arrays import Image, Mask

TOP, BOTTOM = 0, 1
STRIP_ROWS = 4
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


def salvage_frame(picture: Image, sizes_px: Sequence[tuple[int, int]] = ()) -> int | None:
    """The frame number of a picture whose rows are displaced, from one row of cells anywhere in it.

    Rows may begin anywhere in memory and go on in the next one; the picture may be turned over, mirrored, or short of
    a channel. Everything else must be exact.

    Parameters
    ----------
    picture
        As for :func:`decode_stamps`.
    sizes_px
        Widths and heights, besides the picture's own, that it may have been drawn for.
    """
    if not _is_picture(picture) or picture.shape[0] * picture.shape[1] < _WIDTH_PX:
        return None
    height, width = picture.shape[:2]
    lit = picture[..., :3].max(axis=2) > _THRESHOLD
    for turned in (lit, lit[::-1], lit[:, ::-1], lit[::-1, ::-1]):
        frame = _salvage_from(np.ascontiguousarray(turned).ravel(), [(width, height), *sizes_px])
        if frame is not None:
            return frame
    return None


def _salvage_from(lit: Mask, sizes_px: Sequence[tuple[int, int]]) -> int | None:
    """The first row of cells in a picture's pixels, one after the other; True is brighter than the threshold."""
    places = len(lit) - _WIDTH_PX + 1
    synced = np.ones(places, bool)
    for bit in range(8):
        at = bit * _CELL_PX + 1
        synced &= lit[at : at + places] == bool(_SYNC >> (7 - bit) & 1)
    for start in np.flatnonzero(synced):
        cells = np.packbits(lit[start + 1 : start + _WIDTH_PX : _CELL_PX]).tobytes()
        for (width, height), strip in product(sizes_px, (TOP, BOTTOM)):
            frame = _checked_frame(cells, strip, (height, width))
            if frame is not None:
                return frame
    return None


def _is_picture(picture: Image) -> bool:
    return picture.ndim == 3 and picture.shape[2] >= 3


def _has_room(picture: Image) -> bool:
    height, width = picture.shape[:2]
    return _is_picture(picture) and height >= 2 * STRIP_ROWS and width >= _WIDTH_PX


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
