"""Stamps: read back what an encoder written for this test draws, and nothing else."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.core.arrays import Image
from harness.core.pictures.stamp import Stamps, decode_frame, decode_stamps, salvage_frame

FRAMES = st.integers(0, 2**32 - 1)
SETTINGS = settings(max_examples=200, deadline=None, derandomize=True)
SIZES = st.tuples(st.integers(288, 500), st.integers(8, 60))


def draw_strip(picture: Image, strip: int, frame: int, crc_flip: int = 0, sync: int = 0xB2) -> None:
    """Draw one strip as the stamp's description says."""
    height, width = picture.shape[:2]
    crc = zlib.crc32(b"".join(word.to_bytes(4, "little") for word in (frame, width, height, strip))) ^ crc_flip
    text = f"{sync:08b}{frame:032b}{crc:032b}"
    rows = slice(0, 4) if strip == 0 else slice(height - 4, height)
    picture[rows] = 0x16
    for cell, bit in enumerate(text):
        picture[rows, cell * 4 : cell * 4 + 4] = 0x3A if bit == "1" else 0x16


def stamped(size: tuple[int, int], top: int, bottom: int, channels: int = 3) -> Image:
    picture = np.full((size[1], size[0], channels), 90, np.uint8)
    draw_strip(picture, 0, top)
    draw_strip(picture, 1, bottom)
    return picture


@SETTINGS
@given(SIZES, FRAMES, FRAMES, st.sampled_from([3, 4]))
def test_both_strips_are_read(size: tuple[int, int], top: int, bottom: int, channels: int) -> None:
    picture = stamped(size, top, bottom, channels)
    assert decode_stamps(picture) == Stamps(top, bottom)
    assert decode_frame(picture) == (top if top == bottom else None)


@SETTINGS
@given(FRAMES, st.integers(0, 71), st.sampled_from([0, 1]))
def test_a_flipped_cell_is_noticed(frame: int, cell: int, strip: int) -> None:
    picture = stamped((320, 240), frame, frame)
    rows = slice(0, 4) if strip == 0 else slice(236, 240)
    cells = picture[rows, cell * 4 : cell * 4 + 4]
    cells[...] = 0x16 + 0x3A - cells
    stamps = decode_stamps(picture)
    assert (stamps.top, stamps.bottom) == ((None, frame) if strip == 0 else (frame, None))
    assert stamps.frame is None


@pytest.mark.parametrize("level", [-1, 1])
def test_damage_short_of_a_cell_does_not_hide_the_number(level: int) -> None:
    picture = stamped((320, 240), 77, 77)
    picture[1, 100] = picture[1, 100].astype(int) + level
    assert decode_frame(picture) == 77


def test_a_strip_of_another_size_or_place_is_refused() -> None:
    picture = stamped((320, 240), 5, 5)
    assert decode_stamps(picture[:, :319]) == Stamps(None, None)
    assert decode_stamps(picture[1:]) == Stamps(None, None)
    assert decode_stamps(picture[:, :200]) == Stamps(None, None)
    assert decode_stamps(np.ascontiguousarray(picture[::-1])) == Stamps(None, None)


def test_wrong_sync_and_wrong_crc_are_refused() -> None:
    picture = stamped((320, 240), 5, 5)
    draw_strip(picture, 0, 5, sync=0xB3)
    draw_strip(picture, 1, 5, crc_flip=1)
    assert decode_stamps(picture) == Stamps(None, None)


@SETTINGS
@given(FRAMES, st.integers(0, 32), st.integers(-40, 40))
@pytest.mark.slow
def test_a_displaced_picture_still_tells_its_number(frame: int, right: int, down: int) -> None:
    picture = np.roll(stamped((320, 240), frame, frame), (down, right), (0, 1))
    if right or down:
        picture[: max(down, 0)] = 90
        picture[:, :right] = 90
    assert salvage_frame(picture) == frame


def test_one_good_row_is_enough_to_salvage() -> None:
    picture = stamped((320, 240), 1234, 1234)
    picture[1:4] = np.roll(picture[1:4], 7, 1)
    picture[236:] = 0
    assert decode_frame(picture) is None
    assert salvage_frame(picture) == 1234


@SETTINGS
@given(hnp.arrays(np.uint8, st.tuples(st.integers(0, 20), st.sampled_from([0, 1, 287, 288, 300]), st.integers(0, 4))))
@pytest.mark.slow
def test_anything_may_be_handed_in(picture: Image) -> None:
    assert decode_stamps(picture) == Stamps(None, None)
    assert salvage_frame(picture) is None


def test_the_check_value_of_the_crc() -> None:
    assert zlib.crc32(struct.pack("9s", b"123456789")) == 0xCBF43926
