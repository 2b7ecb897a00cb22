"""Pictures without an oracle, judged from their own pixels: a judgement, not a proof.

For kernels other than the built-in one. A single picture can be blank, noise, or have blocks of noise; dithered screens
and text are not noise. With a golden reference (learnt from pictures that somebody approved, and a mask of what is not
judged): swapped channels, rows of a wrong length, pixels that change where nothing ever did, colours never seen before,
rows that do not fit the rows above them. A sequence can be frozen, whole or in part.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from harness.core.arrays import I64, Image, Mask
from harness.core.pictures.causes import name_cause
from harness.core.pictures.frames import CheckedPicture, FrameClass
from harness.core.pictures.golden_features import CHANGED_LEVELS, CHANGED_PX, Golden, colour_bins, row_steps, surprises
from harness.core.pictures.picture_texture import (
    BLOCK_PX,
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
EXPLAINED = 0.1
"""A cause explains damage when it leaves less than this share of it."""
ALWAYS = 0.9
PARTS_FEWEST = 6
"""Pictures of a run that are enough to recognise frozen parts."""
FOREIGN_PX = 40
"""This many pixels of unseen colours where things move are damage."""
STEP_FACTOR = 1.25
STEP_SHARE = 0.011
"""A tear makes the row below it step by more than STEP_LEVELS from the row above in many more pixels than the rows
around it do: by STEP_FACTOR and STEP_SHARE of the width more than in any good picture at or near that row."""
SLACK = 2
"""Where good pictures that were left out usually differ from the others as damage does, a picture is damaged that
differs by more than this many times as much. Things that moved further than in the others, as they do about twice in
as many pictures as were learnt from, are hardly ever SLACK times as far as any good picture was beyond a quarter."""


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


def _damage(least: int, usual: int) -> int:
    """From how many pixels on a difference is damage, where good pictures usually differ by this number."""
    return least if usual < least else SLACK * usual


def _judge_by_golden(picture: Image, golden: Golden) -> CheckedPicture:
    found, changed, foreign = surprises(picture, golden)
    changed_px = _damage(CHANGED_PX, golden.slack.changed_px)
    wrong = found.changed_px >= changed_px or found.beyond_px >= max(changed_px, SLACK * golden.slack.beyond_px + 1)
    strange = found.foreign_px >= _damage(FOREIGN_PX, golden.slack.foreign_px)
    lean = row_lean_px(picture)
    if wrong or strange or lean not in golden.leans:
        cause = _cause(picture, golden, found.all_px, lean)
        if cause:
            return CheckedPicture(FrameClass.CORRUPT, f"judged corrupt: {cause}")
    if wrong:
        why = (
            f"judged corrupt: {found.changed_px + found.beyond_px} pixels changed {_where(changed)} where nothing moves"
        )
        return CheckedPicture(FrameClass.CORRUPT, why)
    if strange:
        why = f"judged corrupt: {found.foreign_px} pixels of colours never seen {_where(foreign)}"
        return CheckedPicture(FrameClass.CORRUPT, why)
    more = row_steps(picture, golden.moving) - STEP_FACTOR * golden.steps
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
        strange = np.count_nonzero(~golden.colours[colour_bins(turned[golden.moving])])
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


def _where(mask: Mask) -> str:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return f"within {x},{y} to {x + width - 1},{y + height - 1}"
