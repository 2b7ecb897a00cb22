"""A frame taken apart: parts add up, planted time is booked where it was spent, and gaps are said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.explain.attribution import BLK, DEVICE, DRAW, GUEST, LOG, OTHER, POLL, FrameAccount, overlap, without
from harness.explain.explanation import Regression
from harness.explain.frame_plots import stack_script, timeline_script
from harness.explain.growth import PartChange, grown, part_changes
from harness.explain.measure_parts import account_of, compare_parts, take_run_apart
from harness.explain.rows import account_words, growth_rows, part_rows
from harness.explain.timeline import GUEST_CPU, TRACKS
from harness.gate.measuring.window import Observed, assemble
from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.ending import Ending
from harness.platform.pictures.gnuplot import plot_svg
from harness.tests.machine import MachineModel, run_model

OBSERVED = Observed(Ending(True, ""), 0, (), "7.2", ())
MACHINE = Machine(vcpus=1, maxcpus=2)


def account(model: MachineModel, cut: float = 1.0, records: bool = True) -> FrameAccount | None:
    logs = run_model(model)
    trace = logs.trace[: int(len(logs.trace) * cut)]
    return account_of(assemble(OBSERVED, logs.serial if records else b"[BOOT] kernel=x\n", trace))


def planted(**parts_ms: float) -> FrameAccount:
    """A hundred equal frames of given parts."""
    parts = {name: np.full(100, length * 1e6) for name, length in parts_ms.items()}
    return FrameAccount(np.arange(100), np.sum(list(parts.values()), axis=0), parts, host_only=False)


@given(
    random_state=st.integers(0, 10**6),
    render_ns=st.integers(200_000, 20_000_000),
    flush_ns=st.sampled_from([0, 5_000_000]),
    drift=st.floats(-1e-4, 1e-4),
    preempted=st.sampled_from([0.0, 0.02]),
)
@settings(max_examples=25, deadline=None)
@pytest.mark.slow
def test_parts_add_up_to_the_frame(
    random_state: int, render_ns: int, flush_ns: int, drift: float, preempted: float
) -> None:
    found = account(MachineModel(120, random_state, render_ns, drift=drift, flush_ns=flush_ns, preempted=preempted))
    assert found is not None
    total = np.sum(list(found.parts.values()), axis=0)
    assert np.allclose(total, found.period_ns, rtol=1e-9)
    for name, part in found.parts.items():
        assert name == OTHER or float(part.min()) >= 0, name


@pytest.mark.slow
def test_what_the_device_does_is_told_from_waiting() -> None:
    short, long = account(MachineModel(random_state=3)), account(MachineModel(random_state=3, flush_ns=5_000_000))
    assert short is not None and long is not None and short.explained
    assert abs(long.part_ms(DEVICE) - short.part_ms(DEVICE) - 5.0) < 0.3
    assert abs(long.part_ms(POLL) - short.part_ms(POLL)) < 0.05
    assert abs(long.part_ms(DRAW) - short.part_ms(DRAW)) < 0.1


@pytest.mark.slow
def test_a_long_frame_is_the_worst_and_its_tracks_fit_into_it() -> None:
    found = account(MachineModel(long_frames={150: 30_000_000}))
    assert found is not None and found.worst_frame == 150
    period = float(found.period_ns[found.frames == 150][0])
    assert {span.track for span in found.worst} == set(TRACKS)
    assert all(0 <= span.begin_ns <= span.end_ns <= period * 1.01 for span in found.worst)
    draw = next(span for span in found.worst if span.name == DRAW and span.track == GUEST_CPU)
    assert draw.end_ns - draw.begin_ns > 30_000_000


def test_without_records_only_the_device_is_told() -> None:
    found = account(MachineModel(), records=False)
    assert found is not None and found.host_only and not found.explained
    assert set(found.parts) == {DEVICE, GUEST} and found.part_ms(DEVICE) > 0
    assert "keeps no spans" in account_words(found) and found.notices


def test_a_truncated_trace_and_none_at_all() -> None:
    found = account(MachineModel(), cut=0.5)
    assert found is not None and np.allclose(np.sum(list(found.parts.values()), axis=0), found.period_ns)
    blind = account(MachineModel(), cut=0.0)
    assert blind is not None and DEVICE not in blind.parts and "not aligned" in " ".join(blind.notices)
    assert account(MachineModel(), cut=0.0, records=False) is None


@given(st.lists(st.integers(0, 10_000), min_size=0, max_size=30), st.lists(st.integers(0, 10_000), max_size=30))
def test_intervals_are_measured_as_point_by_point(first: list[int], second: list[int]) -> None:
    ours, others = _disjoint(first), _disjoint(second)
    points = np.arange(10_001)
    inside = _covered(points, ours) & ~_covered(points, others)
    left = without(ours, others)
    assert np.array_equal(_covered(points, left), inside)
    begin, end = np.array([0, 17, 400]), np.array([10_000, 5_000, 400])
    told = overlap(begin, end, ours)
    expected = [int(_covered(np.arange(b, e), ours).sum()) for b, e in zip(begin, end)]
    assert np.array_equal(told, expected)


def _disjoint(edges: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    rising = sorted(set(edges))
    return np.array(rising[: len(rising) // 2 * 2], np.int64).reshape(-1, 2)


def _covered(
    points: np.ndarray[tuple[int], np.dtype[np.int64]], intervals: np.ndarray[tuple[int, int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found = np.zeros(len(points), bool)
    for begin, end in intervals.tolist():
        found |= (points >= begin) & (points < end)
    return found


def test_the_part_that_grew_is_named_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    reference = [planted(draw=1 + rng.normal(0, 0.01), device=0.2, poll=rng.normal(0.1, 0.02)) for _ in range(6)]
    slower = [planted(draw=1.2 + rng.normal(0, 0.01), device=0.2, poll=rng.normal(0.1, 0.02)) for _ in range(6)]
    changes = part_changes(reference, slower)
    most = grown(changes)
    assert most is not None and most.part == DRAW and most.low_ms < 0.2 < most.high_ms
    assert not next(one for one in changes if one.part == POLL).sure
    assert "draw grew by" in Regression("run", "", 0.15, parts=changes).lines[1]
    same = part_changes(reference, [planted(draw=1 + rng.normal(0, 0.01), device=0.2, poll=0.1) for _ in range(6)])
    assert grown(same) is None
    assert "no part" in Regression("run", "", 0.15, parts=same).lines[1]


def test_one_stalled_launch_hides_nothing() -> None:
    rng = np.random.default_rng(2)
    reference = [planted(draw=1 + rng.normal(0, 0.01), device=0.2) for _ in range(10)]
    slower = [planted(draw=1.2 + rng.normal(0, 0.01), device=0.2) for _ in range(10)]
    reference[0] = planted(draw=1.6, device=0.2)
    most = grown(part_changes(reference, slower))
    assert most is not None and most.part == DRAW and most.low_ms < 0.2 < most.high_ms < 0.25


@pytest.mark.parametrize("pairs", [3, 6, 10])
@pytest.mark.slow
def test_the_interval_of_a_part_holds_as_often_as_it_says(pairs: int) -> None:
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(1000):
        (draw,) = part_changes(
            [planted(draw=1.0)] * pairs, [planted(draw=1 + rng.normal(0, 0.01)) for _ in range(pairs)]
        )
        missed += draw.sure
    assert missed <= 75, "5 % of 1,000, by as much as chance and trimming few allow"


def test_one_pair_bounds_nothing_and_unequal_numbers_do_not_pair() -> None:
    (draw,) = part_changes([planted(draw=1.0)], [planted(draw=2.0)])
    assert not draw.sure and np.isinf(draw.high_ms)
    with pytest.raises(ValueError, match="do not pair"):
        part_changes([planted(draw=1.0)], [])


def test_rows_and_plots_say_every_part() -> None:
    found = account(MachineModel())
    assert found is not None
    rows = part_rows(found)
    assert [row.name for row in rows][-2:] == ["unexplained", "frame"]
    assert abs(sum(float(row.milliseconds) for row in rows[:-1]) - float(rows[-1].milliseconds)) < 0.01
    for script in (stack_script(found), timeline_script("typical", found.typical), timeline_script("none", ())):
        assert plot_svg(script).startswith("<svg")
    change = PartChange(BLK, 0.1, 0.3, 0.15, 0.25)
    assert growth_rows([change, dataclasses.replace(change, low_ms=-0.1)])[0].says == "▲ grew"
    assert growth_rows([dataclasses.replace(change, low_ms=-0.1)])[0].says == "· noise"


@pytest.mark.xdist_group("attribution")
@pytest.mark.slow
def test_a_line_a_frame_is_booked_on_the_log(tmp_path: Path) -> None:
    plain, logged = (RunSpec(build_kernel(Switches().but(LOG=log)).path, MACHINE) for log in ("deferred", "frame"))
    quiet, loud = take_run_apart(plain, tmp_path / "plain"), take_run_apart(logged, tmp_path / "logged")
    assert LOG not in quiet.parts and loud.part_ms(LOG) > 0
    assert {DRAW, DEVICE, POLL} <= set(quiet.parts) and not quiet.host_only


@pytest.mark.xdist_group("attribution")
@pytest.mark.slow
def test_slow_drawing_is_booked_on_drawing(tmp_path: Path) -> None:
    reference, slow = (build_kernel(Switches().but(FAULT=fault)).path for fault in ("none", "slow_draw"))
    arms = RunSpec(reference, MACHINE), RunSpec(slow, MACHINE, RunParams(slow=300))
    for number in range(3):  # what runs beside may lengthen the reference's two launches
        changes = compare_parts(*arms, tmp_path / str(number), 1.0, lambda text: None)
        if changes[0].candidate_ms > 2 * changes[0].reference_ms:
            break
    assert changes[0].part == DRAW and changes[0].candidate_ms > 2 * changes[0].reference_ms
