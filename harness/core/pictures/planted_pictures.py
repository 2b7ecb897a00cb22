"""Damaged pictures by kind, and what each must be found to be: the generated set that detectors are measured on.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from harness.core.arrays import DrawFrame, Image
from harness.core.pictures.frames import FrameClass


@dataclass(frozen=True)
class DamagedPicture:
    """One planted damage."""

    kind: str
    picture: Image
    frame: int
    answer: FrameClass
    """The answer that the exact detector must give."""
    cause: str = ""
    """The name that the damage must get, if any."""
    box: tuple[int, int, int, int] | None = None
    """x0, y0, x1, y1 around it, where it is the whole answer."""
    pixels: int | None = None

    @property
    def answers(self) -> tuple[FrameClass, ...]:
        """Classes that are right: resampling may blur the stamps beyond reading, or not."""
        return (FrameClass.CORRUPT, FrameClass.UNDECODABLE) if self.kind == "blurred" else (self.answer,)

    def is_gross(self, good: Image) -> bool:
        """Whether a person would see it: what a judgement without an oracle can be held to.

        A hundred pixels off by more than 24 levels; of a tear, a tenth of the row at the tear.
        """
        off = np.asarray(cv2.absdiff(self.picture, good)).max(axis=2) > 24
        if self.answer is not FrameClass.TORN and self.kind != "band":
            return int(np.count_nonzero(off)) >= 100
        rows = np.flatnonzero(off.any(axis=1))
        if not len(rows):
            return False
        at = self.box[1] if self.box else int(rows[0])
        return int(np.count_nonzero(off[at])) >= 0.1 * good.shape[1]


def plant(kind: str, draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """Damage one frame; what is planted always changes at least one pixel."""
    return {**_PLANTERS, **_MISTAKES}[kind](draw, frame, rng)


def _copy(draw: DrawFrame, frame: int) -> Image:
    return draw(frame).copy()


def _pixel(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """One pixel, one channel, one level."""
    picture = _copy(draw, frame)
    y, x, channel = (int(rng.integers(size)) for size in picture.shape)
    level = int(picture[y, x, channel])
    step = 1 if level == 0 or (level < 255 and rng.integers(2)) else -1
    picture[y, x, channel] = level + step
    return DamagedPicture("pixel", picture, frame, FrameClass.CORRUPT, box=(x, y, x + 1, y + 1), pixels=1)


def _block(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """A rectangle of garbage, of any size from 2 x 2 up."""
    picture = _copy(draw, frame)
    height, width = picture.shape[:2]
    h, w = int(rng.integers(2, height // 3)), int(rng.integers(2, width // 3))
    y, x = int(rng.integers(8, height - h - 8)), int(rng.integers(width - w))
    picture[y : y + h, x : x + w] ^= rng.integers(1, 256, (h, w, 3), np.uint8)
    return DamagedPicture("block", picture, frame, FrameClass.CORRUPT, box=(x, y, x + w, y + h), pixels=h * w)


def _line(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """One row of another colour."""
    picture = _copy(draw, frame)
    y = int(rng.integers(8, picture.shape[0] - 8))
    picture[y] = ~picture[y]
    return DamagedPicture("line", picture, frame, FrameClass.CORRUPT, box=(0, y, picture.shape[1], y + 1))


def _torn(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """The lower part of another frame, the one before or any."""
    other = frame - 1 if frame and rng.integers(2) else int(rng.integers(10_000))
    other = other if other != frame else frame + 1
    picture = _copy(draw, frame)
    row = int(rng.integers(8, picture.shape[0] - 8))
    picture[row:] = draw(other)[row:]
    return DamagedPicture("torn", picture, frame, FrameClass.TORN, box=(0, row, picture.shape[1], picture.shape[0]))


def _band(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """Rows in the middle left from a frame before, at a moment when the wheel moves."""
    frame = frame - frame % 600 + 60 + frame % 150
    picture = _copy(draw, frame)
    height = picture.shape[0]
    middle = height // 2 + int(rng.integers(-height // 10, height // 10))
    picture[middle - height // 12 : middle + height // 12] = draw(frame - 1)[
        middle - height // 12 : middle + height // 12
    ]
    return DamagedPicture("band", picture, frame, FrameClass.CORRUPT, cause=f"still those of frame {frame - 1}")


def _swapped(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    order = [[2, 1, 0], [1, 0, 2], [0, 2, 1], [1, 2, 0], [2, 0, 1]][rng.integers(5)]
    return DamagedPicture(
        "swapped", draw(frame)[..., order].copy(), frame, FrameClass.CORRUPT, cause="swapped channels"
    )


def _levels(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """One channel brighter or darker everywhere, by too little to hide the stamp."""
    offset = int(rng.integers(1, 12)) * (1 if rng.integers(2) else -1)
    channel = int(rng.integers(3))
    picture = draw(frame).astype(np.int16)
    picture[..., channel] += offset
    shifted: Image = picture.clip(0, 255).astype(np.uint8)
    name = f"shifted channel levels: {'RGB'[channel]} {offset:+d}"
    return DamagedPicture("levels", shifted, frame, FrameClass.CORRUPT, cause=name)


def _stride(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """Read with rows longer or shorter than they were written."""
    source = draw(frame)
    height, width = source.shape[:2]
    extra = int(rng.choice([-16, -8, -4, -1, 1, 4, 8, 16]))
    flat = source.reshape(-1, 3)
    start = np.arange(height) * (width + extra)
    index = (start[:, None] + np.arange(width)).clip(0, height * width - 1)
    return DamagedPicture("stride", flat[index].copy(), frame, FrameClass.CORRUPT, cause="wrong stride")


def _displaced(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    right, down = int(rng.integers(1, 30)), int(rng.integers(-30, 30))
    picture = np.zeros_like(draw(frame))
    source = draw(frame)
    height, width = source.shape[:2]
    shown = picture[max(down, 0) : height + min(down, 0), right:]
    shown[...] = source[max(-down, 0) : height + min(-down, 0), : width - right]
    cause = f"displaced by {right} px across and {down} px down"
    return DamagedPicture("displaced", picture, frame, FrameClass.CORRUPT, cause=cause)


def _blank(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    picture = np.zeros_like(draw(frame))
    picture[...] = rng.integers(0, 256, 3)
    return DamagedPicture("blank", picture, frame, FrameClass.BLANK)


def _noise(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    return DamagedPicture("noise", rng.integers(0, 256, draw(frame).shape, np.uint8), frame, FrameClass.UNDECODABLE)


def _blurred(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """Scaled down and up again, as by a display path that resamples."""
    source = draw(frame)
    height, width = source.shape[:2]
    small = cv2.resize(source, (width * 3 // 4, height * 3 // 4), interpolation=cv2.INTER_AREA)
    picture = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return DamagedPicture("blurred", picture, frame, FrameClass.CORRUPT)


_PLANTERS: dict[str, Callable[[DrawFrame, int, np.random.Generator], DamagedPicture]] = {
    "pixel": _pixel,
    "block": _block,
    "line": _line,
    "torn": _torn,
    "band": _band,
    "swapped": _swapped,
    "levels": _levels,
    "stride": _stride,
    "displaced": _displaced,
    "blank": _blank,
    "noise": _noise,
    "blurred": _blurred,
}
KINDS = tuple(_PLANTERS)


def _whole(name: str, change: Callable[[Image], Image], cause: str) -> Callable[..., DamagedPicture]:
    """A mistake that changes the whole picture in one way."""

    def make(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
        return DamagedPicture(name, np.ascontiguousarray(change(draw(frame))), frame, FrameClass.CORRUPT, cause=cause)

    return make


def _byte_order(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """Bytes B, G, R, X of memory taken in another order, X being 0: as the formats of VIRTIO 1.2 §5.7.6.8 do."""
    bytes_bgrx = np.concatenate([draw(frame)[..., ::-1], np.zeros((*draw(frame).shape[:2], 1), np.uint8)], axis=2)
    order = [[1, 2, 3], [3, 2, 1], [3, 0, 1], [2, 3, 0]][rng.integers(4)]
    picture = np.ascontiguousarray(bytes_bgrx[..., order])
    return DamagedPicture(
        "byte order", picture, frame, FrameClass.CORRUPT, cause="the resource's format has another byte order"
    )


def _padded(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """Written in rows longer than those that are shown."""
    source = draw(frame)
    height, width = source.shape[:2]
    pitch = width + int(rng.choice([1, 3, 16, 32, 60, 64, 128, 200, width // 2, width, 2 * width]))
    memory = np.zeros((height, pitch, 3), np.uint8)
    memory[:, :width] = source
    picture = memory.reshape(-1, 3)[: height * width].reshape(height, width, 3).copy()
    return DamagedPicture("padded", picture, frame, FrameClass.CORRUPT, cause=f"rows are written {pitch} px long")


def _offset(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """Taken from further on in memory, where the end is missing, or from before its beginning."""
    source = draw(frame).reshape(-1, 3)
    width = draw(frame).shape[1]
    by = int(rng.integers(1, 40 * width)) * (1 if rng.integers(2) else -1)
    memory = np.zeros_like(source)
    if by > 0:
        memory[by:] = source[:-by]
    else:
        memory[:by] = source[-by:]
    picture = memory.reshape(draw(frame).shape)
    return DamagedPicture("offset", picture, frame, FrameClass.CORRUPT, cause="a wrong transfer offset|displaced by")


def _cropped(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """The scanout shows the top left part."""
    source = draw(frame)
    height, width = source.shape[0] * 3 // 4, max(source.shape[1] * 3 // 4, 300)
    size = f"the screen is {width}x{height}, not the mode's {source.shape[1]}x{source.shape[0]}"
    return DamagedPicture("cropped", source[:height, :width].copy(), frame, FrameClass.CORRUPT, cause=size)


def _dark(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    """QEMU's own notice on a screen of its own size."""
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[232:248, 150:490] = np.where(rng.random((16, 340, 1)) < 0.3, np.uint8(0xAA), np.uint8(0))
    return DamagedPicture("dark", picture, frame, FrameClass.UNDECODABLE, cause="the scanout is off, or was never set")


def _halves(draw: DrawFrame, frame: int, rng: np.random.Generator) -> DamagedPicture:
    axis = int(rng.integers(2))
    picture = np.roll(draw(frame), draw(frame).shape[axis] // 2, axis)
    name = ("upper and lower", "left and right")[axis]
    return DamagedPicture("halves", picture, frame, FrameClass.CORRUPT, cause=f"the {name} halves are swapped")


_MISTAKES: dict[str, Callable[[DrawFrame, int, np.random.Generator], DamagedPicture]] = {
    "upside down": _whole("upside down", lambda image: image[::-1], "upside down"),
    "mirrored": _whole("mirrored", lambda image: image[:, ::-1], "mirrored"),
    "turned": _whole("turned", lambda image: image[::-1, ::-1], "turned by 180 degrees"),
    "halves": _halves,
    "byte order": _byte_order,
    "padded": _padded,
    "offset": _offset,
    "cropped": _cropped,
    "dark": _dark,
}
MISTAKES = tuple(_MISTAKES)
"""Damage that a driver does to every picture, some of another size: the exact detector must name each."""
