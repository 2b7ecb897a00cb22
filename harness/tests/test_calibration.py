"""The calibration's own machinery, on recordings whose truth is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from harness.core.comparison.contradiction import COMPUTED_SHARE
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, State, decide
from harness.core.comparison.undisturbed import COMPUTED, MEAN
from harness.gate.approved.references import BASELINES_DIR
from harness.gate.calibration.evidence import (
    SCHEMA,
    evidence_text,
    lists_on_lines,
    provenance_of,
    recording_from_evidence,
    upgraded_evidence,
)
from harness.gate.calibration.places import CalibrationPlace, place_from
from harness.gate.calibration.power import (
    BY_COMPUTED,
    CHECK,
    DetectionRates,
    Rate,
    RecordedPair,
    Series,
    coverage,
    protocol_rates,
    reference_method_rates,
    synthetic,
    targets,
    together,
)
from harness.gate.calibration.recording import CalibrationRecording, estimator_rows, recorded_pair
from harness.gate.calibration.simulate import normal, run_session
from harness.gate.measuring.launch import MeasuredLaunch
from harness.model.record import Launch, LaunchLoad, Plan
from harness.model.result import Result, ResultError
from harness.model.spec import Switches, Verdict
from harness.tests.test_slices import steady_launch

ARMS = (CANDIDATE, REFERENCE)


def _pair(rng: np.random.Generator, effect: float, sd: float, launches: int, host_sd: float = 0.1) -> RecordedPair:
    """Launches whose arms share the host's wandering speed."""
    effects = rng.normal(effect, sd, launches)
    host = np.exp(rng.normal(0, host_sd, launches))
    return RecordedPair(effects, 3.0 * host * np.exp(effects), 3.0 * host)


def _series(
    effect: float, offsets: tuple[float, ...] = (0.0, 0.0, 0.0), sd: float = 0.02, launches: int = 40
) -> Series:
    rng = np.random.default_rng(1)
    return Series("A/A", 0.0, tuple(_pair(rng, effect + offset, sd, launches) for offset in offsets))


def test_a_quiet_recording_gives_no_false_alarm_and_full_power() -> None:
    rng = np.random.default_rng(2)
    same = _series(0.0).without_sampling_error(0.0)
    idle = protocol_rates(same, 60.0, 0.85, 40, rng, 0.015)
    assert idle.slower.share == idle.faster.share == 0 and idle.unchanged > 0.9
    assert idle.launches == 69 and idle.median_s < 60
    seen = protocol_rates(same.slowed("A/A + 3%", 0.03), 60.0, 0.85, 40, rng, 0.015)
    assert seen.slower.share >= 0.95 and seen.slower.low <= seen.slower.share <= seen.slower.high


def test_a_gate_that_cries_wolf_would_be_seen() -> None:
    """A lasting difference between the images of the same source must show as alarms, not be averaged away."""
    biased = _series(0.0, offsets=(0.05, -0.05, 0.05)).without_sampling_error(0.0)
    cell = protocol_rates(biased, 60.0, 0.85, 40, np.random.default_rng(3), 0.015, relinks=False)
    assert cell.slower.share + cell.faster.share > 0.9


def test_sampling_error_is_taken_out_and_layout_is_kept() -> None:
    same = _series(0.0, launches=12).without_sampling_error(0.0)
    spread = np.std([pair.effect.mean() for pair in same.pairs])
    assert spread < 0.02 / math.sqrt(12)
    biased = _series(0.0, offsets=(0.03, -0.03, 0.03), launches=12)
    kept = biased.without_sampling_error(0.0)
    for before, after in zip(biased.pairs, kept.pairs):
        assert after.effect.mean() == pytest.approx(before.effect.mean(), rel=0.1)


