"""Captures against the frames that they claim to be: every planted damage found and named, no good frame suspected."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.core.arrays import Image
from harness.core.pictures.damage import difference_picture, find_damage, find_tear
from harness.core.pictures.frames import (
    Capture,
    CheckedPicture,
    FrameClass,
    bad_share_bound,
    check_picture,
    count_frames,
    verify,
)
from harness.core.pictures.planted_pictures import KINDS, MISTAKES, DamagedPicture, plant
from harness.platform.pictures.oracle import Oracle

MODES = [(320, 240), (333, 777), (641, 487), (1024, 768)]


@functools.cache
def oracle(mode: tuple[int, int]) -> Oracle:
    return Oracle(*mode)


def generate(kind: str, count: int, random_state: int) -> list[tuple[tuple[int, int], DamagedPicture]]:
    rng = np.random.default_rng([(*KINDS, *MISTAKES).index(kind), random_state])
    made = []
    for _ in range(count):
        mode = MODES[int(rng.integers(len(MODES)))]
        made.append((mode, plant(kind, oracle(mode).picture, int(rng.integers(10_000)), rng)))
    return made


def assert_found(mode: tuple[int, int], planted: DamagedPicture) -> None:
    """The exact detector's answer, everything in it."""
    checked = check_picture(planted.picture, oracle(mode).picture)
    assert checked.kind in planted.answers, (planted.kind, checked.why)
    if checked.kind is not planted.answer:
        return
    if planted.answer is FrameClass.TORN:
        assert checked.frame == planted.frame and planted.box is not None and checked.tear_rows is not None
        assert checked.tear_rows[0] <= planted.box[1] <= checked.tear_rows[1]
    if planted.answer is not FrameClass.CORRUPT:
        return
    damage = checked.damage
    assert damage is not None and checked.frame == planted.frame
    assert planted.cause in damage.cause, (planted.kind, damage)
    if planted.box is not None:
        assert (damage.x0, damage.y0, damage.x1, damage.y1) == planted.box
    if planted.pixels is not None:
        assert damage.pixels == planted.pixels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_damage_is_found_and_named(kind: str) -> None:
    for mode, planted in generate(kind, 20, 1):
        assert_found(mode, planted)


def assert_named(mode: tuple[int, int], planted: DamagedPicture) -> None:
    checked = check_picture(planted.picture, oracle(mode).picture)
    assert checked.kind is planted.answer, (planted.kind, mode, checked.why)
    assert any(cause in checked.why for cause in planted.cause.split("|")), (planted.kind, mode, checked.why)
    assert checked.frame == (planted.frame if planted.answer is FrameClass.CORRUPT else None)


@pytest.mark.parametrize("kind", MISTAKES)
@pytest.mark.slow
def test_what_a_driver_does_to_every_picture_is_named(kind: str) -> None:
    for mode, planted in generate(kind, 12, 1):
        assert_named(mode, planted)


@pytest.mark.full
@pytest.mark.parametrize("kind", MISTAKES)
def test_all_that_a_driver_does_to_every_picture_is_named(kind: str) -> None:
    for mode, planted in generate(kind, 170, 2):
        assert_named(mode, planted)


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_all_damage_is_found(kind: str) -> None:
    for mode, planted in generate(kind, 170, 2):
        assert_found(mode, planted)


def assert_clean(count: int, random_state: int) -> None:
    rng = np.random.default_rng(random_state)
    for _ in range(count):
        mode = MODES[int(rng.integers(len(MODES)))]
        frame = int(rng.integers(2**32))
        checked = check_picture(oracle(mode).picture(frame), oracle(mode).picture)
        assert (checked.kind, checked.frame) == (FrameClass.INTACT, frame)


def test_good_frames_are_intact() -> None:
    assert_clean(200, 1)


@pytest.mark.full
def test_all_good_frames_are_intact() -> None:
    assert_clean(2000, 2)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.data())
@pytest.mark.slow
def test_one_level_of_one_pixel_anywhere(data: st.DataObject) -> None:
    picture = oracle((320, 240)).picture(data.draw(st.integers(0, 2**32 - 1)))
    y, x, channel = data.draw(st.tuples(st.integers(0, 239), st.integers(0, 319), st.integers(0, 2)))
    picture[y, x, channel] ^= 1
    checked = check_picture(picture, oracle((320, 240)).picture)
    assert checked.kind is FrameClass.CORRUPT and checked.damage is not None
    damage = checked.damage
    assert (damage.x0, damage.y0, damage.pixels, damage.max_levels) == (x, y, 1, 1)


def test_a_damaged_stamp_does_not_hide_the_rest() -> None:
    picture = oracle((320, 240)).picture(500)
    picture[-4:, :160] = 0
    checked = check_picture(picture, oracle((320, 240)).picture)
    assert checked.kind is FrameClass.CORRUPT and checked.frame == 500 and checked.damage is not None
    assert checked.damage.y0 >= 236


def test_torn_and_damaged_besides_is_torn() -> None:
    frames = oracle((320, 240))
    picture = frames.picture(100)
    picture[120:] = frames.picture(90)[120:]
    picture[60, 60] ^= 255
    checked = check_picture(picture, frames.picture)
    assert checked.kind is FrameClass.TORN and checked.tear_rows is None and "besides" in checked.why


