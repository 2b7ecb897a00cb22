"""The device's side of a split ring (VIRTIO 1.2, §2.7), on memory that belongs to a driver.

It keeps every chain that it ever took, so that the purpose of a driver's accesses is known.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

QUEUE_SIZE = 16
"""What a device offers: as small as a batch of commands allows, so that rings wrap soon."""


@dataclass(frozen=True)
class Buffer:
    """One piece of memory that the driver handed over."""

    address: int
    length: int
    device_writes: bool


@dataclass(frozen=True)
class Chain:
    """A descriptor chain: its number since the start, its head, the descriptors it is made of and its buffers."""

    number: int
    head: int
    descriptors: tuple[int, ...]
    buffers: tuple[Buffer, ...]


@dataclass
class Memory:
    """The driver's memory."""

    read: Callable[[int, int], bytes]
    write: Callable[[int, bytes], None]

    def integer(self, address: int, size: int) -> int:
        return int.from_bytes(self.read(address, size), "little")


@dataclass
class Queue:
    """One split ring, where the driver said that it is."""

    size: int = QUEUE_SIZE
    descriptors: int = 0
    available: int = 0
    used: int = 0
    enabled: bool = False
    seen: int = 0
    """Chains taken from the available ring, modulo 2**16."""
    answered: int = 0
    chains: list[Chain] = field(default_factory=list)
    """All chains ever taken."""
    pending: list[Chain] = field(default_factory=list)

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Start and end of the descriptors and of both rings, with the event indexes (§2.7)."""
        return (
            (self.descriptors, self.descriptors + 16 * self.size),
            (self.available, self.available + 6 + 2 * self.size),
            (self.used, self.used + 6 + 8 * self.size),
        )

    def take(self, memory: Memory, event_index: bool) -> None:
        """Take what the driver made available."""
        while self.enabled and self.seen != memory.integer(self.available + 2, 2):
            chain = self._chain(memory, memory.integer(self.available + 4 + 2 * (self.seen % self.size), 2))
            self.chains.append(chain)
            self.pending.append(chain)
            self.seen = (self.seen + 1) & 0xFFFF
        if event_index and self.enabled:
            memory.write(self.used + 4 + 8 * self.size, self.seen.to_bytes(2, "little"))

    def _chain(self, memory: Memory, head: int) -> Chain:
        numbers, buffers, at = [], [], head
        for _ in range(self.size):
            address, length, flags, following = struct.unpack("<QIHH", memory.read(self.descriptors + 16 * at, 16))
            numbers.append(at)
            buffers.append(Buffer(address, length, bool(flags & 2)))
            if not flags & 1:
                break
            at = following
        return Chain(len(self.chains), head, tuple(numbers), tuple(buffers))

    def answer(self, memory: Memory, execute: Callable[[Chain], int]) -> None:
        """Answer the oldest chain that waits; ``execute`` does what it asks and says how much was written."""
        chain = self.pending.pop(0)
        length = execute(chain)
        place = self.used + 4 + 8 * (self.answered % self.size)
        memory.write(place, chain.head.to_bytes(4, "little") + length.to_bytes(4, "little"))
        self.answered = (self.answered + 1) & 0xFFFF
        memory.write(self.used + 2, self.answered.to_bytes(2, "little"))
