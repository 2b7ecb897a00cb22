"""Pictures of a page: bad frames cropped to where they are bad, and the film, within a budget of bytes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from harness.core.arrays import Image
from harness.platform.pictures.picture_file import read_bgr
from harness.report.view import Film, Picture, PictureComparison

EVIDENCE_MAX = 6
EVIDENCE_BYTES_MAX = 900_000
FILM_BYTES_MAX = 350_000
CROP_LEAST_PX, CROP_MARGIN_PX = 96, 24
WIDEST_PX = 640
FILE_BYTES_MAX = 16 << 20
_DIFFERENCE = "-difference"
_SPREAD_PX = 3
_FAINT = 0.25


def read_picture(path: Path) -> Image | None:
    """A picture as OpenCV reads it, B, G, R; None without one, or with one of an unusable size."""
    try:
        return read_bgr(path, FILE_BYTES_MAX)
    except OSError:
        return None


def gallery_of(paths: Sequence[Path], a_row: int = 3) -> tuple[PictureComparison, ...]:
    """Pictures one after the other, some side by side, each under its file's name; unreadable ones left out."""
    found = [(path.name, picture) for path in paths if (picture := read_picture(path)) is not None]
    rows = []
    for at in range(0, len(found), a_row):
        row = found[at : at + a_row]
        shown = tuple(Picture(_uri(picture), f"{name}, {_size(picture)}") for name, picture in row)
        rows.append(PictureComparison(f"{at + 1} to {at + len(row)} of {len(found)}", shown))
    return tuple(rows)


def _size(picture: Image) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"


def difference_box(captured: Image, expected: Image) -> tuple[int, int, int, int]:
    """Where two pictures differ, with a margin: top, bottom, left, right, ends exclusive."""
    height, width = captured.shape[:2]
    wrong = np.any(captured != expected, axis=2)
    rows, columns = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0))
    if not len(rows):
        return 0, height, 0, width
    return (*_span(int(rows[0]), int(rows[-1]), height), *_span(int(columns[0]), int(columns[-1]), width))


def _span(first: int, last: int, size: int) -> tuple[int, int]:
    middle, half = (first + last) // 2, max((last - first) // 2 + CROP_MARGIN_PX, CROP_LEAST_PX // 2)
    begin = max(0, min(middle - half, size - 2 * half))
    return begin, min(size, begin + 2 * half)


def _uri(picture: Image) -> str:
    """A picture as a data URI; a large one is reduced."""
    width = picture.shape[1]
    if width > WIDEST_PX:
        factor = WIDEST_PX / width
        picture = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        ok, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
        kind = "jpeg"
    else:
        ok, coded = cv2.imencode(".png", picture)
        kind = "png"
    assert ok
    return f"data:image/{kind};base64," + base64.b64encode(coded.tobytes()).decode("ascii")


def _marked(captured: Image, expected: Image) -> Image:
    """Where two pictures differ: those pixels in red and a little larger, on a faint copy of the expected one."""
    wrong = np.any(captured != expected, axis=2).astype(np.uint8)
    spread = cv2.dilate(wrong, np.ones((_SPREAD_PX, _SPREAD_PX), np.uint8))
    grey = cv2.cvtColor(expected, cv2.COLOR_BGR2GRAY).astype(np.float64) * _FAINT
    shown = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    shown[spread > 0] = (0, 0, 255)
    return shown


def _one(folder: Path, name: str) -> PictureComparison | None:
    stem = name.removesuffix(".png").removesuffix(_DIFFERENCE)
    captured, expected = (read_picture(folder / f"{stem}{end}.png") for end in ("", "-expected"))
    if captured is None:
        return None
    title = Path(stem).name
    if expected is None or expected.shape != captured.shape:
        return PictureComparison(title, (Picture(_uri(captured), "captured"),))
    top, bottom, left, right = difference_box(captured, expected)
    if (bottom - top, right - left) != captured.shape[:2]:
        title += f", rows {top} to {bottom - 1}, columns {left} to {right - 1}"
    shown = {"captured": captured, "expected": expected, "difference": _marked(captured, expected)}
    pictures = [Picture(_uri(one[top:bottom, left:right]), caption) for caption, one in shown.items()]
    return PictureComparison(title, tuple(pictures))


def evidence_of(folder: Path, names: Sequence[str]) -> tuple[tuple[PictureComparison, ...], str]:
    """Bad frames beside what they should have been, and a sentence on those that did not fit."""
    shown: list[PictureComparison] = []
    room = EVIDENCE_BYTES_MAX
    for name in names[:EVIDENCE_MAX]:
        one = _one(folder, name)
        if one is None:
            continue
        size = sum(len(picture.uri) for picture in one.pictures)
        if size > room:
            break
        room -= size
        shown.append(one)
    left = len(names) - len(shown)
    return tuple(shown), f"{left} more bad frames are in the run's folder." if shown and left > 0 else ""


def film_of(folder: Path, names: Sequence[str]) -> Film | None:
    """Captured frames below each other in one JPEG that fits its budget; None when there are not two alike."""
    pictures = [picture for name in names if (picture := read_picture(folder / name)) is not None]
    if len({picture.shape for picture in pictures}) != 1 or len(pictures) < 2:
        return None
    height, width = pictures[0].shape[:2]
    for quality in (82, 60, 40):
        ok, coded = cv2.imencode(".jpg", np.vstack(pictures), [cv2.IMWRITE_JPEG_QUALITY, quality])
        if ok and len(coded) * 4 / 3 <= FILM_BYTES_MAX:
            uri = "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode("ascii")
            return Film(uri, len(pictures), width, height)
    return film_of(folder, names[: len(names) // 2]) if len(names) > 3 else None
