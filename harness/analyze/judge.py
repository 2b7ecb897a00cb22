"""Pictures that no oracle knows, judged from themselves: a judgement, not a proof.

For kernels other than the built-in one. Of a picture alone: blank, or noise. With a golden reference (learnt from
pictures that somebody approved): pixels that change where nothing ever did, colours never seen before, rows
that do not fit the rows above them. Of a sequence: frozen.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from harness.analyze.frames import Checked, FrameClass

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
F32 = npt.NDArray[np.float32]

BLANK_LEVELS = 3
"""A picture whose channels each stay within so many levels is blank."""
NOISE_CORRELATION = 0.5
"""Neighbouring pixels of anything drawn agree more than this."""
CHANGED_LEVELS = 12
CHANGED_PX = 24
"""So many pixels beyond CHANGED_LEVELS where nothing moves are damage."""
FOREIGN_PX = 40
"""So many pixels of colours never seen where things move are damage."""
STEP_FACTOR = 1.8
STEP_LEVELS = 6.0
"""A step from one row to the next is a tear when it is larger than any seen at that row by this factor and levels."""


@dataclass(frozen=True)
class Golden:
    """What good pictures of one mode have in common."""

    picture: Image
    """The median of all."""
    still: Mask
    """Where nothing ever moves, shape (height, width)."""
    colours: Mask
    """Colours seen where things move, by the upper five bits of R, G and B; shape (32768,)."""
    steps: F32
    """The largest step from the row above, averaged over where things move, in levels; shape (height,)."""


def learn_golden(pictures: Sequence[Image]) -> Golden:
    """Learn from at least eight good pictures that show every phase.

    Raises
    ------
    ValueError
        When there are too few, or their sizes differ.
    """
    if len(pictures) < 8 or len({picture.shape for picture in pictures}) != 1:
        raise ValueError(f"{len(pictures)} pictures, of one size or not, are not enough to learn from")
    stack = np.stack(pictures)
    low, high = stack.min(axis=0), stack.max(axis=0)
    moving = ((high - low).max(axis=2) > CHANGED_LEVELS // 2).astype(np.uint8)
    moving = cv2.dilate(moving, np.ones((5, 5), np.uint8))
    still = moving == 0
    colours = np.zeros(1 << 15, bool)
    for picture in pictures:
        colours[_bins(picture[~still])] = True
    steps = np.max([_steps(picture, still) for picture in pictures], axis=0)
    return Golden(np.median(stack, axis=0).astype(np.uint8), still, _grown(colours), steps.astype(np.float32))


def judge_picture(picture: Image, golden: Golden | None = None) -> Checked:
    """Judge one picture by itself."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    flat = picture.reshape(-1, 3)
    if int((flat.max(axis=0) - flat.min(axis=0)).max()) <= BLANK_LEVELS:
        return Checked(FrameClass.BLANK, "judged blank: one colour everywhere")
    correlation = _neighbours_agree(grey)
    if correlation < NOISE_CORRELATION:
        return Checked(FrameClass.CORRUPT, f"judged noise: neighbouring pixels correlate by {correlation:.2f}")
    if golden is None:
        return Checked(FrameClass.INTACT, "")
    if picture.shape != golden.picture.shape:
        return Checked(FrameClass.CORRUPT, f"judged corrupt: {picture.shape[1]}x{picture.shape[0]} is another size")
    return _judge_by_golden(picture, golden)


def _judge_by_golden(picture: Image, golden: Golden) -> Checked:
    off = cv2.absdiff(picture, golden.picture).max(axis=2)
    changed = (off > CHANGED_LEVELS) & golden.still
    count = int(np.count_nonzero(changed))
    if count >= CHANGED_PX:
        where = _where(changed)
        return Checked(FrameClass.CORRUPT, f"judged corrupt: {count} pixels changed {where} where nothing moves")
    foreign = np.zeros(golden.still.shape, bool)
    foreign[~golden.still] = ~golden.colours[_bins(picture[~golden.still])]
    count = int(np.count_nonzero(foreign))
    if count >= FOREIGN_PX:
        return Checked(FrameClass.CORRUPT, f"judged corrupt: {count} pixels of colours never seen {_where(foreign)}")
    steps = _steps(picture, golden.still)
    tears = np.flatnonzero(steps > golden.steps * STEP_FACTOR + STEP_LEVELS)
    if len(tears):
        row = int(tears[np.argmax(steps[tears])])
        return Checked(
            FrameClass.TORN, f"judged torn at row {row}: it does not fit the row above", tear_rows=(row, row)
        )
    return Checked(FrameClass.INTACT, "")


def judge_sequence(
    checked: Sequence[Checked], prints: Sequence[int], times_ns: Sequence[int], frozen_after_ns: int
) -> list[Checked]:
    """Find what is frozen: a fingerprint (CRC of a picture's bytes) that stays for longer than ``frozen_after_ns``."""
    found: list[Checked] = []
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


def _bins(colours: Image) -> npt.NDArray[np.int64]:
    upper = colours.astype(np.int64) >> 3
    bins: npt.NDArray[np.int64] = upper[..., 0] << 10 | upper[..., 1] << 5 | upper[..., 2]
    return bins


def _grown(colours: Mask) -> Mask:
    """Colours and their neighbours by one bin in each channel."""
    cube = colours.reshape(32, 32, 32)
    for axis in range(3):
        padded = np.pad(cube, [(1, 1) if i == axis else (0, 0) for i in range(3)])
        cube = np.logical_or.reduce([np.take(padded, range(start, start + 32), axis) for start in range(3)])
    return cube.reshape(-1)


def _steps(picture: Image, still: Mask) -> F32:
    """Mean step of brightness from the row above, over the pixels that may move; shape (height,)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    step = cv2.absdiff(grey[1:], grey[:-1]).astype(np.float32)
    moving = ~(still[1:] | still[:-1])
    counts = moving.sum(axis=1)
    sums = np.where(moving, step, 0).sum(axis=1)
    means = np.where(counts >= 16, sums / np.maximum(counts, 1), 0)
    result: F32 = np.concatenate([[0], means]).astype(np.float32)
    return result


def _where(mask: Mask) -> str:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return f"within {x},{y} to {x + width - 1},{y + height - 1}"
