"""Each question answered for one kernel: forbidden, or a cycle that shows how it can happen."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.proof.decided.checker import Execution, Program, find_execution
from harness.proof.decided.devices import DeviceModel, DeviceOrder, DevicePair, device_thread
from harness.proof.decided.events import FULL, NO_FENCE, Event, EventKind, Thread
from harness.proof.decided.models import order_of
from harness.proof.decided.questions import QUESTIONS, Question
from harness.proof.decided.ring_accesses import Pair, view_of
from harness.proof.recorded.access import Access
from harness.proof.recorded.recording import Recording

FENCES_KEPT = 8
"""Fences kept at each end of a long stretch: order may be carried by those near the pair."""
ACCESSES_KEPT = 10
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Cycle:
    """One way in which a question's outcome happens."""

    question: str
    what: str
    recording: str
    first: str
    """The driver's earlier access, in words: ``W descriptor 3, virtqueue_add+0x7c: str x9, [x8, x5]``."""
    second: str
    device: DevicePair
    by_device: bool
    """The driver keeps its order; the device does not."""
    in_flight: bool
    """The driver writes what the device owns: no order could help."""
    program: Program
    """The cycle as a litmus test."""
    execution: Execution


@dataclass(frozen=True)
class LitmusShape:
    """A question as a program for herd7, and what was found of it here: pairs of one shape make one program."""

    what: str
    program: Program
    allowed: bool

    @property
    def speaks_of_memory(self) -> bool:
        """herd7 knows no device registers: a program with one is decided here alone."""
        return not any(event.device for thread in self.program.threads for event in thread)


@dataclass(frozen=True)
class Answer:
    """What was found for one question."""

    question: str
    pairs: int
    """Instances asked about; 0: the run has none, nothing is claimed."""
    cycles: tuple[Cycle, ...]
    """One for each shape: what is the same program about the same kind of word is shown once."""
    places: int = 0
    """Different pairs of instructions among the instances."""
    wrong_places: int = 0
    """Those of them that can go wrong."""
    shapes: tuple[LitmusShape, ...] = ()

    @property
    def word(self) -> str:
        if not self.pairs:
            return "not asked"
        return "allowed" if self.cycles else "forbidden"


class ProofError(Exception):
    """Two ways to decide the same question disagree: a fault of the prover itself."""


def _event(recording: Recording, access: Access, positions: Mapping[int, int], words: dict[int, str]) -> Event:
    def local(sources: frozenset[int]) -> frozenset[int]:
        return frozenset(positions[one] for one in sources if one in positions)

    index = positions[access.index]
    control = frozenset(number for one, number in positions.items() if recording.controls(one, access))
    if access.fence is not None:
        return Event(index, EventKind.FENCE, fence=access.fence, control=control)
    region = recording.region(access)
    return Event(
        index,
        EventKind.WRITE if access.write else EventKind.READ,
        words.setdefault(access.address << 16 | access.size, f"word {len(words)}"),
        1 if access.write else 0,
        None,
        access.acquire,
        access.release,
        region >= 0,
        local(access.address_from),
        local(access.data_from),
        control,
        region=region,
    )


def _relevant(recording: Recording, pair: Pair) -> list[Access]:
    """The pair, the fences around it, and the reads that address and data dependencies lead through.

    What is left out could only keep more in order, never less.
    """
    fences = recording.ordering(pair.first.index, pair.second.index)
    kept = {*fences[:FENCES_KEPT], *fences[-FENCES_KEPT:], pair.first.index, pair.second.index}
    most, frontier = len(kept) + ACCESSES_KEPT, [recording.accesses[pair.second.index]]
    while frontier and len(kept) < most:
        access = frontier.pop(0)
        for source in sorted(access.address_from | access.data_from, reverse=True):
            if source > pair.first.index and source not in kept and len(kept) < most:
                kept.add(source)
                frontier.append(recording.accesses[source])
    return [recording.accesses[index] for index in sorted(kept)]


@dataclass(frozen=True)
class DriverSide:
    """The driver's side of a pair: a thread, in which words have names of their own, and where the pair is in it."""

    thread: Thread
    first: int
    second: int

    def seen_from_outside(self) -> DriverSide:
        """Without the fences that order nothing outside of the CPUs' inner shareable domain."""
        thread = tuple(
            replace(event, fence=NO_FENCE)
            if event.fence is not None and event.fence.inner and not event.fence.instruction
            else event
            for event in self.thread
        )
        return replace(self, thread=thread)