def test_reference_methods_are_worse_where_the_host_wanders() -> None:
    rng = np.random.default_rng(4)
    slowed = _series(0.0).slowed("A/A + 3%", 0.03)
    ours = protocol_rates(slowed, 60.0, 0.85, 40, rng, 0.015).slower.share
    theirs = reference_method_rates(slowed, 60.0, 0.85, 100, rng)
    assert theirs.mann_whitney < ours and theirs.mean_5pct < ours
    idle = reference_method_rates(_series(0.0), 60.0, 0.85, 100, rng)
    assert idle.mann_whitney < 0.1


def test_coverage_and_synthetic_rows() -> None:
    assert 0.88 <= coverage(normal(0.025), 150, np.random.default_rng(5)) <= 1.0
    row = synthetic("normal", normal(0.025), 30, np.random.default_rng(6))
    assert row.false_alarms == 0 and row.power_3pct == 1 and row.sessions == 40


def _cell(series: str, budget_s: float, slower: float) -> DetectionRates:
    return DetectionRates(series, budget_s, 70, Rate(slower, 0, 1, 100), Rate(0.0, 0, 0, 100), 0.0, 0.0, 30.0)


def test_targets_are_met_or_missed() -> None:
    good = [_cell("A/A", 60.0, 0.004), _cell("A/A + 1%", 30.0, 0.99), _cell("A/A + 2%", 15.0, 0.995)]
    assert [target.met for target in targets(good, (), CalibrationPlace())] == [True, True, True]
    bad = [_cell("A/A", 60.0, 0.006), _cell("A/A + 1%", 30.0, 0.94)]
    assert [target.met for target in targets(bad, (), CalibrationPlace())] == [False, False]
    assert targets([], (), CalibrationPlace()) == ()
    undecided = replace(_cell("A/A", 30.0, 0.0), undecided=0.02)
    assert [target.met for target in targets([undecided], (), CalibrationPlace())] == [False, True]


def test_goals_follow_the_place_and_false_alarms_are_everywhere() -> None:
    cells = [_cell("A/A", 60.0, 0.004), _cell("A/A + 3%", 60.0, 0.96), _cell("A/A + 5%", 60.0, 0.9)]
    for place, met in (
        (CalibrationPlace(load=1), [True, True, True]),
        (CalibrationPlace(load=10), [False, True]),
        (CalibrationPlace(load=10, cores=2), [False, True]),
        (CalibrationPlace(cores=1), [True]),
        (CalibrationPlace(pins=False), [True]),
        (CalibrationPlace(foreign=True), [True]),
        (CalibrationPlace(gl=True), [True]),
    ):
        assert [target.met for target in targets(cells, (), place)] == met, place.title


@pytest.mark.parametrize(("read", "met"), [(0.1, True), (0.085, True), (0.07, False), (0.13, False)])
def test_the_size_of_a_planted_change_is_a_goal_everywhere(read: float, met: bool) -> None:
    planted = replace(_series(math.log1p(read), sd=0.001), name="slow_draw=10%", planted=0.1)
    for place in (CalibrationPlace(), CalibrationPlace(load=10), CalibrationPlace(foreign=True)):
        (target,) = targets([], (_series(0.0), planted), place)
        assert target.met is met and target.reached == pytest.approx(abs(read / 0.1 - 1), abs=0.02)


def test_each_place_has_evidence_of_its_own() -> None:
    places = [
        CalibrationPlace(),
        CalibrationPlace(load=1),
        CalibrationPlace(load=10, cores=2),
        CalibrationPlace(cores=1),
        CalibrationPlace(pins=False),
        CalibrationPlace(foreign=True),
        CalibrationPlace(gl=True),
    ]
    names = [place.name for place in places]
    assert names[:2] == ["calibration", "calibration-loaded"] and names[2] == "calibration-crowded-10-cores-2"
    assert len(set(names)) == len({place.title for place in places}) == len(places)
    assert all(place_from(place.words()) == place for place in places)
    assert [place.settings() for place in places[:3]] == [{}, {"LOAD": "1"}, {"LOAD": "10", "CORES": "2"}]
    assert places[4].settings() == {"PIN": "0"}
    damaged: tuple[dict[str, object], ...] = ({"load": "1"}, {"pins": 1}, {"cores": None})
    for broken in damaged:
        with pytest.raises(ValueError, match="not one"):
            place_from(broken)


