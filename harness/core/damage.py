"""What is wrong with a picture whose every pixel is known: where, how much, and of which kind.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

SHIFT_MAX_PX = 64
"""Displacements of the whole picture, and rows' drift, are looked for up to this."""
_SAME_SHARE = 0.995
"""Share of pixels that a cause must explain."""


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
    """What explains nearly all of it, named; empty when nothing known does."""

    @property
    def words(self) -> str:
        """For people."""
        where = f"{self.x0},{self.y0} to {self.x1 - 1},{self.y1 - 1}"
        count = "1 pixel" if self.pixels == 1 else f"{self.pixels} pixels"
        levels = "1 level" if self.max_levels == 1 else f"{self.max_levels} levels"
        return f"{count} within {where}, by up to {levels}" + (f": {self.cause}" if self.cause else "")


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


def name_cause(picture: Image, expected: Image) -> str:
    """Recognise damage with a known cause; empty when it is none of them."""
    for find in (_channels_cause, _levels_cause, _displaced_cause, _stride_cause):
        cause = find(picture, expected)
        if cause:
            return cause
    return ""


def _share_same(a: Image, b: Image) -> float:
    return float(np.count_nonzero((a == b).all(axis=-1))) / max(1, a.shape[0] * a.shape[1])


def _channels_cause(picture: Image, expected: Image) -> str:
    names = "RGB"
    for order in permutations(range(3)):
        if order != (0, 1, 2) and _share_same(picture, expected[..., list(order)]) >= _SAME_SHARE:
            shown = ", ".join(
                f"{names[source]} shown as {names[at]}" for at, source in enumerate(order) if at != source
            )
            return f"swapped channels: {shown}"
    return ""


def _levels_cause(picture: Image, expected: Image) -> str:
    """One constant added to a channel everywhere, within 0 … 255."""
    found = []
    for channel, name in enumerate("RGB"):
        difference = picture[..., channel].astype(np.int16) - expected[..., channel]
        offset = int(np.median(difference))
        moved = np.clip(expected[..., channel].astype(np.int16) + offset, 0, 255)
        if float(np.mean(moved == picture[..., channel])) < _SAME_SHARE:
            return ""
        if offset:
            found.append(f"{name} {offset:+d}")
    return f"shifted channel levels: {', '.join(found)}" if found else ""


def _displaced_cause(picture: Image, expected: Image) -> str:
    """The whole picture moved; phase correlation proposes by how much, pixels decide."""
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (expected, picture)]
    (dx, dy), _ = cv2.phaseCorrelate(*grey)
    x, y = round(dx), round(dy)
    if (x, y) == (0, 0) or max(abs(x), abs(y)) > SHIFT_MAX_PX:
        return ""
    height, width = picture.shape[:2]
    shown = picture[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
    source = expected[max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)]
    if shown.size == 0 or _share_same(shown, source) < _SAME_SHARE:
        return ""
    return f"the whole picture is displaced by {x} px across and {y} px down"


def _stride_cause(picture: Image, expected: Image) -> str:
    """Each row begins k pixels later (or earlier) than the row above it: rows of another length than was meant."""
    rows = [int(y) for y in np.unique(np.linspace(1, picture.shape[0] - 1, 48).astype(int))]
    for drift in sorted(set(range(-SHIFT_MAX_PX, SHIFT_MAX_PX + 1)) - {0}, key=abs):
        agree = 0
        for tried, y in enumerate(rows):
            if tried >= 8 and agree * 2 < tried:
                break
            agree += _row_drifted(picture, expected, y, drift)
        if agree >= 0.9 * len(rows):
            return f"wrong stride: each row begins {abs(drift)} px {'later' if drift > 0 else 'earlier'} than it should"
    return ""


def _row_drifted(picture: Image, expected: Image, y: int, drift: int) -> bool:
    """Whether row y begins ``drift * y`` pixels late, its beginning left over or filled from the rows around it."""
    height, width = picture.shape[:2]
    late = drift * y % width
    if np.array_equal(picture[y, late:], expected[y, : width - late]):
        return True
    start = y * (width - drift)
    source = expected.reshape(height * width, -1)[max(start, 0) : start + width]
    return 0 < len(source) and np.array_equal(picture[y, : len(source)], source)


def find_tear(picture: Image, above: Image, below: Image) -> tuple[int, int] | None:
    """Where a picture stops being one frame and begins to be another.

    Returns
    -------
    (first, last) or None
        The tear lies just above one of these rows, inclusive: they are several where both frames look the same. None
        when the picture is not the two frames put together.
    """
    wrong_above = np.flatnonzero(differing(picture, above).any(axis=1))
    wrong_below = np.flatnonzero(differing(picture, below).any(axis=1))
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
