"""What golden pictures have in common, and how far other good ones may differ: learnt from the pictures alone.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from harness.core.arrays import F64, I64, Image, Mask
from harness.core.pictures.picture_texture import block_prints, row_lean_px

LEARNT_FEWEST = 8
"""Pictures that it takes to learn what moves."""
CHANGED_LEVELS = 12
CHANGED_PX = 24
"""This many pixels beyond CHANGED_LEVELS where nothing moves are damage."""
STEP_LEVELS = 12
"""A row steps from the one above where a pixel differs by more than this."""
NEAR_SHARE = 0.006
"""Rows this close, as a share of the height, are near."""
USUAL = 0.9
"""Share of good pictures, left out, that differ from the others by no more than usual."""
QUARTERS = 4
"""Each quarter of the good pictures says how much further things move in the others."""


class PictureOf(Protocol):
    """A sequence of pictures, which may be drawn or read when they are asked for."""

    def __len__(self) -> int:
        ...

    def __getitem__(self, index: int, /) -> Image:
        ...


@dataclass(frozen=True)
class Surprises:
    """What of a picture golden ones do not show."""

    changed_px: int = 0
    """Pixels that changed where nothing moves, apart from those below."""
    foreign_px: int = 0
    """Pixels of colours never seen where things move."""
    beyond_px: int = 0
    """Pixels that changed where nothing moves, next to where something does and in its colours: it went further."""

    @staticmethod
    def usual(found: Sequence["Surprises"], beyond_px: int) -> "Surprises":
        """What all but the oddest of them keep to, and how far things went beyond those of a part."""
        measures = [(one.changed_px + one.beyond_px, one.foreign_px) for one in found]
        changed, foreign = np.quantile(measures, USUAL, axis=0, method="higher")
        return Surprises(int(changed), int(foreign), beyond_px)

    @property
    def all_px(self) -> int:
        return self.changed_px + self.foreign_px + self.beyond_px


@dataclass(frozen=True)
class Golden:
    """Common features of the good pictures of one mode."""

    picture: Image
    """Halfway between the extremes of all."""
    still: Mask
    """Where nothing ever moves, shape (height, width)."""
    colours: Mask
    """Colours seen where things move, by the upper five bits of R, G and B; shape (32768,)."""
    steps: I64
    """Largest excess of steps in good pictures at or near each row; shape (height,)."""
    moving: Mask
    """Where something moves and is judged, shape (height, width)."""
    leans: frozenset[int | None] = frozenset({0, None})
    """By how many pixels rows are shifted against each other in good pictures."""
    lively: F64 | None = None
    """How often each block differs between good pictures next to each other, 0 to 1, shape of ``block_prints``."""
    slack: Surprises = Surprises()
    """How much good pictures usually differ from others that were learnt from."""


def learn_golden(pictures: PictureOf, mask: Mask | None = None) -> Golden:
    """Learn from good pictures; they are read nine times, one at a time.

    Where things move, one half is judged by the other: lines of a console, say, never end where all others did. How
    far things move is learnt from parts.

    Parameters
    ----------
    pictures
        One is enough of a screen on which nothing moves; at least LEARNT_FEWEST, which show every phase, of others.
    mask
        What is judged, shape (height, width); all of it when None.

    Raises
    ------
    ValueError
        When there are too few, or sizes differ.
    """
    if not len(pictures):
        raise ValueError("0 pictures are not enough to learn from")
    golden = _learn(pictures, mask)
    if not golden.moving.any():
        return golden
    if len(pictures) < LEARNT_FEWEST:
        raise ValueError(f"{len(pictures)} pictures are not enough to learn from where something moves")
    halves = [_Part(pictures, first, 2) for first in (0, 1)]
    found = []
    for known, left_out in (halves, halves[::-1]):
        apart = _learn(known, mask)
        found += [surprises(left_out[number], apart)[0] for number in range(len(left_out))]
    slack = Surprises.usual(found, _furthest_px(pictures, golden, mask))
    # What can end anywhere can end at any row.
    steps = golden.steps if slack.changed_px < CHANGED_PX else np.full_like(golden.steps, golden.steps.max())
    return replace(golden, slack=slack, steps=steps)


@dataclass(frozen=True)
class _Part:
    """Every second (third, …) one of some pictures."""

    pictures: PictureOf
    first: int
    step: int

    def __len__(self) -> int:
        return len(range(self.first, len(self.pictures), self.step))

    def __getitem__(self, index: int) -> Image:
        return self.pictures[self.first + self.step * index]


def _furthest_px(pictures: PictureOf, golden: Golden, mask: Mask | None) -> int:
    """By how many pixels, at the most, things go beyond where those of a part of the pictures move."""
    furthest_px = 0
    for first in range(QUARTERS):
        middle, still, moving = _extremes(_Part(pictures, first, QUARTERS), mask)
        if not still.any():
            continue
        known = replace(golden, picture=middle, still=still, moving=moving)
        for other in (pictures[i] for i in range(len(pictures)) if i % QUARTERS != first):
            furthest_px = max(furthest_px, _beyond_px(other, known, _changed(other, known)))
    return furthest_px


def _extremes(pictures: PictureOf, mask: Mask | None) -> tuple[Image, Mask, Mask]:
    """The picture halfway between the extremes, where nothing moves, and where something does."""
    low, high = pictures[0].copy(), pictures[0].copy()
    for picture in (pictures[i] for i in range(len(pictures))):
        if picture.shape != low.shape:
            raise ValueError(f"pictures of {low.shape} and {picture.shape} cannot be learnt from together")
        np.minimum(low, picture, out=low)
        np.maximum(high, picture, out=high)
    judged = _judged_part(low, mask)
    moves = ((high - low).max(axis=2) > CHANGED_LEVELS // 2) & judged
    still = (cv2.dilate(moves.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0) & judged
    return ((low.astype(np.uint16) + high) // 2).astype(np.uint8), still, ~still & judged


def _learn(pictures: PictureOf, mask: Mask | None) -> Golden:
    middle, still, moving = _extremes(pictures, mask)
    colours = np.zeros(1 << 15, bool)
    steps = np.zeros(len(middle), np.int64)
    leans: set[int | None] = {0, None}
    prints = []
    for picture in (pictures[i] for i in range(len(pictures))):
        colours[colour_bins(picture[moving])] = True
        np.maximum(steps, row_steps(picture, moving), out=steps)
        leans.add(row_lean_px(picture))
        prints.append(block_prints(picture))
    changes = [before != after for before, after in zip(prints, prints[1:])]
    steps = np.asarray(
        cv2.dilate(steps.astype(np.float32), np.ones(1 + 2 * round(NEAR_SHARE * len(steps)))), np.int64
    ).reshape(-1)
    lively = np.mean(changes, axis=0) if changes else None
    return Golden(middle, still, _grown(colours), steps, moving, frozenset(leans), lively)


def _judged_part(picture: Image, mask: Mask | None) -> Mask:
    if mask is None:
        return np.ones(picture.shape[:2], bool)
    if mask.shape != picture.shape[:2]:
        sizes = [f"{shape[1]}x{shape[0]}" for shape in (mask.shape, picture.shape)]
        raise ValueError(f"the mask is {sizes[0]}, and pictures are {sizes[1]}")
    return mask


def surprises(picture: Image, golden: Golden) -> tuple[Surprises, Mask, Mask]:
    """How much of a picture is new, and the masks of changed and of foreign pixels."""
    changed = _changed(picture, golden)
    foreign = np.zeros(golden.still.shape, bool)
    foreign[golden.moving] = ~golden.colours[colour_bins(picture[golden.moving])]
    changed_px, beyond_px = int(np.count_nonzero(changed)), _beyond_px(picture, golden, changed)
    return Surprises(changed_px - beyond_px, int(np.count_nonzero(foreign)), beyond_px), changed, foreign


def _changed(picture: Image, golden: Golden) -> Mask:
    """Where a picture differs although nothing moves."""
    return np.asarray((cv2.absdiff(picture, golden.picture).max(axis=2) > CHANGED_LEVELS) & golden.still)


def _beyond_px(picture: Image, golden: Golden, changed: Mask) -> int:
    """How many of the changed pixels continue what moves, in colours that move."""
    known = np.zeros(changed.shape, bool)
    known[changed] = golden.colours[colour_bins(picture[changed])]
    if not known.any() or not golden.moving.any():
        return 0
    labels = cv2.connectedComponents((known | golden.moving).astype(np.uint8))[1]
    return int(np.count_nonzero(np.isin(labels[known], np.unique(labels[golden.moving]))))


def colour_bins(colours: Image) -> I64:
    upper = colours.astype(np.int64) >> 3
    bins: I64 = upper[..., 0] << 10 | upper[..., 1] << 5 | upper[..., 2]
    return bins


def _grown(colours: Mask) -> Mask:
    """Colours and their neighbours by one bin in each channel."""
    cube = colours.reshape(32, 32, 32)
    for axis in range(3):
        padded = np.pad(cube, [(1, 1) if i == axis else (0, 0) for i in range(3)])
        cube = np.logical_or.reduce([np.take(padded, range(start, start + 32), axis) for start in range(3)])
    return cube.reshape(-1)


def row_steps(picture: Image, moving: Mask) -> I64:
    """How many more pixels step from the row above than in the rows above and below; shape (height,).

    Only where things move. An oblique edge steps in every row that it crosses, a tear in a single row.
    """
    levels = picture.astype(np.int16)
    step = np.abs(levels[1:] - levels[:-1]).max(axis=2) > STEP_LEVELS
    counts = np.zeros(len(levels) + 2, np.int64)
    counts[2:-1] = np.count_nonzero(step & moving[1:], axis=1)
    prominent: I64 = np.maximum(counts[1:-1] - np.maximum(counts[:-2], counts[2:]), 0)
    return prominent
