"""The data that rules read: the trace of a window, samples of the rings, and where the CPU's time went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from harness.core.arrays import I64, Mask
from harness.core.device.frametimes import presented_frames
from harness.core.device.gpu_rings import CONTROL, RingSample
from harness.core.device.trace import FILL, FLUSH, NOTIFY, POP, PUBLISH, TRANSFERS, Events, Trace


@dataclass(frozen=True)
class CpuTime:
    """Where the time of a window went, in seconds."""

    wall_s: float
    vcpu_s: float
    """The vCPU ran on a core of the host."""
    vcpu_waited_s: float = 0.0
    """It was ready and had none."""
    device_waited_s: float = 0.0
    """QEMU's main thread was ready and had none."""


@dataclass(frozen=True)
class RegisterReads:
    """Reads of the device's registers while it worked, during a part of the window, and the flushes of that part."""

    reads: int
    flushes: int


@dataclass(frozen=True)
class Given:
    """Commands of the control queue in the order in which the device took them; shapes (n,), times in ns."""

    taken_ns: I64
    answered_ns: I64
    """The largest number where no answer was traced."""
    flush: Mask
    transfer: Mask

    def __len__(self) -> int:
        return len(self.taken_ns)


NEVER_NS = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class DriverFacts:
    """All that is known of one driver."""

    trace: Trace
    samples: tuple[RingSample, ...] = ()
    cpu: CpuTime | None = None
    register_reads: RegisterReads | None = None
    changed_px: tuple[int, ...] = ()
    """Pixels of the rectangle around what differs, between pictures a frame or more apart, of each pair."""
    launch_ms: tuple[float, ...] = ()
    """Median frame times of launches of this image."""
    pace: int = 0
    """Frames a second that the kernel means to keep; 0 for as many as it can."""
    frame_ns: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    """When each frame was flushed, where somebody else has found that; empty: found from the trace."""

    @cached_property
    def frames_ns(self) -> I64:
        """When each frame was flushed, shape (n,)."""
        return self.frame_ns if len(self.frame_ns) else presented_frames(self.trace).time_ns

    @cached_property
    def interval_ms(self) -> float:
        """Mean frame time; 0 with fewer than two frames."""
        times = self.frames_ns
        return float(times[-1] - times[0]) / 1e6 / (len(times) - 1) if len(times) > 1 else 0.0

    @cached_property
    def notify_ns(self) -> I64:
        """When the control queue was notified, shape (m,)."""
        notifies = self.trace.of(NOTIFY)
        return notifies.time_ns[_of_queue(notifies, CONTROL)]

    @cached_property
    def begins_ns(self) -> I64:
        """When the device was notified of each frame first: of what came after the frame before; shape (at most n,)."""
        frames, notifies = self.frames_ns, self.notify_ns
        first = np.unique(np.searchsorted(notifies, frames[:-1], side="right"))
        found: I64 = notifies[first[first < len(notifies)]]
        return found

    @cached_property
    def commands(self) -> Given:
        """The control queue's commands."""
        return _given(self.trace)

    @cached_property
    def control(self) -> tuple[RingSample, ...]:
        """Samples of the control queue."""
        return tuple(one for one in self.samples if one.number == CONTROL)

    @property
    def interrupts(self) -> bool:
        """The driver wants interrupts: it does not poll, or not only."""
        return any(one.interrupts for one in self.control)

    @property
    def frames_traced(self) -> int:
        return len(self.frames_ns)

    def a_frame(self, count: float) -> float:
        """A count of the whole trace, for each frame."""
        return count / max(self.frames_traced, 1)


def _of_queue(events: Events, number: int) -> Mask:
    return np.asarray(events.args["n"] == number) if "n" in events.args else np.ones(len(events), bool)


def _control_address(trace: Trace) -> int | None:
    """The control queue's address inside QEMU, by which other events name it."""
    notifies = trace.of(NOTIFY)
    addresses = notifies.args.get("vq", np.zeros(0, np.int64))[_of_queue(notifies, CONTROL)]
    return int(addresses[0]) if len(addresses) else None


def _of_control(trace: Trace, kind: str) -> Events:
    events, address = trace.of(kind), _control_address(trace)
    if address is None or "vq" not in events.args:
        return events
    mine = events.args["vq"] == address
    args = {name: values[mine] for name, values in events.args.items()}
    return Events(events.time_ns[mine], events.offset[mine], args)


def _given(trace: Trace) -> Given:
    """Pops with the fill of the same element, and what the device did right before that fill."""
    pops, fills = _of_control(trace, POP), _of_control(trace, FILL)
    if not {"elem"} <= pops.args.keys() or not {"elem"} <= fills.args.keys():
        nothing = np.zeros(0, np.int64)
        return Given(nothing, nothing, np.zeros(0, bool), np.zeros(0, bool))
    answer = np.full(len(pops), -1, np.int64)
    waiting: dict[int, list[int]] = {}
    merged = [(offset, 0, at) for at, offset in enumerate(pops.offset.tolist())]
    merged += [(offset, 1, at) for at, offset in enumerate(fills.offset.tolist())]
    for _, is_fill, at in sorted(merged):
        if not is_fill:
            waiting.setdefault(int(pops.args["elem"][at]), []).append(at)
        elif queue := waiting.get(int(fills.args["elem"][at])):
            answer[queue.pop(0)] = at
    done = answer >= 0
    begins = np.append(np.int64(-1), fills.offset)[answer]
    ends = np.where(done, fills.offset[answer], NEVER_NS) if len(fills) else np.full(len(pops), NEVER_NS)
    flush = done & _between(trace.of(FLUSH).offset, begins, ends)
    transfer = np.zeros(len(pops), bool)
    for kind in TRANSFERS:
        transfer |= done & _between(trace.of(kind).offset, begins, ends)
    return Given(pops.time_ns, _published(trace, fills, answer), flush, transfer)


def _between(offsets: I64, begins: I64, ends: I64) -> Mask:
    found: Mask = np.searchsorted(offsets, begins, side="right") < np.searchsorted(offsets, ends)
    return found


def _published(trace: Trace, fills: Events, answer: I64) -> I64:
    """When the guest could see each answer: at the used ring's next step after its fill."""
    steps = _of_control(trace, PUBLISH)
    if not len(fills):
        return np.full(len(answer), NEVER_NS, np.int64)
    at = np.searchsorted(steps.offset, fills.offset)
    times = np.append(steps.time_ns, NEVER_NS)[np.minimum(at, len(steps))]
    return np.where(answer >= 0, times[answer], NEVER_NS)


def median_of(values: Sequence[float] | I64) -> float:
    """The median; 0 of nothing."""
    return float(np.median(values)) if len(values) else 0.0