def test_launches_are_noted_with_what_the_host_did_and_by_every_estimator() -> None:
    quiet = steady_launch(np.full(400, 3_060_000, np.int64))
    busy = replace(quiet, load=LaunchLoad(0.4, 0.01), launch=replace(quiet.launch, undisturbed=0.05))
    none = replace(quiet, launch=replace(quiet.launch, slices=()))
    pair = recorded_pair([quiet, busy, none])
    assert pair.effect == pytest.approx([math.log(1.02), 0.05])
    assert np.isnan(pair.noted["run delay"][0]) and pair.noted["run delay"][1] == 0.4
    for name in ("slice medians", "whole-launch mean", "whole-launch 5 % quantile"):
        assert pair.noted[name] == pytest.approx([math.log(1.02)] * 2, abs=1e-3)
    rows = estimator_rows(Series("A/A", 0.0, (recorded_pair([quiet, busy] * 4),)))
    assert [row[0] for row in rows][-1] == "as the host asked for" and rows[-1][1] > rows[0][1]
    assert estimator_rows(_series(0.0)) == []


def test_a_simulated_session_widens_its_interval_as_a_real_one_does() -> None:
    """Launches whose figures contradict each other: the same launches, decided on as a session does."""
    rng = np.random.default_rng(5)
    effects, plan = rng.normal(0.0, 0.01, 24), Plan(launches=24)
    real = [
        Launch((), undisturbed=effect, preempted="busy", summed_by=COMPUTED, checks={MEAN: effect - 0.15})
        for effect in effects
    ]
    measured = [MeasuredLaunch(one, {role: np.ones(9) for role in ARMS}, {}, {}, ()) for one in real]
    pair = recorded_pair(measured)
    assert pair.launches.share == COMPUTED_SHARE and list(pair.launches.checks) == [MEAN]
    again, _ = recording_from_evidence(_evidence(pair), "calibration.json")
    assert again.series[0].pairs[0].launches.checks[MEAN] == pytest.approx(effects - 0.15, abs=1e-6)
    session = run_session(pair.launches, plan)
    decided = decide(real[: session.launches], plan)
    assert (session.words, session.low, session.high) == (decided.words, decided.low, decided.high)
    assert session.state is State.UNDECIDED and run_session(effects, plan).state is State.UNCHANGED
    slowed = pair.slowed(0.1).launches
    assert slowed.effects - slowed.checks[MEAN] == pytest.approx(0.15)


def test_what_an_alarm_is_checked_on_keeps_its_own_figures() -> None:
    first, second = (RecordedPair(np.full(3, one), np.ones(3), np.ones(3), {}) for one in (1.0, 2.0))
    noted = {CHECK + MEAN: np.full(3, 5.0), BY_COMPUTED: np.ones(3)}
    mixed = together([first, replace(second, noted=noted)])
    assert mixed.effect.tolist() == [1, 1, 1, 2, 2, 2]
    drawn = mixed.launches
    assert np.isnan(drawn.checks[MEAN][:3]).all() and (drawn.checks[MEAN][3:] == 5).all()
    joined = first.launches.first(2).followed_by(drawn.first(2))
    assert np.isnan(joined.checks[MEAN][:3]).all() and joined.share == COMPUTED_SHARE
    assert joined.effects.tolist() == [1, 1, 1, 1] and len(joined.checks[MEAN]) == 4


def _evidence(pair: RecordedPair) -> str:
    """Evidence of one series of one pair."""
    result = Result("calibrate", Verdict.PASS, "", started="2026-01-01T00:00:00", seconds=1.0)
    provenance = provenance_of(result, Switches(), CalibrationPlace())
    recording = CalibrationRecording((Series("A/A", 0.0, (pair,)),), 1.0)
    return evidence_text(provenance, recording, [], [], [], [])


