"""Golden pictures and masks of a target, and what is named by them: stride, channels, noise, garbage, frozen parts."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.core.arrays import DrawFrame, Image, Mask
from harness.core.pictures.frames import FrameClass
from harness.core.pictures.golden_features import Golden, Surprises, learn_golden
from harness.core.pictures.picture_texture import block_prints, noise_blocks, row_lean_px
from harness.core.pictures.unknown_pictures import frozen_parts, judge_picture
from harness.gate.measuring.target_pictures import GoldenJudge, judged_words
from harness.model.spec import UsageError
from harness.model.target import FrameBy, Target, TargetFrame, TargetPictures
from harness.platform.pictures.golden_pictures import golden_of
from harness.platform.pictures.oracle import Oracle
from harness.tests.fuzz import FULL
from harness.tests.test_stamp import draw_strip

MODE = (320, 240)


@functools.cache
def draw() -> DrawFrame:
    return Oracle(*MODE).picture


@functools.cache
def golden() -> Golden:
    return learn_golden([draw()(frame) for frame in range(0, 4800, 60)])


def of_wrong_length(picture: Image, extra_px: int) -> Image:
    """A screen whose rows are longer in memory than the device is told."""
    height, width = picture.shape[:2]
    memory = np.zeros((height, width + extra_px, 3), np.uint8)
    memory[:, :width] = picture[:, : width + extra_px]
    return np.resize(memory.reshape(-1, 3), (height * width, 3)).reshape(picture.shape)


def a_console(rng: np.random.Generator) -> Image:
    """Lines of letters, as long as chance has it: hardly two screens end a line at the same place."""
    lit = rng.integers(0, 2, (24, 40), np.uint8) * (np.arange(40) < rng.geometric(0.06, (24, 1)))
    return np.repeat(np.kron(lit * np.uint8(170), np.ones((10, 8), np.uint8))[..., None], 3, axis=2)


def stippled(mode: tuple[int, int], period: int) -> Image:
    """A screen of two colours in a fixed order, with a window on it."""
    y, x = np.mgrid[: mode[1], : mode[0]]
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
    lit = (x + y) % period == 0 if period < 9 else x * 16 // mode[0] > bayer[y % 4, x % 4]
    picture = np.where(lit[..., None], (200, 200, 200), (0, 64, 64)).astype(np.uint8)
    picture[60:120, 80:200] = (0, 0, 128)
    return picture


def diffused(mode: tuple[int, int]) -> Image:
    """A gradient of black and white pixels whose errors are passed on (Floyd and Steinberg, Proc. SID 17, 1976)."""
    width, height = mode
    left = np.tile(np.linspace(0, 255, width), (height + 1, 1))
    left = np.pad(left, ((0, 0), (1, 1)))
    for y in range(height):
        for x in range(1, width + 1):
            shown = 255.0 if left[y, x] > 127 else 0.0
            error, left[y, x] = left[y, x] - shown, shown
            left[y, x + 1] += error * 7 / 16
            left[y + 1, x - 1 : x + 2] += error * np.array([3, 5, 1]) / 16
    return np.repeat(left[:height, 1 : width + 1, None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("extra_px", [8, 3, -8, 64])
@pytest.mark.slow
def test_rows_of_a_wrong_length_are_named(extra_px: int) -> None:
    found = judge_picture(of_wrong_length(draw()(777), extra_px), golden())
    assert found.kind is FrameClass.CORRUPT
    assert found.why == f"judged corrupt: wrong stride: rows are written {320 + extra_px} px long and shown 320 px long"


@pytest.mark.slow
def test_swapped_channels_are_named() -> None:
    found = judge_picture(np.ascontiguousarray(draw()(777)[..., ::-1]), golden())
    assert found.why == "judged corrupt: swapped channels: B shown as R, R shown as B"
    turned = judge_picture(np.ascontiguousarray(draw()(777)[..., (1, 2, 0)]), golden())
    assert turned.why == "judged corrupt: swapped channels: G shown as R, B shown as G, R shown as B"


def test_half_a_picture_of_noise_and_garbage_blocks_are_named_without_golden_pictures() -> None:
    rng = np.random.default_rng(1)
    half = draw()(777).copy()
    half[120:] = rng.integers(0, 256, half[120:].shape)
    assert "blocks look like noise, within 0,128 to 319,223" in judge_picture(half).why
    block = draw()(777).copy()
    block[64:128, 96:192] = rng.integers(0, 256, (64, 96, 3))
    assert judge_picture(block).why == "judged corrupt: 6 of 70 blocks look like noise, within 96,64 to 191,127"


@pytest.mark.parametrize("period", [2, 3, 5, 9])
def test_dithered_screens_are_no_noise(period: int) -> None:
    picture = stippled((640, 480), period)
    assert judge_picture(picture).kind is FrameClass.INTACT and not noise_blocks(picture).any()


def test_diffused_screens_are_no_noise_but_random_pixels_are() -> None:
    assert judge_picture(diffused((256, 192))).kind is FrameClass.INTACT
    rng = np.random.default_rng(2)
    random = np.repeat(rng.integers(0, 2, (192, 256, 1)) * 255, 3, axis=2).astype(np.uint8)
    assert "noise" in judge_picture(random).why


def test_still_screens_are_learnt_from_one_picture() -> None:
    one = stippled((640, 480), 9)
    known = learn_golden([one])
    assert judge_picture(one, known).kind is FrameClass.INTACT
    damaged = one.copy()
    damaged[200:220, 300:330] = 255
    assert "where nothing moves" in judge_picture(damaged, known).why
    assert "swapped channels" in judge_picture(np.ascontiguousarray(one[..., ::-1]), known).why
    assert "wrong stride" in judge_picture(of_wrong_length(one, 8), known).why


@pytest.mark.slow
def test_a_console_whose_lines_end_anywhere_is_like_its_golden_pictures() -> None:
    rng = np.random.default_rng(3)
    known = learn_golden([a_console(rng) for _ in range(40)])
    screens = [a_console(rng) for _ in range(60)]
    assert {judge_picture(one, known).kind for one in screens} == {FrameClass.INTACT}
    careless = replace(known, slack=Surprises())
    assert sum(judge_picture(one, careless).kind is not FrameClass.INTACT for one in screens) > 10
    for screen in screens[:10]:
        assert "wrong stride" in judge_picture(of_wrong_length(screen, 8), known).why
        screen[60:180, 100:260] = rng.integers(0, 256, (120, 160, 3))
        assert "look like noise" in judge_picture(screen, known).why


SEEDS = 25 if FULL else 6
"""Ways to see 40 of 296 places, of which 80 others are judged."""


def with_a_box(x: int) -> Image:
    """A dithered screen on which a box slides."""
    picture = stippled((320, 96), 3)
    picture[60:] = picture[:36]
    picture[16:40, x : x + 24] = (0, 96, 0)
    return picture


@pytest.mark.slow
def test_a_box_that_goes_further_than_in_any_golden_picture_is_no_damage() -> None:
    judged, alarms, careless = 0, 0, 0
    for seed in range(SEEDS):
        places = np.random.default_rng(seed).permutation(296)[:120].tolist()
        known = learn_golden([with_a_box(x) for x in places[:40]])
        found = [judge_picture(with_a_box(x), known).kind for x in places[40:]]
        judged, alarms = judged + len(found), alarms + sum(kind is not FrameClass.INTACT for kind in found)
        strict = replace(known, slack=Surprises())
        careless += sum(judge_picture(with_a_box(x), strict).kind is not FrameClass.INTACT for x in places[40:])
    assert judged == 80 * SEEDS and alarms <= 0.001 * judged, alarms
    assert careless > 0.01 * judged, "no golden picture shows the ends of the path"


def test_what_moves_is_damage_where_it_cannot_have_come_to() -> None:
    known = learn_golden([with_a_box(x) for x in range(100, 180, 2)])
    assert judge_picture(with_a_box(184), known).kind is FrameClass.INTACT
    apart, larger, other = with_a_box(140), with_a_box(140), with_a_box(140)
    apart[60:84, 280:304] = (0, 96, 0)
    larger[16:40, 140:300] = (0, 96, 0)
    other[16:40, 180:206] = (255, 0, 255)
    for damaged in (apart, larger, other):
        assert "where nothing moves" in judge_picture(damaged, known).why


@pytest.mark.slow
def test_what_a_mask_leaves_out_is_not_judged() -> None:
    mask = np.ones((240, 320), bool)
    mask[20:60, 10:90] = False
    pictures = [draw()(frame) for frame in range(0, 4800, 60)]
    known = learn_golden(pictures, mask)
    clock = draw()(100).copy()
    clock[25:55, 15:85] = (255, 0, 255)
    assert judge_picture(clock, known).kind is FrameClass.INTACT
    assert judge_picture(clock, golden()).kind is FrameClass.CORRUPT
    with pytest.raises(ValueError, match="the mask is 320x200, and pictures are 320x240"):
        learn_golden(pictures, np.ones((200, 320), bool))


def moving(frame: int, stuck: Mask | None = None) -> Image:
    """All of it changes in every frame, except the stuck part."""
    y, x = np.mgrid[:192, :256]
    picture = np.stack([(x + frame * 5) % 256, (y + frame * 7) % 256, (x + y + frame * 11) % 256], axis=2)
    if stuck is not None:
        picture[stuck] = np.stack([x % 256, y % 256, (x + y) % 256], axis=2)[stuck]
    return np.asarray(picture, np.uint8)


def test_a_part_that_stands_still_is_found_by_the_run() -> None:
    known = learn_golden([moving(frame) for frame in range(40)])
    stuck = np.zeros((192, 256), bool)
    stuck[64:128, 96:160] = True
    good = [block_prints(moving(frame)) for frame in range(50, 60)]
    bad = [block_prints(moving(frame, stuck)) for frame in range(50, 60)]
    assert frozen_parts(good, known) == ""
    assert frozen_parts(bad, known) == (
        "judged frozen in part: 4 blocks that always move stood still in all 10 pictures, within 96,64 to 159,127"
    )
    assert frozen_parts(bad[:3], known) == ""
    assert frozen_parts([bad[0]] * 10, known) == "", "all of it standing still is another matter"


def test_rows_that_lean() -> None:
    upright = np.tile(np.random.default_rng(1).integers(0, 256, (1, 640, 3)), (480, 1, 1)).astype(np.uint8)
    assert row_lean_px(upright) == 0 and row_lean_px(stippled((640, 480), 3)) is not None
    assert row_lean_px(of_wrong_length(upright, 8)) == 8
    assert row_lean_px(np.zeros((480, 640, 3), np.uint8)) is None


def saved(folder: Path, pictures: list[Image], mask: Image | None = None) -> Target:
    (folder / "golden").mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "golden" / f"{number}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if mask is not None:
        cv2.imwrite(str(folder / "mask.png"), mask)
    declared = TargetPictures(golden="golden", mask="mask.png" if mask is not None else "")
    return Target("mine", pictures=declared, folder=str(folder))


def test_golden_pictures_are_read_from_a_folder_by_size(tmp_path: Path) -> None:
    first, second = stippled((640, 480), 9), stippled((320, 240), 3)
    target = saved(tmp_path, [first, second])
    judge = GoldenJudge(golden_of(target), target)
    assert judge.judge(first).kind is judge.judge(second).kind is FrameClass.INTACT
    assert "swapped" in judge.judge(np.ascontiguousarray(second[..., ::-1])).why
    assert "another size" in judge.judge(stippled((400, 300), 3)).why
    assert judge.findings() == [] and judge.words == "like the golden pictures, not noise"


def test_a_folder_that_cannot_be_used_is_named_with_its_key(tmp_path: Path) -> None:
    nowhere = Target("mine", pictures=TargetPictures(golden="none"), folder=str(tmp_path))
    with pytest.raises(UsageError, match=r"mine\.toml: pictures\.golden: .*none: no such folder"):
        golden_of(nowhere)
    target = saved(tmp_path, [], np.zeros((240, 320, 3), np.uint8))
    with pytest.raises(UsageError, match=r"pictures\.golden: .*no \*\.png in it"):
        golden_of(target)
    (tmp_path / "golden" / "a.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match="mask.png is black"):
        golden_of(target)
    plain = Target("mine", pictures=TargetPictures(golden="golden"), folder=str(tmp_path))
    with pytest.raises(UsageError, match=r"a\.png cannot be read: not a picture"):
        golden_of(plain)
    assert golden_of(None) == golden_of(Target("mine")) == ()


@pytest.mark.parametrize(
    ("blank", "static", "known", "says"),
    [
        ("no", "no", False, "not blank, not frozen, not noise; no golden pictures yet"),
        ("ok", "no", False, "not frozen, not noise; no golden pictures yet"),
        ("ok", "ok", True, "like the golden pictures, not noise"),
    ],
)
def test_the_sentence_says_what_was_judged(blank: str, static: str, known: bool, says: str) -> None:
    assert judged_words(Target("mine", pictures=TargetPictures(static=static, blank=blank)), known) == says


@pytest.mark.parametrize(
    ("top", "bottom", "kind", "says"),
    [
        (7, 7, FrameClass.INTACT, ""),
        (8, 7, FrameClass.TORN, "torn picture: frame 8 at the top, frame 7 at the bottom"),
        (None, None, FrameClass.UNDECODABLE, "neither frame number can be read"),
    ],
)
def test_pictures_with_frame_numbers_are_judged_by_them(
    top: int | None, bottom: int | None, kind: FrameClass, says: str
) -> None:
    picture = np.full((480, 640, 3), 90, np.uint8)
    picture[100:200, 100:200] = 20
    for strip, frame in enumerate((top, bottom)):
        if frame is not None:
            draw_strip(picture, strip, frame)
    target = Target("mine", frame=TargetFrame(by=FrameBy.STAMP))
    one = GoldenJudge((), target).judge(picture)
    assert (one.kind, one.why, one.frame) == (kind, says, top)
    assert GoldenJudge((), target).words == "not noise, not stale, not torn; no golden pictures yet"
    assert GoldenJudge((), Target("mine")).judge(picture).kind is FrameClass.INTACT
