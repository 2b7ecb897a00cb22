"""The judging detector measured on screens: gross damage of each kind is planted, and counted where it is found."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.arrays import Image
from harness.core.pictures.golden_features import learn_golden
from harness.core.pictures.screen_accuracy import PLANTED, is_gross, measure_screens
from harness.platform.pictures.oracle import Oracle
from harness.tests.test_golden_pictures import diffused, stippled


def screens() -> dict[str, Image]:
    """Dithers of several periods, a diffused gradient, and a drawn frame."""
    found = {f"stippled {period}": stippled((640, 480), period) for period in (2, 3, 5, 9)}
    return {**found, "diffused": diffused((256, 192)), "drawn": Oracle(320, 240).picture(300)}


@pytest.mark.slow
def test_screens_alone_raise_no_alarm_and_noise_does() -> None:
    confusion = measure_screens(list(screens().values()), None, 1)
    assert (confusion.false_alarm_share, confusion.found_share) == (0.0, 1.0), confusion.rows
    assert {table.kind for table in confusion.damaged} == {"garbage", "half noise", "noise"}


@pytest.mark.parametrize("name", list(screens()))
@pytest.mark.slow
def test_every_damage_is_found_by_one_golden_picture(name: str) -> None:
    screen = screens()[name]
    confusion = measure_screens([screen], learn_golden([screen]), 2)
    assert (confusion.false_alarm_share, confusion.found_share) == (0.0, 1.0), confusion.rows


@pytest.mark.slow
def test_a_wrong_golden_picture_raises_alarms() -> None:
    other = learn_golden([stippled((640, 480), 3)])
    assert measure_screens([stippled((640, 480), 2)], other, 1).false_alarm_share == 1.0


def test_a_grey_screen_is_the_same_with_its_channels_swapped() -> None:
    grey = diffused((256, 192))
    assert not is_gross(PLANTED["swapped"](grey, np.random.default_rng(1)), grey)
