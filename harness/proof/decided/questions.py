"""The questions: which pairs of the driver's accesses must stay in order, and what goes wrong where they do not.

Each question is a cycle of two threads. The driver does ``first`` before ``second`` in program order; the device
touches the same two words in the other order. All three models are multi-copy atomic, so the outcome is forbidden
exactly when both sides keep their pairs in order; it can happen as soon as one of them does not.
"""

from __future__ import annotations

import bisect
import enum
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.proof.emulator.split_ring import Chain
from harness.proof.recorded.access import Access
from harness.proof.recorded.recording import DRAWN_BYTES, Recording, Ring


class DevicePair(enum.Enum):
    """The pair of accesses that the device must keep in order."""

    READ_READ = "reads the index before what it stands for"
    READ_WRITE = "reads the index before it writes a response"
    WRITE_WRITE = "writes response and element before the index"
    READ_THEN_INDEX = "has read a buffer before it writes the used index"
    WRITE_READ = "writes what it wants to be told before it reads the index again"


@dataclass(frozen=True)
class Pair:
    """One instance of a question in one recording."""

    first: Access
    second: Access
    what: str
    """The word at stake, in words: ``descriptor 3``."""
    other: str = "available index"
    """The other word."""
    stakes_second: bool = False
    """The word at stake is that of the second access."""

    @property
    def names(self) -> tuple[str, str]:
        """The words of both accesses."""
        return (self.other, self.what) if self.stakes_second else (self.what, self.other)


@dataclass(frozen=True)
class Question:
    """One question, and how its instances are found in a recording."""

    name: str
    asks: str
    """What must not happen."""
    device: DevicePair
    find: Callable[["RingAccesses"], Iterator[Pair]]


class RingAccesses:
    """Looks things up in the accesses of a recording that concern one ring."""

    def __init__(self, recording: Recording, ring: Ring) -> None:
        self.recording, self.ring = recording, ring
        self._touching = _by_byte(recording)
        self.published = self._steps(ring.avail_index, write=True)
        """For each chain by its number: the write of ``avail->idx`` that hands it over."""
        self.noticed = self._steps(ring.used_index, write=False)
        """For each completion by its number: the read of ``used->idx`` that shows it first."""
        self.publishes = sorted({one.index for one in self.published.values()})

    def _steps(self, index_at: int, write: bool) -> dict[int, Access]:
        found: dict[int, Access] = {}
        count = 0
        for access in self.touching(write, index_at):
            ahead = (access.value - count) & 0xFFFF
            if ahead < 0x8000:
                for number in range(count, count + ahead):
                    found[number] = access
                count += ahead
        return found

    def touching(self, write: bool, address: int) -> list[Access]:
        """Accesses to one byte, in program order."""
        return self._touching.get((write, address), [])

    def between(self, after: int, before: int, start: int, end: int, write: bool) -> list[Access]:
        """Accesses to a range of bytes, by position in the recording: both bounds exclusive."""
        found = {}
        for at in range(start, end):
            touching = self.touching(write, at)
            low = bisect.bisect_right(touching, after, key=lambda a: a.index)
            for access in touching[low:]:
                if access.index >= before:
                    break
                found[access.index] = access
        return [found[index] for index in sorted(found)]

    def last_before(self, before: int, start: int, end: int, write: bool) -> list[Access]:
        """For each byte of a range the last access before a position, each access once."""
        found = {}
        for at in range(start, end):
            touching = self.touching(write, at)
            place = bisect.bisect_left(touching, before, key=lambda a: a.index)
            if place:
                found[touching[place - 1].index] = touching[place - 1]
        return [found[index] for index in sorted(found)]

    def until_next_publish(self, notice: Access, start: int, end: int, write: bool) -> list[Access]:
        """Accesses to a range of bytes after a completion was seen and before anything is published again."""
        place = bisect.bisect_right(self.publishes, notice.index)
        limit = self.publishes[place] if place < len(self.publishes) else len(self.recording.accesses)
        if write:
            return self.between(notice.index, limit, start, end, write)
        # What the driver has written itself in the meantime is no longer what the device wrote.
        found: dict[int, Access] = {}
        for at in range(start, end):
            own = _first_after(self.touching(True, at), notice.index)
            until = min(limit, own.index) if own is not None else limit
            found |= {one.index: one for one in self.between(notice.index, until, at, at + 1, write)}
        return [found[index] for index in sorted(found)]

    def handed_over(self) -> Iterator[tuple[Chain, Access]]:
        """Each chain with the write of ``avail->idx`` that hands it over."""
        return ((chain, self.published[chain.number]) for chain in self.ring.chains if chain.number in self.published)

    def completed(self) -> Iterator[tuple[Chain, Access]]:
        """Each chain with the read of ``used->idx`` that shows its completion first."""
        return ((chain, self.noticed[chain.number]) for chain in self.ring.chains if chain.number in self.noticed)


