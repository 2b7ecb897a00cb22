"""Preserved program order of three architectures: which pairs of one thread's events every other thread sees in order.

All three models are multi-copy atomic, so an execution is described by one order in which accesses reach memory:

- x86-TSO: Sewell, Sarkar, Owens, Zappa Nardelli, Myreen, "x86-TSO", CACM 53(7), 2010.
- Armv8: Arm Architecture Reference Manual, B2.3 "Definition of the Armv8 memory model"; names of relations are those of
  its formal text: ``lws`` local write successor, ``dob`` dependency-, ``aob`` atomic-, ``bob`` barrier-ordered-before.
- RISC-V: The RISC-V Instruction Set Manual, volume I, chapter "RVWMO", preserved program order rules 1 to 13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from harness.proof.decided.events import Acquire, Event, EventKind, Thread

EventPlace = tuple[int, int]
"""A thread's number and an event's index; thread -1 holds the initial writes."""
ReadsFrom = Mapping[EventPlace, EventPlace]
"""The write that each read sees."""
Edge = tuple[int, int]


def _accesses(thread: Thread) -> list[Event]:
    return [event for event in thread if event.kind is not EventKind.FENCE]


def _pairs(thread: Thread) -> Iterator[tuple[Event, Event]]:
    accesses = _accesses(thread)
    for position, first in enumerate(accesses):
        for second in accesses[position + 1 :]:
            yield first, second


def _of_one_device(thread: Thread) -> Iterator[Edge]:
    """Accesses to registers of one device arrive in program order, where firmware and kernel map them as they must:

    - x86: memory type UC, Intel SDM 3A 12.3;
    - Armv8: Device-nGnRE, B2.7.2, "accesses to the same memory-mapped peripheral arrive in program order";
    - RISC-V: a strongly ordered I/O region, The RISC-V Instruction Set Manual, volume II, 3.6.5.
    """
    for first, second in _pairs(thread):
        if first.device and second.device and first.region == second.region:
            yield first.index, second.index


def _fenced(thread: Thread) -> Iterator[Edge]:
    """Pairs with a fence between them that orders accesses of their classes."""
    for fence in thread:
        if fence.fence is None or fence.fence.instruction:
            continue
        before = [e for e in thread[: fence.index] if e.kind is not EventKind.FENCE and e.letter in fence.fence.before]
        after = [e for e in thread[fence.index :] if e.kind is not EventKind.FENCE and e.letter in fence.fence.after]
        for first in before:
            for second in after:
                yield first.index, second.index


def _last_local_write(thread: Thread, read: Event) -> Event | None:
    """The newest earlier write of the thread to the location of a read."""
    for event in reversed(thread[: read.index]):
        if event.kind is EventKind.WRITE and event.location == read.location:
            return event
    return None


def order_x86_64(thread: Thread, number: int, reads_from: ReadsFrom) -> Iterator[Edge]:
    """Everything but a write before a read; a locked operation orders all around it."""
    del number, reads_from
    yield from _fenced(thread)
    yield from _of_one_device(thread)
    for first, second in _pairs(thread):
        relaxed = first.kind is EventKind.WRITE and second.kind is EventKind.READ
        if not relaxed or first.atomic is not None or second.atomic is not None:
            yield first.index, second.index


def _order_dependencies(second: Event) -> Iterator[Edge]:
    """Address and data dependencies, and control dependencies to writes."""
    for source in second.address | second.data:
        yield source, second.index
    if second.kind is EventKind.WRITE:
        for source in second.control:
            yield source, second.index


def _order_after_addresses(thread: Thread) -> Iterator[Edge]:
    """A write may not reach memory before the addresses of all accesses before it are known: ``addr; po; [W]``."""
    for first, second in _pairs(thread):
        if second.kind is EventKind.WRITE:
            for source in first.address:
                yield source, second.index


def _order_aarch64_sync(thread: Thread) -> Iterator[Edge]:
    """``(ctrl | addr; po); [ISB]; po; [R]`` of dob."""
    for barrier in thread:
        if barrier.fence is None or not barrier.fence.instruction:
            continue
        sources = set(barrier.control)
        for event in thread[: barrier.index]:
            sources |= event.address
        for event in thread[barrier.index :]:
            if event.kind is EventKind.READ:
                for source in sources:
                    yield source, event.index


def order_aarch64(thread: Thread, number: int, reads_from: ReadsFrom) -> Iterator[Edge]:
    """``lob`` before its closure: lws, dob, aob and bob."""
    del number, reads_from
    yield from _fenced(thread)
    yield from _of_one_device(thread)
    yield from _order_after_addresses(thread)
    yield from _order_aarch64_sync(thread)
    for event in _accesses(thread):
        yield from _order_dependencies(event)
        if event.kind is EventKind.READ:
            local = _last_local_write(thread, event)
            if local is not None:
                for source in local.address | local.data:
                    yield source, event.index
                if local.atomic is not None and event.acquire is not Acquire.NONE:
                    yield local.index, event.index
        elif event.atomic is not None:
            yield event.atomic, event.index
    for first, second in _pairs(thread):
        if first.location == second.location and second.kind is EventKind.WRITE:
            yield first.index, second.index
        if first.acquire is not Acquire.NONE or second.release:
            yield first.index, second.index
        if first.release and second.acquire is Acquire.SC:
            yield first.index, second.index
        if first.atomic is not None and first.kind is EventKind.WRITE and first.release:
            # [A]; amo; [L]; po: an atomic operation that acquires and releases orders what follows it.
            if thread[first.atomic].acquire is Acquire.SC:
                yield first.index, second.index


def order_riscv64(thread: Thread, number: int, reads_from: ReadsFrom) -> Iterator[Edge]:
    """Preserved program order, rules 1 to 13 of RVWMO."""
    yield from _fenced(thread)  # 4
    yield from _of_one_device(thread)
    yield from _order_after_addresses(thread)  # 13
    for event in _accesses(thread):
        yield from _order_dependencies(event)  # 9, 10, 11
        if event.kind is EventKind.WRITE and event.atomic is not None:
            yield event.atomic, event.index  # 8
        source = reads_from.get((number, event.index))
        if source is not None and source[0] == number:
            write = thread[source[1]]
            for origin in write.address | write.data:
                yield origin, event.index  # 12
            if write.atomic is not None:
                yield write.index, event.index  # 3
    for first, second in _pairs(thread):
        same = first.location == second.location
        if same and second.kind is EventKind.WRITE:
            yield first.index, second.index  # 1
        if same and _read_read(thread, number, first, second, reads_from):
            yield first.index, second.index  # 2
        if first.acquire is not Acquire.NONE or second.release:
            yield first.index, second.index  # 5, 6
        if first.release and second.acquire is Acquire.SC:
            yield first.index, second.index  # 7


def _read_read(thread: Thread, number: int, first: Event, second: Event, reads_from: ReadsFrom) -> bool:
    """Rule 2: two reads of one location, no write to it between them, of different writes.

    Without knowing what is read from, the reads may be of one write, and nothing is claimed.
    """
    if first.kind is not EventKind.READ or second.kind is not EventKind.READ:
        return False
    between = thread[first.index + 1 : second.index]
    if any(event.kind is EventKind.WRITE and event.location == first.location for event in between):
        return False
    return reads_from.get((number, first.index)) != reads_from.get((number, second.index))


PreservedOrder = Callable[[Thread, int, ReadsFrom], Iterator[Edge]]

ORDERS: Mapping[str, PreservedOrder] = {
    "x86_64": order_x86_64,
    "aarch64": order_aarch64,
    "riscv64": order_riscv64,
}


def order_of(arch: str, thread: Thread, number: int = 0, reads_from: ReadsFrom | None = None) -> frozenset[Edge]:
    """Edges of preserved program order of one thread, not closed.

    Parameters
    ----------
    arch
        ``x86_64``, ``aarch64`` or ``riscv64``.
    number
        The thread's number in ``reads_from``.
    reads_from
        What reads see. Without it only such edges are given as hold whatever is read.
    """
    return frozenset(ORDERS[arch](thread, number, reads_from or {}))
