"""The movie of a run with wrong pictures: captured beside expected, in the order of the run, within its budget."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

from harness.core.pictures.captures import SavedCapture, SavedCaptures, captures_to_json
from harness.core.pictures.damage import find_damage
from harness.core.pictures.frames import Capture, CheckedPicture, FrameClass
from harness.report.movie import MOVIE_BYTES_MAX, movie_of

SIZE = (96, 128)


def picture(level: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((*SIZE, 3), level, np.uint8)


def run(folder: Path, *, wrong: bool) -> tuple[str, ...]:
    """A run of a right picture and one that is wrong, or right as well; returns the names of its film."""
    place = folder / "pictures"
    place.mkdir()
    cv2.imwrite(str(place / "film-00.png"), picture(40))
    expected, shown = picture(90), picture(90)
    shown[10:20, 30:50] = 250
    captures = [SavedCapture(Capture(CheckedPicture(FrameClass.INTACT, "intact", 1), 10, 1), 1)]
    if wrong:
        cv2.imwrite(str(place / "00-corrupt.png"), shown)
        cv2.imwrite(str(place / "00-corrupt-expected.png"), expected)
        checked = CheckedPicture(FrameClass.CORRUPT, "corrupt", 2, find_damage(shown, expected))
        captures.append(SavedCapture(Capture(checked, 20, 2), 2, "00-corrupt"))
    (place / "captures.json").write_text(captures_to_json(SavedCaptures(tuple(captures), 10**9)), encoding="utf-8")
    return ("pictures/film-00.png",)


def test_what_was_captured_stands_beside_what_was_expected(tmp_path: Path) -> None:
    movie = movie_of(tmp_path, run(tmp_path, wrong=True))
    assert movie is not None and (movie.wrong, movie.frames) == (1, 2)
    coded = base64.b64decode(movie.uri.removeprefix("data:video/webm;base64,"))
    assert len(coded) < MOVIE_BYTES_MAX
    path = tmp_path / "seen.webm"
    path.write_bytes(coded)
    video = cv2.VideoCapture(str(path))
    frames = [frame for ok, frame in iter(video.read, (False, None)) if ok]
    assert len(frames) == 2, "a right frame, then the wrong one"
    half = frames[0].shape[1] // 2
    left, right = frames[1][:, : half - 8], frames[1][:, half + 8 :]
    assert abs(float(left.mean()) - float(right.mean())) > 1, "the two sides differ"
    assert abs(float(frames[0][:, : half - 8].mean()) - float(frames[0][:, half + 8 :].mean())) < 1


def test_where_no_picture_is_wrong_or_nothing_was_kept_there_is_no_movie(tmp_path: Path) -> None:
    assert movie_of(tmp_path, run(tmp_path, wrong=False)) is None
    assert movie_of(tmp_path / "none", ()) is None
