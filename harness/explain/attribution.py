"""Where a frame's time goes: the guest's spans and the device's trace events, joined on one clock.

The guest knows what its CPU did: drawing, building commands, notifying, waiting, logging, pacing. Only the host knows
what happened while it waited: the time in which the device had the frame's commands (from taking them off the ring to
publishing the last answer), the time in which its thread served the disk instead, and the rest, which is the latency
with which either side notices the other. All parts are of guest frames, from the start of one frame's drawing to the
start of the next one's, and add up to the frame by construction: ``other`` is what no span covers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.core.arrays import F64, I64, Mask
from harness.core.device.frametimes import Presented
from harness.core.device.trace import FILL, POP, PUBLISH, Trace
from harness.core.guest.records import FrameRecords
from harness.core.timing.align import Alignment
from harness.core.timing.sources import gpu_queue
from harness.explain.timeline import GUEST_SPANS, TimelineSpan, guest_track, host_tracks

DRAW, SUBMIT, NOTIFYING, DEVICE, POLL = "draw", "submit", "notify", "device", "poll"
LOG, BLK, SCHEDULER, IDLE, OTHER, GUEST = "log", "blk", "scheduler", "idle", "other", "guest"

PARTS: Mapping[str, str] = {
    DRAW: "drawing the picture",
    SUBMIT: "building commands and publishing them",
    NOTIFYING: "writing the notify register, while the device does not have the commands yet",
    DEVICE: "the device has the commands: copying and showing",
    POLL: "waiting while the device does not have them: latency of noticing, on either side",
    LOG: "the frame's own serial line",
    BLK: "waiting while the device's thread serves the disk",
    SCHEDULER: "other tasks had the CPU",
    IDLE: "pacing: halted until the next frame is due",
    GUEST: "the guest, which keeps no spans: all that is not the device",
    OTHER: "not covered by any span: the loop itself, and stalls of the host",
}
"""Parts of a frame in the order of reports, and what they mean."""

REMAINDER_MAX = 0.03
"""Share of a frame that may stay unexplained."""
USUAL = 0.95
"""Share of a launch's frames, the shorter ones, that represent it in comparisons. A stall of the host says nothing
about a kernel, and a single one outweighs many frames."""


@dataclass(frozen=True)
class FrameAccount:
    """Frames taken apart.

    ``frames`` are frame numbers and ``period_ns`` the times from start to start, both of shape (n,); ``parts`` maps a
    name of :data:`PARTS` to its share of each frame, shape (n,), ns. Parts add up to the period, frame by frame.
    """

    frames: I64
    period_ns: F64
    parts: Mapping[str, F64]
    host_only: bool
    """No guest spans: only what the device did is known."""
    typical: tuple[TimelineSpan, ...] = ()
    worst: tuple[TimelineSpan, ...] = ()
    """The frames of median and of longest period, as stages."""
    typical_frame: int = 0
    worst_frame: int = 0
    error_ns: float = 0.0
    """Error of the clocks' alignment: bounds what may be counted on the wrong side of ``device``."""
    notices: tuple[str, ...] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.period_ns)

    @property
    def mean_ms(self) -> float:
        return float(self.period_ns.mean()) / 1e6

    def part_ms(self, name: str) -> float:
        """Mean time of a part in a frame; 0 for one that does not occur."""
        return float(self.parts[name].mean()) / 1e6 if name in self.parts else 0.0

    def usual_ms(self, name: str) -> float:
        """As :meth:`part_ms`, without the longest frames, of which :data:`USUAL` says how many."""
        usual = self.period_ns <= np.quantile(self.period_ns, USUAL)
        return float(self.parts[name][usual].mean()) / 1e6 if name in self.parts else 0.0

    def share(self, name: str) -> float:
        """Share of the mean frame, 0 to 1."""
        return self.part_ms(name) / self.mean_ms

    @property
    def explained(self) -> bool:
        """The remainder is within the stated bound."""
        return not self.host_only and abs(self.share(OTHER)) <= REMAINDER_MAX


def take_apart(
    trace: Trace, presented: Presented, records: FrameRecords | None, alignment: Alignment | None, warm: int = 0
) -> FrameAccount | None:
    """Attribute the time of every recorded frame.

    Parameters
    ----------
    trace : Trace
        With the events of queues and GPU commands.
    presented : Presented
        The frames made from the trace, for guests that keep no records.
    records : FrameRecords or None
        The guest's; without their spans only the device's part is known.
    alignment : Alignment or None
        Guest clock to host clock; without it the waiting is not divided.
    warm : int
        Presented frames to leave out at the start.

    Returns
    -------
    FrameAccount or None
        None with fewer than two frames, or none after the warm-up.
    """
    busy = device_busy(trace)
    spans = _spans(records) if records is not None else None
    if spans is None:
        return _host_only(presented.time_ns[warm:], busy)
    if alignment is not None and 0 < warm < len(presented.time_ns):
        spans = spans.keep(alignment.to_host(spans.start) >= presented.time_ns[warm])
    return _from_spans(trace, spans, busy, alignment) if len(spans.start) else None


