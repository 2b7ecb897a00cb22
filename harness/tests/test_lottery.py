"""Launches of one image are one mode or several: recorded and made-up frame times of launches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.comparison.lottery import launch_groups, lottery_advice
from harness.core.device.trace import parse_trace
from harness.explain.manners.facts import DriverFacts
from harness.explain.manners.waits import lottery
from harness.tests.guestlaunches import CLEAN, TRIPS, launches_of, recorded_launches


def _launches(*groups: tuple[int, float], sd: float = 0.01, random_state: int = 1) -> list[float]:
    rng = np.random.default_rng(random_state)
    times = np.concatenate([frame_ms * np.exp(rng.normal(0, sd, count)) for count, frame_ms in groups])
    return [float(time) for time in rng.permutation(times)]


@pytest.mark.parametrize("random_state", range(20))
def test_warm_launches_are_one_mode(random_state: int) -> None:
    for sd in (0.005, 0.015, 0.04):
        assert len(launch_groups(_launches((20, 0.82), sd=sd, random_state=random_state))) == 1


def test_the_lottery_of_a_guest_that_never_flushes_is_seen() -> None:
    """In 56 processes on a 2-core host, 50 ran at about 1.22 ms a frame and 6 at 1.03 ms."""
    groups = launch_groups(_launches((50, 1.22), (6, 1.03)))
    assert [group.launches for group in groups] == [6, 50]
    assert [group.frame_ms for group in groups] == [pytest.approx(1.03, rel=0.01), pytest.approx(1.22, rel=0.01)]
    advice = lottery_advice(groups, "candidate")
    assert "2 kinds (6 launches at 1.03 ms, 50 launches at 1.22 ms)" in advice and "reload cr3" in advice


@pytest.mark.parametrize("name", TRIPS)
def test_recorded_launches_of_a_guest_that_plays_the_lottery_trip_the_rule(name: str) -> None:
    found = lottery(DriverFacts(parse_trace(b""), launch_ms=recorded_launches()[name]))
    assert "of 2 kinds" in found.figures and "tlbi vmalle1" in found.advice


@pytest.mark.parametrize("name", CLEAN)
def test_recorded_launches_of_guests_that_are_all_alike_do_not(name: str) -> None:
    found = lottery(DriverFacts(parse_trace(b""), launch_ms=recorded_launches()[name]))
    assert found.looked and not found.tripped and "of 1 kind" in found.figures


@pytest.mark.qemu
@pytest.mark.full
def test_the_lottery_is_seen_while_it_runs(tmp_path: Path) -> None:
    """That one kind came less than twice has a chance of one in five hundred."""
    assert len(launch_groups(launches_of("lottery", tmp_path))) == 2


def test_three_sizes_are_three_kinds() -> None:
    assert [group.launches for group in launch_groups(_launches((6, 0.82), (8, 1.03), (6, 1.22)))] == [6, 8, 6]


def test_outliers_drift_and_few_launches_are_no_kinds() -> None:
    assert len(launch_groups([*_launches((19, 1.0)), 1.5])) == 1
    assert len(launch_groups([1.0 + 0.02 * number for number in range(20)])) == 1
    assert len(launch_groups(_launches((4, 1.0), (4, 1.2)))) == 1
    assert launch_groups([]) == () and lottery_advice(launch_groups([]), "candidate") == ""
