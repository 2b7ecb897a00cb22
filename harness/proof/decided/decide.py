"""Each question answered for one kernel: forbidden, or a cycle that shows how it can happen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.proof.decided.checker import Execution, Program, find_execution
from harness.proof.decided.events import FULL, NO_FENCE, Acquire, Event, EventKind, Thread
from harness.proof.decided.models import order_of
from harness.proof.decided.questions import QUESTIONS, DevicePair, Pair, Question, view_of
from harness.proof.recorded.access import Access
from harness.proof.recorded.recording import Recording

FENCES_KEPT = 8
"""Fences kept at each end of a long stretch: order may be carried by those near the pair."""
ACCESSES_KEPT = 10
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class DeviceModel:
    """What a device is taken to keep in order, as far as the driver may rely on it."""

    name: str
    words: str
    keeps: frozenset[DevicePair]
    outer: bool = False
    """It lies outside of the CPUs' inner shareable domain: barriers must reach the outer one."""


_ALL = frozenset(DevicePair)
DEVICES: Mapping[str, DeviceModel] = {
    one.name: one
    for one in (
        DeviceModel(
            "qemu", "QEMU 7.2 to 8.2: smp_rmb after the index, smp_wmb before it, smp_mb before it polls again", _ALL
        ),
        DeviceModel(
            "publisher",
            "a CPU that fences only its own publish",
            frozenset({DevicePair.WRITE_WRITE, DevicePair.READ_THEN_INDEX}),
        ),
        DeviceModel("hardware", "a device of its own (VIRTIO_F_ORDER_PLATFORM), in the outer domain", _ALL, outer=True),
    )
}


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


def _event(recording: Recording, access: Access, positions: Mapping[int, int], outer: bool) -> Event:
    def local(sources: frozenset[int]) -> frozenset[int]:
        return frozenset(positions[one] for one in sources if one in positions)

    index = positions[access.index]
    control = frozenset(number for one, number in positions.items() if recording.controls(one, access))
    if access.fence is not None:
        fence = access.fence
        if outer and fence.inner and not fence.instruction:
            fence = NO_FENCE
        return Event(index, EventKind.FENCE, fence=fence, control=control)
    return Event(
        index,
        EventKind.WRITE if access.write else EventKind.READ,
        f"{access.address:x}+{access.size}",
        1 if access.write else 0,
        None,
        access.acquire,
        access.release,
        recording.device(access),
        local(access.address_from),
        local(access.data_from),
        control,
        region=recording.region(access),
    )


def _relevant(recording: Recording, pair: Pair) -> list[Access]:
    """The pair, the fences around it, and the reads that address and data dependencies lead through.

    What is left out could only keep more in order, never less.
    """
    window = recording.accesses[pair.first.index : pair.second.index + 1]
    fences = [a for a in window if a.fence is not None or a.release or a.acquire is not Acquire.NONE or a.atomic]
    kept = {a.index for a in (*fences[:FENCES_KEPT], *fences[-FENCES_KEPT:], pair.first, pair.second)}
    most, frontier = len(kept) + ACCESSES_KEPT, [pair.second]
    while frontier and len(kept) < most:
        access = frontier.pop(0)
        for source in sorted(access.address_from | access.data_from, reverse=True):
            if source > pair.first.index and source not in kept and len(kept) < most:
                kept.add(source)
                frontier.append(recording.accesses[source])
    return [recording.accesses[index] for index in sorted(kept)]


def driver_thread(recording: Recording, pair: Pair, outer: bool = False) -> tuple[Thread, int, int]:
    """The driver's side as a thread of events; with the indexes of the pair in it."""
    accesses = _relevant(recording, pair)
    positions = {access.index: number for number, access in enumerate(accesses)}
    thread = tuple(_event(recording, access, positions, outer) for access in accesses)
    return thread, positions[pair.first.index], positions[pair.second.index]


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
    arch: str, question: Question, thread: Thread, first: int, second: int, *, device_keeps: bool = True
) -> Program:
    """The question as a litmus test: the driver's thread beside a device with a full fence between its accesses, or
    none.
    """
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
    device, outcome = _device_side(question.device, device_keeps)
    reads = {(1, index): value for index, value in outcome.items()}
    if driver[a].kind is EventKind.READ:
        reads[0, a] = 1
    if driver[b].kind is EventKind.READ:
        reads[0, b] = 0
    if driver[a].kind is EventKind.WRITE and device[-1].kind is EventKind.WRITE:
        # Both write the word: the driver's write, which came first, must not be the one that lasts.
        return Program(arch, (driver, (*device[:-1], replace(device[-1], value=2))), reads, {"a": 1})
    return Program(arch, (driver, device), reads, {})


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


