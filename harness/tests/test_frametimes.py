"""From flushes to frames, warm-up, and running time."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.device.frame_groups import Rows
from harness.core.device.frametimes import presented_frames, stamp_rows, warm_up
from harness.core.device.trace import parse_trace
from harness.tests.machine import MachineModel, run_model

STAMPS = (Rows(0, 24), Rows(744, 768))


def _event(at_us: int, text: str) -> str:
    return f"1@1700000000.{at_us:06d}:{text}\n"


def _transfer(at_us: int) -> str:
    return _event(at_us, "virtio_gpu_cmd_res_xfer_toh_2d res 0x1")


def _flush(at_us: int, y: int = 0, h: int = 768) -> str:
    return _event(at_us, f"virtio_gpu_cmd_res_flush res 0x1, w 1024, h {h}, x 0, y {y}")


@pytest.mark.parametrize("stamps", [STAMPS, ()])
@pytest.mark.parametrize("rectangles", [1, 4])
def test_one_frame_a_stamp_number(stamps: tuple[Rows, ...], rectangles: int) -> None:
    logs = run_model(MachineModel(frames=50, rectangles=rectangles))
    presented = presented_frames(parse_trace(logs.trace), stamps)
    assert len(presented.time_ns) == 70
    assert np.max(np.abs(presented.time_ns - logs.flush_ns)) < 1000
    assert (presented.partial, presented.refused, presented.unflushed, presented.empty) == (
        70 if rectangles > 1 else 0,
        0,
        0,
        0,
    )


def test_stamps_lie_at_both_ends_of_what_is_flushed() -> None:
    log = _flush(1, y=100, h=50) + _flush(2) + _flush(3, y=0, h=100)
    assert stamp_rows(parse_trace(log.encode())) == (Rows(0, 4), Rows(764, 768))
    assert stamp_rows(parse_trace(_transfer(1).encode())) == ()


def test_rectangles_as_far_apart_as_frames_are_one_frame_a_stamp() -> None:
    """Under OpenGL every flush of a frame takes as long as the next frame's drawing."""
    rectangles = [(0, 4), (300, 200), (764, 4)]
    log = "".join(
        _transfer(at) + _flush(at + 100, y=y, h=h)
        for at, (y, h) in zip(range(0, 60_000, 1000), [(0, 768), *rectangles * 20])
    )
    trace = parse_trace(log.encode())
    assert len(presented_frames(trace, stamp_rows(trace)).time_ns) == 20
    assert len(presented_frames(trace).time_ns) != 20


def test_a_refused_flush_is_no_frame() -> None:
    logs = run_model(MachineModel(frames=50, refuse_flush=frozenset({40, 41})))
    presented = presented_frames(parse_trace(logs.trace), STAMPS)
    assert presented.refused == 2 and len(presented.time_ns) == 68
    assert presented.flushes == 70


def test_the_gl_devices_refusal_counts_too() -> None:
    log = _transfer(1) + _flush(2) + "virgl_cmd: x\nvirtio_gpu_virgl_process_cmd: ctrl 0x104, error 0x1203\n"
    log += _transfer(5) + _flush(6) + "virtio_gpu_virgl_process_cmd: ctrl 0x105, error 0x1203\n"
    presented = presented_frames(parse_trace(log.encode()))
    assert (presented.refused, len(presented.time_ns)) == (1, 1)


def test_a_skipped_flush_is_counted() -> None:
    logs = run_model(MachineModel(frames=50, skip_flush=frozenset({40, 55})))
    assert presented_frames(parse_trace(logs.trace), STAMPS).unflushed == 2


def test_a_repeated_flush_is_no_second_frame() -> None:
    log = "".join(_transfer(1000 * n) + _flush(1000 * n + 100) + _flush(1000 * n + 200) for n in range(1, 9))
    presented = presented_frames(parse_trace(log.encode()))
    assert (len(presented.time_ns), presented.empty) == (8, 8)


def _twelve_bands(start_us: int, transfers: int = 12) -> str:
    """A frame drawn, transferred and flushed band by band, as far apart as the next frame's first band."""
    return "".join(
        (_transfer(start_us + 100 * band) if band < transfers else "")
        + _flush(start_us + 100 * band + 50, y=64 * band, h=64)
        for band in range(12)
    )


@pytest.mark.parametrize("transfers", [1, 12])
def test_twelve_bands_are_one_frame_without_stamps_and_with_them(transfers: int) -> None:
    trace = parse_trace("".join(_twelve_bands(1 + 1200 * frame, transfers) for frame in range(20)).encode())
    assert len(presented_frames(trace).time_ns) == 20
    assert len(presented_frames(trace, stamp_rows(trace)).time_ns) == 20


def test_small_rectangles_that_wander_are_frames_of_their_own() -> None:
    log = "".join(_transfer(1000 * n) + _flush(1000 * n + 100, y=30 * n, h=20) for n in range(1, 20))
    assert len(presented_frames(parse_trace(log.encode())).time_ns) == 19


def test_what_the_scanout_does_not_show_is_no_frame() -> None:
    """Two resources, the scanout on one: transfers and flushes of the other reach no screen."""
    scanout = "virtio_gpu_cmd_set_scanout id 0, res 0x1, w 1024, h 768, x 0, y 0"
    log = _event(1, scanout)
    for n in range(1, 11):
        other = (_transfer(1000 * n + 300) + _flush(1000 * n + 400)).replace("res 0x1", "res 0x2")
        log += _transfer(1000 * n) + _flush(1000 * n + 100) + other
    assert len(presented_frames(parse_trace(log.encode())).time_ns) == 10
    assert len(presented_frames(parse_trace(log.encode()), STAMPS).time_ns) == 10
    # The flip shows what lay in the other resource, the flush what was changed of it since.
    flipped = log + _event(20_000, scanout.replace("res 0x1", "res 0x2")) + other
    assert len(presented_frames(parse_trace(flipped.encode())).time_ns) == 12


def test_a_transfer_to_another_resource_is_no_change_of_this_one() -> None:
    log = _transfer(1) + _flush(2) + _transfer(3).replace("res 0x1", "res 0x2") + _flush(4)
    assert len(presented_frames(parse_trace(log.encode())).time_ns) == 1


def test_a_flush_that_leaves_out_a_stamp_is_incomplete() -> None:
    log = _transfer(1) + _flush(2) + _transfer(3) + _flush(4, y=0, h=100) + _transfer(5) + _flush(6)
    presented = presented_frames(parse_trace(log.encode()), STAMPS)
    assert (len(presented.time_ns), presented.incomplete) == (2, 1)


def test_no_flush_no_frame() -> None:
    assert len(presented_frames(parse_trace(_transfer(1).encode())).time_ns) == 0


def test_warm_up_is_found_in_the_data() -> None:
    rng = np.random.default_rng(3)
    steady = 3 + rng.normal(0, 0.1, 600)
    start = np.linspace(9, 3, 60)
    found = warm_up(np.concatenate([start, steady]))
    assert 45 <= found.frames <= 80 and found.settled
    assert warm_up(steady).frames <= 60


def test_single_long_frames_are_neither_warm_up_nor_hidden() -> None:
    rng = np.random.default_rng(4)
    times = 3 + rng.normal(0, 0.1, 600)
    clean = warm_up(times).frames
    times[[200, 290]] = 80
    assert warm_up(times).frames == clean


def test_a_run_that_changes_in_its_middle_never_settled() -> None:
    times = np.concatenate([np.full(270, 3.0), np.full(330, 5.0)]) + np.random.default_rng(5).normal(0, 0.05, 600)
    assert not warm_up(times).settled