def driver_side(recording: Recording, accesses: list[Access], pair: Pair) -> DriverSide:
    """The driver's side as a thread of events."""
    positions = {access.index: number for number, access in enumerate(accesses)}
    words: dict[int, str] = {}
    thread = tuple(_event(recording, access, positions, words) for access in accesses)
    return DriverSide(thread, positions[pair.first.index], positions[pair.second.index])


def keeps_order(arch: str, thread: Thread, first: int, second: int) -> bool:
    """Whether preserved program order, whatever is read, leads from one event to the other."""
    return bool(_way_of_order(arch, thread, first, second))


def _way_of_order(arch: str, thread: Thread, first: int, second: int) -> tuple[int, ...]:
    """A shortest way on which preserved program order leads from one event to the other; empty where there is none."""
    after: dict[int, set[int]] = {}
    for earlier, later in order_of(arch, thread):
        after.setdefault(earlier, set()).add(later)
    ways: dict[int, tuple[int, ...]] = {first: (first,)}
    frontier = [first]
    for at in frontier:
        for following in sorted(after.get(at, set()) - ways.keys()):
            ways[following] = (*ways[at], following)
            frontier.append(following)
    return ways.get(second, ())


def program_of(
    arch: str,
    question: Question,
    thread: Thread,
    first: int,
    second: int,
    *,
    device: DeviceOrder = DeviceOrder.FULL,
) -> Program:
    """The question as a litmus test: the driver's thread beside a device with what it has between its accesses."""
    kept = {*_way_of_order(arch, thread, first, second), *_path(thread, first, second)}
    events = [event for event in thread if event.kind is EventKind.FENCE or event.index in kept]
    renumbered = {event.index: number for number, event in enumerate(events)}

    def local(sources: frozenset[int]) -> frozenset[int]:
        return frozenset(renumbered[one] for one in sources if one in renumbered)

    names = {thread[first].location: "a", thread[second].location: "b"}
    driver = tuple(
        replace(
            event,
            index=number,
            location=names.get(event.location, f"other{event.index}" if event.location else ""),
            value=1 if event.index in (first, second) else 0,
            address=local(event.address),
            data=local(event.data),
            control=local(event.control),
            atomic=None,
        )
        for number, event in enumerate(events)
    )
    a, b = renumbered[first], renumbered[second]
    other, outcome = device_thread(arch, question.device, device)
    reads = {(1, index): value for index, value in outcome.items()}
    if driver[a].kind is EventKind.READ:
        reads[0, a] = 1
    if driver[b].kind is EventKind.READ:
        reads[0, b] = 0
    if driver[a].kind is EventKind.WRITE and other[-1].kind is EventKind.WRITE:
        # Both write the word: the driver's write, which came first, must not be the one that lasts.
        return Program(arch, (driver, (*other[:-1], replace(other[-1], value=2))), reads, {"a": 1})
    return Program(arch, (driver, other), reads, {})


def program_in_flight(arch: str, question: Question) -> Program:
    """A write to what was published and not yet seen to be done: the device reads it, or writes it as well."""
    driver = (Event(0, EventKind.WRITE, "a", 1), Event(1, EventKind.WRITE, "b", 1))
    reads = Event(0, EventKind.READ, "a"), Event(1, EventKind.FENCE, fence=FULL)
    if question.device is DevicePair.READ_WRITE:
        return Program(arch, (driver, (*reads, Event(2, EventKind.WRITE, "b", 2))), {(1, 0): 1}, {"b": 1})
    return Program(arch, (driver, (*reads, Event(2, EventKind.READ, "b"))), {(1, 0): 1, (1, 2): 1}, {})


def _path(thread: Thread, first: int, second: int) -> frozenset[int]:
    """The pair and the reads that dependencies lead through, the nearest first."""
    kept, frontier = {first, second}, [second]
    for at in frontier:
        event = thread[at]
        needed = event.address | event.data
        for source in (*sorted(needed, reverse=True), *sorted(event.control - needed, reverse=True)):
            if source not in kept and len(kept) < ACCESSES_KEPT:
                kept.add(source)
                frontier.append(source)
    return frozenset(kept)


@dataclass(frozen=True)
class AskedPairs:
    """The pairs of one question in all recordings of one kernel."""

    count: int
    places: int
    """Different pairs of instructions."""
    different: tuple[tuple[int, Pair], ...]
    """One pair of those that the same instructions make in the same way, with the number of its recording."""


