"""Series over several hosts, on planted truth: offsets do not count as drift, and disagreeing hosts are found."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.arrays import F64, I64
from harness.history.changepoints import noise_of
from harness.history.drift import Drift, SeriesData, series_drifts
from harness.history.host_effects import host_offsets, shared_change
from harness.history.series import RATIO, STEP, SeriesKey

NOISE, NIGHTS = 0.004, 90
HOSTS = {0: "first", 1: "second", 2: "third"}
KEY = SeriesKey("cell", "fps_trace", RATIO, "since kernel 0123")

ALTERNATING = np.arange(NIGHTS, dtype=np.int64) % 2
AWAY_AND_BACK = ((np.arange(NIGHTS) >= 30) & (np.arange(NIGHTS) < 60)).astype(np.int64)
THREE = np.arange(NIGHTS, dtype=np.int64) % 3


def drifts(
    host: I64, offsets: tuple[float, ...], changes: tuple[float, ...], at: int, random_state: int
) -> tuple[Drift, ...]:
    """Drifts of nights whose hosts have offsets, and on which the code changes by something else for each host."""
    noise = np.random.default_rng(random_state).normal(0, NOISE, NIGHTS)
    moved = np.where(np.arange(NIGHTS) >= at, np.array(changes)[host], 0.0)
    value: F64 = np.exp(noise + np.array(offsets)[host] + moved)
    return series_drifts(SeriesData(1, KEY, np.arange(NIGHTS, dtype=np.int64), value, host, HOSTS))


@pytest.mark.parametrize("host", (ALTERNATING, AWAY_AND_BACK, THREE), ids=("alternating", "away and back", "three"))
@pytest.mark.slow
def test_offsets_between_hosts_are_no_drift(host: I64) -> None:
    """Among 30 series one may be told wrongly, as with a single host."""
    offsets = (0.0, 0.03, -0.05)
    assert sum(len(drifts(host, offsets, (0.0, 0.0, 0.0), NIGHTS, random_state)) for random_state in range(30)) <= 1


@pytest.mark.parametrize("host", (ALTERNATING, THREE), ids=("two", "three"))
def test_a_change_on_all_hosts_is_one_finding_with_its_size(host: I64) -> None:
    for random_state in range(10):
        (found,) = drifts(host, (0.0, 0.03, -0.05), (-0.02, -0.02, -0.02), 50, random_state)
        assert (found.kind, found.host, found.worse, found.note) == (STEP, "", True, "")
        assert found.low < np.expm1(-0.02) < found.high and abs(found.at_seq - 50) <= 3


def test_a_change_while_the_series_is_on_another_host_keeps_its_size() -> None:
    """The host is away for 30 nights; the code changes in the middle of them."""
    for random_state in range(10):
        (found,) = drifts(AWAY_AND_BACK, (0.0, 0.0), (-0.02, -0.02), 45, random_state)
        assert abs(found.at_seq - 45) <= 4 and abs(found.change - np.expm1(-0.02)) < 0.006


def test_a_series_that_went_to_another_host_once_tells_no_offset() -> None:
    host = (np.arange(NIGHTS) >= 45).astype(np.int64)
    values = np.where(host == 1, 0.03, 0.0) + np.random.default_rng(1).normal(0, NOISE, NIGHTS)
    assert not host_offsets(values, host, noise_of(values, host).sigma).any()
    (found,) = drifts(host, (0.0, 0.03), (0.0, 0.0), NIGHTS, 1)
    assert "host changed" in found.note


def test_offsets_are_read_beside_a_change_of_the_code() -> None:
    values = np.array([0.0, 0.03, -0.05])[THREE] + np.where(np.arange(NIGHTS) >= 40, 0.04, 0.0)
    values = values + np.random.default_rng(4).normal(0, NOISE, NIGHTS)
    offsets = host_offsets(values, THREE, noise_of(values, THREE).sigma)
    read = [float(offsets[THREE == one].mean()) for one in range(3)]
    assert np.allclose(np.diff(read), [0.03, -0.08], atol=0.004)


def test_a_change_on_one_host_alone_is_told_of_that_host() -> None:
    held = 0
    for random_state in range(10):
        found = drifts(THREE, (0.0, 0.03, -0.05), (0.0, 0.0, -0.03), 45, random_state)
        assert [(one.kind, one.host, one.worse) for one in found] == [(STEP, "third", True)]
        held += found[0].low < np.expm1(-0.03) < found[0].high
    assert held >= 8


def test_two_hosts_that_see_opposite_changes_are_two_series() -> None:
    for random_state in range(10):
        found = drifts(ALTERNATING, (0.0, 0.02), (0.025, -0.025), 45, random_state)
        assert {(one.host, one.worse) for one in found} == {("first", False), ("second", True)}


def test_the_error_of_a_shared_change_holds_its_promise() -> None:
    """The 95 % interval holds the truth in about 95 of 100 series."""
    rng, held, runs = np.random.default_rng(5), 0, 300
    for _ in range(runs):
        values = rng.normal(0, NOISE, NIGHTS) + np.where(np.arange(NIGHTS) >= 45, 0.02, 0.0)
        shared = shared_change(values, THREE, noise_of(values, THREE, splits=[45]), 0, 45, NIGHTS)
        assert shared is not None and tuple(shared.by_host) == (0, 1, 2)
        held += abs(shared.change - 0.02) <= 1.96 * shared.error
    assert held / runs >= 0.9
