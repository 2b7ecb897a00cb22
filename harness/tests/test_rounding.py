"""What a renderer's rounding may change: good pictures settle, and every planted damage that a person sees stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from harness.core.arrays import Image
from harness.core.pictures.captures import SavedCaptures, captures_from_json, captures_to_json
from harness.core.pictures.frames import FrameClass, check_picture
from harness.core.pictures.planted_pictures import KINDS, plant
from harness.core.pictures.rounding import AREA_LEVELS, BLOCK_PIXELS, COVER_LEVELS, ROUNDED, settle_rounding
from harness.platform.pictures.oracle import Oracle

MODE = (320, 240)
TOO_SMALL = {"pixel"}
"""One level of one pixel is what a renderer may round. The others change more than that, or a stamp."""


@pytest.fixture(scope="module", name="oracle")
def _oracle() -> Oracle:
    return Oracle(*MODE)


def rendered(oracle: Oracle, frame: int, seed: int = 1) -> Image:
    """A frame as a renderer may draw it: every pixel a little off, some edge pixels far."""
    rng = np.random.default_rng(seed)
    expected = oracle.picture(frame)
    off = rng.integers(-AREA_LEVELS, AREA_LEVELS + 1, expected.shape)
    picture: Image = (expected.astype(np.int16) + off).clip(0, 255).astype(np.uint8)
    higher = cv2.dilate(expected, np.ones((3, 3), np.uint8))
    edges = np.flatnonzero((cv2.absdiff(higher, expected).max(axis=2) > 64).ravel())
    chosen = rng.choice(edges, len(edges) // 400, replace=False)
    picture.reshape(-1, 3)[chosen] = higher.reshape(-1, 3)[chosen]
    picture[:4], picture[-4:] = expected[:4], expected[-4:]
    return picture


@pytest.mark.parametrize("frame", [0, 71, 433, 500])
def test_what_rounding_changes_is_intact(oracle: Oracle, frame: int) -> None:
    picture = rendered(oracle, frame)
    assert check_picture(picture, oracle.picture).kind is FrameClass.CORRUPT, "it is not exact"
    checked = check_picture(picture, oracle.picture, settle_rounding)
    assert checked.kind is FrameClass.INTACT and checked.frame == frame, checked.why


def test_a_stamp_must_be_exact(oracle: Oracle) -> None:
    for row in (1, MODE[1] - 2):
        picture = oracle.picture(100)
        picture[row, 40] += 1
        assert check_picture(picture, oracle.picture, settle_rounding).kind is FrameClass.CORRUPT


def test_a_pixel_of_an_area_may_differ_by_the_levels_stated_and_no_more(oracle: Oracle) -> None:
    for levels, kind in ((AREA_LEVELS, FrameClass.INTACT), (AREA_LEVELS + 1, FrameClass.CORRUPT)):
        picture = oracle.picture(100)
        picture[120, 8, 1] += levels
        assert check_picture(picture, oracle.picture, settle_rounding).kind is kind


@pytest.mark.parametrize("kind", sorted(set(KINDS) - TOO_SMALL))
@pytest.mark.slow
def test_damage_is_found_in_a_rendered_picture(oracle: Oracle, kind: str) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    for seed in range(4):
        planted = plant(kind, lambda frame: rendered(oracle, frame, seed), int(rng.integers(3000)), rng)
        if not planted.is_gross(rendered(oracle, planted.frame, seed)):
            continue
        checked = check_picture(planted.picture, oracle.picture, settle_rounding)
        assert checked.kind in planted.answers, (kind, seed, checked.why)


@pytest.mark.parametrize(("levels", "kind"), [(COVER_LEVELS, FrameClass.INTACT), (60, FrameClass.CORRUPT)])
def test_an_edge_along_a_row_is_rounded_alike_in_all_its_pixels(oracle: Oracle, levels: int, kind: FrameClass) -> None:
    """llvmpipe covers every pixel of a divider that lies along a row by two sixteenths more or less."""
    expected = oracle.picture(100)
    expected[110, 40:240] = 200
    expected[111, 40:240] = 110
    expected[112, 40:240] = 20
    picture = expected.copy()
    picture[111, 40:240] += np.uint8(levels)
    settled = settle_rounding(picture, expected)
    assert (np.array_equal(settled, expected)) is (kind is FrameClass.INTACT)


def moved(picture: Image, box: tuple[int, int, int, int], right: int, down: int) -> Image:
    x0, y0, x1, y1 = box
    shifted = picture.copy()
    shifted[y0 + down : y1 + down, x0 + right : x1 + right] = picture[y0:y1, x0:x1]
    return shifted


@pytest.mark.parametrize(("right", "down"), [(1, 0), (0, 1), (-1, 0), (2, 2)])
@pytest.mark.slow
def test_a_text_that_lies_a_pixel_aside_is_found(oracle: Oracle, right: int, down: int) -> None:
    """All its pixels are on edges and have their neighbours' colours: they are too many."""
    expected = oracle.picture(300)
    banner = moved(expected, (80, 212, 240, 234), right, down)
    assert np.count_nonzero((banner != expected).any(axis=2)) > BLOCK_PIXELS
    assert check_picture(banner, oracle.picture, settle_rounding).kind is FrameClass.CORRUPT


def test_a_wheel_that_is_a_frame_late_is_found(oracle: Oracle) -> None:
    for frame in (40, 150, 300):
        picture = oracle.picture(frame)
        picture[8:-8] = oracle.picture(frame - 1)[8:-8]
        checked = check_picture(picture, oracle.picture, settle_rounding)
        assert checked.kind is FrameClass.CORRUPT and f"still those of frame {frame - 1}" in checked.why


def test_a_saved_run_says_that_its_pictures_were_rounded() -> None:
    saved = SavedCaptures((), 500, judged_as=ROUNDED, rounded=True)
    assert captures_from_json(captures_to_json(saved)) == saved
    older = captures_to_json(saved).replace('"rounded": true,\n', "")
    assert not captures_from_json(older).rounded