@functools.lru_cache(maxsize=4)
def _by_byte(recording: Recording) -> dict[tuple[bool, int], list[Access]]:
    """Accesses to memory, by whether they write and by the bytes that they touch, in program order."""
    found: dict[tuple[bool, int], list[Access]] = defaultdict(list)
    for access in recording.accesses:
        if access.fence is None and not recording.device(access):
            for at in range(access.address, access.end):
                found[access.write, at].append(access)
    return found


@functools.lru_cache(maxsize=8)
def view_of(recording: Recording, ring: Ring) -> RingAccesses:
    """The view of one ring of one recording."""
    return RingAccesses(recording, ring)


_DRIVER_OK = 4
Range = tuple[int, int, str]
"""Start, length in bytes, and what lies there."""


def _read_by_device(ring: Ring, chain: Chain) -> list[Range]:
    """The descriptors of a chain, and its requests."""
    ranges = [(ring.descriptors + 16 * one, 16, f"descriptor {one}") for one in chain.descriptors]
    return ranges + [(b.address, b.length, "request") for b in chain.buffers if not b.device_writes]


def _pictures(ring: Ring) -> list[Range]:
    """What was drawn, of each picture."""
    return [(b.address, min(b.length, DRAWN_BYTES), "picture") for b in ring.backing]


def _responses(chain: Chain) -> list[Range]:
    """What the device answers into."""
    what = f"response of chain {chain.number}"
    return [(b.address, b.length, what) for b in chain.buffers if b.device_writes]


def _payload(view: RingAccesses) -> Iterator[Pair]:
    """What the device reads once it has seen the index: slot, descriptors, requests, and the picture."""
    for chain, publish in view.handed_over():
        slot = (view.ring.slot(chain.number), 2, f"slot of chain {chain.number}")
        for start, length, what in (slot, *_read_by_device(view.ring, chain), *_pictures(view.ring)):
            for access in view.last_before(publish.index, start, start + length, write=True):
                yield Pair(access, publish, what)


def _response(view: RingAccesses, write: bool) -> Iterator[Pair]:
    """The last write to a response, or the last read of it, before the device may answer into it."""
    for chain, publish in view.handed_over():
        for start, length, what in _responses(chain):
            for access in view.last_before(publish.index, start, start + length, write):
                yield Pair(access, publish, what)


def _element_reuse(view: RingAccesses) -> Iterator[Pair]:
    ring = view.ring
    for chain, publish in view.handed_over():
        last = chain.number - ring.size
        for access in view.last_before(publish.index, *ring.element(chain.number), write=False) if last >= 0 else ():
            yield Pair(access, publish, f"used element of completion {last}")


def _poll_element(view: RingAccesses) -> Iterator[Pair]:
    for number, notice in view.noticed.items():
        start, end = view.ring.element(number)
        for access in view.until_next_publish(notice, start, end, write=False):
            yield Pair(notice, access, f"used element of completion {number}", "used index", True)


def _poll_response(view: RingAccesses) -> Iterator[Pair]:
    for chain, notice in view.completed():
        for start, length, what in _responses(chain):
            for access in view.until_next_publish(notice, start, start + length, write=False):
                yield Pair(notice, access, what, "used index", True)


def _reuse(view: RingAccesses, ranges_of: Callable[[Ring, Chain], list[Range]]) -> Iterator[Pair]:
    """What the driver writes again once it has seen that the device is done with it."""
    for chain, notice in view.completed():
        for start, length, what in ranges_of(view.ring, chain):
            for access in view.until_next_publish(notice, start, start + length, write=True):
                yield Pair(notice, access, what, "used index", True)


def _first_after(accesses: list[Access], position: int) -> Access | None:
    place = bisect.bisect_right(accesses, position, key=lambda a: a.index)
    return accesses[place] if place < len(accesses) else None


def _kick_check(view: RingAccesses) -> Iterator[Pair]:
    reads = view.touching(False, view.ring.notify_flags)
    for position in view.publishes:
        read = _first_after(reads, position)
        if read is not None:
            what = "avail_event" if view.ring.event_index else "notification flags"
            yield Pair(view.recording.accesses[position], read, what, stakes_second=True)


def _asks(view: RingAccesses, write: Access) -> bool:
    """Whether a write to the flags or to ``used_event`` asks for an interrupt with the next completion."""
    if not view.ring.event_index:
        return write.value == 0
    seen = sum(notice.index < write.index for notice in view.noticed.values())
    return (write.value - seen) & 0xFFFF < view.ring.size


