"""QEMU's trace log, parsed into arrays of host time stamps.

Accepted format, of ``-trace EVENT -msg timestamp=on -D FILE -d guest_errors`` (QEMU 7.2's simple log backend)::

    ^PID@SECONDS.MICROSECONDS:EVENT( ARGUMENTS)?$          a trace event
    ^(virtio_gpu_FUNCTION|virgl_FUNCTION): TEXT$           the device refused the command before it

``ARGUMENTS`` are ``name value`` pairs, the value decimal or ``0x`` hexadecimal, apart by blanks or commas. Lines of
other QEMU versions, other events and other messages are counted and skipped. A last line without newline is dropped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]

FLUSH = "virtio_gpu_cmd_res_flush"
TRANSFER_2D = "virtio_gpu_cmd_res_xfer_toh_2d"
TRANSFERS_3D = ("virtio_gpu_cmd_res_xfer_toh_3d", "virtio_gpu_cmd_ctx_submit")
TRANSFERS = (TRANSFER_2D, *TRANSFERS_3D)
SET_SCANOUT = "virtio_gpu_cmd_set_scanout"
NOTIFY = "virtio_queue_notify"
POP = "virtqueue_pop"
FILL = "virtqueue_fill"
PUBLISH = "virtqueue_flush"
FENCE_CTRL = "virtio_gpu_fence_ctrl"
FENCE_RESP = "virtio_gpu_fence_resp"

THREAD_SKEW_NS = 1_000_000
"""Threads stamp a line before they take the log's lock, so that lines may be out of order by about this much."""

_LATEST_NS = 1 << 62
"""Year 2116; sums and differences of times up to here fit 64 bits."""

_EVENT = re.compile(rb"^(\d{1,10})@(\d{1,11})\.(\d{6}):([a-z_][a-z0-9_]*)(?: ([^\n]*))?$", re.MULTILINE)
_STAMPLESS = re.compile(rb"^(?:virtio_gpu_cmd_|virtio_queue_|virtqueue_)[a-z0-9_]+ ", re.MULTILINE)
_REFUSAL = re.compile(rb"^(virtio_gpu_\w+|virgl_\w+): ([^\n]*)$", re.MULTILINE)
_PAIR = re.compile(rb"([a-z_]+) (0x[0-9a-f]{1,16}|-?\d{1,19})(?![0-9a-fx])")
_NO_ARGUMENTS: Mapping[str, I64] = {}


@dataclass(frozen=True)
class Events:
    """All events of one kind, in the order of the log.

    ``time_ns`` are host times since the epoch, ``offset`` places in the log that order events of different kinds, both
    of shape (n,). ``args`` maps an argument's name to its values, shape (n,), signed; 64-bit values wrap.
    """

    time_ns: I64
    offset: I64
    args: Mapping[str, I64] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time_ns)


NO_EVENTS = Events(np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Refusal:
    """A command that the device answered with an error, as QEMU's guest_errors log tells it."""

    offset: int
    function: str
    text: str


@dataclass(frozen=True)
class Trace:
    """One trace log."""

    events: Mapping[str, Events]
    refusals: tuple[Refusal, ...]
    problems: tuple[str, ...]
    foreign_lines: int = 0

    def of(self, kind: str) -> Events:
        """Events of a kind; empty when there are none."""
        return self.events.get(kind, NO_EVENTS)

    @property
    def transfers(self) -> Events:
        """Every command that changes what a later flush shows, in the order of the log, without arguments."""
        kinds = [self.of(kind) for kind in TRANSFERS]
        offset = np.concatenate([events.offset for events in kinds])
        order = np.argsort(offset, kind="stable")
        return Events(np.concatenate([events.time_ns for events in kinds])[order], offset[order])


def parse_trace(log: bytes) -> Trace:
    """Parse a whole trace log; what is wrong with it is told in ``problems``."""
    problems: list[str] = []
    end = log.rfind(b"\n") + 1
    if end < len(log):
        problems.append(f"the trace ends inside a line, {len(log) - end} bytes dropped")
    text = log[:end]
    found: dict[bytes, list[tuple[int, int, bytes]]] = {}
    sequence: list[int] = []
    beyond = 0
    for match in _EVENT.finditer(text):
        _, seconds, micros, kind, arguments = match.groups()
        time_ns = int(seconds) * 1_000_000_000 + int(micros) * 1000
        if time_ns > _LATEST_NS:
            beyond += 1
            continue
        sequence.append(time_ns)
        found.setdefault(kind, []).append((time_ns, match.start(), arguments or b""))
    refusals = tuple(
        Refusal(match.start(), match[1].decode(), match[2].decode("utf-8", "backslashreplace"))
        for match in _REFUSAL.finditer(text)
    )
    if not sequence:
        stampless = _STAMPLESS.search(text)
        problems.append("no time stamps: QEMU needs -msg timestamp=on" if stampless else "no trace events")
    if beyond:
        problems.append(f"{beyond} events with times that no clock shows were dropped")
    problems.extend(_clock_steps(np.array(sequence, np.int64)))
    events = {kind.decode(): _events(kind.decode(), rows, problems) for kind, rows in found.items()}
    foreign = text.count(b"\n") - len(sequence) - len(refusals)
    return Trace(events, refusals, tuple(problems), foreign)


def _events(kind: str, rows: list[tuple[int, int, bytes]], problems: list[str]) -> Events:
    """Columns of one kind; rows whose arguments, values aside, do not read like most others' are dropped and told."""
    shapes = [_PAIR.sub(rb"\1=", row[2]) for row in rows]
    usual = Counter(shapes).most_common(1)[0][0]
    if any(shape != usual for shape in shapes):
        odd = sum(shape != usual for shape in shapes)
        problems.append(f"{odd} {kind} events whose arguments do not read like the others' were dropped")
        rows = [row for row, shape in zip(rows, shapes) if shape == usual]
    time_ns = np.array([row[0] for row in rows], np.int64)
    offset = np.array([row[1] for row in rows], np.int64)
    pairs = [_PAIR.findall(row[2]) for row in rows]
    names = [name for name, _ in pairs[0]]
    width = len(names)
    if not width:
        return Events(time_ns, offset, _NO_ARGUMENTS)
    values = np.array([[_integer(value) for _, value in row] for row in pairs], np.uint64)
    columns = values.astype(np.int64)
    return Events(time_ns, offset, {name.decode(): columns[:, column] for column, name in enumerate(names)})


def _integer(text: bytes) -> int:
    """A decimal or 0x number, as its lowest 64 bits."""
    return int(text, 16 if text.startswith(b"0x") else 10) & 0xFFFFFFFFFFFFFFFF


def _clock_steps(times_ns: I64) -> list[str]:
    """Steps back of the host's clock beyond what threads writing one log explain."""
    if len(times_ns) < 2:
        return []
    behind = np.maximum.accumulate(times_ns) - times_ns
    starts = np.flatnonzero((behind[1:] > THREAD_SKEW_NS) & (behind[:-1] <= THREAD_SKEW_NS)) + 1
    return [f"the host clock stepped back by {behind[at] / 1e6:.3f} ms at event {at + 1}" for at in starts[:20]]
