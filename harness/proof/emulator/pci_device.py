"""A virtio device behind a PCI bus (VIRTIO 1.2, §4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.proof.emulator.model_device import BLK, GPU, NET, RNG, ModelDevice
from harness.proof.emulator.split_ring import Queue

VENDOR = 0x1AF4
BAR_BYTES = 0x4000
COMMON, ISR, CONFIG, NOTIFY = 0x0000, 0x1000, 0x2000, 0x3000
"""Offsets of the four structures within BAR 0 (§4.1.4)."""
STATUS, QUEUE_ENABLE = 0x14, 0x1C
"""Offsets in the common configuration (§4.1.4.3)."""

_CAPABILITIES = 0x40
_INVALID = 0xFFFFFFFF
_SUBSYSTEM = 0x1100
_CLASSES = {GPU: 0x0380, BLK: 0x0100, NET: 0x0200, RNG: 0x00FF}
"""Base class and class (PCI Code and ID Assignment Specification 1.11, section 1)."""
_ADDRESSES = {0x20: "descriptors", 0x28: "available", 0x30: "used"}


@dataclass
class PciDevice(ModelDevice):
    """One function of the bus."""

    slot: int = 0
    bar: int = 0
    """Where BAR 0 is."""
    notify_offset: int = 0
    registers: dict[int, int] = field(default_factory=dict)
    config_space: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.config_space = _config_space(self.kind, self.bar)

    @property
    def registers_at(self) -> tuple[int, int]:
        """Start and end of the registers behind BAR 0."""
        return self.bar, self.bar + BAR_BYTES

    @property
    def notify_at(self) -> tuple[int, int]:
        """Start and end of the notification registers."""
        return self.bar + NOTIFY, self.bar + BAR_BYTES

    @property
    def queue_enables_at(self) -> tuple[int, ...]:
        """Addresses of the registers that start a queue."""
        return (self.bar + QUEUE_ENABLE,)

    @property
    def status_at(self) -> int:
        return self.bar + STATUS

    # Configuration space.

    def config_read(self, offset: int) -> int:
        return self.config_space.get(offset, 0)

    def config_write(self, offset: int, value: int) -> None:
        if offset == 4:  # status bits are cleared by ones; none is set that could be
            value = self.config_space[4] & 0xFFFF_0000 | value & 0xFFFF
        elif offset == 0x10:
            value = (value & ~(BAR_BYTES - 1)) & _INVALID
            self.bar = self.bar if value == _INVALID & ~(BAR_BYTES - 1) else value
        elif 0x10 < offset < 0x28 or offset == 0x30:
            value = 0
        self.config_space[offset] = value

    # Registers behind BAR 0.

    @property
    def _selected(self) -> Queue | None:
        number = self.registers.get(0x16, 0)
        return self.queues[number] if number < len(self.queues) else None

    def register_read(self, offset: int, size: int) -> int:
        if offset >= CONFIG:
            return int.from_bytes(self.configuration()[offset - CONFIG :][:size].ljust(size, b"\0"), "little")
        select, queue = self.registers.get(0, 0), self._selected
        known = {
            4: self.offers >> 32 if select else self.offers & _INVALID,
            0x12: len(self.queues),
            STATUS: self.status,
            0x18: queue.size if queue else 0,
            QUEUE_ENABLE: int(queue is not None and queue.enabled),
            0x1E: self.notify_offset,
        }
        return known.get(offset, self.registers.get(offset, 0))

    def register_write(self, offset: int, value: int) -> None:
        """Common configuration; the caller delivers notifications and so decides when the device acts."""
        self.registers[offset] = value
        queue = self._selected
        if offset == STATUS:
            self.set_status(value)
        elif offset == 0x0C:
            shift = 32 * (self.registers.get(8, 0) & 1)
            self.features = self.features & ~(_INVALID << shift) | value << shift
        elif offset == 0x18 and queue:
            queue.size = value
        elif offset & ~4 in _ADDRESSES and queue:
            low = offset & ~4
            setattr(queue, _ADDRESSES[low], self.registers.get(low, 0) | self.registers.get(low + 4, 0) << 32)
        elif offset == QUEUE_ENABLE and queue:
            queue.enabled = bool(value)


def _config_space(kind: int, bar: int) -> dict[int, int]:
    space = {
        0x00: (0x1040 + kind) << 16 | VENDOR,
        0x04: 0x0010_0000,  # a capability list
        0x08: _CLASSES[kind] << 16 | 1,  # revision 1 and up: not transitional (§4.1.2.1)
        0x10: bar,
        0x2C: _SUBSYSTEM << 16 | VENDOR,
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
