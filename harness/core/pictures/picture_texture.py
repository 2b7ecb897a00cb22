"""Noise and leaning rows, found from a picture's own pixels, without knowing what it should show.

Noise has many colours and no order: neighbours do not agree at any small distance. Dithers and stipples have
few colours, or repeat within a few pixels, or follow a picture when they are averaged; letters have few colours.
Pictures are arrays of shape (height, width, 3), uint8.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from harness.core.arrays import I64, Image, Mask

F32 = npt.NDArray[np.float32]

BLOCK_PX = 32
MANY_COLOURS = 0.35
"""Share of a block's pixels that have a colour of their own in noise; letters, dithers and drawings have fewer."""
ORDER = 0.5
"""Pixels at some small distance agree by more than this in whatever was drawn."""
PERIODS = tuple(range(1, 17))
"""Distances at which dithers repeat."""
FOLLOWS = 4.0
"""Averages of a dithered picture vary this many times as much as averages of noise."""
ALIKE = 0.9
"""Shifts at which rows agree this much, relative to the best one, are as good; the smallest is taken."""
SHIFT_MAX_PX = 64
LEANS = 0.35
"""How clearly rows agree when they are shifted against each other: 1 when they are the same, 0 when they are not."""


def noise_blocks(picture: Image) -> Mask:
    """Which blocks of BLOCK_PX are noise; shape (height // BLOCK_PX, width // BLOCK_PX)."""
    rows, columns = picture.shape[0] // BLOCK_PX, picture.shape[1] // BLOCK_PX
    if not rows or not columns:
        return np.zeros((rows, columns), bool)
    whole = picture[: rows * BLOCK_PX, : columns * BLOCK_PX].astype(np.int64)
    codes = _blocks(whole[..., 0] << 16 | whole[..., 1] << 8 | whole[..., 2])
    ordered = np.sort(codes.reshape(len(codes), -1), axis=1)
    colours = 1 + np.count_nonzero(np.diff(ordered, axis=1), axis=1)
    noisy: Mask = colours >= MANY_COLOURS * BLOCK_PX * BLOCK_PX
    for at in np.flatnonzero(noisy):
        y, x = divmod(int(at), columns)
        part = picture[y * BLOCK_PX : (y + 1) * BLOCK_PX, x * BLOCK_PX : (x + 1) * BLOCK_PX]
        noisy[at] = has_no_order(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), (1, 2, 3, 4))
    return noisy.reshape(rows, columns)


def _blocks(values: I64) -> I64:
    rows, columns = values.shape[0] // BLOCK_PX, values.shape[1] // BLOCK_PX
    cut: I64 = values.reshape(rows, BLOCK_PX, columns, BLOCK_PX).swapaxes(1, 2)
    return cut.reshape(rows * columns, BLOCK_PX, BLOCK_PX)


def has_no_order(grey: Image, distances: tuple[int, ...] = PERIODS) -> bool:
    """Whether pixels agree with none at any of some distances, across and down."""
    values = grey.astype(np.float32)
    for far in distances:
        if far >= min(values.shape):
            break
        if max(correlation(values[:, :-far], values[:, far:]), correlation(values[:-far], values[far:])) > ORDER:
            return False
    return True


def follows_a_picture(grey: Image) -> bool:
    """Whether averages over eight by eight pixels vary more than those of noise do: it was dithered."""
    height, width = (size // 8 * 8 for size in grey.shape)
    values = grey[:height, :width].astype(np.float64)
    means = values.reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    return float(means.var()) > FOLLOWS * float(values.var()) / 64


def correlation(a: F32, b: F32) -> float:
    """Correlation of two parts of a picture; 1 where nothing varies."""
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).mean() * (b * b).mean()))
    return float((a * b).mean()) / spread if spread > 0 else 1.0


def row_lean_px(picture: Image) -> int | None:
    """By how many pixels each row is shifted against the one above; None where rows do not tell.

    Edges of each row are compared with those of the next at every shift at once, around the picture's end, where rows
    of a wrong length go on. A picture with upright edges stands at 0.
    """
    if picture.shape[1] < 4 * SHIFT_MAX_PX or picture.shape[0] < 16:
        return None
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = grey - np.roll(grey, 1, axis=1)
    alive = np.abs(edges).max(axis=1) > 0
    spectra = np.fft.rfft(edges[alive], axis=1)
    if len(spectra) < 16:
        return None
    together = np.fft.irfft((spectra[1:] * spectra[:-1].conj()).sum(axis=0), picture.shape[1])
    energy = float((edges[alive] ** 2).sum())
    near = np.concatenate([together[-SHIFT_MAX_PX:], together[: SHIFT_MAX_PX + 1]])
    highest = float(near.max())
    if energy <= 0 or highest <= LEANS * energy:
        return None
    # A repeating pattern agrees at several shifts.
    shifts = np.flatnonzero(near >= ALIKE * highest) - SHIFT_MAX_PX
    return int(shifts[np.argmin(np.abs(shifts))])


def block_prints(picture: Image) -> I64:
    """A number for each block of BLOCK_PX that changes when the block does; the last row and column may be smaller."""
    height, width = picture.shape[:2]
    wide = picture.astype(np.int64)
    codes = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    # Odd multipliers, wrapping: pixels that change places change the sum.
    weights = (np.arange(height * width, dtype=np.int64) * 0x9E3779B1 | 1).reshape(height, width)
    sums = np.add.reduceat(codes * weights, np.arange(0, height, BLOCK_PX), axis=0)
    found: I64 = np.add.reduceat(sums, np.arange(0, width, BLOCK_PX), axis=1)
    return found
