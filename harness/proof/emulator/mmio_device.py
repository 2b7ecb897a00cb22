"""A virtio device behind memory-mapped registers (VIRTIO 1.2, §4.2; the legacy interface is §4.2.4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.proof.emulator.model_device import ModelDevice
from harness.proof.emulator.split_ring import Queue

MAGIC = 0x74726976
MODERN, LEGACY = 2, 1
"""Values of the register Version (§4.2.2)."""
QUEUE_PFN, QUEUE_READY, QUEUE_NOTIFY, STATUS, CONFIG = 0x40, 0x44, 0x50, 0x70, 0x100
WINDOW_BYTES = 0x200
_FEATURES, _FEATURES_SELECT = 0x20, 0x24
_DEVICE_SELECT, _PAGE_SIZE, _SELECT, _NUMBER, _ALIGN = 0x14, 0x28, 0x30, 0x38, 0x3C
_ADDRESSES = {0x80: "descriptors", 0x90: "available", 0xA0: "used"}


@dataclass
class MmioDevice(ModelDevice):
    """One window of registers."""

    base: int = 0
    version: int = MODERN
    registers: dict[int, int] = field(default_factory=dict)

    @property
    def registers_at(self) -> tuple[int, int]:
        """Start and end of the window."""
        return self.base, self.base + WINDOW_BYTES

    @property
    def notify_at(self) -> tuple[int, int]:
        return self.base + QUEUE_NOTIFY, self.base + QUEUE_NOTIFY + 4

    @property
    def queue_enables_at(self) -> tuple[int, ...]:
        """Addresses of the registers that start a queue."""
        return (self.base + (QUEUE_PFN if self.version == LEGACY else QUEUE_READY),)

    @property
    def status_at(self) -> int:
        return self.base + STATUS

    @property
    def _selected(self) -> Queue | None:
        number = self.registers.get(_SELECT, 0)
        return self.queues[number] if number < len(self.queues) else None

    def register_read(self, offset: int, size: int) -> int:
        if offset >= CONFIG:
            return int.from_bytes(self.configuration()[offset - CONFIG :][:size].ljust(size, b"\0"), "little")
        queue, high = self._selected, self.registers.get(_DEVICE_SELECT, 0)
        known = {
            0x00: MAGIC,
            0x04: self.version,
            0x08: self.kind,
            0x0C: 0x554D4551,
            0x10: self.offers >> 32 if high else self.offers & 0xFFFFFFFF,
            0x34: self.queue_size if queue else 0,
            QUEUE_PFN: queue.descriptors // self.registers.get(_PAGE_SIZE, 4096) if queue else 0,
            QUEUE_READY: int(queue is not None and queue.enabled),
            STATUS: self.status,
        }
        return known.get(offset, 0)

    def register_write(self, offset: int, value: int) -> None:
        """The caller delivers notifications and so decides when the device acts."""
        self.registers[offset] = value
        queue = self._selected
        if offset == STATUS:
            self.set_status(value)
        elif offset == _FEATURES:
            shift = 32 * (self.registers.get(_FEATURES_SELECT, 0) & 1)
            self.features = self.features & ~(0xFFFFFFFF << shift) | value << shift
        elif queue is None:
            return
        elif offset == _NUMBER:
            queue.size = value
        elif offset & ~4 in _ADDRESSES:
            low = offset & ~4
            setattr(queue, _ADDRESSES[low], self.registers.get(low, 0) | self.registers.get(low + 4, 0) << 32)
        elif offset == QUEUE_READY:
            queue.enabled = bool(value)
        elif offset == QUEUE_PFN and self.version == LEGACY:
            self._lay_out(queue, value * self.registers.get(_PAGE_SIZE, 4096))

    def _lay_out(self, queue: Queue, start: int) -> None:
        """The legacy layout: the used ring follows at the next aligned address (§2.7.2)."""
        align = max(self.registers.get(_ALIGN, 4096), 4)
        queue.descriptors, queue.available = start, start + 16 * queue.size
        queue.used = (queue.available + 6 + 2 * queue.size + align - 1) // align * align
        queue.enabled = start != 0


def empty_window(offset: int, version: int) -> int:
    """What the registers of a window without a device read as: device 0 (§4.2.2)."""
    return {0x00: MAGIC, 0x04: version}.get(offset, 0)