def _rearm(view: RingAccesses) -> Iterator[Pair]:
    """Asking for an interrupt, and the look at ``used->idx`` that follows."""
    looks = view.touching(False, view.ring.used_index)
    for write in view.touching(True, view.ring.interrupt_flags):
        look = _first_after(looks, write.index)
        asks = _asks(view, write)
        if look is not None and asks and view.publishes and write.index > view.publishes[0]:
            yield Pair(write, look, "used_event" if view.ring.event_index else "interrupt flags", "used index")


def _notify(view: RingAccesses) -> Iterator[Pair]:
    tells = [
        a
        for a in view.recording.accesses
        if a.fence is None and a.write and any(start <= a.address < end for start, end in view.recording.notify)
    ]
    for position in view.publishes:
        tell = _first_after(tells, position)
        if tell is not None:
            yield Pair(view.recording.accesses[position], tell, "available index", "notification")


def _starts(view: RingAccesses, registers: frozenset[int], bits: int) -> Iterator[Access]:
    """Writes of some bits to registers, before anything is published."""
    for access in view.recording.accesses:
        if view.publishes and access.index > view.publishes[0]:
            return
        if access.fence is None and access.write and access.address in registers and access.value & bits:
            yield access


def _ring_before(view: RingAccesses, start: Access, word: str) -> Iterator[Pair]:
    """The last writes to the flags and to both indexes of a ring before something starts."""
    for at in (view.ring.available, view.ring.avail_index, view.ring.used, view.ring.used_index):
        for access in view.last_before(start.index, at, at + 2, write=True):
            yield Pair(access, start, "ring", word)


def _initialisation(view: RingAccesses) -> Iterator[Pair]:
    """What the ring holds before the device may look at it: before ``queue_enable``."""
    for enable in _starts(view, view.recording.queue_enables, ~0):
        yield from _ring_before(view, enable, "queue_enable")


def _start(view: RingAccesses) -> Iterator[Pair]:
    """What the ring holds, and that its queue is enabled, before the device is started (§3.1.1)."""
    recording = view.recording
    enables = list(_starts(view, recording.queue_enables, ~0))
    for start in _starts(view, recording.statuses, _DRIVER_OK):
        yield from _ring_before(view, start, "DRIVER_OK")
        for enable in enables:
            if enable.index < start.index and recording.region(enable) == recording.region(start):
                yield Pair(enable, start, "queue_enable", "DRIVER_OK")


QUESTIONS: tuple[Question, ...] = (
    Question(
        "publish",
        "the device sees the new index, and an old slot, descriptor, request or picture",
        DevicePair.READ_READ,
        _payload,
    ),
    Question(
        "response-clear",
        "the driver's clearing of a response lands on what the device answered",
        DevicePair.READ_WRITE,
        functools.partial(_response, write=True),
    ),
    Question(
        "response-reuse",
        "the driver reads the next response where it meant to read the last one",
        DevicePair.READ_WRITE,
        functools.partial(_response, write=False),
    ),
    Question(
        "element-reuse",
        "the driver reads a used element that belongs to a later completion",
        DevicePair.READ_WRITE,
        _element_reuse,
    ),
    Question(
        "poll-element",
        "the driver sees the used index moved, and an old used element",
        DevicePair.WRITE_WRITE,
        _poll_element,
    ),
    Question(
        "poll-response",
        "the driver sees the used index moved, and an old response",
        DevicePair.WRITE_WRITE,
        _poll_response,
    ),
    Question(
        "buffer-reuse",
        "the device reads a descriptor or a request that the driver wrote for the next chain",
        DevicePair.READ_THEN_INDEX,
        functools.partial(_reuse, ranges_of=_read_by_device),
    ),
    Question(
        "framebuffer-reuse",
        "the device transfers a pixel that the driver drew after it saw the transfer complete",
        DevicePair.READ_THEN_INDEX,
        functools.partial(_reuse, ranges_of=lambda ring, chain: _pictures(ring)),
    ),
    Question(
        "kick-check",
        "the driver sees that no notification is wanted, and the device that nothing was published: a lost kick",
        DevicePair.WRITE_READ,
        _kick_check,
    ),
    Question(
        "re-arm",
        "the driver sees no completion, and the device that no interrupt is wanted: a lost interrupt",
        DevicePair.WRITE_READ,
        _rearm,
    ),
    Question(
        "notify",
        "the device is notified before it can see the index that it was notified of",
        DevicePair.READ_READ,
        _notify,
    ),
    Question(
        "initialisation",
        "a queue is enabled before its ring is empty",
        DevicePair.READ_READ,
        _initialisation,
    ),
    Question(
        "start",
        "the device is started (DRIVER_OK) before its rings are empty, or before its queues are enabled",
        DevicePair.READ_READ,
        _start,
    ),
)
