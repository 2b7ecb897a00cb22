"""A virtio device for a driver that runs in an emulator: what it is, and what it answers.

Sections are those of VIRTIO 1.2: §5.1 the network card, §5.2 the disk, §5.4 the entropy source, §5.7 the display. How a
driver reaches it is the business of a transport: ``pci_device.py`` and ``mmio_device.py``.

The device does what it is asked at the moment it is told to, so that a test decides whether an answer comes at once,
after some polls of the driver, with an error, or not at all.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.proof.emulator.display import CAPSETS, F_VIRGL, ModelDisplay
from harness.proof.emulator.split_ring import QUEUE_SIZE, Buffer, Chain, Memory, Queue

F_VERSION_1 = 1 << 32
F_EVENT_IDX = 1 << 29

GPU, BLK, RNG, NET = 16, 2, 4, 1
NAMES: Mapping[int, str] = {GPU: "display", BLK: "disk", RNG: "entropy source", NET: "network card"}
QUEUES: Mapping[int, int] = {GPU: 2, BLK: 1, RNG: 1, NET: 2}
_F_MAC = 1 << 5
_MAC = bytes.fromhex("525400123456")

SECTOR_BYTES = 512
SECTORS = 2048


class Manner(enum.Enum):
    """How the device treats what it is asked."""

    HONEST = "answers"
    REFUSES = "answers commands with an error"
    SILENT = "answers nothing until it is notified again"


@dataclass
class ModelDevice:
    """One device; a transport adds its registers."""

    kind: int
    memory: Memory
    queue_size: int = QUEUE_SIZE
    features: int = 0
    """What the driver accepted."""
    offers: int = F_VERSION_1 | F_EVENT_IDX
    manner: Manner = Manner.HONEST
    queues: list[Queue] = field(default_factory=list)
    status: int = 0
    image: bytes = b""
    """What a disk holds from its first sector on; the rest is zero."""

    def __post_init__(self) -> None:
        self.queues = [Queue(self.queue_size) for _ in range(QUEUES[self.kind])]
        self.offers |= _F_MAC if self.kind == NET else 0
        self.display = ModelDisplay(self.memory)

    @property
    def registers_at(self) -> tuple[int, int]:
        """Start and end of the registers."""
        raise NotImplementedError

    @property
    def notify_at(self) -> tuple[int, int]:
        """Start and end of the notification registers."""
        raise NotImplementedError

    @property
    def queue_enables_at(self) -> tuple[int, ...]:
        """Addresses of the registers that start a queue."""
        raise NotImplementedError

    @property
    def status_at(self) -> int:
        """Address of the register that starts the device (§2.1)."""
        raise NotImplementedError

    @property
    def queue(self) -> Queue:
        """The first queue."""
        return self.queues[0]

    @property
    def event_index(self) -> bool:
        """Whether notifications are suppressed by index (§2.7.10)."""
        return bool(self.features & F_EVENT_IDX)

    @property
    def backing(self) -> tuple[Buffer, ...]:
        """Where pictures are."""
        return tuple(self.display.backing.values())

    def pictures(self, queue: Queue) -> dict[int, Buffer]:
        """What the transfers of a queue read, by the numbers of their chains."""
        return dict(self.display.pictures) if queue is self.queues[0] else {}

    @property
    def chains(self) -> list[Chain]:
        """All chains of the queue with the requests."""
        return self._requests.chains

    @property
    def size(self) -> int:
        """Entries of the queue with the requests."""
        return self._requests.size

    @property
    def _requests(self) -> Queue:
        """The first queue; of a network card, the one that sends."""
        return self.queues[1 if self.kind == NET else 0]

    def set_status(self, value: int) -> None:
        """The driver's word on how far it is (§2.1); zero resets the device."""
        self.status = value
        if value == 0:
            self.queues = [Queue(self.queue_size, chains=one.chains) for one in self.queues]
            self.features = 0

    def take(self) -> None:
        """Take what the driver made available, in every queue."""
        for queue in self.queues:
            queue.take(self.memory, self.event_index)

    def answer(self) -> None:
        """Answer the oldest chain of each queue that waits, if the manner allows it."""
        for queue in self.queues[1:] if self.kind == NET else self.queues:  # nothing is ever received
            if queue.pending and self.manner is not Manner.SILENT:
                queue.answer(self.memory, self._execute)

    # Requests.

    def _execute(self, chain: Chain) -> int:
        """Do what a request says; returns the bytes written."""
        if self.kind == GPU:
            return self.display.execute(chain, refuses=self.manner is Manner.REFUSES)
        writable = [buffer for buffer in chain.buffers if buffer.device_writes]
        if self.kind == BLK and writable:
            start = SECTOR_BYTES * self.memory.integer(chain.buffers[0].address + 8, 8)
            for buffer in writable[:-1]:
                self.memory.write(buffer.address, self.image[start:][: buffer.length].ljust(buffer.length, b"\0"))
                start += buffer.length
            self.memory.write(writable[-1].address, b"\0")
        elif self.kind == RNG:
            for buffer in writable:
                self.memory.write(buffer.address, bytes((7 * at + 1) & 0xFF for at in range(buffer.length)))
        return sum(buffer.length for buffer in writable)

    def configuration(self) -> bytes:
        """The structure of the device's kind: capacity of a disk (§5.2.4); events, scanouts and capability sets
        (§5.7.4).
        """
        if self.kind == BLK:
            return SECTORS.to_bytes(8, "little").ljust(64, b"\0")
        if self.kind == GPU:
            sets = CAPSETS if self.offers & F_VIRGL else 0
            return b"".join(value.to_bytes(4, "little") for value in (0, 0, 1, sets))
        return _MAC.ljust(16, b"\0") if self.kind == NET else b""
