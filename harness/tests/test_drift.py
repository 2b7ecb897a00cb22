"""Change points and drift on planted truth: found, found once, and not found where nothing is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.core.arrays import F64, I64
from harness.history.changepoints import change_points, maximum_p, noise_of
from harness.history.drift import DriftSettings, SeriesData, find_drifts, series_drifts
from harness.history.findings import acknowledged, alarming, follow
from harness.history.series import (
    ABSOLUTE,
    ACKNOWLEDGED,
    CREEP,
    EXACT,
    FIXED,
    NEW,
    RATIO,
    STEP,
    WITHDRAWN,
    Finding,
    SeriesKey,
)

NOISE = 0.004
KEY = SeriesKey("cell", "fps_trace", RATIO, "since kernel 0123")


def nights(random_state: int, count: int = 60, noise: float = NOISE) -> F64:
    return np.asarray(np.exp(np.random.default_rng(random_state).normal(0, noise, count)))


def series(value: F64, key: SeriesKey = KEY, number: int = 1, host: I64 | None = None) -> SeriesData:
    """Runs 1, 8, 15 …: other cells run in between."""
    seq = np.arange(len(value), dtype=np.int64) * 7 + 1
    return SeriesData(number, key, seq, value, np.zeros(len(value), np.int64) if host is None else host)


def position(seq: int) -> int:
    return (seq - 1) // 7


def step(at: int, change: float, count: int = 60) -> F64:
    return np.where(np.arange(count) >= at, 1 + change, 1.0)


def ramp(begin: int, end: int, change: float, count: int = 60) -> F64:
    return np.asarray(1 + change * np.clip((np.arange(count) - begin) / (end - begin), 0, 1))


def _heavy(rng: np.random.Generator, n: int) -> F64:
    return rng.standard_t(3, n)


def _related(rng: np.random.Generator, n: int) -> F64:
    related: F64 = np.convolve(rng.normal(0, 1, n + 40), 0.3 ** np.arange(40))[40 : n + 40]
    return related


def _contaminated(rng: np.random.Generator, n: int) -> F64:
    return np.where(rng.random(n) < 0.1, rng.normal(0, 8, n), rng.normal(0, 1, n))


def _louder(rng: np.random.Generator, n: int) -> F64:
    loudness: F64 = np.where(np.arange(n) < 0.6 * n, 1.0, 4.0)
    return rng.normal(0, 1, n) * loudness


@pytest.mark.parametrize(
    ("draw", "most"),
    [
        (lambda rng, n: rng.normal(0, 1, n), 1),
        (_heavy, 2),
        (_contaminated, 2),
        (lambda rng, n: rng.normal(0, 1, n) + 4 * (rng.random(n) < 0.3), 2),
        (_related, 5),
        (_louder, 6),
    ],
)
@pytest.mark.slow
def test_a_series_that_does_not_change_has_no_change_points(
    draw: Callable[[np.random.Generator, int], F64], most: int
) -> None:
    rng = np.random.default_rng(7)
    alarms = sum(bool(change_points(100 + draw(rng, n))) for n in (30, 90, 300) for _ in range(60))
    assert alarms <= most, f"{alarms} of 180 series"


@pytest.mark.parametrize(
    ("count", "at", "sigmas", "least"), [(60, 30, 3, 19), (60, 55, 4, 17), (300, 150, 1.2, 19), (60, 57, 9, 14)]
)
def test_a_planted_step_is_found_once_where_it_is(count: int, at: int, sigmas: float, least: int) -> None:
    rng = np.random.default_rng(3)
    found = covered = 0
    for _ in range(20):
        values = rng.normal(0, 1, count)
        values[at:] += sigmas
        points = change_points(values)
        if len(points) == 1:
            found += 1
            covered += points[0].first <= at <= points[0].last
            assert abs(points[0].after - points[0].before - sigmas) < 6 * points[0].error
    assert found >= least and covered >= 0.85 * found


def test_a_step_is_believed_after_three_runs_and_not_after_two() -> None:
    quiet = 100 + np.random.default_rng(5).normal(0, 1, 60)
    assert not change_points(np.append(quiet, [120.0, 120.0]))
    points = change_points(np.append(quiet, [120.0, 120.0, 120.0]))
    assert [point.at for point in points] == [60]


def test_p_values_of_the_maximum_hold_on_simulated_noise() -> None:
    rng = np.random.default_rng(11)
    n, shortest, draws = 60, 3, 4000
    sums = np.cumsum(rng.normal(0, 1, (draws, n)), axis=1)
    before = np.arange(1, n)
    bridges = np.abs(sums[:, :-1] - before / n * sums[:, -1:]) / np.sqrt(before * (n - before) / n)
    largest = bridges[:, shortest - 1 : n - shortest].max(axis=1)
    p = np.array([maximum_p(float(statistic), n, shortest) for statistic in largest])
    assert 0.002 < np.mean(p < 0.01) <= 0.012
    assert np.mean(p < 0.05) <= 0.055


def test_noise_is_not_taken_for_level_changes_nor_the_other_way() -> None:
    rng = np.random.default_rng(2)
    flat = noise_of(rng.normal(0, 1, 400))
    stepped = noise_of(rng.normal(0, 1, 400) + np.repeat([0.0, 30, -20, 50], 100))
    assert 0.8 < float(np.median(flat.sigma)) < 1.25
    assert 0.8 < float(np.median(stepped.sigma)) < 1.25 and stepped.inflation < 1.8
    assert noise_of(_related(rng, 2000)).inflation > 1.5


def test_no_drift_in_a_hundred_quiet_series() -> None:
    found = [drift for random_state in range(100) for drift in series_drifts(series(nights(random_state)))]
    assert len(found) <= 1


def test_a_step_of_two_per_cent_is_one_finding_with_its_runs_and_size() -> None:
    (drift,) = series_drifts(series(nights(1) * step(30, -0.02)))
    assert drift.kind == STEP and drift.worse
    assert position(drift.before_seq) < 30 <= position(drift.after_seq)
    assert position(drift.after_seq) - position(drift.before_seq) <= 4
    assert drift.low < -0.02 < drift.high and drift.low < drift.change < drift.high
    assert drift.p < 0.001


def test_two_regressions_and_an_improvement_are_three_findings() -> None:
    value = nights(4) * step(15, -0.03) * step(30, 0.02) * step(45, -0.025)
    drifts = series_drifts(series(value))
    assert [(drift.kind, drift.worse) for drift in drifts] == [(STEP, True), (STEP, False), (STEP, True)]
    assert [abs(position(drift.at_seq) - at) <= 1 for drift, at in zip(drifts, (15, 30, 45))] == [True] * 3


@pytest.mark.parametrize(("begin", "end", "change"), [(0, 59, -0.03), (15, 45, -0.05), (10, 59, -0.035)])
@pytest.mark.slow
def test_a_ramp_is_one_creep(begin: int, end: int, change: float) -> None:
    kinds = [tuple(d.kind for d in series_drifts(series(nights(s) * ramp(begin, end, change)))) for s in range(20)]
    assert kinds.count((CREEP,)) >= 18


def test_half_a_per_cent_a_week_shows_within_seven_weeks() -> None:
    value = nights(9, 49) * np.exp(-0.005 / 7 * np.arange(49))
    (drift,) = series_drifts(series(value))
    assert drift.kind == CREEP and drift.worse and drift.low < -0.02


def test_outliers_are_no_drift() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for random_state in range(40):
        value = nights(random_state)
        value[rng.integers(0, 60, 4)] *= rng.choice([0.7, 1.4], 4)
        found += len(series_drifts(series(value)))
    assert found <= 1


def test_missing_nights_do_not_matter() -> None:
    value = nights(6) * step(30, -0.02)
    kept = np.flatnonzero(np.random.default_rng(1).random(60) > 0.4)
    whole = series(value)
    (drift,) = series_drifts(SeriesData(1, KEY, whole.seq[kept], value[kept], whole.host[kept]))
    assert position(drift.before_seq) < 30 <= position(drift.after_seq)


def test_a_louder_host_is_no_drift_and_does_not_hide_one() -> None:
    host = (np.arange(60) >= 30).astype(np.int64)
    noise = np.where(host == 1, 5 * NOISE, NOISE)
    rng = np.random.default_rng(8)
    swapped = [np.exp(rng.normal(0, 1, 60) * noise) for _ in range(40)]
    assert sum(len(series_drifts(series(value, host=host))) for value in swapped) <= 1
    alternating = np.arange(60, dtype=np.int64) % 2
    value = np.exp(rng.normal(0, 1, 60) * np.where(alternating == 1, 5 * NOISE, NOISE)) * step(40, -0.025)
    assert [drift.kind for drift in series_drifts(series(value, host=alternating))] == [STEP]


def test_a_step_between_two_hosts_is_not_blamed_on_the_code() -> None:
    value = nights(3) * step(30, -0.03)
    (swap,) = series_drifts(series(value, host=(np.arange(60) >= 30).astype(np.int64)))
    assert "host changed" in swap.note
    (code,) = series_drifts(series(value, host=np.arange(60, dtype=np.int64) % 2))
    assert code.note == ""


def test_an_exact_metric_needs_one_run_only() -> None:
    key = SeriesKey("cell", "instructions_per_frame", EXACT, "gcc 12")
    value = np.append(np.full(20, 5_510_409.0), 5_510_409.0 * 1.001)
    (drift,) = series_drifts(series(value, key))
    assert position(drift.at_seq) == 20 and drift.worse and drift.change == pytest.approx(0.001)
    assert series_drifts(series(np.append(value[:20], value[0] * 1.0001), key)) == ()


def test_counts_that_are_zero_have_changes_too() -> None:
    key = SeriesKey("cell", "timeouts", EXACT, "gcc 12")
    (drift,) = series_drifts(series(np.append(np.zeros(10), [3.0]), key))
    assert drift.worse and drift.change == 3.0


def test_what_moved_together_is_named() -> None:
    spins = SeriesKey("cell", "spins_per_frame", ABSOLUTE, "a host")
    elsewhere = SeriesKey("other", "boot_ms", ABSOLUTE, "a host")
    moved = step(30, -0.05)
    drifts = find_drifts(
        [
            series(nights(1) * moved, KEY, 1),
            series(nights(2) * step(30, 0.5), spins, 2),
            series(nights(3) * moved, elsewhere, 3),
            series(nights(5) * step(10, 0.4), SeriesKey("cell", "boot_ms", ABSOLUTE, "a host"), 4),
        ]
    )
    first = next(drift for drift in drifts if drift.series_id == 1)
    assert [name for name, _ in first.companions] == ["spins_per_frame (absolute)"]
    assert first.companions[0][1] == pytest.approx(0.5, abs=0.02)


class Nights:
    """Findings as they live while nights come in one by one."""

    def __init__(self) -> None:
        self.known: tuple[Finding, ...] = ()

    def run(self, value: F64, first: int) -> None:
        for count in range(first, len(value) + 1):
            self.analyse(value[:count])

    def analyse(self, value: F64) -> None:
        data = series(value)
        followed = follow(self.known, series_drifts(data), data.seq, int(data.seq[-1]), 0.003)
        numbered = [f if f.id else acknowledge_number(f, i) for i, f in enumerate(followed.all, 1 + len(self.known))]
        self.known = tuple(sorted(numbered, key=lambda finding: finding.at_seq))

    @property
    def lives(self) -> list[tuple[str, str]]:
        return [(finding.kind, finding.status) for finding in self.known if finding.status != WITHDRAWN]


def acknowledge_number(finding: Finding, number: int) -> Finding:
    from dataclasses import replace

    return replace(finding, id=number)


def test_over_sixty_nights_each_change_is_found_once() -> None:
    life = Nights()
    life.run(nights(4) * step(15, -0.03) * step(30, 0.02) * step(45, -0.025), 5)
    assert life.lives == [(STEP, NEW)] * 3
    assert len(life.known) - len(life.lives) <= 1
    assert [finding.worse for finding in life.known if finding.open] == [True, False, True]


@pytest.mark.parametrize("random_state", [1, 2, 3])
@pytest.mark.slow
def test_a_growing_ramp_is_one_finding_from_its_first_night_to_its_last(random_state: int) -> None:
    life = Nights()
    life.run(nights(random_state) * ramp(10, 59, -0.06), 12)
    assert life.lives == [(CREEP, NEW)]


def test_what_is_acknowledged_stays_so_and_what_is_taken_back_is_fixed() -> None:
    value = nights(4) * step(15, -0.03) * step(40, 0.03093)
    life = Nights()
    life.run(value[:30], 20)
    (found,) = (finding for finding in life.known if finding.open)
    assert alarming(found, KEY) and not alarming(found, SeriesKey("cell", "fps_trace", ABSOLUTE, "a host"))
    life.known = (acknowledged(found, "the safer barrier is worth it"),)
    life.run(value[:40], 31)
    assert life.lives == [(STEP, ACKNOWLEDGED)]
    assert not alarming(life.known[0], KEY)
    life.run(value, 41)
    assert life.lives == [(STEP, FIXED)]
    assert life.known[0].fixed_seq is not None and abs(position(life.known[0].fixed_seq) - 40) <= 1
    assert life.known[0].reason == "the safer barrier is worth it"


def test_a_finding_that_later_runs_do_not_support_is_withdrawn() -> None:
    life = Nights()
    quiet = nights(1, 30)
    life.analyse(np.append(quiet, nights(3, 4) * 0.97))
    assert life.lives == [(STEP, NEW)]
    life.analyse(np.concatenate([quiet, nights(3, 4) * 0.97, nights(2, 30)])[[*range(30), *range(34, 64)]])
    assert [finding.status for finding in life.known] == [WITHDRAWN]


def test_creep_that_outgrows_what_was_accepted_is_new_again() -> None:
    value = nights(2, 100) * ramp(0, 99, -0.10, 100)
    life = Nights()
    life.run(value[:40], 36)
    life.known = tuple(acknowledged(finding, "known") for finding in life.known)
    accepted = life.known[0].accepted
    life.run(value[:44], 41)
    assert life.lives == [(CREEP, ACKNOWLEDGED)]
    life.run(value, 90)
    assert life.lives == [(CREEP, NEW)] and abs(life.known[0].change) > 1.5 * abs(accepted)
    assert "grown since" in life.known[0].reason


def test_settings_decide_from_what_size_on_a_change_matters() -> None:
    value = nights(1, noise=0.0004) * step(30, -0.005)
    assert len(series_drifts(series(value))) == 1
    coarse = DriftSettings(smallest={RATIO: 0.01, ABSOLUTE: 0.03, EXACT: 0.0005})
    assert series_drifts(series(value), coarse) == ()
