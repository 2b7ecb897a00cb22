"""Can an outcome happen? Every candidate execution of a few threads, against the axioms of a memory model.

A candidate says for each read which write it reads from (``rf``), and for each location in which order writes reach
it (``co``); ``fr`` follows: a read comes before the writes that follow the one it read. Three axioms decide, in the
words of J. Alglave, L. Maranget, M. Tautschnig, "Herding Cats", TOPLAS 36(2), 2014, and of the models' own texts:

- coherence: ``po-loc | rf | co | fr`` has no cycle;
- atomicity: no write of another thread comes between the halves of a read-modify-write;
- observation: preserved program order with the communication between threads has no cycle.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.proof.decided.events import Event, EventKind, Thread
from harness.proof.decided.models import EventPlace, order_of

EVENTS_MAX = 24
"""Accesses of a program at most: candidates are enumerated, and their number grows with the factorial."""


class CheckError(Exception):
    """The program is too large to enumerate its executions."""


@dataclass(frozen=True)
class Execution:
    """One consistent candidate."""

    reads_from: tuple[tuple[EventPlace, EventPlace], ...]
    """Read, write."""
    coherence: tuple[tuple[str, tuple[EventPlace, ...]], ...]
    """For each location its writes in order, the initial one first."""


@dataclass(frozen=True)
class Program:
    """Threads, and an outcome that is asked for."""

    arch: str
    threads: tuple[Thread, ...]
    reads: Mapping[EventPlace, int]
    """The outcome: for these reads, the value that each must see."""
    final: Mapping[str, int]
    """For these locations, the value that they must end with."""


def has_cycle(edges: Sequence[tuple[EventPlace, EventPlace]]) -> bool:
    """Whether a directed graph has a cycle."""
    after: dict[EventPlace, list[EventPlace]] = defaultdict(list)
    for first, second in edges:
        after[first].append(second)
    state: dict[EventPlace, int] = {}
    for start in list(after):
        if state.get(start):
            continue
        stack: list[tuple[EventPlace, Iterator[EventPlace]]] = [(start, iter(after[start]))]
        state[start] = 1
        while stack:
            place, rest = stack[-1]
            for following in rest:
                if state.get(following) == 1:
                    return True
                if not state.get(following):
                    state[following] = 1
                    stack.append((following, iter(after.get(following, ()))))
                    break
            else:
                state[place] = 2
                stack.pop()
    return False


class _Candidates:
    """Enumerates the executions of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.events: dict[EventPlace, Event] = {
            (number, event.index): event
            for number, thread in enumerate(program.threads)
            for event in thread
            if event.kind is not EventKind.FENCE
        }
        if len(self.events) > EVENTS_MAX:
            raise CheckError(f"{len(self.events)} accesses; at most {EVENTS_MAX} can be enumerated")
        self.writes: dict[str, list[EventPlace]] = defaultdict(list)
        for place, event in self.events.items():
            self.writes[event.location] += [place] if event.kind is EventKind.WRITE else []
        self.local = self._local_edges()

    def _local_edges(self) -> list[tuple[EventPlace, EventPlace]]:
        """Program order between accesses of one location."""
        return [
            (first, second)
            for first, second in itertools.permutations(self.events, 2)
            if first[0] == second[0]
            and first[1] < second[1]
            and self.events[first].location == self.events[second].location
        ]

    def value(self, place: EventPlace) -> int:
        return self.events[place].value if place[0] >= 0 else 0

    def sources(self, place: EventPlace) -> list[EventPlace]:
        """Writes that a read may see, given the outcome that is asked for."""
        event = self.events[place]
        choices = [(-1, 0), *self.writes[event.location]]
        wanted = self.program.reads.get(place)
        return [one for one in choices if wanted is None or self.value(one) == wanted]

    def orders(self, location: str) -> Iterator[tuple[EventPlace, ...]]:
        """Coherence orders of a location that end as the outcome asks."""
        for order in itertools.permutations(self.writes[location]):
            whole = ((-1, 0), *order)
            wanted = self.program.final.get(location)
            if wanted is None or self.value(whole[-1]) == wanted:
                yield whole

    def consistent(self) -> Iterator[Execution]:
        reads = [place for place, event in self.events.items() if event.kind is EventKind.READ]
        locations = sorted(self.writes)
        for orders in itertools.product(*(tuple(self.orders(one)) for one in locations)):
            coherence = dict(zip(locations, orders, strict=True))
            for sources in itertools.product(*(self.sources(read) for read in reads)):
                seen = dict(zip(reads, sources, strict=True))
                if self._holds(seen, coherence):
                    yield Execution(tuple(seen.items()), tuple(coherence.items()))

    def _holds(self, seen: Mapping[EventPlace, EventPlace], coherence: Mapping[str, tuple[EventPlace, ...]]) -> bool:
        rf = [(write, read) for read, write in seen.items() if write[0] >= 0]
        co = [
            (first, second)
            for order in coherence.values()
            for first, second in itertools.combinations(order, 2)
            if first[0] >= 0
        ]
        fr = []
        for read, write in seen.items():
            order = coherence[self.events[read].location]
            fr += [(read, later) for later in order[order.index(write) + 1 :] if later != read]
        communication = rf + co + fr
        if has_cycle(self.local + communication) or not self._atomic(seen, coherence):
            return False
        outside = [(a, b) for a, b in communication if a[0] != b[0]]
        if self.program.arch == "x86_64":
            # x86-TSO takes fr and co within a thread into account too; only rf may be early there.
            outside += [(a, b) for a, b in co + fr if a[0] == b[0]]
        return not has_cycle(self._preserved(seen) + outside)

    def _atomic(self, seen: Mapping[EventPlace, EventPlace], coherence: Mapping[str, tuple[EventPlace, ...]]) -> bool:
        for place, event in self.events.items():
            if event.kind is not EventKind.WRITE or event.atomic is None:
                continue
            order = coherence[event.location]
            begin, end = order.index(seen[place[0], event.atomic]), order.index(place)
            if any(between[0] != place[0] for between in order[begin + 1 : end]):
                return False
        return True

    def _preserved(self, seen: Mapping[EventPlace, EventPlace]) -> list[tuple[EventPlace, EventPlace]]:
        return [
            ((number, first), (number, second))
            for number, thread in enumerate(self.program.threads)
            for first, second in order_of(self.program.arch, thread, number, seen)
        ]


def find_execution(program: Program) -> Execution | None:
    """A consistent execution with the outcome that is asked for; None when there is none: the outcome is forbidden.

    Raises
    ------
    CheckError
        When the program has more than ``EVENTS_MAX`` accesses.
    """
    return next(_Candidates(program).consistent(), None)
