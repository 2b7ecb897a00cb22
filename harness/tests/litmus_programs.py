"""Small programs made up at random, for comparing the checker with other tools."""

from __future__ import annotations

import random

from harness.proof.decided.checker import Program
from harness.proof.decided.events import Acquire, Event, EventKind, Fence

FENCES = {
    # herd7 7.58 takes LFENCE and SFENCE for full fences in its x86-64 model, which they are not (Intel SDM 3A 8.2.5).
    "x86_64": (Fence("rwio", "rwio"),),
    "aarch64": (Fence("rwio", "rwio"), Fence("r", "rw"), Fence("w", "w"), Fence("", "", instruction=True)),
    "riscv64": tuple(Fence(a, b) for a in ("r", "w", "rw") for b in ("r", "w", "rw")),
}
WORDS = ("x", "y", "z")


class _Thread:
    """Grows one thread; a read of an earlier event may lead to addresses, values and branches of later ones."""

    def __init__(self, arch: str, rng: random.Random, values: dict[str, int]) -> None:
        self.arch, self.rng, self.values = arch, rng, values
        self.events: list[Event] = []
        self.control: frozenset[int] = frozenset()

    def _sources(self, chance: float) -> frozenset[int]:
        reads = [event.index for event in self.events if event.kind is EventKind.READ]
        if self.arch == "x86_64" or not reads or self.rng.random() > chance:
            return frozenset()
        return frozenset({self.rng.choice(reads)})

    def _value(self, word: str) -> int:
        self.values[word] = self.values.get(word, 0) + 1
        return self.values[word]

    def fence(self) -> None:
        fence = self.rng.choice(FENCES[self.arch])
        self.events.append(Event(len(self.events), EventKind.FENCE, fence=fence, control=self.control))

    def atomic(self, word: str) -> None:
        at = len(self.events)
        acquire = Acquire.SC if self.arch != "x86_64" and self.rng.random() < 0.5 else Acquire.NONE
        release = self.arch != "x86_64" and self.rng.random() < 0.5
        self.events.append(Event(at, EventKind.READ, word, acquire=acquire, control=self.control, atomic=at + 1))
        self.events.append(
            Event(at + 1, EventKind.WRITE, word, self._value(word), release=release, control=self.control, atomic=at)
        )

    def access(self, word: str) -> None:
        at, strong = len(self.events), self.rng.random() < 0.25
        address = self._sources(0.3)
        if self.rng.random() < 0.5:
            acquire = self.rng.choice((Acquire.PC, Acquire.SC)) if strong and self.arch == "aarch64" else Acquire.NONE
            self.events.append(Event(at, EventKind.READ, word, acquire=acquire, address=address, control=self.control))
        else:
            release = strong and self.arch == "aarch64"
            self.events.append(
                Event(
                    at,
                    EventKind.WRITE,
                    word,
                    self._value(word),
                    release=release,
                    address=address,
                    data=self._sources(0.3),
                    control=self.control,
                )
            )

    def grow(self, accesses: int) -> None:
        for _ in range(accesses):
            word = self.rng.choice(WORDS[: self.rng.choice((2, 2, 3))])
            if self.arch != "x86_64" and self.rng.random() < 0.12:
                self.atomic(word)
            else:
                self.access(word)
            if self.rng.random() < 0.45:
                self.fence()
            self.control |= self._sources(0.3)


def program(arch: str, random_state: int) -> Program:
    """Two or three threads of two to four accesses; the outcome asks for a value of every read and most final words."""
    rng = random.Random(f"{arch} {random_state}")
    values: dict[str, int] = {}
    threads = []
    for _ in range(rng.choice((2, 2, 2, 3))):
        thread = _Thread(arch, rng, values)
        thread.grow(rng.choice((2, 2, 3)))
        threads.append(tuple(thread.events))
    reads = {
        (number, event.index): rng.randint(0, values.get(event.location, 0))
        for number, thread in enumerate(threads)
        for event in thread
        if event.kind is EventKind.READ
    }
    final = {word: rng.randint(1, top) for word, top in values.items() if rng.random() < 0.7}
    return Program(arch, tuple(threads), reads, final)
