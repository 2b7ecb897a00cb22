"""Oracles of targets: what the command draws is what every pixel is compared with, and what it may not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.arrays import I64, Image
from harness.core.pictures.frames import FrameClass
from harness.gate.measuring.target_oracle import OracleJudge
from harness.model.spec import UsageError
from harness.model.target import FrameBy, Target
from harness.model.target_file import parse_target
from harness.platform.pictures import command_oracle
from harness.platform.pictures.command_oracle import CommandOracle
from harness.tests.test_explain_target import a_target, said_by

WAVE = """
import sys
import numpy as np
frame = int(sys.argv[1])
def triangle(value):
    return np.where(value & 256, 255 - (value & 255), value & 255)
picture = np.empty((480, 640, 3), np.uint8)
picture[..., 0] = triangle(np.arange(640) + frame * 3)
picture[..., 1] = triangle(np.arange(480) + frame)[:, None]
picture[..., 2] = 64
content = b"P6 640 480 255\\n" + picture.tobytes()
if len(sys.argv) > 2:
    open(sys.argv[2], "wb").write(content)
else:
    sys.stdout.buffer.write(content)
"""
"""Pictures of the guests of PICTURE_WAVE, written from its description."""
SMALL = 'printf "P6 2 1 255\\n\\001\\002\\003$1$1$1"'


def target_with(folder: Path, oracle: str, by: str = "flush", mask: str = "") -> Target:
    more = f', mask = "{mask}"' if mask else ""
    text = f'image = {{ kernel = "k" }}\nframe = {{ by = "{by}" }}\npictures = {{ oracle = \'{oracle}\'{more} }}\n'
    return parse_target(text, "mine", "mine.toml", str(folder))


def script(folder: Path, content: str) -> str:
    (folder / "draw").write_text(f"#!/bin/sh\n{content}\n", encoding="utf-8")
    (folder / "draw").chmod(0o755)
    return "./draw FRAME"


def oracle_of(folder: Path, content: str, oracle: str = "") -> CommandOracle:
    named = script(folder, content)
    return CommandOracle(target_with(folder, oracle or named), folder / "scratch")


def test_a_picture_comes_from_standard_output_or_from_a_file(tmp_path: Path) -> None:
    said = oracle_of(tmp_path, SMALL)
    assert said.picture(7).tolist() == [[[1, 2, 3], [55, 55, 55]]]
    assert said.picture(7) is said.picture(7) and said.numbered
    written = oracle_of(tmp_path, f'{SMALL} > "$2"; echo chatter', "./draw FRAME PICTURE")
    assert written.picture(8).tolist() == [[[1, 2, 3], [56, 56, 56]]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("echo no such scene >&2; exit 3", "'./draw 5' ended with status 3: no such scene"),
        ("true", "'./draw 5' writes no picture"),
        ("echo 12345", "'./draw 5' writes 6 bytes that are not a PNG or PPM"),
        ('printf "P6 9000 1 255\\n"; head -c 27000 /dev/zero', "draws 9000x1, too large"),
        ("sleep 60", "'./draw 5': has not ended after 0.5 s"),
        ("cat /dev/zero", "'./draw 5': says more than"),
        ("./gone", "ended with status 127"),
    ],
)
@pytest.mark.slow
def test_what_is_wrong_with_the_command_is_said(
    content: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_oracle, "FRAME_S", 0.5 if "sleep" in content else 10.0)
    with pytest.raises(UsageError) as caught:
        oracle_of(tmp_path, content).picture(5)
    assert "mine.toml: pictures.oracle: " in str(caught.value) and says in str(caught.value)


def test_words_that_no_shell_takes_are_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pictures.oracle: No closing quotation: quote it as for a shell"):
        target_with(tmp_path, './draw "FRAME')


def test_the_command_writes_nothing_else_and_sees_no_home(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    content = f"echo x > {outside}/made; echo x > made; test -e {outside} && exit 9; {SMALL}"
    assert oracle_of(home, content).picture(1).shape == (1, 2, 3)
    assert not list(outside.iterdir()) and not (home / "made").exists()


def wave(frame: int, moved: int = 0) -> Image:
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 0] = frame + moved
    picture[0, 0] = 9
    return picture


class Drawn(CommandOracle):
    """An oracle that needs no process."""

    def _draw(self, frame: int) -> Image:
        return self.masked(wave(frame))


def judge_of(folder: Path, times_ns: list[int], oracle: str = "draw FRAME") -> OracleJudge:
    target = target_with(folder, oracle)
    times: I64 = np.array(times_ns, np.int64)
    return OracleJudge(Drawn(target, folder), target, lambda: times)


def test_a_picture_is_of_a_frame_that_was_due(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, [100, 200, 300, 400, 500])
    due = {frame: judge.judge(wave(frame), 310, 320).kind for frame in range(6)}
    right = [frame for frame, kind in due.items() if kind is FrameClass.INTACT]
    assert right == [2, 3, 4], "the newest that was flushed, and what is transferred before its flush"
    wrong = judge.judge(wave(0), 310, 320)
    assert wrong.kind is FrameClass.CORRUPT and "frame 2 differs from the oracle's: " in wrong.why and wrong.damage


def test_a_command_without_a_number_draws_the_only_picture(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, [100], "draw")
    assert judge.judge(wave(0), 110, 120).kind is FrameClass.INTACT
    assert "the picture differs" in judge.judge(wave(1), 110, 120).why
    assert "the screen is 4x8, the oracle draws 8x8" in judge.judge(wave(0)[:, :4], 110, 120).why


def test_what_is_masked_is_not_compared(tmp_path: Path) -> None:
    import cv2

    mask = np.full((8, 8, 3), 255, np.uint8)
    mask[4:] = 0
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    target = target_with(tmp_path, "draw", mask="mask.png")
    judge = OracleJudge(Drawn(target, tmp_path), target, lambda: np.zeros(0, np.int64))
    picture = wave(0)
    picture[6] = 77
    assert judge.judge(picture, 0, 1).kind is FrameClass.INTACT
    picture[2] = 77
    assert judge.judge(picture, 0, 1).kind is FrameClass.CORRUPT


def test_a_stamped_picture_is_compared_with_the_frame_that_it_carries(tmp_path: Path) -> None:
    target = target_with(tmp_path, "draw FRAME", "stamp")
    assert target.frame.by is FrameBy.STAMP
    judge = OracleJudge(Drawn(target, tmp_path), target, lambda: np.zeros(0, np.int64))
    assert judge.judge(wave(3), 0, 1).kind is FrameClass.UNDECODABLE


def guest(folder: Path, name: str, words: str) -> str:
    more = f'pictures = {{ oracle = "/usr/bin/python3 draw.py {words}" }}\n'
    (folder / "draw.py").write_text(WAVE, encoding="utf-8")
    return str(a_target(folder, name, more))


RUN = ("STAGES=window,pictures", "PICTURES=10", "BUDGET=90")


@pytest.mark.qemu
@pytest.mark.parametrize("words", [pytest.param("FRAME", marks=pytest.mark.full), "FRAME PICTURE"])
def test_a_clean_guest_is_right_to_the_pixel(words: str, tmp_path: Path) -> None:
    code, said = said_by(tmp_path, "perf", f"TARGET={guest(tmp_path, 'paced', words)}", *RUN)
    assert code == 0 and "(as its oracle draws them)" in said, said


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("name", "says"), [("swapped", "swapped channels"), pytest.param("stride", "wrong stride", marks=pytest.mark.full)]
)
def test_a_guest_that_draws_wrongly_is_named(name: str, says: str, tmp_path: Path) -> None:
    code, said = said_by(tmp_path, "perf", f"TARGET={guest(tmp_path, name, 'FRAME')}", *RUN)
    assert code == 3 and says in said, said


@pytest.mark.qemu
@pytest.mark.parametrize(("pace", "code", "says"), [(30, 0, "keeps"), (60, 1, "does not keep its pace of 60")])
def test_a_pace_is_judged(pace: int, code: int, says: str, tmp_path: Path) -> None:
    path = a_target(tmp_path, "paced", f"frame = {{ pace = {pace} }}\n")
    found, said = said_by(tmp_path, "perf", f"TARGET={path}", "STAGES=window,pictures", "PICTURES=10")
    assert found == code or (found == 4 and "cannot tell whether it keeps its pace" in said), said
    if found == 1:
        assert says in said, said