@functools.lru_cache(maxsize=len(QUESTIONS))
def asked_pairs(recordings: tuple[Recording, ...], question: Question) -> AskedPairs:
    """Everything that one question asks about."""
    paths: set[tuple[bool, bytes]] = set()
    places: set[tuple[int, int]] = set()
    different: dict[object, tuple[int, Pair]] = {}
    count = 0
    for number, recording in enumerate(recordings):
        for pair in (pair for ring in recording.rings for pair in question.find(view_of(recording, ring))):
            count += 1
            places.add((pair.first.pc, pair.second.pc))
            path = recording.path[8 * pair.first.index : 8 * pair.second.index + 8]
            if (pair.in_flight, path) not in paths:
                paths.add((pair.in_flight, path))
                accesses = _relevant(recording, pair)
                side = driver_side(recording, accesses, pair)
                same = pair.in_flight, _kind(pair), side, tuple(access.pc for access in accesses)
                different.setdefault(same, (number, pair))
    return AskedPairs(count, len(places), tuple(different.values()))


def _kind(pair: Pair) -> str:
    """What is at stake, whichever of its kind."""
    return _NUMBER.sub("", pair.what).strip()


def answer(
    recordings: tuple[Recording, ...],
    question: Question,
    device: DeviceModel,
    pairs_from: tuple[Recording, ...] | None = None,
) -> Answer:
    """Ask one question of all recordings of one kernel.

    Parameters
    ----------
    pairs_from
        Recordings of the same accesses between other fences, whose pairs were found already.

    Raises
    ------
    ProofError
        When the order of a pair and the enumeration of executions disagree.
    """
    asked = asked_pairs(pairs_from or recordings, question)
    cycles: dict[tuple[str, str], Cycle] = {}
    shapes: dict[tuple[str, str], LitmusShape] = {}
    wrong: set[tuple[int, int]] = set()
    for number, pair in asked.different:
        place = pair.first.pc, pair.second.pc
        if place in wrong:
            continue
        program, found = _decided(recordings[number], question, device, pair)
        shape = _kind(pair), repr(program)
        shapes.setdefault(shape, LitmusShape(shape[0], program, found is not None))
        if found is not None:
            wrong.add(place)
            cycles.setdefault(shape, found)
    return Answer(question.name, asked.count, tuple(cycles.values()), asked.places, len(wrong), tuple(shapes.values()))


@functools.lru_cache(maxsize=4096)
def _verdict(
    arch: str, question: Question, order: DeviceOrder, side: DriverSide
) -> tuple[Program, Execution | None, bool]:
    """One driver's side against one device: as a program, how its outcome happens, and whether the driver keeps order.

    Raises
    ------
    ProofError
        When the two ways to decide disagree.
    """
    other, _ = device_thread(arch, question.device, order)
    kept = keeps_order(arch, side.thread, side.first, side.second)
    forbidden = kept and keeps_order(arch, other, 0, len(other) - 1)
    program = program_of(arch, question, side.thread, side.first, side.second, device=order)
    execution = find_execution(program)
    if (execution is None) is not forbidden:
        raise ProofError(f"order says {'forbidden' if forbidden else 'allowed'}, executions say otherwise")
    return program, execution, kept


def _decided(recording: Recording, question: Question, device: DeviceModel, pair: Pair) -> tuple[Program, Cycle | None]:
    """One pair as a program, with its cycle; None where it is forbidden."""
    words = _words(recording, pair.first, pair.names[0]), _words(recording, pair.second, pair.names[1])
    if pair.in_flight:
        program, kept = program_in_flight(recording.arch, question), False
        execution = find_execution(program)
    else:
        side = driver_side(recording, _relevant(recording, pair), pair)
        side = side.seen_from_outside() if device.outer else side
        try:
            program, execution, kept = _verdict(recording.arch, question, device.order(question.device), side)
        except ProofError as error:
            raise ProofError(f"{question.name}, {words[0]}: {error}") from error
    if execution is None:
        return program, None
    return program, Cycle(
        question.name,
        pair.what,
        recording.name,
        *words,
        question.device,
        kept,
        pair.in_flight,
        program,
        execution,
    )


def _words(recording: Recording, access: Access, what: str) -> str:
    letter = "W" if access.write else "R"
    return f"{letter} {what}, {recording.where(access.pc)}: {access.text}"


def answers(
    recordings: tuple[Recording, ...], device: DeviceModel, pairs_from: tuple[Recording, ...] | None = None
) -> tuple[Answer, ...]:
    """All questions, in their order."""
    return tuple(answer(recordings, question, device, pairs_from) for question in QUESTIONS)
