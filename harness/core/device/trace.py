"""QEMU's trace log, parsed into arrays of host time stamps.

Accepted formats, of ``-trace EVENT -msg timestamp=on -D FILE -d guest_errors``, told apart by the file itself::

    ^PID@SECONDS.MICROSECONDS:EVENT( ARGUMENTS)?$          an event, QEMU 7.2 to 10.0
    ^YYYY-MM-DDTHH:MM:SS(.FRACTION)?Z EVENT( ARGUMENTS)?$  an event, QEMU 10.1 and later
    ^(STAMP )?TEXT$                                        anything else: a complaint of a device

``ARGUMENTS`` are ``name value`` pairs, the value decimal or ``0x`` hexadecimal, apart by blanks or commas. A last line
without newline is dropped. A file in which events can be seen and not read is *unreadable*: the instrument's fault.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness.core.arrays import I64

FLUSH = "virtio_gpu_cmd_res_flush"
TRANSFER_2D = "virtio_gpu_cmd_res_xfer_toh_2d"
TRANSFERS_3D = ("virtio_gpu_cmd_res_xfer_toh_3d", "virtio_gpu_cmd_ctx_submit")
TRANSFERS = (TRANSFER_2D, *TRANSFERS_3D)
SET_SCANOUT = "virtio_gpu_cmd_set_scanout"
SET_SCANOUT_BLOB = "virtio_gpu_cmd_set_scanout_blob"
CURSOR_UPDATE = "virtio_gpu_update_cursor"
"""Its third argument is a word, ``update`` or ``move``, which becomes the argument ``move``: 0 or 1."""
KEY_EVENT = "input_event_key_qcode"
"""An event of QEMU's keyboard layer; the name of the key, a word, is left out of its arguments."""
QUEUE_FULL = "virtio_input_queue_full"
"""A report for which the guest's queue had no room, so that the device dropped it."""
NOTIFY = "virtio_queue_notify"
POP = "virtqueue_pop"
FILL = "virtqueue_fill"
PUBLISH = "virtqueue_flush"

THREAD_SKEW_NS = 1_000_000
"""Threads take a line's time before they take the log's lock, so lines may be out of order by about this much."""

_LATEST_NS = 1 << 62
"""Year 2116; sums and differences of times up to here fit 64 bits."""

_EVENT = re.compile(rb"^(\d{1,10})@(\d{1,11})\.(\d{6}):([a-z_][a-z0-9_]*)(?: ([^\n]*))?$", re.MULTILINE)
_ISO_STAMP = rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z "
_ISO_EVENT = re.compile(rb"^" + _ISO_STAMP + rb"([a-z][a-z0-9]*_[a-z0-9_]+)(?: ([^\n:]*))?$", re.MULTILINE)
_EVENT_NAMES = re.compile(rb"\b(?:virtio_gpu_cmd_|virtio_queue_notify|virtqueue_(?:pop|fill|flush))[a-z0-9_]* ")
_STAMPLESS = re.compile(rb"^(?:virtio_gpu_cmd_|virtio_queue_|virtqueue_)[a-z0-9_]+ ", re.MULTILINE)
_SPEAKER = re.compile(rb"^(?:" + _ISO_STAMP + rb")?(?:qemu-system-[\w.-]+: )?(?:([A-Za-z_][\w .()+/-]*?): )?(.*)$")
_OTHER_LINE = re.compile(
    rb"^(?!\d+@\d+\.\d+:"
    rb"|[^ \n]*\d[^ \n]* (?:virtio_gpu_cmd|virtio_gpu_fence|virtio_queue|virtqueue)_\w+ )[^\n]*\S[^\n]*$",
    re.MULTILINE,
)
"""Neither an event nor a damaged one."""
_PAIR = re.compile(rb"([a-z_]+) (0x[0-9a-f]{1,16}|-?\d{1,19})(?![0-9a-fx])")
_CURSOR_WORD = re.compile(rb", (update|move),")
_KEY_WORD = re.compile(rb" key qcode \w+,")
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
    """A device's complaint about a command or an access, from QEMU's guest_errors log."""

    offset: int
    function: str
    """Its source, a function of QEMU's or a device; empty when the message does not tell."""
    text: str

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.function}: {self.text}" if self.function else self.text

    @property
    def by_virtio(self) -> bool:
        """A device that drivers here are measured on says it."""
        return self.function.lower().startswith(("virtio", "virgl", "virtqueue", "vhost"))


@dataclass(frozen=True)
class Trace:
    """One trace log."""

    events: Mapping[str, Events]
    refusals: tuple[Refusal, ...]
    problems: tuple[str, ...]
    """Damage of the log's content: half a line, unreadable arguments."""
    unreadable: str = ""
    """Why nothing can be concluded from the log: it is of a format that is not known here."""
    clock_steps: tuple[str, ...] = ()
    """Steps back of the host's clock."""

    def of(self, kind: str) -> Events:
        """All events of a kind."""
        return self.events.get(kind, NO_EVENTS)

    @property
    def transfers(self) -> Events:
        """Every command that changes what a later flush shows, in the order of the log, without arguments."""
        kinds = [self.of(kind) for kind in TRANSFERS]
        offset = np.concatenate([events.offset for events in kinds])
        order = np.argsort(offset, kind="stable")
        return Events(np.concatenate([events.time_ns for events in kinds])[order], offset[order])


