"""A made-up host that preempts: traces of two pinned machines that share their cores with busy loops."""

from __future__ import annotations

import math

import numpy as np

from harness.core.arrays import I64
from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.gate.measuring.launch import MeasuredLaunch, slice_launch
from harness.model.record import LaunchLoad

BASE_NS = 1_700_000_000_000_000_000
SLICE_NS, SLICES = 40_000_000, 14
SCHEDULED_NS = 4e6
"""Time that a scheduler lets a machine run at once, on average."""
FLUSH = "virtio_gpu_cmd_res_flush res 0x1, w 1024, h 768, x 0, y 0"


def preempted_launch(
    rng: np.random.Generator, effect: float, share: float, frame_ns: float = 1.2e6, launch_sd: float = 0.01
) -> MeasuredLaunch:
    """One launch whose machines lose this share of their core's time, in the pieces that a scheduler deals out.

    Parameters
    ----------
    effect
        The truth: log frame time, candidate minus reference.
    share
        Of the core's time that others get while they want it, on either core.
    """
    window_ns = (BASE_NS + 200_000_000, BASE_NS + 200_000_000 + SLICES * SLICE_NS)
    logs, on_core = {}, {}
    for role, level in ((CANDIDATE, effect), (REFERENCE, 0.0)):
        level += rng.normal(0, launch_sd / math.sqrt(2))
        flushes, on_core[role] = _machine(rng, frame_ns * math.exp(level), share, window_ns)
        logs[role] = trace_of(flushes)
    spans = []
    for slot in range(SLICES):
        start = window_ns[0] + slot * SLICE_NS
        spans += [(start, start + SLICE_NS, role, (place + slot) % 2) for place, role in enumerate(logs)]
    load = LaunchLoad(run_delay=share, stolen=0.0, on_core_ns=on_core, window_ns=window_ns)
    return slice_launch(logs, spans, dict.fromkeys(logs, BASE_NS), 0, 0.002, load=load)


def _machine(rng: np.random.Generator, frame_ns: float, share: float, window_ns: tuple[int, int]) -> tuple[I64, float]:
    """Flush times on a core that others take for a while now and then, and what was computed in the window."""
    count = int(1.0e9 / frame_ns) + 1
    scene = 1 + 0.04 * np.sin(np.arange(count) / 40.0)
    work = np.cumsum(frame_ns * scene * np.exp(rng.normal(0, 0.03, count)))
    runs = rng.gamma(4, SCHEDULED_NS / 4, int(2e9 / SCHEDULED_NS))
    waits = runs * share / (1 - share) * rng.gamma(20, 1 / 20, len(runs))
    worked, lost = np.concatenate([[0.0], np.cumsum(runs)]), np.concatenate([[0.0], np.cumsum(waits)])
    times: I64 = BASE_NS + (work + lost[np.searchsorted(worked[1:], work)]).astype(np.int64)
    # Host time against work done: rising while the machine runs, flat while it waits.
    clock = np.stack([worked[:-1] + lost[:-1], worked[1:] + lost[:-1]], axis=1).ravel()
    done = np.interp(np.array(window_ns) - BASE_NS, clock, np.stack([worked[:-1], worked[1:]], axis=1).ravel())
    return times, float(done[1] - done[0])


def trace_of(times: I64) -> bytes:
    """QEMU's trace of flushes at these times."""
    return "".join(f"7@{at // 10**9}.{at % 10**9 // 1000:06d}:{FLUSH}\n" for at in times.tolist()).encode()
