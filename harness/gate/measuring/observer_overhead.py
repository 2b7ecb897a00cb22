"""Observer overhead: trace events are switched off and on while one machine draws, timed by the guest's own clock.

Between two launches, an effect of less than one per cent is lost in the noise of the launch. Inside one QEMU only the
trace event changes. Stretches follow each other as on, off, off, on, so that a drift cancels.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from harness.core.arrays import I64
from harness.core.device.trace import FLUSH, parse_trace
from harness.core.guest.records import FrameRecords
from harness.core.guest.serial import parse_serial
from harness.model.errors import GuestError, HarnessError, QmpError
from harness.model.result import Metric
from harness.model.spec import RunSpec, Verdict
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.machine.trace_file import read_trace

STRETCH_S = 0.05
SETTLE_S = 0.2
CLOSING_S = 0.1
"""Before the guest ends, no group of stretches begins that would not fit."""
GUARD_NS = 4_000_000
"""At both ends of a stretch: the first frame aligns the clocks, to less than this."""
PRINT_S = 20.0

Stretch = tuple[int, int, bool]
"""Host start and end, ns since the epoch, and whether the events were on."""


def measure_observer_overhead(spec: RunSpec, folder: Path, quads: int) -> Metric:
    """The cost of the timing window's trace events, as a share of frame time.

    Parameters
    ----------
    quads
        Groups of four stretches; each gives one estimate.

    Raises
    ------
    GuestError
        When the guest's records lack times.
    TooFewStretches
        When this host had no time for enough of them.
    """
    stretch_s = STRETCH_S * spec.machine.frame_factor
    seconds = SETTLE_S + quads * 4 * stretch_s * 1.2 + 0.4
    spec = replace(spec, params=replace(spec.params, seconds=seconds, first=None, warmup=None))
    with Qemu(spec, folder, TIMING_EVENTS) as machine:
        machine.wait_first_flush()
        time.sleep(SETTLE_S)
        stretches = _stretches(machine, quads, stretch_s, time.monotonic() + seconds - SETTLE_S - CLOSING_S)
        machine.wait_end(seconds + PRINT_S)
        log = parse_serial(machine.console.content())
    flushes = parse_trace(read_trace(machine.trace_path, machine.limits)).of(FLUSH).time_ns
    if not len(flushes) or not stretches:
        raise TooFewStretches("no stretch fitted into the guest's run", machine.serial_path)
    return cost_of_watching(log.records, int(flushes[0]), stretches)


class TooFewStretches(HarnessError):
    """The host was too busy to switch the events often enough: their cost is unknown."""

    verdict = Verdict.INCONCLUSIVE


def _stretches(machine: Qemu, quads: int, stretch_s: float, ends_s: float) -> list[Stretch]:
    """As many groups of four as are wanted and fit before the guest ends; a busy host sleeps too long."""
    found: list[Stretch] = []
    for _ in range(quads):
        if time.monotonic() + 4 * stretch_s > ends_s:
            break
        try:
            found += [_stretch(machine, on, stretch_s) for on in (True, False, False, True)]
        except QmpError:
            if not machine.exited():
                raise
            break
    return found


def _stretch(machine: Qemu, on: bool, stretch_s: float) -> Stretch:
    for event in TIMING_EVENTS:
        machine.trace_event(event, on)
    start_ns = time.time_ns()
    time.sleep(stretch_s)
    return start_ns, time.time_ns(), on


def cost_of_watching(records: FrameRecords, first_flush_ns: int, stretches: list[Stretch]) -> Metric:
    """Mean log ratio of frame times, on against off, over quads, with a 95 % interval. Pure.

    Raises
    ------
    GuestError
        When the records lack times.
    TooFewStretches
        When fewer than three quads hold frames in all of their stretches.
    """
    columns = [records.column(name) for name in ("t_ns", "render_ns", "submit_ns", "notify_ns")]
    if any(column is None for column in columns):
        raise GuestError("the records carry no times")
    begin, *parts = (np.asarray(column, np.int64) for column in columns)
    host_ns = begin - int(begin[0] + sum(int(part[0]) for part in parts)) + first_flush_ns
    medians = [_median_log_period(host_ns, stretch) for stretch in stretches]
    quads = np.array(medians[: len(medians) // 4 * 4]).reshape(-1, 4)
    effects = (quads[:, 0] + quads[:, 3] - quads[:, 1] - quads[:, 2]) / 2
    effects = effects[np.isfinite(effects)]
    if len(effects) < 3:
        raise TooFewStretches(f"{len(effects)} of {len(quads)} groups of stretches hold frames, 3 are needed")
    mean = float(stats.trim_mean(effects, 0.1))
    half = float(stats.t.ppf(0.975, len(effects) - 1) * np.std(effects, ddof=1) / np.sqrt(len(effects)))
    low, high = float(np.expm1(mean - half)), float(np.expm1(mean + half))
    return Metric(float(np.expm1(mean)), "ratio", "guest", low, high, len(effects))


def _median_log_period(host_ns: I64, stretch: Stretch) -> float:
    start_ns, end_ns, _ = stretch
    inside = host_ns[(host_ns >= start_ns + GUARD_NS) & (host_ns < end_ns - GUARD_NS)]
    return float(np.log(np.median(np.diff(inside)))) if len(inside) > 4 else float("nan")
