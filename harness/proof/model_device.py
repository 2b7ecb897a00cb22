"""A virtio-gpu and a virtio-blk behind one PCI bus, for a driver that runs in an emulator.

Sections are those of VIRTIO 1.2: §2.7 the ring, §4.1 the PCI transport, §5.2 the disk, §5.7 the display.

The device sees the driver's memory through two callables. It does what it is asked at the moment it is told to, so that
a test decides whether an answer comes at once, after some looks of the driver, with an error, or not at all.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

VENDOR = 0x1AF4
BAR_BYTES = 0x4000
COMMON, ISR, CONFIG, NOTIFY = 0x0000, 0x1000, 0x2000, 0x3000
"""Offsets of the four structures within BAR 0 (§4.1.4)."""
QUEUE_SIZE = 64
QUEUE_ENABLE = 0x1C
"""Offset in the common configuration (§4.1.4.3)."""

F_VERSION_1 = 1 << 32
F_EVENT_IDX = 1 << 29

GPU, BLK = 16, 2
_CAPABILITIES = 0x40
_INVALID = 0xFFFFFFFF

_RESPONSES = {0x100: (0x1101, 408)}  # GET_DISPLAY_INFO: a header and 16 scanouts of 24 bytes
_OK_NODATA, _ERROR = 0x1100, 0x1200
_FLAG_FENCE = 1
_ATTACH_BACKING = 0x106


class Manner(enum.Enum):
    """How the device treats what it is asked."""

    HONEST = "answers"
    REFUSES = "answers commands with an error"
    SILENT = "answers nothing until it is notified again"


@dataclass
class Queue:
    """One split ring, where the driver said that it is."""

    size: int = QUEUE_SIZE
    descriptors: int = 0
    available: int = 0
    used: int = 0
    enabled: bool = False
    seen: int = 0
    """Chains taken from the available ring."""
    answered: int = 0


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
class ModelDevice:
    """One function of the bus."""

    kind: int
    slot: int
    bar: int
    memory: Memory
    notify_offset: int = 0
    features: int = 0
    """What the driver accepted."""
    manner: Manner = Manner.HONEST
    queue: Queue = field(default_factory=Queue)
    backing: tuple[Buffer, ...] = ()
    status: int = 0
    chains: list[Chain] = field(default_factory=list)
    """All chains ever taken."""
    pending: list[Chain] = field(default_factory=list)
    registers: dict[int, int] = field(default_factory=dict)
    config_space: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config_space = _config_space(self.kind, self.bar)

    @property
    def event_index(self) -> bool:
        """Whether notifications are suppressed by index (§2.7.10)."""
        return bool(self.features & F_EVENT_IDX)

    @property
    def registers_at(self) -> tuple[int, int]:
        """Start and end of the registers behind BAR 0."""
        return self.bar, self.bar + BAR_BYTES

    @property
    def notify_at(self) -> tuple[int, int]:
        """Start and end of the notification registers."""
        return self.bar + NOTIFY, self.bar + BAR_BYTES

    # Configuration space.

    def config_read(self, offset: int) -> int:
        return self.config_space.get(offset, 0)

    def config_write(self, offset: int, value: int) -> None:
        if offset == 4:  # status bits are cleared by ones; none is set that could be
            value = self.config_space[4] & 0xFFFF_0000 | value & 0xFFFF
        elif offset == 0x10:
            value = (value & ~(BAR_BYTES - 1)) & _INVALID
        elif 0x10 < offset < 0x28:
            value = 0
        self.config_space[offset] = value

    # Registers behind BAR 0.

    def register_read(self, offset: int, size: int) -> int:
        if offset >= CONFIG:
            return int.from_bytes(_configuration(self.kind)[offset - CONFIG :][:size].ljust(size, b"\0"), "little")
        select, features = self.registers.get(0, 0), F_VERSION_1 | F_EVENT_IDX
        known = {
            4: features >> 32 if select else features & _INVALID,
            0x12: 1,
            0x14: self.status,
            0x18: self.queue.size,
            0x1E: self.notify_offset,
        }
        return known.get(offset, self.registers.get(offset, 0))

    def register_write(self, offset: int, value: int) -> None:
        """Common configuration; notifications are told by the caller, who decides when the device acts."""
        self.registers[offset] = value
        queue = self.queue
        if offset == 0x14:
            self.status = value
            if value == 0:
                self.queue, self.pending, self.features = Queue(), [], 0
        elif offset == 0x0C:
            shift = 32 * (self.registers.get(8, 0) & 1)
            self.features = self.features & ~(_INVALID << shift) | value << shift
        elif offset == 0x18:
            queue.size = value
        elif offset == QUEUE_ENABLE:
            queue.descriptors, queue.available, queue.used = (
                self.registers.get(low, 0) | self.registers.get(low + 4, 0) << 32 for low in (0x20, 0x28, 0x30)
            )
            queue.enabled = bool(value)

    # The ring.

    def take(self) -> None:
        """Take what the driver made available."""
        queue, memory = self.queue, self.memory
        while queue.enabled and queue.seen != memory.integer(queue.available + 2, 2):
            head = memory.integer(queue.available + 4 + 2 * (queue.seen % queue.size), 2)
            numbers, buffers, at = [], [], head
            for _ in range(queue.size):
                place = queue.descriptors + 16 * at
                flags = memory.integer(place + 12, 2)
                numbers.append(at)
                buffers.append(Buffer(memory.integer(place, 8), memory.integer(place + 8, 4), bool(flags & 2)))
                if not flags & 1:
                    break
                at = memory.integer(place + 14, 2)
            chain = Chain(len(self.chains), head, tuple(numbers), tuple(buffers))
            self.chains.append(chain)
            self.pending.append(chain)
            queue.seen = (queue.seen + 1) & 0xFFFF
        if self.event_index and queue.enabled:
            memory.write(queue.used + 4 + 8 * queue.size, queue.seen.to_bytes(2, "little"))

    def answer(self) -> None:
        """Answer the oldest chain that waits, if the manner allows it."""
        if not self.pending or self.manner is Manner.SILENT:
            return
        chain, queue, memory = self.pending.pop(0), self.queue, self.memory
        length = self._execute(chain)
        place = queue.used + 4 + 8 * (queue.answered % queue.size)
        memory.write(place, chain.head.to_bytes(4, "little") + length.to_bytes(4, "little"))
        queue.answered = (queue.answered + 1) & 0xFFFF
        memory.write(queue.used + 2, queue.answered.to_bytes(2, "little"))

    def _execute(self, chain: Chain) -> int:
        """Do what a request says; returns the bytes written."""
        if self.kind == BLK:
            total = sum(buffer.length for buffer in chain.buffers if buffer.device_writes)
            self.memory.write(chain.buffers[-1].address, b"\0")
            return total
        request, response = chain.buffers[0], chain.buffers[-1]
        header = self.memory.read(request.address, 24)
        command = int.from_bytes(header[:4], "little")
        if command == _ATTACH_BACKING:
            entry = self.memory.read(request.address + 32, 12)
            address, length = int.from_bytes(entry[:8], "little"), int.from_bytes(entry[8:], "little")
            self.backing = (Buffer(address, length, False),)
        kind, length = _RESPONSES.get(command, (_OK_NODATA, 24))
        if self.manner is Manner.REFUSES:
            kind, length = _ERROR, 24
        flags = header[4] & _FLAG_FENCE
        body = kind.to_bytes(4, "little") + flags.to_bytes(4, "little") + (header[8:16] if flags else bytes(8))
        body += bytes(8)
        if length > 24:
            body += b"".join(value.to_bytes(4, "little") for value in (0, 0, 64, 48, 1, 0))
        self.memory.write(response.address, body.ljust(length, b"\0")[: response.length])
        return length


def _configuration(kind: int) -> bytes:
    """The device-specific structure: capacity of a disk (§5.2.4); events, scanouts and capability sets (§5.7.4)."""
    if kind == BLK:
        return (2048).to_bytes(8, "little")
    return b"".join(value.to_bytes(4, "little") for value in (0, 0, 1, 0))


def _config_space(kind: int, bar: int) -> dict[int, int]:
    space = {
        0x00: (0x1040 + kind) << 16 | VENDOR,
        0x04: 0x0010_0000,  # a capability list
        0x10: bar,
        0x34: _CAPABILITIES,
        0x3C: 1 << 8,  # INTA
    }
    structures = ((1, COMMON, 0x38), (3, ISR, 4), (4, CONFIG, 16), (2, NOTIFY, 16))
    at = _CAPABILITIES
    for number, (structure, offset, length) in enumerate(structures):
        following = at + 0x18 if number + 1 < len(structures) else 0
        space |= {at: structure << 24 | 0x14 << 16 | following << 8 | 0x09, at + 4: 0, at + 8: offset, at + 12: length}
        space[at + 16] = 4
        at += 0x18
    return space