def test_a_picture_of_another_size_is_corrupt() -> None:
    picture = oracle((320, 240)).picture(5)
    checked = check_picture(picture, lambda frame: oracle((641, 487)).picture(frame))
    assert checked.kind is FrameClass.CORRUPT
    assert checked.why == "frame 5: the screen is 320x240, not the mode's 641x487"


def test_find_tear_bounds_the_row() -> None:
    above, below = oracle((320, 240)).picture(100), oracle((320, 240)).picture(101)
    picture = above.copy()
    picture[120:] = below[120:]
    assert find_tear(picture, above, below) == (120, 120)
    assert find_tear(below, above, below) == (0, 0)
    assert find_tear(below, below, above) is not None
    picture[60, 160] ^= 1
    assert find_tear(picture, above, below) is None


def test_damage_of_equal_pictures_is_none_and_sizes_must_match() -> None:
    picture = oracle((320, 240)).picture(1)
    assert find_damage(picture, picture.copy()) is None
    with pytest.raises(ValueError, match="expected"):
        find_damage(picture, picture[:-1])


def test_difference_picture_shows_three_side_by_side() -> None:
    expected = oracle((320, 240)).picture(1)
    picture = expected.copy()
    picture[100, 50] ^= 1
    shown = difference_picture(picture, expected)
    assert shown.shape == (240, 3 * 320 + 16, 3)
    assert np.array_equal(shown[:, :320], picture) and np.array_equal(shown[:, 328:648], expected)
    assert shown[100, 656 + 50].max() >= 96 and not shown[10, 656:].any()


def capture(frame: int | None, at_ms: int, due: int | None = None, kind: FrameClass = FrameClass.INTACT) -> Capture:
    return Capture(CheckedPicture(kind, "", frame), at_ms * 1_000_000, due)


def kinds(captures: list[Capture]) -> list[str]:
    return [one.checked.kind.value for one in verify(captures).captures]


def test_progress_is_intact_and_counted() -> None:
    verification = verify([capture(10, 0), capture(11, 5), capture(11, 9), capture(20, 30)])
    assert verification.frames.intact == verification.frames.checked == 4
    assert verification.order.repeats == 1 and verification.order.skipped == 8 and verification.order.backwards == 0


def test_a_number_that_goes_back_is_stale() -> None:
    captures = [capture(10, 0), capture(12, 5), capture(9, 9), capture(13, 12)]
    assert kinds(captures) == ["intact", "intact", "stale", "intact"]
    assert verify(captures).order.backwards == 1


def test_a_number_older_than_due_is_stale() -> None:
    assert kinds([capture(10, 0, 10), capture(14, 5, 13), capture(17, 9, 20)]) == ["intact", "intact", "stale"]


def test_a_number_that_stays_is_frozen_after_a_while() -> None:
    captures = [capture(10, at_ms) for at_ms in (0, 200, 499, 501, 800)] + [capture(11, 900), capture(11, 1300)]
    assert kinds(captures) == ["intact"] * 3 + ["frozen"] * 2 + ["intact"] * 2


def test_bad_pictures_keep_their_class_and_do_not_disturb_the_order() -> None:
    captures = [capture(10, 0), capture(None, 5, kind=FrameClass.BLANK), capture(11, 9), capture(11, 10)]
    assert kinds(captures) == ["intact", "blank", "intact", "intact"]
    captures = [capture(10, 0), capture(9, 5, kind=FrameClass.CORRUPT), capture(11, 9)]
    assert kinds(captures) == ["intact", "corrupt", "intact"]


def test_counts_and_findings() -> None:
    checked = [CheckedPicture(FrameClass.CORRUPT, f"frame {i} is corrupt") for i in range(9)] + [
        CheckedPicture(FrameClass.INTACT, "")
    ]
    frames = count_frames(checked)
    assert (frames.checked, frames.corrupt, frames.intact, frames.bad) == (10, 9, 1, 9)
    assert frames.findings[0] == "frame 0 is corrupt" and frames.findings[-1] == "and 5 more corrupt frames"


def test_bound_of_the_bad_share() -> None:
    assert bad_share_bound(0, 400) == pytest.approx(1 - 0.05 ** (1 / 400))
    assert (
        verify([capture(i, i) for i in range(400)]).sentence
        == "400 of 400 pictures right (fewer than 0.7 % can be wrong)"
    )
    assert bad_share_bound(400, 400) == bad_share_bound(0, 0) == 1.0
    assert 0.02 < bad_share_bound(3, 200) < 0.05


@pytest.mark.parametrize("truth", [0.002, 0.02, 0.3])
@pytest.mark.parametrize("checked", [40, 150, 400])
def test_bound_covers_the_truth_as_often_as_it_says(truth: float, checked: int) -> None:
    """Over every possible outcome, weighted by its probability."""
    bad = np.arange(checked + 1)
    holds = np.array([bad_share_bound(int(count), checked) >= truth for count in bad])
    assert stats.binom.pmf(bad, checked, truth)[holds].sum() >= 0.95


def test_pictures_are_not_changed_by_looking() -> None:
    picture: Image = oracle((320, 240)).picture(7)
    before = picture.copy()
    check_picture(picture, oracle((320, 240)).picture)
    assert np.array_equal(picture, before)