def device_busy(trace: Trace, disk: bool = False) -> I64:
    """Host times during which the device had commands of the GPU's control queue, shape (n, 2), rising, ns.

    From taking the first off the ring to publishing the answer to the last. With ``disk``, of all other queues instead.
    """
    gpu = gpu_queue(trace, POP).offset
    marks: list[tuple[int, int, int]] = []
    for kind, step in ((POP, 1), (FILL, -1), (PUBLISH, 0)):
        events = trace.of(kind)
        ours = np.isin(events.offset, gpu if kind == POP else gpu_queue(trace, kind).offset)
        for index in np.flatnonzero(ours != disk):
            marks.append((int(events.offset[index]), int(events.time_ns[index]), step))
    found: list[tuple[int, int]] = []
    held, begin, answered = 0, 0, False
    for _, time_ns, step in sorted(marks):
        if step > 0 and held == 0:
            begin = time_ns
        held = max(held + step, 0)
        answered = step < 0 or answered and step == 0
        if step == 0 and held == 0 and answered and time_ns >= begin > 0:
            found.append((begin, time_ns))
            begin, answered = 0, False
    return np.array(found, np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class _Spans:
    """Frames of the guest's records whose successor is known; guest times and spans in ns, all of shape (n,)."""

    frames: I64
    start: I64
    period: I64
    columns: Mapping[str, F64]

    def column(self, key: str) -> F64:
        return self.columns.get(key, np.zeros(len(self.start)))

    def keep(self, wanted: Mask) -> _Spans:
        columns = {key: column[wanted] for key, column in self.columns.items()}
        return _Spans(self.frames[wanted], self.start[wanted], self.period[wanted], columns)


def _spans(records: FrameRecords) -> _Spans | None:
    started = records.column("t_ns")
    keys = ("render_ns", "submit_ns", "notify_ns", "wait_ns", "log_ns", "idle_ns", "sched_ns", "notifies")
    found = {key: column for key in keys if (column := records.column(key)) is not None}
    if started is None or len(started) < 2 or not {"render_ns", "submit_ns", "notify_ns", "wait_ns"} <= set(found):
        return None
    start = started.astype(np.int64)
    frames = records.column("frame")
    numbers = frames.astype(np.int64) if frames is not None else np.arange(len(start))
    # A frame after which records are missing has no known end.
    follows = (np.diff(numbers) == 1) & (np.diff(start) > 0)
    columns = {key: column[:-1][follows].astype(np.float64) for key, column in found.items() if key != "log_ns"}
    if "log_ns" in found:
        # A record holds the log time of the frame before, whose line was printed within this frame.
        columns["log_ns"] = found["log_ns"][1:][follows].astype(np.float64)
    if not follows.any():
        return None
    return _Spans(numbers[:-1][follows], start[:-1][follows], np.diff(start)[follows], columns)


def _from_spans(trace: Trace, spans: _Spans, busy: I64, alignment: Alignment | None) -> FrameAccount:
    draw, submit, notify, wait = (spans.column(key) for key in ("render_ns", "submit_ns", "notify_ns", "wait_ns"))
    notices: list[str] = []
    parts: dict[str, F64] = {DRAW: draw.copy(), SUBMIT: submit.copy(), NOTIFYING: notify.copy(), POLL: wait.copy()}
    if alignment is None or not len(busy):
        notices.append("the clocks are not aligned: the device's part of the waiting cannot be told from polling")
    else:
        rang = alignment.to_host(spans.start + np.rint(draw + submit).astype(np.int64))
        waited = rang + notify.astype(np.int64)
        ended = waited + wait.astype(np.int64)
        several = spans.column("notifies") > 1
        if several.any():
            notices.append(
                "the device was notified more than once a frame: its time is taken from both waits in proportion"
            )
        disk = without(device_busy(trace, disk=True), busy)
        for name, intervals in ((DEVICE, busy), (BLK, disk)):
            _move(parts, name, overlap(rang, waited, intervals), overlap(waited, ended, intervals), several)
    parts[LOG], parts[IDLE] = spans.column("log_ns"), spans.column("idle_ns")
    _book_scheduler(parts, spans.column("sched_ns"))
    period = spans.period.astype(np.float64)
    parts[OTHER] = period - np.sum(list(parts.values()), axis=0)
    typical = int(np.argsort(period)[len(period) // 2])
    worst = int(np.argmax(period))
    stages = [_stages(trace, spans, index, alignment) for index in (typical, worst)]
    used = {name: parts[name] for name in PARTS if name in parts and (name == OTHER or parts[name].any())}
    return FrameAccount(
        spans.frames,
        period,
        used,
        host_only=False,
        typical=stages[0],
        worst=stages[1],
        typical_frame=int(spans.frames[typical]),
        worst_frame=int(spans.frames[worst]),
        error_ns=alignment.error_ns if alignment else 0.0,
        notices=tuple(notices),
    )


def _move(parts: dict[str, F64], name: str, ringing: F64, waiting: F64, several: Mask) -> None:
    """Move the device's time out of the guest's notifying and waiting.

    A notify write returns to a guest only when QEMU's lock is free, and its main loop may hold that while it serves
    the queue. Where there were several notifications, the guest reports only sums, and their order is unknown.
    """
    both = parts[NOTIFYING] + parts[POLL]
    told = np.minimum(ringing + waiting, both)
    part = np.divide(parts[NOTIFYING], both, out=np.zeros_like(both), where=both > 0)
    ringing = np.where(several, told * part, np.minimum(ringing, parts[NOTIFYING]))
    waiting = np.where(several, told * (1 - part), np.minimum(waiting, parts[POLL]))
    parts[NOTIFYING] = parts[NOTIFYING] - ringing
    parts[POLL] = parts[POLL] - waiting
    parts[name] = ringing + waiting


def _book_scheduler(parts: dict[str, F64], away: F64) -> None:
    """Move the time that other tasks had the CPU out of the parts that it fell into.

    The guest reports only its sum over a frame, which is taken from the frame's parts in proportion to their size.
    """
    if not away.any():
        return
    total: F64 = np.sum(list(parts.values()), axis=0)
    left = 1 - np.divide(np.minimum(away, total), total, out=np.zeros_like(away), where=total > 0)
    for name in parts:
        parts[name] = parts[name] * left
    parts[SCHEDULER] = total * (1 - left)


def overlap(begin: I64, end: I64, intervals: I64) -> F64:
    """How much of each stretch, shape (m,), lies in disjoint rising intervals, shape (n, 2); shape (m,)."""
    if not len(intervals):
        return np.zeros(len(begin))
    edges = intervals.ravel()
    covered = np.concatenate([[0], np.cumsum(np.diff(edges) * (np.arange(len(edges) - 1) % 2 == 0))])

    def before(at: I64) -> F64:
        index = np.searchsorted(edges, at, side="right")
        inside = index % 2 == 1
        base = covered[np.maximum(index - 1, 0)].astype(np.float64)
        found: F64 = np.where(index == 0, 0.0, base + np.where(inside, at - edges[np.maximum(index - 1, 0)], 0))
        return found

    return before(np.maximum(end, begin)) - before(begin)


def without(intervals: I64, others: I64) -> I64:
    """Disjoint rising intervals, shape (n, 2), less what others of the same kind cover."""
    found: list[tuple[int, int]] = []
    for begin, end in intervals.tolist():
        first = int(np.searchsorted(others[:, 1], begin, side="right"))
        for other_begin, other_end in others[first:].tolist():
            if other_begin >= end:
                break
            if other_begin > begin:
                found.append((begin, other_begin))
            begin = max(begin, other_end)
        if end > begin:
            found.append((begin, end))
    return np.array(found, np.int64).reshape(-1, 2)


def _stages(trace: Trace, spans: _Spans, index: int, alignment: Alignment | None) -> tuple[TimelineSpan, ...]:
    found = guest_track({key: float(spans.column(key)[index]) for key in GUEST_SPANS})
    if alignment is not None:
        begin = int(alignment.to_host(spans.start[index : index + 1])[0])
        serving = {"gpu": device_busy(trace), "blk": device_busy(trace, disk=True)}
        found += host_tracks(trace, begin, begin + int(spans.period[index]), serving)
    return tuple(found)


def _host_only(shown_ns: I64, busy: I64) -> FrameAccount | None:
    """From flush to flush, by the trace only."""
    if len(shown_ns) < 2:
        return None
    period = np.diff(shown_ns).astype(np.float64)
    device = np.minimum(overlap(shown_ns[:-1], shown_ns[1:], busy), period)
    told = {DEVICE: device, GUEST: period - device} if len(busy) else {GUEST: period}
    notice = "the guest keeps no spans: the host can only tell the device's time from the rest"
    return FrameAccount(np.arange(len(period)), period, told, host_only=True, notices=(notice,))
