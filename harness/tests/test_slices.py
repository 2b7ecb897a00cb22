"""From the traces of a launch to slices and frame times."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.arrays import I64
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, launch_effect
from harness.gate.measuring.launch import MeasuredLaunch, slice_launch

SLICE_NS = 40_000_000
BASE_NS = 1_700_000_000_000_000_000


def _trace(frame_ns: I64) -> bytes:
    times = BASE_NS - 10_000_000 + np.cumsum(frame_ns)
    event = "virtio_gpu_cmd_res_flush res 0x1, w 1024, h 768, x 0, y 0"
    return "".join(f"7@{at // 10**9}.{at % 10**9 // 1000:06d}:{event}\n" for at in times.tolist()).encode()


def steady_launch(candidate: I64, batch: int = 0) -> MeasuredLaunch:
    """A launch whose reference takes 3 ms a frame."""
    return _launch(candidate, batch=batch)


def _launch(candidate: I64, turns: bool = False, batch: int = 0) -> MeasuredLaunch:
    logs = {CANDIDATE: _trace(candidate), REFERENCE: _trace(np.full(400, 3_000_000, np.int64))}
    spans = []
    for slot in range(12):
        start = BASE_NS + slot * (SLICE_NS + 1_000_000)
        order = (CANDIDATE, REFERENCE, REFERENCE, CANDIDATE)
        running = [order[slot % 4]] if turns else [CANDIDATE, REFERENCE]
        spans += [(start, start + SLICE_NS, role, (place + slot) % 2) for place, role in enumerate(running)]
    return slice_launch(logs, spans, {CANDIDATE: BASE_NS, REFERENCE: BASE_NS}, batch, 0.002)


@pytest.mark.slow
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


TWICE = ("t f f", "one flush twice")
HALVES = ("t h0 h1", "two halves of one transfer")
BANDS = (" ".join(f"t b{band}" for band in range(12)), "twelve bands, each with its transfer")
IDLE = ("t f o", "a flush of a resource that is not shown")


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize(("steps", "what"), [TWICE, HALVES, BANDS, IDLE])
@pytest.mark.slow
def test_flushing_one_frame_in_more_ways_is_not_faster(steps: str, what: str, stamped: bool) -> None:
    """A candidate that draws 2 % longer frames and flushes each in several steps is 2 % slower, not twice as fast."""
    logs = {CANDIDATE: _stepped(3_060_000, steps), REFERENCE: _stepped(3_000_000, "t f")}
    spans = []
    for slot in range(12):
        start = BASE_NS + slot * (SLICE_NS + 1_000_000)
        spans += [(start, start + SLICE_NS, role, (place + slot) % 2) for place, role in enumerate(logs)]
    started = dict.fromkeys(logs, BASE_NS)
    measured = slice_launch(logs, spans, started, 0, 0.002, (CANDIDATE, REFERENCE) if stamped else ())
    assert launch_effect(measured.launch) == pytest.approx(np.log(1.02), abs=2e-3), what


def _stepped(frame_ns: int, steps: str) -> bytes:
    """A trace whose frames consist of these steps, evenly spread over the frame."""
    words = steps.split()
    lines = [(BASE_NS - 20_000_000, "virtio_gpu_cmd_set_scanout id 0, res 0x1, w 1024, h 768, x 0, y 0")]
    for frame in range(400):
        begin = BASE_NS - 10_000_000 + frame * frame_ns
        lines += [(begin + frame_ns * at // len(words), _step(word)) for at, word in enumerate(words)]
    return "".join(f"7@{at // 10**9}.{at % 10**9 // 1000:06d}:{event}\n" for at, event in lines).encode()


def _step(word: str) -> str:
    if word == "t":
        return "virtio_gpu_cmd_res_xfer_toh_2d res 0x1"
    height = {"h": 384, "b": 64}.get(word[0], 768)
    top = height * int(word[1:] or 0)
    return f"virtio_gpu_cmd_res_flush res 0x{2 if word == 'o' else 1}, w 1024, h {height}, x 0, y {top}"
