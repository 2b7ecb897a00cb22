"""The judging detector on screens of real guests: consoles, firmware, dithers, letters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.pictures.golden_features import learn_golden
from harness.core.pictures.screen_accuracy import PLANTED, is_gross, measure_screens
from harness.tests.fuzz import FULL
from harness.tests.realscreens import SHOWN, recorded_screens, screens_of
from harness.tests.screenfigures import (
    CAPTURE_S,
    CLEAN,
    SCREENS_EACH,
    Answers,
    ScreenFigures,
    judged_screens,
    kept_figures,
)

SCREENS_LEAST = 500
SHARE_FOUND, SHARE_ALARMS = 0.99, 0.001
SHARE_GOLDEN = 0.01
"""Half of the screens do not show every place that a moving box reaches: the others are called damaged there."""


def test_recorded_screens_are_of_every_guest() -> None:
    assert set(SHOWN) == set(recorded_screens())


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.slow
def test_a_recorded_screen_alone_is_never_a_fault_and_noise_is(name: str) -> None:
    confusion = measure_screens(recorded_screens()[name], None, 1)
    assert confusion.false_alarm_share == 0.0, confusion.rows
    assert confusion.found_share == 1.0, confusion.rows


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.slow
def test_damage_of_a_recorded_screen_is_found_by_its_golden_picture(name: str) -> None:
    screens = recorded_screens()[name]
    for screen in screens if FULL else screens[::3]:
        confusion = measure_screens([screen], learn_golden([screen]), 2)
        assert (confusion.false_alarm_share, confusion.found_share) == (0.0, 1.0), confusion.rows


def test_a_grey_screen_is_the_same_with_its_channels_swapped() -> None:
    grey = recorded_screens()["text"][0]
    assert not is_gross(PLANTED["swapped"](grey, np.random.default_rng(1)), grey)


def assert_good(name: str, figures: ScreenFigures) -> None:
    """The promised shares, on the screens of one guest."""
    clean, found = figures.alone[CLEAN], figures.damaged
    assert clean.faults <= SHARE_ALARMS * clean.judged, (name, figures)
    assert found.faults >= SHARE_FOUND * found.judged > 0, (name, figures)


def test_figures_are_kept_of_five_hundred_screens() -> None:
    kept = kept_figures()
    assert tuple(kept) == SHOWN and sum(one.screens for one in kept.values()) >= SCREENS_LEAST
    for name, figures in kept.items():
        assert figures.screens == figures.alone[CLEAN].judged
        assert_good(name, figures)
    by_golden = sum((one.golden[CLEAN] for one in kept.values()), Answers())
    assert by_golden.faults <= SHARE_GOLDEN * by_golden.judged, by_golden


@pytest.mark.qemu
@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SHOWN)
def test_screens_captured_now(name: str, tmp_path: Path) -> None:
    """Fewer of them where the host is slow."""
    assert_good(name, judged_screens(screens_of(name, tmp_path, SCREENS_EACH[name], CAPTURE_S)))
