"""Pictures without an oracle, judged by themselves: a judgement, not a proof.

For kernels other than the built-in one. Of a picture alone: blank, or noise. With a golden reference (learnt from
pictures that somebody approved): pixels that change where nothing ever did, colours never seen before, rows
that do not fit the rows above them. Of a sequence: frozen.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from harness.core.arrays import I64, Image, Mask
from harness.core.frames import CheckedPicture, FrameClass

F32 = npt.NDArray[np.float32]

BLANK_LEVELS = 3
"""A picture is blank when each channel stays within this many levels."""
NOISE_CORRELATION = 0.5
"""Neighbouring pixels of anything drawn agree more than this."""
CHANGED_LEVELS = 12
CHANGED_PX = 24
"""This many pixels beyond CHANGED_LEVELS where nothing moves are damage."""
FOREIGN_PX = 40
"""This many pixels of unseen colours where things move are damage."""
STEP_LEVELS = 12
STEP_FACTOR = 1.25
STEP_SHARE = 0.011
"""A tear makes the row below it step by more than STEP_LEVELS from the row above in many more pixels than the rows
around it do: by STEP_FACTOR and STEP_SHARE of the width more than in any good picture at or near that row."""
NEAR_SHARE = 0.006
"""Rows this close, as a share of the height, are near."""


class PictureOf(Protocol):
    """A sequence of pictures, which may be drawn or read when they are asked for."""

    def __len__(self) -> int:
        ...

    def __getitem__(self, index: int, /) -> Image:
        ...


@dataclass(frozen=True)
class Golden:
    """What good pictures of one mode have in common."""

    picture: Image
    """Halfway between the extremes of all."""
    still: Mask
    """Where nothing ever moves, shape (height, width)."""
    colours: Mask
    """Colours seen where things move, by the upper five bits of R, G and B; shape (32768,)."""
    steps: I64
    """Largest excess of steps in good pictures at or near each row; shape (height,)."""


def learn_golden(pictures: PictureOf) -> Golden:
    """Learn from at least eight good pictures that show every phase; they are read twice, one at a time.

    Raises
    ------
    ValueError
        When there are too few, or their sizes differ.
    """
    if len(pictures) < 8:
        raise ValueError(f"{len(pictures)} pictures are not enough to learn from")
    low, high = pictures[0].copy(), pictures[0].copy()
    for picture in (pictures[i] for i in range(len(pictures))):
        if picture.shape != low.shape:
            raise ValueError(f"pictures of {low.shape} and {picture.shape} cannot be learnt from together")
        np.minimum(low, picture, out=low)
        np.maximum(high, picture, out=high)
    moving = ((high - low).max(axis=2) > CHANGED_LEVELS // 2).astype(np.uint8)
    still = cv2.dilate(moving, np.ones((5, 5), np.uint8)) == 0
    colours = np.zeros(1 << 15, bool)
    steps = np.zeros(low.shape[0], np.int64)
    for picture in (pictures[i] for i in range(len(pictures))):
        colours[_bins(picture[~still])] = True
        np.maximum(steps, _steps(picture, still), out=steps)
    steps = np.asarray(
        cv2.dilate(steps.astype(np.float32), np.ones(1 + 2 * round(NEAR_SHARE * len(steps)))), np.int64
    ).reshape(-1)
    middle = ((low.astype(np.uint16) + high) // 2).astype(np.uint8)
    return Golden(middle, still, _grown(colours), steps)


def judge_picture(picture: Image, golden: Golden | None = None) -> CheckedPicture:
    """Judge one picture by itself."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    flat = picture.reshape(-1, 3)
    if int((flat.max(axis=0) - flat.min(axis=0)).max()) <= BLANK_LEVELS:
        return CheckedPicture(FrameClass.BLANK, "judged blank: one colour everywhere")
    correlation = _neighbours_agree(grey)
    if correlation < NOISE_CORRELATION:
        return CheckedPicture(FrameClass.CORRUPT, f"judged noise: neighbouring pixels correlate by {correlation:.2f}")
    if golden is None:
        return CheckedPicture(FrameClass.INTACT, "")
    if picture.shape != golden.picture.shape:
        return CheckedPicture(
            FrameClass.CORRUPT, f"judged corrupt: {picture.shape[1]}x{picture.shape[0]} is another size"
        )
    return _judge_by_golden(picture, golden)


def _judge_by_golden(picture: Image, golden: Golden) -> CheckedPicture:
    off = cv2.absdiff(picture, golden.picture).max(axis=2)
    changed = (off > CHANGED_LEVELS) & golden.still
    count = int(np.count_nonzero(changed))
    if count >= CHANGED_PX:
        where = _where(changed)
        return CheckedPicture(FrameClass.CORRUPT, f"judged corrupt: {count} pixels changed {where} where nothing moves")
    foreign = np.zeros(golden.still.shape, bool)
    foreign[~golden.still] = ~golden.colours[_bins(picture[~golden.still])]
    count = int(np.count_nonzero(foreign))
    if count >= FOREIGN_PX:
        return CheckedPicture(
            FrameClass.CORRUPT, f"judged corrupt: {count} pixels of colours never seen {_where(foreign)}"
        )
    more = _steps(picture, golden.still) - STEP_FACTOR * golden.steps
    row = int(np.argmax(more))
    if more[row] > STEP_SHARE * picture.shape[1]:
        return CheckedPicture(
            FrameClass.TORN, f"judged torn at row {row}: it does not fit the row above", tear_rows=(row, row)
        )
    return CheckedPicture(FrameClass.INTACT, "")


def judge_sequence(
    checked: Sequence[CheckedPicture], prints: Sequence[int], times_ns: Sequence[int], frozen_after_ns: int
) -> list[CheckedPicture]:
    """Find what is frozen: a fingerprint (CRC of a picture's bytes) that stays for longer than ``frozen_after_ns``."""
    found: list[CheckedPicture] = []
    since_ns = 0
    for i, one in enumerate(checked):
        if i == 0 or prints[i] != prints[i - 1]:
            since_ns = times_ns[i]
        stood_ns = times_ns[i] - since_ns
        if one.kind is FrameClass.INTACT and stood_ns > frozen_after_ns:
            one = replace(one, kind=FrameClass.FROZEN, why=f"judged frozen: nothing changed for {stood_ns / 1e9:.1f} s")
        found.append(one)
    return found


def _neighbours_agree(grey: Image) -> float:
    """The lower one of the correlations of each pixel with its right and its lower neighbour."""
    values = grey.astype(np.float32)
    return min(_correlation(values[:, :-1], values[:, 1:]), _correlation(values[:-1], values[1:]))


def _correlation(a: F32, b: F32) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).mean() * (b * b).mean()))
    return float((a * b).mean()) / spread if spread > 0 else 1.0


def _bins(colours: Image) -> I64:
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


def _steps(picture: Image, still: Mask) -> I64:
    """How many more pixels step from the row above than in the rows above and below; shape (height,).

    Only where things move. An oblique edge steps in every row that it crosses, a tear in one alone.
    """
    levels = picture.astype(np.int16)
    step = np.abs(levels[1:] - levels[:-1]).max(axis=2) > STEP_LEVELS
    counts = np.zeros(len(levels) + 2, np.int64)
    counts[2:-1] = np.count_nonzero(step & ~still[1:], axis=1)
    prominent: I64 = np.maximum(counts[1:-1] - np.maximum(counts[:-2], counts[2:]), 0)
    return prominent


def _where(mask: Mask) -> str:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return f"within {x},{y} to {x + width - 1},{y + height - 1}"