def _device_side(pair: DevicePair, keeps: bool) -> tuple[Thread, dict[int, int]]:
    """The device's thread, and what its reads see in the bad outcome."""
    fence = (Event(1, EventKind.FENCE, fence=FULL),) if keeps else ()
    last = 1 + len(fence)
    first_reads = pair in (DevicePair.READ_READ, DevicePair.READ_WRITE, DevicePair.READ_THEN_INDEX)
    last_reads = pair in (DevicePair.READ_READ, DevicePair.WRITE_READ)
    first = Event(0, EventKind.READ, "b") if first_reads else Event(0, EventKind.WRITE, "b", 1)
    second = Event(last, EventKind.READ, "a") if last_reads else Event(last, EventKind.WRITE, "a", 1)
    seen = ({0: 1} if first_reads else {}) | ({last: 0} if last_reads else {})
    return (first, *fence, second), seen


class _Asker:
    """Asks one question of all recordings of one kernel. Pairs whose path through the code is the same are one."""

    def __init__(self, question: Question, device: DeviceModel) -> None:
        self.question, self.device = question, device
        self.cycles: dict[tuple[str, str], Cycle] = {}
        """By the kind of word at stake, and the program."""
        self.shapes: dict[tuple[str, str], LitmusShape] = {}
        self.wrong: set[tuple[int, int]] = set()
        self.paths: set[bytes] = set()
        self.places: set[tuple[int, int]] = set()
        self.pairs = 0

    def ask(self, recording: Recording, pair: Pair) -> None:
        self.pairs += 1
        path = recording.path[8 * pair.first.index : 8 * pair.second.index + 8]
        place = pair.first.pc, pair.second.pc
        self.places.add(place)
        if path in self.paths or place in self.wrong:
            return
        self.paths.add(path)
        side = driver_thread(recording, pair, self.device.outer)
        program, found = _decided(recording, self.question, self.device, pair, side)
        shape = _NUMBER.sub("", pair.what).strip(), repr(program)
        self.shapes.setdefault(shape, LitmusShape(shape[0], program, found is not None))
        if found is not None:
            self.wrong.add(place)
            self.cycles.setdefault(shape, found)


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
    asker = _Asker(question, device)
    for recording, source in zip(recordings, pairs_from or recordings, strict=True):
        for ring in source.rings:
            for pair in question.find(view_of(source, ring)):
                asker.ask(recording, pair)
    return Answer(
        question.name,
        asker.pairs,
        tuple(asker.cycles.values()),
        len(asker.places),
        len(asker.wrong),
        tuple(asker.shapes.values()),
    )


def _decided(
    recording: Recording,
    question: Question,
    device: DeviceModel,
    pair: Pair,
    side: tuple[Thread, int, int],
) -> tuple[Program, Cycle | None]:
    """One pair as a program, with its cycle; None where it is forbidden. Both ways to decide must agree."""
    kept = keeps_order(recording.arch, *side)
    program = program_of(recording.arch, question, *side)
    execution = find_execution(program)
    if (execution is None) is not kept:
        raise ProofError(
            f"{question.name}, {_words(recording, pair.first, pair.names[0])}: order says "
            f"{'forbidden' if kept else 'allowed'}, executions say otherwise"
        )
    if execution is None and question.device not in device.keeps:
        program = program_of(recording.arch, question, *side, device_keeps=False)
        execution = find_execution(program)
    if execution is None:
        return program, None
    return program, Cycle(
        question.name,
        pair.what,
        recording.name,
        _words(recording, pair.first, pair.names[0]),
        _words(recording, pair.second, pair.names[1]),
        question.device,
        kept,
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
