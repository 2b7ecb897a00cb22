"""The damage of a picture whose every pixel is known: where, how much, and of which kind.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from harness.core.arrays import Image, Mask
from harness.core.pictures.causes import name_cause
from harness.core.pictures.rounding import Settle, settle_nothing


@dataclass(frozen=True)
class Damage:
    """Pixels that differ from what was expected."""

    x0: int
    y0: int
    x1: int
    y1: int
    """The rectangle around them, half open, in pixels."""
    pixels: int
    max_levels: int
    """Largest difference of a channel."""
    cause: str = ""
    """The name of a cause that explains nearly all of it; empty when no known cause does."""

    @property
    def words(self) -> str:
        """For people."""
        count = "1 pixel at" if self.pixels == 1 else f"{self.pixels:,} pixels within"
        where = f"{self.x0},{self.y0}" + (f" to {self.x1 - 1},{self.y1 - 1}" if self.pixels > 1 else "")
        levels = "1 level" if self.max_levels == 1 else f"up to {self.max_levels} levels"
        return f"{count} {where}, by {levels}" + (f": {self.cause}" if self.cause else "")


def differing(picture: Image, expected: Image) -> Mask:
    """Which pixels differ in any channel, shape (height, width)."""
    mask: Mask = cv2.absdiff(picture, expected).max(axis=2) > 0
    return mask


def find_damage(picture: Image, expected: Image) -> Damage | None:
    """Compare every pixel; None when all are equal.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    if picture.shape != expected.shape:
        raise ValueError(f"a picture of shape {picture.shape} was expected to have {expected.shape}")
    if np.array_equal(picture, expected):
        return None
    levels = cv2.absdiff(picture, expected)
    mask = levels.max(axis=2) > 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Damage(
        int(columns[0]),
        int(rows[0]),
        int(columns[-1]) + 1,
        int(rows[-1]) + 1,
        int(np.count_nonzero(mask)),
        int(levels.max()),
        name_cause(picture, expected),
    )


def find_tear(picture: Image, above: Image, below: Image, settle: Settle = settle_nothing) -> tuple[int, int] | None:
    """Where a picture stops being one frame and begins to be another.

    Returns
    -------
    (first, last) or None
        The tear lies just above one of these rows, inclusive: they are several where both frames look the same. None
        when the picture is not the two frames put together.
    """
    wrong_above = np.flatnonzero(differing(settle(picture, above), above).any(axis=1))
    wrong_below = np.flatnonzero(differing(settle(picture, below), below).any(axis=1))
    last = int(wrong_above[0]) if len(wrong_above) else picture.shape[0]
    first = int(wrong_below[-1]) + 1 if len(wrong_below) else 0
    return (first, last) if first <= last else None


def difference_picture(picture: Image, expected: Image) -> Image:
    """Captured, expected and their difference side by side, differences stretched to full brightness and framed.

    Returns
    -------
    Image
        Shape (height, 3 * width + 16, 3), R, G, B.
    """
    levels = cv2.absdiff(picture, expected)
    mask = (levels.max(axis=2) > 0).astype(np.uint8)
    shown = cv2.LUT(levels, np.array([0] + [max(96, v) for v in range(1, 256)], np.uint8))
    shown = cv2.dilate(shown, np.ones((3, 3), np.uint8)) if cv2.countNonZero(mask) < 400 else shown
    if mask.any():
        x, y, width, height = cv2.boundingRect(mask)
        cv2.rectangle(shown, (x - 4, y - 4), (x + width + 3, y + height + 3), (255, 255, 0), 1)
    gap = np.full((picture.shape[0], 8, 3), 255, np.uint8)
    side_by_side: Image = np.hstack([picture, gap, expected, gap, shown])
    return side_by_side
