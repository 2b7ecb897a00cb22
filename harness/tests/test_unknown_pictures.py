"""Judging pictures that no oracle knows, and the detectors' confusion matrices on generated pictures."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from harness.core.arrays import DrawFrame, Image
from harness.core.pictures.detector_accuracy import GROSS_KINDS, Confusion, KindTable, measure_exact, measure_judge
from harness.core.pictures.frames import CheckedPicture, FrameClass
from harness.core.pictures.golden_features import Golden, learn_golden
from harness.core.pictures.planted_pictures import KINDS, plant
from harness.core.pictures.unknown_pictures import judge_picture, judge_sequence
from harness.platform.pictures.oracle import Oracle

MODES = [(320, 240), (641, 487), (1024, 768)]


@functools.cache
def draw(mode: tuple[int, int]) -> DrawFrame:
    return Oracle(*mode).picture


@functools.cache
def golden() -> Golden:
    return learn_golden([draw((320, 240))(frame) for frame in range(0, 4800, 60)])


def test_a_picture_alone() -> None:
    rng = np.random.default_rng(1)
    good = draw((320, 240))(100)
    assert judge_picture(good).kind is FrameClass.INTACT
    assert judge_picture(np.full_like(good, 17)).kind is FrameClass.BLANK
    nearly = np.full_like(good, 17) + rng.integers(0, 3, good.shape, np.uint8)
    assert judge_picture(nearly).kind is FrameClass.BLANK
    noise = judge_picture(rng.integers(0, 256, good.shape, np.uint8))
    assert noise.kind is FrameClass.CORRUPT and "noise" in noise.why


@pytest.mark.slow
def test_a_picture_of_another_size_is_said() -> None:
    assert "another size" in judge_picture(draw((641, 487))(5), golden()).why


@pytest.mark.slow
def test_what_changes_where_nothing_moves_is_said() -> None:
    picture = draw((320, 240))(100)
    picture[30:36, 4:12] = 255
    checked = judge_picture(picture, golden())
    assert (
        checked.kind is FrameClass.CORRUPT and "where nothing moves" in checked.why and "4,30 to 11,35" in checked.why
    )


@pytest.mark.slow
def test_colours_never_seen_are_said() -> None:
    picture = draw((320, 240))(100)
    picture[120:130, 100:110] = (255, 0, 255)
    checked = judge_picture(picture, golden())
    assert checked.kind is FrameClass.CORRUPT and "colours never seen" in checked.why


def test_a_tear_is_said_with_its_row() -> None:
    picture = draw((320, 240))(100)
    picture[80:] = draw((320, 240))(97)[80:]
    picture[-4:] = draw((320, 240))(100)[-4:]
    checked = judge_picture(picture, golden())
    assert checked.kind is FrameClass.TORN and checked.tear_rows == (80, 80)


def test_a_picture_that_stays_is_frozen_after_a_while() -> None:
    checked = [CheckedPicture(FrameClass.INTACT, "")] * 6
    prints = [1, 2, 2, 2, 3, 3]
    times_ns = [int(s * 1e9) for s in (0, 0.1, 0.5, 1.2, 1.3, 1.4)]
    judged = judge_sequence(checked, prints, times_ns, 1_000_000_000)
    assert [one.kind.value for one in judged] == ["intact", "intact", "intact", "frozen", "intact", "intact"]
    assert judge_sequence([CheckedPicture(FrameClass.BLANK, "")] * 6, prints, times_ns, 1)[3].kind is FrameClass.BLANK


def test_too_few_or_unlike_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="not enough"):
        learn_golden([draw((320, 240))(frame) for frame in range(0, 700, 100)])
    with pytest.raises(ValueError, match="not enough"):
        learn_golden([])
    with pytest.raises(ValueError, match="together"):
        learn_golden([draw((320, 240))(0)] * 8 + [draw((641, 487))(0)])


@pytest.mark.slow
def test_every_answer_says_that_it_is_a_judgement() -> None:
    rng = np.random.default_rng(2)
    for kind in GROSS_KINDS:
        checked = judge_picture(plant(kind, draw((320, 240)), 100, rng).picture, golden())
        assert checked.kind is FrameClass.INTACT or checked.why.startswith("judged")


@pytest.mark.slow
def test_the_judge_on_a_small_set() -> None:
    confusion = measure_judge([draw((320, 240))], 50, 100, 1)
    assert confusion.false_alarm_share == 0.0
    assert confusion.found_share >= 0.96


@pytest.mark.full
def test_the_judge_on_the_whole_set() -> None:
    confusion = measure_judge([draw(mode) for mode in MODES], 2000, 2000, 5)
    assert confusion.found_share >= 0.99, confusion.rows
    assert confusion.false_alarm_share <= 0.001, confusion.rows


@pytest.mark.slow
def test_the_exact_detector_on_a_small_set() -> None:
    confusion, wrong = measure_exact([draw((320, 240)), draw((641, 487))], 3 * len(KINDS), 50, 1)
    assert not wrong
    assert (confusion.found_share, confusion.false_alarm_share) == (1.0, 0.0)


@pytest.mark.full
def test_the_exact_detector_on_the_whole_set() -> None:
    confusion, wrong = measure_exact([draw(mode) for mode in MODES], 2004, 2000, 5)
    assert not wrong
    assert (confusion.found_share, confusion.false_alarm_share) == (1.0, 0.0)


def test_a_detector_that_misses_shows_in_the_matrix() -> None:
    table = KindTable("pixel", {"intact": 3, "corrupt": 7})
    confusion = Confusion((table,), KindTable("clean", {"intact": 9, "torn": 1}))
    assert (table.planted, table.found) == (10, 7)
    assert (confusion.found_share, confusion.false_alarm_share) == (0.7, 0.1)
    assert confusion.rows[0][:3] == ("pixel", "10", "3") and confusion.rows[-1][0] == "clean"


def test_pictures_are_not_changed_by_judging() -> None:
    picture: Image = draw((320, 240))(7)
    before = picture.copy()
    judge_picture(picture, golden())
    assert np.array_equal(picture, before)
