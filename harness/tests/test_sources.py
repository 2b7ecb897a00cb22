"""Sources that agree, and each way in which one of them can lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.device.frame_groups import Rows
from harness.core.device.frametimes import presented_frames
from harness.core.device.trace import parse_trace
from harness.core.guest.serial import parse_serial
from harness.core.timing.align import match_frames, quantile_of_few
from harness.core.timing.sources import ALIGNMENT_GOAL_NS, Sighting, Sources, reconcile
from harness.tests.fuzz import fuzz
from harness.tests.machine import MachineModel, run_model

STAMPS = (Rows(0, 24), Rows(744, 768))


def _reconciled(model: MachineModel, sightings: tuple[Sighting, ...] = ()) -> Sources:
    logs = run_model(model)
    trace = parse_trace(logs.trace)
    return reconcile(trace, presented_frames(trace, STAMPS), parse_serial(logs.serial).records, sightings)


@pytest.mark.parametrize("drift", [0.0, 3e-4, -2e-3])
@pytest.mark.parametrize("frames", [60, 1500])
@pytest.mark.slow
def test_honest_sources_agree_and_the_clock_error_is_bounded(drift: float, frames: int) -> None:
    model = MachineModel(frames=frames, drift=drift, random_state=frames)
    sources = _reconciled(model)
    assert sources.problem is None and sources.notices == ()
    assert {count.what: (count.guest, count.host) for count in sources.counts} == {
        "frames": (frames, frames),
        "frame numbers": (frames, frames),
        "commands": (2 * frames, 2 * frames),
        "completions": (2 * frames, 2 * frames),
        "notifies": (frames, frames),
    }
    alignment = sources.alignment
    assert alignment is not None and alignment.error_ns < ALIGNMENT_GOAL_NS
    assert abs(alignment.drift - drift) <= alignment.drift_error
    at = np.linspace(alignment.origin_ns, alignment.origin_ns + frames * 2_800_000, 5).astype(np.int64)
    truth = (at * (1 + drift)).astype(np.int64) + model.offset_ns
    assert np.max(np.abs(alignment.to_host(at) - truth)) <= alignment.error_ns + 1000
    assert sources.trace is not None and sources.guest is not None
    assert sources.guest.fps == pytest.approx(sources.trace.fps, rel=1e-3 + abs(drift))


@pytest.mark.parametrize("random_state", range(5))
@pytest.mark.slow
def test_a_host_that_preempts_at_every_step_does_not_make_sources_disagree(random_state: int) -> None:
    sources = _reconciled(MachineModel(preempted=0.5, frames=400, random_state=random_state))
    assert sources.problem is None
    assert sources.alignment is not None and sources.alignment.error_ns < ALIGNMENT_GOAL_NS


@pytest.mark.parametrize("frame", [100, 319])
@pytest.mark.slow
def test_a_pause_between_the_spans_of_a_frame_hides_none(frame: int) -> None:
    """A host that takes the CPU between two commands of the last frame: its flush comes after its spans are over."""
    model = MachineModel(paused={frame: 7_000_000})
    assert _reconciled(model).problem is None
    lost = _reconciled(replace(model, skip_flush=frozenset({frame}))).problem
    assert lost is not None and f"1 frames were never shown, the first being frame {frame}" in lost


def test_without_virtqueue_events_the_bound_is_wider_but_true() -> None:
    sources = _reconciled(MachineModel(published=False))
    assert sources.problem is None and [count.what for count in sources.counts] == [
        "frames",
        "frame numbers",
        "commands",
    ]
    assert sources.alignment is not None and sources.alignment.error_ns < 200_000


def test_several_flushes_a_frame_agree() -> None:
    sources = _reconciled(MachineModel(rectangles=4))
    assert sources.problem is None
    counts = {count.what: count.host for count in sources.counts}
    assert counts["commands"] == 8 * counts["frames"], "a transfer and a flush for each rectangle"


@pytest.mark.parametrize("random_state", range(5))
@pytest.mark.parametrize("preempted", [0.0, 0.5])
@pytest.mark.slow
def test_a_device_that_draws_longer_than_the_guest_is_matched(random_state: int, preempted: float) -> None:
    """As under OpenGL: a flush comes early in a frame, its answer at the end."""
    model = MachineModel(render_ns=500_000, flush_ns=6_000_000, preempted=preempted, random_state=random_state)
    sources = _reconciled(model)
    assert sources.problem is None
    assert sources.alignment is not None and sources.alignment.error_ns < ALIGNMENT_GOAL_NS
    assert _reconciled(replace(model, skip_flush=frozenset({100, 150}))).problem is not None


@pytest.mark.parametrize("random_state", range(10))
def test_answers_taken_late_by_more_than_a_frame_are_matched(random_state: int) -> None:
    """On a loaded host a guest may see most answers of its middle frames only after the device has had a rest."""
    rng = np.random.default_rng(random_state)
    late = rng.random(300) < 0.7
    waited = 20_000 + rng.exponential(20_000, 300) + late * rng.uniform(2e6, 12e6, 300)
    answered = np.cumsum(500_000 + rng.exponential(600_000, 300)) + np.cumsum(2_500_000 + waited) - waited
    rang, took = (values.astype(np.int64) for values in (answered - 2_500_000, answered + waited))
    assert match_frames(rang, took, (answered + 7e9).astype(np.int64)).tolist() == list(range(300))


@fuzz
@given(st.lists(st.integers(-(1 << 60), 1 << 60), min_size=1, max_size=12), st.sampled_from([10, 50, 90]))
def test_the_quantile_of_a_few_is_that_of_numpy(values: list[int], percent: int) -> None:
    few = np.array(values, np.int64)
    assert quantile_of_few(few, percent / 100) == np.percentile(few, percent)


def test_an_evenly_paced_run_is_matched_to_the_right_frames() -> None:
    sources = _reconciled(MachineModel(render_ns=15_000_000, random_state=8))
    assert sources.problem is None


@pytest.mark.parametrize(
    ("model", "who"),
    [
        (MachineModel(skip_flush=frozenset({100, 150})), "2 frames were never shown, the first being frame 100"),
        (MachineModel(refuse_flush=frozenset({77})), "1 frames were never shown, the first being frame 77"),
        (MachineModel(completion_lie=1), "the guest counts 900 completions, the device published 600"),
        (MachineModel(completion_lie=-1), "the guest counts 300 completions, the device published 600"),
        (MachineModel(number_lie=10), "numbers its frames 20 to 348, 329 of them, where the trace shows 300"),
        (MachineModel(clock_lie=-0.2), "the guest claims 300 frames at 444.3 frames/s, the trace shows 320"),
        (MachineModel(clock_lie=0.01), "300 frames at 351.9 frames/s"),
        (MachineModel(drift=0.007), "they run +0.7"),
    ],
)
@pytest.mark.slow
def test_a_lie_is_caught_and_says_who_said_what(model: MachineModel, who: str) -> None:
    problem = _reconciled(model).problem
    assert problem is not None and problem.startswith("sources disagree: ") and who in problem


def test_skipped_flushes_show_without_any_records() -> None:
    logs = run_model(MachineModel(skip_flush=frozenset({100, 150})))
    trace = parse_trace(logs.trace)
    problem = reconcile(trace, presented_frames(trace, STAMPS), None).problem
    assert problem is not None and "never flushed" in problem


def _sightings(model: MachineModel, skipped: int) -> tuple[Sighting, Sighting]:
    """Screendumps right after two flushes, showing the frames that were then on the screen."""
    times = run_model(model).flush_ns
    first, last = int(times[30]) + 100_000, int(times[250]) + 100_000
    return Sighting(30, first, first + 7_000_000), Sighting(250 + skipped, last, last + 7_000_000)


def test_screendumps_agree_with_the_trace_within_their_bound() -> None:
    model = MachineModel()
    sources = _reconciled(model, _sightings(model, 0))
    assert sources.problem is None
    assert sources.screendump is not None and sources.trace is not None
    assert sources.screendump.fps == pytest.approx(sources.trace.fps, rel=sources.screendump.bound)
    assert sources.screendump.bound < 0.05


def test_pictures_that_move_on_without_flushes_are_caught() -> None:
    model = MachineModel()
    problem = _reconciled(model, _sightings(model, 20)).problem
    assert problem is not None and "screendumps show 240 frames drawn" in problem


@pytest.mark.parametrize(("drawn", "agrees"), [(220, True), (250, True), (217, False), (253, False)])
@pytest.mark.slow
def test_a_guest_that_catches_up_while_a_picture_is_taken_agrees(drawn: int, agrees: bool) -> None:
    """Beside load frames come in bursts: 30 of them may fall between question and answer."""
    model = MachineModel()
    flushes = run_model(model).flush_ns
    first = Sighting(0, int(flushes[9]) + 100, int(flushes[39]) + 100)
    last = Sighting(drawn, int(flushes[259]) + 100, int(flushes[259]) + 200)
    assert (_reconciled(model, (first, last)).problem is None) is agrees


def test_records_without_times_are_told_not_guessed() -> None:
    logs = run_model(MachineModel(frames=40))
    trace = parse_trace(logs.trace)
    bare = parse_serial(b"[VIRTIO PERF] fences=2 spins=271 completions=2\n" * 40)
    sources = reconcile(trace, presented_frames(trace), bare.records)
    assert sources.problem is None and sources.guest is None
    assert "t_ns" in sources.notices[0]


def test_records_with_start_times_only_compare_rates_not_counts() -> None:
    logs = run_model(MachineModel())
    trace = parse_trace(logs.trace)
    lines = [line.split(b" render_ns")[0] for line in logs.serial.split(b"\n")]
    sources = reconcile(trace, presented_frames(trace), parse_serial(b"\n".join(lines)).records)
    assert sources.problem is None and sources.guest is not None and not sources.counts


DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("name", "completions", "problem"),
    [
        ("", (60, 60), None),
        ("-dirty", (180, 180), None),
        ("-skip_flush", (59, 59), "1 frames were never shown, the first being frame 39"),
    ],
)
def test_recorded_runs_of_320x240_reconcile(name: str, completions: tuple[int, int], problem: str | None) -> None:
    trace = parse_trace((DATA / f"trace-qemu-7.2{name}.log").read_bytes())
    log = parse_serial((DATA / f"serial-x86_64{name}.log").read_bytes())
    assert log.problems == () and len(log.records) == 30 and log.finished
    sources = reconcile(trace, presented_frames(trace, (Rows(0, 4), Rows(236, 240))), log.records)
    assert {count.what: (count.guest, count.host) for count in sources.counts}["completions"] == completions
    assert sources.alignment is not None and sources.alignment.error_ns < ALIGNMENT_GOAL_NS
    assert sources.problem is None if problem is None else problem in (sources.problem or "")
