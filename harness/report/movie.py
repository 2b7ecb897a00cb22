"""A run with wrong pictures as a WebM: what was captured beside what it should have been, in the order of the run."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from harness.core.arrays import Image
from harness.core.pictures.captures import CAPTURES_FILE, CapturesError, captures_from_json
from harness.platform.files.bounded import read_bounded
from harness.platform.files.scratch import scratch_folder
from harness.report.pictures import difference_box, read_picture
from harness.report.view import Movie

MOVIE_BYTES_MAX = 500_000
PANEL_PX = (384, 256, 160)
"""Widths of one side, the first that fits the budget."""
FRAMES_A_S = 1
RIGHT_MAX = 8
"""Right frames between the wrong ones, the first of them."""
CAPTURES_BYTES_MAX = 16 << 20
_GAP_PX = 8
_RED, _WHITE = (0, 0, 255), 255


def movie_of(folder: Path, film: Sequence[str]) -> Movie | None:
    """The movie of a run's folder; None where no wrong picture was kept with what it should have been.

    Parameters
    ----------
    film
        Small copies of the first right pictures. A right picture is what it should have been, pixel by pixel.
    """
    pairs = list(_pairs(folder, film))
    if not any(wrong for _, wrong in pairs):
        return None
    for width in PANEL_PX:
        coded = _webm([_frame(*pair, width) for pair, _ in pairs])
        if not coded:
            return None
        if len(coded) * 4 / 3 <= MOVIE_BYTES_MAX:
            uri = "data:video/webm;base64," + base64.b64encode(coded).decode("ascii")
            return Movie(uri, sum(wrong for _, wrong in pairs), len(pairs))
    return None


def _pairs(folder: Path, film: Sequence[str]) -> Iterator[tuple[tuple[Image, Image], bool]]:
    """Captured and expected in the order of the run, and whether they differ; of what was kept."""
    path = folder / "pictures" / CAPTURES_FILE
    try:
        saved = captures_from_json(read_bounded(path, CAPTURES_BYTES_MAX).decode())
    except (OSError, UnicodeDecodeError, CapturesError):
        return
    right = iter(film[:RIGHT_MAX])
    for one in saved.captures:
        if one.evidence:
            shown, expected = (
                read_picture(folder / "pictures" / f"{one.evidence}{end}.png") for end in ("", "-expected")
            )
            if shown is not None and expected is not None and shown.shape == expected.shape:
                yield (shown, expected), True
        elif one.capture.checked.damage is None and (name := next(right, "")):
            small = read_picture(folder / name)
            if small is not None:
                yield (small, small), False


def _frame(captured: Image, expected: Image, width: int) -> Image:
    """Both side by side, where they differ framed in red."""
    panels = []
    box = None if captured is expected else difference_box(captured, expected)
    scale = width / captured.shape[1]
    height = max(round(captured.shape[0] * scale) // 2 * 2, 2)
    for picture in (captured, expected):
        panel = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        if box is not None:
            top, bottom, left, right = (round(edge * scale) for edge in box)
            cv2.rectangle(panel, (left, top), (right - 1, bottom - 1), _RED, 2)
        panels.append(np.asarray(panel, np.uint8))
    gap = np.full((height, _GAP_PX, 3), _WHITE, np.uint8)
    return np.asarray(np.hstack([panels[0], gap, panels[1]]), np.uint8)


def _webm(frames: Sequence[Image]) -> bytes:
    """The frames as WebM, a second each; nothing where this OpenCV writes none, or they are not of one size."""
    height, width = frames[0].shape[:2]
    if any(frame.shape[:2] != (height, width) for frame in frames):
        return b""
    with scratch_folder("movie") as scratch:
        path = scratch / "run.webm"
        with _muted():
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), FRAMES_A_S, (width, height))
            for frame in frames:
                writer.write(frame)
            writer.release()
        # No bound needed: a film just made.
        return path.read_bytes() if path.is_file() else b""


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """OpenCV's encoder remarks on standard error that it chose the tag itself."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
