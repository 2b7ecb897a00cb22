"""The questions: which pairs of the driver's accesses must stay in order, and what goes wrong where they do not.

Each question is a cycle of two threads. The driver does ``first`` before ``second`` in program order; the device
touches the same two words in the other order. All three models are multi-copy atomic, so the outcome is forbidden
exactly when both sides keep their pairs in order; it can happen as soon as one of them does not.

A write to what the device still has is wrong in any order: such a pair is ``in_flight``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.proof.decided.devices import DevicePair
from harness.proof.decided.ring_accesses import Pair, RingAccesses, first_after
from harness.proof.emulator.split_ring import Chain
from harness.proof.recorded.access import Access
from harness.proof.recorded.recording import DRAWN_BYTES, Ring


@dataclass(frozen=True)
class Question:
    """One question, and how its instances are found in a recording."""

    name: str
    asks: str
    """What must not happen."""
    device: DevicePair
    find: Callable[[RingAccesses], Iterator[Pair]]


_DRIVER_OK = 4
Range = tuple[int, int, str]
"""Start, length in bytes, and what lies there."""


def _read_by_device(ring: Ring, chain: Chain) -> list[Range]:
    """The descriptors of a chain, and its requests."""
    ranges = [(ring.descriptors + 16 * one, 16, f"descriptor {one}") for one in chain.descriptors]
    return ranges + [(b.address, b.length, "request") for b in chain.buffers if not b.device_writes]


def _pictures(ring: Ring, chain: Chain) -> list[Range]:
    """What was drawn, of the picture that a transfer reads."""
    picture = ring.pictures.get(chain.number)
    return [] if picture is None else [(picture.address, min(picture.length, DRAWN_BYTES), "picture")]


def _responses(chain: Chain) -> list[Range]:
    """What the device answers into."""
    what = f"response of chain {chain.number}"
    return [(b.address, b.length, what) for b in chain.buffers if b.device_writes]


def _payload(view: RingAccesses) -> Iterator[Pair]:
    """What the device reads once it has seen the index: slot, descriptors, requests, and the picture."""
    for chain, publish in view.handed_over():
        slot = (view.ring.slot(chain.number), 2, f"slot of chain {chain.number}")
        for start, length, what in (slot, *_read_by_device(view.ring, chain), *_pictures(view.ring, chain)):
            for access in view.last_before(publish.index, start, start + length, write=True):
                yield Pair(access, publish, what)


def _response(view: RingAccesses, write: bool) -> Iterator[Pair]:
    """The last write to a response, or the last read of it, before the device may answer into it."""
    for chain, publish in view.handed_over():
        for start, length, what in _responses(chain):
            for access in view.last_before(publish.index, start, start + length, write):
                yield Pair(access, publish, what)
    if write:
        yield from _in_flight(view, lambda ring, chain: _responses(chain))


def _in_flight(view: RingAccesses, ranges_of: Callable[[Ring, Chain], list[Range]]) -> Iterator[Pair]:
    """What the driver writes between handing a chain over and seeing that the device is done with it."""
    for chain, notice in view.completed():
        publish = view.published.get(chain.number, notice)
        for start, length, what in ranges_of(view.ring, chain):
            for access in view.between(publish.index, notice.index, start, start + length, write=True):
                yield Pair(publish, access, what, "available index", True, in_flight=True)


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
    yield from _in_flight(view, ranges_of)


def _kick_check(view: RingAccesses) -> Iterator[Pair]:
    reads = view.touching(False, view.ring.notify_flags)
    for position in view.publishes:
        read = first_after(reads, position)
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
        look = first_after(looks, write.index)
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
        tell = first_after(tells, position)
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
        "the device reads a descriptor or a request that the driver wrote for the next chain, or while it had it",
        DevicePair.READ_THEN_INDEX,
        functools.partial(_reuse, ranges_of=_read_by_device),
    ),
    Question(
        "framebuffer-reuse",
        "the device transfers a pixel that the driver drew after it saw the transfer complete",
        DevicePair.READ_THEN_INDEX,
        functools.partial(_reuse, ranges_of=_pictures),
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
