"""Saved captures: what is written is read back, and nothing else is believed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.pictures.captures import (
    CapturesError,
    SavedCapture,
    SavedCaptures,
    captures_from_json,
    captures_to_json,
)
from harness.core.pictures.damage import Damage
from harness.core.pictures.frames import Capture, CheckedPicture, FrameClass
from harness.tests.fuzz import damaged, fuzz

NUMBERS = st.integers(0, 2**32 - 1)
DAMAGES = st.builds(Damage, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.integers(1, 255), st.text(max_size=9))
CHECKED = st.builds(
    CheckedPicture,
    st.sampled_from(FrameClass),
    st.text(max_size=20),
    st.none() | NUMBERS,
    st.none() | DAMAGES,
    st.none() | st.tuples(NUMBERS, NUMBERS),
)
CAPTURES = st.builds(Capture, CHECKED, st.integers(0, 2**62), st.none() | NUMBERS)
NAMES = st.sampled_from(["", "00-corrupt", "11-torn"])
SAVED = st.builds(
    SavedCaptures,
    st.lists(st.builds(SavedCapture, CAPTURES, NUMBERS, NAMES), max_size=6).map(tuple),
    st.integers(0, 2**40),
    st.booleans(),
)
SOUND = captures_to_json(
    SavedCaptures(
        (
            SavedCapture(Capture(CheckedPicture(FrameClass.INTACT, "", 7), 10**18, 6), 1234),
            SavedCapture(
                Capture(CheckedPicture(FrameClass.CORRUPT, "bad", 8, Damage(1, 2, 3, 4, 5, 6)), 10**18 + 5),
                9,
                "00-corrupt",
            ),
            SavedCapture(Capture(CheckedPicture(FrameClass.TORN, "torn", 9, None, (3, 4)), 10**18 + 9, 9), 10),
        ),
        500,
    )
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(SAVED)
def test_what_is_saved_is_read_back(saved: SavedCaptures) -> None:
    assert captures_from_json(captures_to_json(saved)) == saved


@fuzz
@given(damaged(SOUND.encode(), b"null", b"-1", b"1e999", b"[]", b"{}", b'"', b"NaN", b"9" * 400))
@pytest.mark.slow
def test_damage_is_refused_or_harmless(content: bytes) -> None:
    try:
        saved = captures_from_json(content.decode("utf-8", "replace"))
    except CapturesError:
        return
    saved.verify()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": 2}, "schema 2"),
        ({"captures": None}, "not the captures"),
        ({"frozen_after_ns": 1.5}, "whole number"),
        ({"captures": [{}]}, "not the captures"),
    ],
)
def test_other_files_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(CapturesError, match=says):
        captures_from_json(json.dumps(json.loads(SOUND) | change))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/x", "a\0b"])
def test_a_name_that_leaves_the_folder_is_refused(name: str) -> None:
    plain = json.loads(SOUND)
    plain["captures"][0]["evidence"] = name
    with pytest.raises(CapturesError, match="not the name of a picture"):
        captures_from_json(json.dumps(plain))