class _Line(NamedTuple):
    """One event as it stands in the log."""

    time_ns: int
    offset: int
    kind: bytes
    arguments: bytes


def parse_trace(log: bytes) -> Trace:
    """Parse a whole trace log; what is wrong with it is listed in ``problems`` and ``unreadable``."""
    problems: list[str] = []
    end = log.rfind(b"\n") + 1
    if end < len(log):
        problems.append(f"the trace ends inside a line, {len(log) - end} bytes dropped")
    text = log[:end]
    found: dict[bytes, list[_Line]] = {}
    sequence: list[int] = []
    beyond = 0
    for line in _lines(text):
        sequence.append(line.time_ns)
        if line.time_ns > _LATEST_NS:
            beyond += 1
            continue
        found.setdefault(line.kind, []).append(line)
    if not sequence and not _STAMPLESS.search(text):
        problems.append("no trace events")
    if beyond:
        problems.append(f"{beyond} events with impossible times were dropped")
    times_ns = np.array([time_ns for time_ns in sequence if time_ns <= _LATEST_NS], np.int64)
    events = {kind.decode(): _events(kind.decode(), rows, problems) for kind, rows in found.items()}
    unreadable = "" if sequence else _why_unreadable(text)
    refusals = () if unreadable else tuple(_refusals(text))
    return Trace(events, refusals, tuple(problems), unreadable, tuple(_clock_steps(times_ns)))


def _lines(text: bytes) -> Iterator[_Line]:
    """Events in the order of the log, in the format that the file is in."""
    first = _EVENT.search(text)
    if first is not None:
        for match in _EVENT.finditer(text):
            _, seconds, micros, kind, arguments = match.groups()
            time_ns = int(seconds) * 1_000_000_000 + int(micros) * 1000
            yield _Line(time_ns, match.start(), kind, arguments or b"")
        return
    for match in _ISO_EVENT.finditer(text):
        stamp, fraction, kind, arguments = match.groups()
        second_ns = _second_ns(stamp)
        if second_ns is not None:
            # GLib leaves the fraction out when it is zero.
            yield _Line(second_ns + int((fraction or b"").ljust(9, b"0")), match.start(), kind, arguments or b"")


@lru_cache(maxsize=16)
def _second_ns(stamp: bytes) -> int | None:
    """``YYYY-MM-DDTHH:MM:SS``, UTC, as time since the epoch; None when it is invalid."""
    try:
        at = datetime.strptime(stamp.decode(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return int(at.timestamp()) * 1_000_000_000


def _why_unreadable(text: bytes) -> str:
    """Why no event of a log could be read although it shows some; empty when it shows none."""
    if _STAMPLESS.search(text):
        return "the trace has no time stamps: QEMU needs -msg timestamp=on"
    seen = _EVENT_NAMES.search(text)
    if seen is None:
        return ""
    begin = text.rfind(b"\n", 0, seen.start()) + 1
    line = text[begin : text.index(b"\n", begin)][:100].decode("utf-8", "backslashreplace")
    return f"the trace is in a format that is not known here, that of a newer QEMU perhaps: {line!r}"


def _refusals(text: bytes) -> Iterator[Refusal]:
    """Lines that are not events."""
    for line in _OTHER_LINE.finditer(text):
        if _ISO_EVENT.match(line[0]):
            continue
        said = _SPEAKER.match(line[0])
        assert said is not None
        speaker, words = said[3] or b"", said[4]
        yield Refusal(line.start(), speaker.decode(), words.decode("utf-8", "backslashreplace"))


def _events(kind: str, rows: list[_Line], problems: list[str]) -> Events:
    """Columns of one kind; rows whose arguments, values aside, do not read like most others' are dropped and told."""
    if kind == CURSOR_UPDATE:
        rows = [row._replace(arguments=_CURSOR_WORD.sub(_cursor_pair, row.arguments)) for row in rows]
    if kind == KEY_EVENT:
        rows = [row._replace(arguments=_KEY_WORD.sub(b"", row.arguments)) for row in rows]
    # Most events of a kind repeat the arguments of others: each text is read once.
    shapes = {text: _PAIR.sub(rb"\1=", text) for text in {row.arguments for row in rows}}
    usual = Counter(shapes[row.arguments] for row in rows).most_common(1)[0][0]
    odd = sum(shapes[row.arguments] != usual for row in rows)
    if odd:
        problems.append(f"{odd} {kind} events whose arguments do not read like the others' were dropped")
        rows = [row for row in rows if shapes[row.arguments] == usual]
    time_ns = np.array([row.time_ns for row in rows], np.int64)
    offset = np.array([row.offset for row in rows], np.int64)
    pairs = {text: _PAIR.findall(text) for text, shape in shapes.items() if shape == usual}
    names = [name.decode() for name, _ in pairs[rows[0].arguments]]
    if not names:
        return Events(time_ns, offset, _NO_ARGUMENTS)
    values = {text: [_integer(value) for _, value in found] for text, found in pairs.items()}
    columns = np.array([values[row.arguments] for row in rows], np.uint64).astype(np.int64)
    return Events(time_ns, offset, {name: columns[:, column] for column, name in enumerate(names)})


def _cursor_pair(word: re.Match[bytes]) -> bytes:
    return b", move %d," % (word[1] == b"move")


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
