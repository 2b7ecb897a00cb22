"""Pictures without an oracle, judged from their own pixels: a judgement, not a proof.

For kernels other than the built-in one. A single picture can be blank, noise, or have blocks of noise; dithered screens
and text are not noise. With a golden reference (learnt from pictures that somebody approved, and a mask of what is not
judged): swapped channels, rows of a wrong length, pixels that change where nothing ever did, colours never seen before,
rows that do not fit the rows above them. A sequence can be frozen, whole or in part.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from harness.core.arrays import F64, I64, Image, Mask
from harness.core.pictures.causes import name_cause
from harness.core.pictures.frames import CheckedPicture, FrameClass
from harness.core.pictures.picture_texture import (
    BLOCK_PX,
    block_prints,
    correlation,
    follows_a_picture,
    has_no_order,
    noise_blocks,
    row_lean_px,
)

BLANK_LEVELS = 3
"""A picture is blank when each channel stays within this many levels."""
NOISE_CORRELATION = 0.5
"""Neighbouring pixels agree less than this in noise, and in dithers."""
NOISE_BLOCKS = 2
"""This many blocks of noise are garbage."""
LEARNT_FEWEST = 8
"""Pictures that it takes to learn what moves."""
CHANGED_LEVELS = 12
CHANGED_PX = 24
"""This many pixels beyond CHANGED_LEVELS where nothing moves are damage."""
EXPLAINED = 0.1
"""A cause explains damage when it leaves less than this share of it."""
ALWAYS = 0.9
PARTS_FEWEST = 6
"""Pictures of a run that are enough to recognise frozen parts."""
FOREIGN_PX = 40
"""This many pixels of unseen colours where things move are damage."""
STEP_LEVELS = 12
STEP_FACTOR = 1.25
STEP_SHARE = 0.011
"""A tear makes the row below it step by more than STEP_LEVELS from the row above in many more pixels than the rows
around it do: by STEP_FACTOR and STEP_SHARE of the width more than in any good picture at or near that row."""
NEAR_SHARE = 0.006
"""Rows this close, as a share of the height, are near."""
USUAL, SLACK = 0.9, 2
"""Where good pictures that were left out usually (all but one in ten) differ from the others as damage does, a picture
is damaged that differs by more than SLACK times as much."""


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
    """Pixels that changed where nothing moves."""
    foreign_px: int = 0
    """Pixels of colours never seen where things move."""

    @staticmethod
    def usual(found: Sequence["Surprises"]) -> "Surprises":
        """What all but the oddest of them keep to."""
        measures = [(one.changed_px, one.foreign_px) for one in found]
        changed, foreign = np.quantile(measures, USUAL, axis=0, method="higher")
        return Surprises(int(changed), int(foreign))


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
    """Learn from good pictures; they are read five times, one at a time.

    Where things move, one half is judged by the other: lines of a console, say, never end where all others did.

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
    halves = [_Half(pictures, first) for first in (0, 1)]
    found = []
    for known, left_out in (halves, halves[::-1]):
        apart = _learn(known, mask)
        found += [_surprises(left_out[number], apart)[0] for number in range(len(left_out))]
    slack = Surprises.usual(found)
    # What can end anywhere can end at any row.
    steps = golden.steps if slack.changed_px < CHANGED_PX else np.full_like(golden.steps, golden.steps.max())
    return replace(golden, slack=slack, steps=steps)


@dataclass(frozen=True)
class _Half:
    """Every second one of some pictures."""

    pictures: PictureOf
    first: int

    def __len__(self) -> int:
        return len(range(self.first, len(self.pictures), 2))

    def __getitem__(self, index: int) -> Image:
        return self.pictures[self.first + 2 * index]


