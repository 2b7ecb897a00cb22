"""How long a guest still waits after the device has answered."""

from __future__ import annotations

import numpy as np

from harness.core.device.trace import NOTIFY, PUBLISH, Trace
from harness.core.guest.records import FrameRecords
from harness.core.guest.serial import SerialLog
from harness.core.timing.sources import gpu_queue

LATE_NS = 10_000_000
"""An interrupt takes microseconds; a waiter that sleeps instead wakes after its next timer tick at the soonest."""
_FEWEST = 8


def unexplained_wait_ns(trace: Trace, records: FrameRecords) -> float | None:
    """How much longer a frame's wait is than what the device did meanwhile, median; None where it cannot be told.

    Durations alone are compared, so that the two clocks need not be aligned.
    """
    waits, rung = records.column("wait_ns"), records.column("notifies")
    notified = np.sort(gpu_queue(trace, NOTIFY).time_ns)
    published = np.sort(gpu_queue(trace, PUBLISH).time_ns)
    if waits is None or rung is None or len(waits) < _FEWEST or len(notified) < _FEWEST or len(published) < _FEWEST:
        return None
    following = np.append(notified[1:], np.iinfo(np.int64).max)
    last = np.searchsorted(published, following) - 1
    answered = published[np.maximum(last, 0)]
    kept = answered >= notified
    if not kept.any():
        return None
    device_ns = float(np.median((answered - notified)[kept])) * float(np.median(rung))
    return float(np.median(waits)) - device_ns


def missing_interrupts(trace: Trace, serial: SerialLog) -> str:
    """The fault of a guest that waits for interrupts and is not woken by them; empty when there is none."""
    if serial.boot is None or serial.boot.get("completion") != "irq":
        return ""
    late_ns = unexplained_wait_ns(trace, serial.records)
    if late_ns is None or late_ns < LATE_NS:
        return ""
    return f"interrupts do not arrive: each frame waits {late_ns / 1e6:.0f} ms longer than the device takes to answer"
