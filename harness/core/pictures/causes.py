"""Damage with a known cause, recognised from the picture and what it should have been: an explanation, never a class.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B. A cause is named when it explains nearly every
pixel; whole-picture mistakes of a driver come first: byte order, orientation, swapped halves, rows of another length,
another place in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from harness.core.arrays import Image

Pixels = npt.NDArray[np.uint32]

SHIFT_MAX_PX = 64
"""Displacements of the whole picture are looked for up to this."""
_SAME_SHARE = 0.995
"""Share of pixels that a cause must explain."""
_WHOLE_SHARE = 0.003
"""Least share of pixels that differ when something happened to the whole picture."""
_MOVED_SHARE = 0.9
"""The same where the picture's beginning or end is lost."""
_PITCH_PROBES = 24
"""Pixels of one row by which lengths of rows are sorted out."""
_NEEDLE_ROWS = 3
"""This many rows together are hardly ever found in a picture twice."""


def name_cause(picture: Image, expected: Image) -> str:
    """Recognise damage with a known cause; empty when it is none of them."""
    if 1 - _share_same(picture, expected) < _WHOLE_SHARE:
        return ""
    finders = (
        _channels_cause,
        _levels_cause,
        _orientation_cause,
        _halves_cause,
        _memory_cause,
        _displaced_cause,
        _stride_cause,
    )
    for find in finders:
        cause = find(picture, expected)
        if cause:
            return cause
    return ""


def screen_notice(picture: Image) -> bool:
    """Whether a picture is what QEMU shows instead of a guest's: one line of grey text in the middle of black."""
    inked = picture.any(axis=2)
    rows = np.flatnonzero(inked.any(axis=1))
    if not len(rows) or float(inked.mean()) > 0.02 or len(np.unique(picture[inked], axis=0)) > 2:
        return False
    middle = picture.shape[0] // 2
    return int(rows[-1] - rows[0]) < 20 and abs(int(rows[0] + rows[-1]) // 2 - middle) < 20


def _share_same(a: Image, b: Image) -> float:
    return float(np.count_nonzero((a == b).all(axis=-1))) / max(1, a.shape[0] * a.shape[1])


def _channels_cause(picture: Image, expected: Image) -> str:
    """Each channel shows another one, or the byte that no channel uses, which is 0 or 255 throughout."""
    shown = []
    for channel in range(3):
        sources = [channel, *(other for other in range(3) if other != channel)]
        same = [float(np.mean(picture[..., channel] == expected[..., source])) for source in sources]
        best = int(np.argmax(same))
        if same[best] >= _SAME_SHARE:
            shown.append("RGB"[sources[best]])
        elif (picture[..., channel] == picture[0, 0, channel]).all() and picture[0, 0, channel] in (0, 255):
            shown.append("X")
        else:
            return ""
    order = "".join(shown)
    if order == "RGB":
        return ""
    moved = ", ".join(
        f"{'the unused byte' if source == 'X' else source} shown as {at}"
        for at, source in zip("RGB", shown, strict=True)
        if at != source
    )
    return f"swapped channels: {moved}" + (": the resource's format has another byte order" if "X" in order else "")


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


def _orientation_cause(picture: Image, expected: Image) -> str:
    turned = {
        "the picture is upside down": expected[::-1],
        "the picture is mirrored, left to right": expected[:, ::-1],
        "the picture is turned by 180 degrees": expected[::-1, ::-1],
    }
    return next((name for name, image in turned.items() if _share_same(picture, image) >= _SAME_SHARE), "")


def _halves_cause(picture: Image, expected: Image) -> str:
    height, width = picture.shape[:2]
    for name, axis, half in (("left and right", 1, width // 2), ("upper and lower", 0, height // 2)):
        if half and _share_same(picture, np.roll(expected, half, axis)) >= _SAME_SHARE:
            return f"the {name} halves are swapped"
    return ""


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
    """Rows of another length than was meant, in each way in which that comes about."""
    shown, source = _packed(picture), _packed(expected)
    width = picture.shape[1]
    for pitch in _pitches(shown.ravel(), source, width):
        return f"wrong stride: rows are written {pitch} px long and shown {width} px long"
    for pitch in _pitches(source.ravel(), shown, width):
        return f"wrong stride: rows are written {width} px long and read {pitch} px long"
    for drift in _turned_rows(shown, source):
        way = "later" if drift > 0 else "earlier"
        return f"wrong stride: each row begins {abs(drift)} px {way} than it should"
    return ""


def _packed(picture: Image) -> Pixels:
    """One number a pixel, shape (height, width)."""
    wide = picture.astype(np.uint32)
    packed: Pixels = (wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]).astype(np.uint32)
    return packed


def _turned_rows(shown: Pixels, source: Pixels) -> Iterator[int]:
    """Pixels by which each row, rotated, begins later than the row above; none or one value."""
    height, width = shown.shape
    rows = np.unique(np.linspace(1, height - 1, min(48, height - 1)).astype(int))
    for drift in range(-(width // 2), width // 2 + 1):
        agree = 0
        for tried, y in enumerate(rows):
            if tried - agree > len(rows) // 10:
                break
            late = drift * int(y) % width
            agree += bool(np.array_equal(shown[y, late:], source[y, : width - late]))
        if drift and agree >= 0.9 * len(rows):
            yield drift


def _pitches(memory: Pixels, rows: Pixels, width: int) -> Iterator[int]:
    """Lengths of a row, in pixels, with which ``rows`` lie one after the other in ``memory``; others than ``width``."""
    height = len(rows)
    candidates = np.setdiff1d(np.arange(width // 2, 4 * width + 1), [width])
    for y in _telling_rows(rows, 2, height // 4):
        columns = np.flatnonzero(np.diff(rows[y]))[:_PITCH_PROBES] + 1
        if not len(columns):
            return
        at = y * candidates[:, None] + columns[None, :]
        fits = (at < len(memory)).all(axis=1)
        candidates = candidates[fits]
        candidates = candidates[(memory[at[fits]] == rows[y, columns]).all(axis=1)]
    for pitch in candidates:
        shown = min(height, (len(memory) - width) // int(pitch) + 1)
        lines = sliding_window_view(memory, width)[:: int(pitch)][:shown]
        if shown > 2 and np.mean((lines == rows[:shown]).all(axis=1)) >= _MOVED_SHARE:
            yield int(pitch)


def _telling_rows(rows: Pixels, first: int, last: int) -> list[int]:
    """The three rows with the most changes of colour, in order."""
    changes = np.count_nonzero(np.diff(rows[first : max(last, first + 3)], axis=1), axis=1)
    return sorted(int(at) + first for at in np.argsort(changes)[-3:])


def _memory_cause(picture: Image, expected: Image) -> str:
    """The whole picture begins later or earlier in memory; rows run on into each other."""
    shown, source = _packed(picture).ravel(), _packed(expected).ravel()
    width = picture.shape[1]
    for y in _telling_rows(_packed(expected), picture.shape[0] // 4, 3 * picture.shape[0] // 4):
        first = y * width
        moved = shown.tobytes().find(source[first : first + _NEEDLE_ROWS * width].tobytes())
        if moved < 0 or moved % 4 or moved // 4 == first:
            continue
        by = moved // 4 - first
        overlap = (shown[by:], source[:-by]) if by > 0 else (shown[:by], source[-by:])
        if float(np.mean(overlap[0] == overlap[1])) >= _SAME_SHARE:
            rows, columns = divmod(abs(by), width)
            way = "later" if by > 0 else "earlier"
            return f"the picture begins {rows} rows and {columns} px {way} in memory: a wrong transfer offset"
    return ""
