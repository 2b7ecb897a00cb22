"""One frame drawn out in time: the guest's CPU, the device and QEMU's main loop, each on its own track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import I64
from harness.core.device.trace import FILL, FLUSH, NOTIFY, POP, PUBLISH, TRANSFERS, Trace

GUEST_CPU, DEVICE, MAIN_LOOP = TRACKS = ("guest CPU", "device", "main loop")
GUEST_SPANS: Mapping[str, str] = {
    "render_ns": "draw",
    "submit_ns": "submit",
    "notify_ns": "notify",
    "wait_ns": "wait",
    "log_ns": "log",
    "idle_ns": "idle",
}
"""Keys of a record in the order in which a frame goes through them, and their names."""


@dataclass(frozen=True)
class TimelineSpan:
    """A stretch of one frame on one track; times in ns since the start of the frame's drawing."""

    track: str
    """One of :data:`TRACKS`."""
    name: str
    begin_ns: float
    end_ns: float


def guest_track(lengths_ns: Mapping[str, float]) -> list[TimelineSpan]:
    """The guest's spans one after the other; a frame of several notifications has their sums."""
    found: list[TimelineSpan] = []
    at = 0.0
    for key, name in GUEST_SPANS.items():
        length = lengths_ns.get(key, 0.0)
        if length > 0:
            found.append(TimelineSpan(GUEST_CPU, name, at, at + length))
        at += length
    return found


def host_tracks(trace: Trace, begin_ns: int, end_ns: int, serving: Mapping[str, I64]) -> list[TimelineSpan]:
    """The device's commands, each until the event after it, and when the main loop had which queues.

    Parameters
    ----------
    trace : Trace
        With the events of queues and GPU commands.
    begin_ns, end_ns : int
        The frame, host time.
    serving : mapping
        By name of a device, host times during which it had commands, shape (n, 2).
    """
    kinds = {POP: "", FILL: "", PUBLISH: "", FLUSH: "flush", **{kind: "transfer" for kind in TRANSFERS}}
    marks: list[tuple[int, int, str]] = []
    for kind, name in kinds.items():
        events = trace.of(kind)
        for index in np.flatnonzero((events.time_ns >= begin_ns) & (events.time_ns < end_ns)):
            marks.append((int(events.offset[index]), int(events.time_ns[index]), name))
    marks.sort()
    found = [
        TimelineSpan(DEVICE, name, float(time_ns - begin_ns), float(marks[place + 1][1] - begin_ns))
        for place, (_, time_ns, name) in enumerate(marks[:-1])
        if name
    ]
    for name, intervals in serving.items():
        for begin, end in intervals[(intervals[:, 1] > begin_ns) & (intervals[:, 0] < end_ns)].tolist():
            found.append(TimelineSpan(MAIN_LOOP, name, float(begin - begin_ns), float(end - begin_ns)))
    rung = trace.of(NOTIFY).time_ns
    for time_ns in rung[(rung >= begin_ns) & (rung < end_ns)].tolist():
        found.append(TimelineSpan(MAIN_LOOP, "notify", float(time_ns - begin_ns), float(time_ns - begin_ns)))
    return found
