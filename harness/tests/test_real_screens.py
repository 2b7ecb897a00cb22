"""The judging detector on screens of real guests: consoles, firmware, dithers, letters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.arrays import Image
from harness.core.pictures.detector_accuracy import Confusion
from harness.core.pictures.screen_accuracy import PLANTED, is_gross, measure_screens
from harness.core.pictures.unknown_pictures import LEARNT_FEWEST, learn_golden
from harness.tests.realscreens import FIRMWARE, GUESTS, recorded_screens, screens_of

SCREENS_EACH, SCREENS_LEAST = 120, 100
SHARE_FOUND, SHARE_ALARMS = 0.99, 0.001


def test_recorded_screens_are_of_every_guest() -> None:
    assert {*FIRMWARE, *GUESTS} == set(recorded_screens())


@pytest.mark.parametrize("name", [*FIRMWARE, *GUESTS])
def test_a_recorded_screen_alone_is_never_a_fault_and_noise_is(name: str) -> None:
    confusion = measure_screens(recorded_screens()[name], None, 1)
    assert confusion.false_alarm_share == 0.0, confusion.rows
    assert confusion.found_share == 1.0, confusion.rows


@pytest.mark.parametrize("name", [*FIRMWARE, *GUESTS])
def test_damage_of_a_recorded_screen_is_found_by_its_golden_picture(name: str) -> None:
    for screen in recorded_screens()[name]:
        confusion = measure_screens([screen], learn_golden([screen]), 2)
        assert (confusion.false_alarm_share, confusion.found_share) == (0.0, 1.0), confusion.rows


def test_a_grey_screen_is_the_same_with_its_channels_swapped() -> None:
    grey = recorded_screens()["text"][0]
    assert not is_gross(PLANTED["swapped"](grey, np.random.default_rng(1)), grey)


def test_there_are_five_hundred_screens() -> None:
    assert SCREENS_LEAST * len((*FIRMWARE, *GUESTS)) >= 500


@pytest.mark.qemu
@pytest.mark.full
@pytest.mark.parametrize("name", [*FIRMWARE, *GUESTS])
def test_screens_captured_now(name: str, tmp_path: Path) -> None:
    screens = screens_of(name, tmp_path, SCREENS_EACH, 60)
    assert len(screens) >= SCREENS_LEAST
    by_itself, by_golden = measure_screens(screens, None, 3), _by_golden(screens)
    assert by_itself.false_alarm_share <= SHARE_ALARMS, by_itself.rows
    tables = (*by_itself.damaged, *by_golden.damaged)
    missed = sum(table.planted - table.found for table in tables)
    assert missed <= (1 - SHARE_FOUND) * sum(table.planted for table in tables), (by_itself.rows, by_golden.rows)


def _by_golden(screens: list[Image]) -> Confusion:
    """Half of the screens are learnt from; of the other half the damaged ones count."""
    usual = [one for one in screens if one.shape == screens[-1].shape]
    assert len(usual) >= 2 * LEARNT_FEWEST
    return measure_screens(usual[1::2], learn_golden(usual[::2]), 4)
