"""From the traces of a launch to slices and frame times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from harness.core.statistics import CANDIDATE, REFERENCE, launch_effect
from harness.gate.stages.launch import MeasuredLaunch, slice_launch

SLICE_NS = 40_000_000
BASE_NS = 1_700_000_000_000_000_000


def _trace(frame_ns: npt.NDArray[np.int64]) -> bytes:
    times = BASE_NS - 10_000_000 + np.cumsum(frame_ns)
    event = "virtio_gpu_cmd_res_flush res 0x1, w 1024, h 768, x 0, y 0"
    return "".join(f"7@{at // 10**9}.{at % 10**9 // 1000:06d}:{event}\n" for at in times.tolist()).encode()


def steady_launch(candidate: npt.NDArray[np.int64], batch: int = 0) -> MeasuredLaunch:
    """A launch whose reference takes 3 ms a frame."""
    return _launch(candidate, batch=batch)


def _launch(candidate: npt.NDArray[np.int64], turns: bool = False, batch: int = 0) -> MeasuredLaunch:
    logs = {CANDIDATE: _trace(candidate), REFERENCE: _trace(np.full(400, 3_000_000, np.int64))}
    spans = []
    for slot in range(12):
        start = BASE_NS + slot * (SLICE_NS + 1_000_000)
        order = (CANDIDATE, REFERENCE, REFERENCE, CANDIDATE)
        running = [order[slot % 4]] if turns else [CANDIDATE, REFERENCE]
        spans += [(start, start + SLICE_NS, role, (place + slot) % 2) for place, role in enumerate(running)]
    return slice_launch(logs, spans, {CANDIDATE: BASE_NS, REFERENCE: BASE_NS}, batch, 0.002)


def test_a_uniform_slow_down_is_the_launch_s_effect() -> None:
    measured = _launch(np.full(400, 3_060_000, np.int64))
    assert launch_effect(measured.launch) == pytest.approx(np.log(1.02), abs=1e-6)
    assert len(measured.launch.slices) == 24 and all(piece.n >= 10 for piece in measured.launch.slices)


def test_a_hiccup_as_long_as_a_slice_shows_in_the_tails_and_not_in_the_effect() -> None:
    frames = np.full(400, 3_000_000, np.int64)
    frames[50:160:40] = 43_000_000
    measured = _launch(frames)
    assert launch_effect(measured.launch) == pytest.approx(0, abs=1e-6)
    ours, theirs = measured.launch.paired["fps_low_1pct"]
    assert ours < theirs / 5
    assert measured.frame_ms[CANDIDATE].max() == pytest.approx(43)


def test_taking_turns_leaves_out_what_crosses_a_stop() -> None:
    measured = _launch(np.full(400, 3_060_000, np.int64), turns=True)
    assert launch_effect(measured.launch) == pytest.approx(np.log(1.02), abs=1e-6)
    assert measured.frame_ms[CANDIDATE].max() == pytest.approx(3.06)
    assert 70 < len(measured.frame_ms[CANDIDATE]) < 90
