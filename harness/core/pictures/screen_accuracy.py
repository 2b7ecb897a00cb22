"""The judging detector on screens of real guests: gross damage is planted in each, and what is good must stay good.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from harness.core.arrays import Image
from harness.core.pictures.detector_accuracy import Confusion, KindTable
from harness.core.pictures.frames import FrameClass
from harness.core.pictures.golden_features import Golden
from harness.core.pictures.unknown_pictures import judge_picture

GROSS_PX = 100
"""A person sees this many pixels that are off by more than GROSS_LEVELS."""
GROSS_LEVELS = 24


def _stride(picture: Image, rng: np.random.Generator) -> Image:
    """Rows that are longer in memory than the device is told."""
    extra = int(rng.integers(1, 9)) * 8
    height, width = picture.shape[:2]
    memory = np.zeros((height, width + extra, 3), np.uint8)
    memory[:, :width] = picture
    return memory.reshape(-1, 3)[: height * width].reshape(picture.shape)


def _swapped(picture: Image, rng: np.random.Generator) -> Image:
    """Red and blue."""
    return np.ascontiguousarray(picture[..., ::-1])


def _garbage(picture: Image, rng: np.random.Generator) -> Image:
    """A block of uninitialised memory, a third to a half of each side."""
    height, width = picture.shape[:2]
    h, w = int(rng.integers(height // 3, height // 2)), int(rng.integers(width // 3, width // 2))
    y, x = int(rng.integers(height - h)), int(rng.integers(width - w))
    damaged = picture.copy()
    damaged[y : y + h, x : x + w] = rng.integers(0, 256, (h, w, 3), np.uint8)
    return damaged


def _half_noise(picture: Image, rng: np.random.Generator) -> Image:
    """The lower half was never written."""
    damaged = picture.copy()
    half = picture.shape[0] // 2
    damaged[half:] = rng.integers(0, 256, damaged[half:].shape, np.uint8)
    return damaged


def _noise(picture: Image, rng: np.random.Generator) -> Image:
    """None of it was."""
    return rng.integers(0, 256, picture.shape, np.uint8)


PLANTED: Mapping[str, Callable[[Image, np.random.Generator], Image]] = {
    "stride": _stride,
    "swapped": _swapped,
    "garbage": _garbage,
    "half noise": _half_noise,
    "noise": _noise,
}


def is_gross(damaged: Image, good: Image) -> bool:
    """Whether a person would see it: a grey screen stays the same when its channels are swapped."""
    off = np.abs(damaged.astype(np.int16) - good).max(axis=2) > GROSS_LEVELS
    return int(np.count_nonzero(off)) >= GROSS_PX


def measure_screens(screens: Sequence[Image], golden: Golden | None, random_state: int) -> Confusion:
    """Judge screens as they are, and each kind of damage in each of them, where it is gross.

    Parameters
    ----------
    screens
        Good ones, other than ``golden`` was learnt from.
    golden With None each picture is judged on its own, and damage that only golden pictures tell is not planted.
    """
    rng = np.random.default_rng(random_state)
    kinds = [kind for kind in PLANTED if golden is not None or kind not in ("stride", "swapped")]
    answers: dict[str, Counter[str]] = {kind: Counter() for kind in (*kinds, "clean")}
    for screen in screens:
        answers["clean"][_kind(screen, golden)] += 1
        for kind in kinds:
            damaged = PLANTED[kind](screen, rng)
            if is_gross(damaged, screen):
                answers[kind][_kind(damaged, golden)] += 1
    tables = tuple(KindTable(kind, dict(answers[kind])) for kind in kinds)
    return Confusion(tables, KindTable("clean", dict(answers["clean"])))


def _kind(picture: Image, golden: Golden | None) -> str:
    """A screen of one colour is normal for a console that was cleared."""
    kind = judge_picture(picture, golden).kind
    return str(FrameClass.INTACT.value if kind is FrameClass.BLANK else kind.value)