@pytest.mark.slow
def test_one_layout_of_many_raises_no_alarm() -> None:
    lucky = _series(0.0, launches=4, offsets=(0.04, *[0.0] * 15))
    rng = np.random.default_rng(3)
    checked = protocol_rates(lucky, 60.0, 0.85, 60, rng, 0.015)
    alone = protocol_rates(_series(0.0, offsets=(0.04, 0.0, 0.0)), 60.0, 0.85, 60, rng, 0.015, relinks=False)
    assert alone.slower.share > 0.2 and checked.slower.share == 0
    real = protocol_rates(lucky.slowed("A/A + 5%", 0.05), 60.0, 0.85, 60, rng, 0.015)
    assert real.slower.share > 0.95


@pytest.mark.slow
def test_a_smaller_size_that_matters_is_found_on_a_quiet_host() -> None:
    rng = np.random.default_rng(3)
    quiet = _series(0.0, sd=0.006)
    assert protocol_rates(quiet.slowed("x", 0.01), 60.0, 0.85, 40, rng, 0.015, aim=0.01).slower.share > 0.4
    assert protocol_rates(quiet.slowed("x", 0.005), 60.0, 0.85, 40, rng, 0.004).slower.share > 0.9
    assert protocol_rates(quiet, 60.0, 0.85, 200, rng, 0.015, aim=0.01).slower.share == 0


@pytest.mark.slow
def test_drawing_a_recording_again_keeps_its_truth() -> None:
    rng = np.random.default_rng(7)
    pair = RecordedPair(rng.exponential(0.1, 21) - 0.1, np.full(21, 2.0), np.full(21, 2.0))
    assert [pair.again(rng).centre for _ in range(5)] == pytest.approx([pair.centre] * 5)
    # A skewed, noisy recording raises no alarms, however its launches fall when drawn again.
    loud = Series("A/A", 0.0, (pair,)).without_sampling_error(0.0)
    cell = protocol_rates(loud, 60.0, 0.85, 100, rng, 0.015)
    assert cell.slower.share + cell.faster.share <= 0.02


def test_lists_of_figures_take_one_line_each() -> None:
    plain = {"a": [0.5, -1, 2.0], "b": [["x, y", "[1]"], {"c": [None, True]}], "d": [], "e": ["1,\n 2"]}
    text = lists_on_lines(json.dumps(plain, indent=1))
    assert json.loads(text) == plain
    assert ' "a": [0.5, -1, 2.0],\n' in text and '"c": [null, true]\n' in text


def test_evidence_is_read_back_or_refused() -> None:
    text = (BASELINES_DIR / "x86_64" / "calibration.json").read_text(encoding="utf-8")
    recording, provenance = recording_from_evidence(text, "calibration.json")
    assert {one.name for one in recording.series} >= {"A/A", "slow_draw=10%"} and recording.each_s > 0
    assert all(len(one.effects) >= 60 for one in recording.series) and provenance["source"]["dirty"] is False
    plain = json.loads(text)
    for broken in (
        text[: len(text) // 2],
        "[]",
        json.dumps(plain | {"schema": 99}),
        json.dumps(plain | {"launches": []}),
        json.dumps(plain | {"each_s": -1}),
        text.replace('"effect"', '"efect"', 1),
    ):
        with pytest.raises(ResultError, match="calibration.json"):
            recording_from_evidence(broken, "calibration.json")


@pytest.mark.parametrize("name", ["calibration.json", "calibration-loaded.json"])
def test_stored_evidence_of_the_first_schema_is_read(name: str) -> None:
    text = (BASELINES_DIR / "x86_64" / name).read_text(encoding="utf-8")
    recording, provenance = recording_from_evidence(text, name)
    assert recording.series[0].name == "A/A" and provenance["host"]
    plain = upgraded_evidence(json.loads(text))
    assert plain["schema"] == SCHEMA and plain["launches"][0]["injected"] == "A/A" and plain["reference_methods"]
    assert upgraded_evidence(plain) == plain and "rivals" not in plain