def _learn(pictures: PictureOf, mask: Mask | None) -> Golden:
    low, high = pictures[0].copy(), pictures[0].copy()
    for picture in (pictures[i] for i in range(len(pictures))):
        if picture.shape != low.shape:
            raise ValueError(f"pictures of {low.shape} and {picture.shape} cannot be learnt from together")
        np.minimum(low, picture, out=low)
        np.maximum(high, picture, out=high)
    judged = _judged_part(low, mask)
    moves = ((high - low).max(axis=2) > CHANGED_LEVELS // 2) & judged
    still = (cv2.dilate(moves.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0) & judged
    moving = ~still & judged
    colours = np.zeros(1 << 15, bool)
    steps = np.zeros(low.shape[0], np.int64)
    leans: set[int | None] = {0, None}
    prints = []
    for picture in (pictures[i] for i in range(len(pictures))):
        colours[_bins(picture[moving])] = True
        np.maximum(steps, _steps(picture, moving), out=steps)
        leans.add(row_lean_px(picture))
        prints.append(block_prints(picture))
    changes = [before != after for before, after in zip(prints, prints[1:])]
    steps = np.asarray(
        cv2.dilate(steps.astype(np.float32), np.ones(1 + 2 * round(NEAR_SHARE * len(steps)))), np.int64
    ).reshape(-1)
    middle = ((low.astype(np.uint16) + high) // 2).astype(np.uint8)
    lively = np.mean(changes, axis=0) if changes else None
    return Golden(middle, still, _grown(colours), steps, moving, frozenset(leans), lively)


def _judged_part(picture: Image, mask: Mask | None) -> Mask:
    if mask is None:
        return np.ones(picture.shape[:2], bool)
    if mask.shape != picture.shape[:2]:
        sizes = [f"{shape[1]}x{shape[0]}" for shape in (mask.shape, picture.shape)]
        raise ValueError(f"the mask is {sizes[0]}, and pictures are {sizes[1]}")
    return mask


def judge_picture(picture: Image, golden: Golden | None = None) -> CheckedPicture:
    """Judge a single picture."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    flat = picture.reshape(-1, 3)
    if int((flat.max(axis=0) - flat.min(axis=0)).max()) <= BLANK_LEVELS:
        return CheckedPicture(FrameClass.BLANK, "judged blank: one colour everywhere")
    noise = _noise(picture, grey)
    if noise:
        return CheckedPicture(FrameClass.CORRUPT, noise)
    if golden is None:
        return CheckedPicture(FrameClass.INTACT, "")
    if picture.shape != golden.picture.shape:
        return CheckedPicture(
            FrameClass.CORRUPT, f"judged corrupt: {picture.shape[1]}x{picture.shape[0]} is another size"
        )
    return _judge_by_golden(picture, golden)


def _noise(picture: Image, grey: Image) -> str:
    """The noise in a picture, in words; empty for anything drawn, dithered or written."""
    agree = _neighbours_agree(grey)
    if agree < NOISE_CORRELATION and has_no_order(grey) and not follows_a_picture(grey):
        return f"judged noise: neighbouring pixels correlate by {agree:.2f}"
    blocks = noise_blocks(picture)
    count = int(np.count_nonzero(blocks))
    if count < NOISE_BLOCKS:
        return ""
    x, y, width, height = (side * BLOCK_PX for side in cv2.boundingRect(blocks.astype(np.uint8)))
    return (
        f"judged corrupt: {count} of {blocks.size} blocks look like noise, within "
        f"{x},{y} to {x + width - 1},{y + height - 1}"
    )


def _surprises(picture: Image, golden: Golden) -> tuple[Surprises, Mask, Mask]:
    """How much of a picture is new, and the masks of changed and of foreign pixels."""
    off = cv2.absdiff(picture, golden.picture).max(axis=2)
    changed = (off > CHANGED_LEVELS) & golden.still
    foreign = np.zeros(golden.still.shape, bool)
    foreign[golden.moving] = ~golden.colours[_bins(picture[golden.moving])]
    return Surprises(int(np.count_nonzero(changed)), int(np.count_nonzero(foreign))), changed, foreign


def _damage(least: int, usual: int) -> int:
    """From how many pixels on a difference is damage, where good pictures usually differ by this number."""
    return least if usual < least else SLACK * usual


def _judge_by_golden(picture: Image, golden: Golden) -> CheckedPicture:
    found, changed, foreign = _surprises(picture, golden)
    wrong = found.changed_px >= _damage(CHANGED_PX, golden.slack.changed_px)
    strange = found.foreign_px >= _damage(FOREIGN_PX, golden.slack.foreign_px)
    lean = row_lean_px(picture)
    if wrong or strange or lean not in golden.leans:
        cause = _cause(picture, golden, found.changed_px + found.foreign_px, lean)
        if cause:
            return CheckedPicture(FrameClass.CORRUPT, f"judged corrupt: {cause}")
    if wrong:
        why = f"judged corrupt: {found.changed_px} pixels changed {_where(changed)} where nothing moves"
        return CheckedPicture(FrameClass.CORRUPT, why)
    if strange:
        why = f"judged corrupt: {found.foreign_px} pixels of colours never seen {_where(foreign)}"
        return CheckedPicture(FrameClass.CORRUPT, why)
    more = _steps(picture, golden.moving) - STEP_FACTOR * golden.steps
    row = int(np.argmax(more))
    if more[row] > STEP_SHARE * picture.shape[1]:
        return CheckedPicture(
            FrameClass.TORN, f"judged torn at row {row}: it does not fit the row above", tear_rows=(row, row)
        )
    return CheckedPicture(FrameClass.INTACT, "")


def _cause(picture: Image, golden: Golden, wrong: int, lean: int | None) -> str:
    """The mistake of a driver that explains the damage; empty when none does."""
    known = name_cause(np.where(golden.still[..., None], picture, golden.picture), golden.picture)
    if golden.still.mean() > 0.5 and known:
        return known
    for order in ((2, 1, 0), (1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1)):
        turned = picture[..., order]
        off = (cv2.absdiff(turned, golden.picture).max(axis=2) > CHANGED_LEVELS) & golden.still
        strange = np.count_nonzero(~golden.colours[_bins(turned[golden.moving])])
        if np.count_nonzero(off) + strange < EXPLAINED * wrong:
            moved = ", ".join(
                f"{'RGB'[at]} shown as {'RGB'[to]}" for to, at in enumerate(np.argsort(order)) if at != to
            )
            return f"swapped channels: {moved}"
    if lean is not None and lean not in golden.leans:
        width = picture.shape[1]
        return f"wrong stride: rows are written {width + lean} px long and shown {width} px long"
    return ""


def frozen_parts(prints: Sequence[I64], golden: Golden) -> str:
    """Blocks that always move in good pictures, and never did in these, while others moved; empty when there are none.

    Parameters
    ----------
    prints
        ``block_prints`` of the pictures of one run, in order.
    """
    if golden.lively is None or len(prints) < PARTS_FEWEST or prints[0].shape != golden.lively.shape:
        return ""
    changed = np.array([before != after for before, after in zip(prints, prints[1:])])
    stuck = (golden.lively >= ALWAYS) & ~changed.any(axis=0)
    if not stuck.any() or not changed.any():
        return ""
    x, y, width, height = (side * BLOCK_PX for side in cv2.boundingRect(stuck.astype(np.uint8)))
    return (
        f"judged frozen in part: {int(np.count_nonzero(stuck))} blocks that always move stood still in all "
        f"{len(prints)} pictures, within {x},{y} to {x + width - 1},{y + height - 1}"
    )


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
    return min(correlation(values[:, :-1], values[:, 1:]), correlation(values[:-1], values[1:]))


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


def _steps(picture: Image, moving: Mask) -> I64:
    """How many more pixels step from the row above than in the rows above and below; shape (height,).

    Only where things move. An oblique edge steps in every row that it crosses, a tear in a single row.
    """
    levels = picture.astype(np.int16)
    step = np.abs(levels[1:] - levels[:-1]).max(axis=2) > STEP_LEVELS
    counts = np.zeros(len(levels) + 2, np.int64)
    counts[2:-1] = np.count_nonzero(step & moving[1:], axis=1)
    prominent: I64 = np.maximum(counts[1:-1] - np.maximum(counts[:-2], counts[2:]), 0)
    return prominent


def _where(mask: Mask) -> str:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return f"within {x},{y} to {x + width - 1},{y + height - 1}"
