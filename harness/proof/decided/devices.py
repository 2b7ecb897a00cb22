"""The devices that a driver may meet: what each keeps in order on its side, and where that is written.

A device is taken to be a CPU of the driver's architecture. Between the two accesses of each pair it has one fence, or
a branch, or nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from harness.proof.decided.events import FULL, Event, EventKind, Fence, Thread


class DevicePair(enum.Enum):
    """The pair of accesses that the device must keep in order."""

    READ_READ = "reads the index before what it stands for"
    READ_WRITE = "reads the index before it writes a response"
    WRITE_WRITE = "writes response and element before the index"
    READ_THEN_INDEX = "has read a buffer before it writes the used index"
    WRITE_READ = "writes what it wants to be told before it reads the index again"


class DeviceOrder(enum.Enum):
    """What stands between two accesses of a device."""

    ACQUIRE = "a read barrier"
    RELEASE = "a write barrier"
    FULL = "a full barrier"
    BRANCH = "a branch on what was read"
    NOTHING = "nothing"


_READ_FENCE, _WRITE_FENCE = Fence("r", "rw"), Fence("rw", "w")
_COMPILED: Mapping[str, Mapping[DeviceOrder, Fence]] = {
    "x86_64": {DeviceOrder.FULL: FULL},
    "aarch64": {DeviceOrder.ACQUIRE: _READ_FENCE, DeviceOrder.RELEASE: FULL, DeviceOrder.FULL: FULL},
    "riscv64": {DeviceOrder.ACQUIRE: _READ_FENCE, DeviceOrder.RELEASE: _WRITE_FENCE, DeviceOrder.FULL: FULL},
}
"""What compilers make of C11's fences. On x86 those for reads and for writes are none (TSO); on Armv8 one that releases
is ``dmb ish``.
"""


@dataclass(frozen=True)
class DeviceModel:
    """What a device is taken to keep in order, as far as the driver may rely on it."""

    name: str
    words: str
    keeps: Mapping[DevicePair, tuple[DeviceOrder, str]]
    """What stands between the accesses of a pair, and where that is written."""
    outer: bool = False
    """It lies outside of the CPUs' inner shareable domain: barriers must reach the outer one."""

    def order(self, pair: DevicePair) -> DeviceOrder:
        return self.keeps[pair][0]


_POP = "smp_rmb() of virtqueue_num_heads and virtqueue_split_pop"
_FLUSH = "smp_wmb() of virtqueue_split_flush, which is smp_mb_release() (include/qemu/atomic.h): it orders reads too"
_AGAIN = "smp_mb() of virtio_queue_split_set_notification and virtio_split_should_notify"
_SHADOW = f"{_POP}, also where the index is the copy in shadow_avail_idx"


def _qemu(name: str, words: str, pop: str) -> DeviceModel:
    """QEMU's hw/virtio/virtio.c."""
    return DeviceModel(
        name,
        words,
        {
            DevicePair.READ_READ: (DeviceOrder.ACQUIRE, pop),
            DevicePair.READ_WRITE: (DeviceOrder.ACQUIRE, pop),
            DevicePair.WRITE_WRITE: (DeviceOrder.RELEASE, _FLUSH),
            DevicePair.READ_THEN_INDEX: (DeviceOrder.RELEASE, _FLUSH),
            DevicePair.WRITE_READ: (DeviceOrder.FULL, _AGAIN),
        },
    )


DEVICES: Mapping[str, DeviceModel] = {
    one.name: one
    for one in (
        _qemu(
            "qemu",
            "QEMU 7.2 (hw/virtio/virtio.c): smp_rmb after the index, smp_wmb before it, smp_mb to look again",
            _POP,
        ),
        _qemu(
            "qemu-8.2",
            "QEMU 8.2 and later (hw/virtio/virtio.c): as 7.2, with smp_rmb after its own copy of the index as well",
            _SHADOW,
        ),
        DeviceModel(
            "publisher",
            "a CPU that fences only its own publish",
            {
                DevicePair.READ_READ: (DeviceOrder.NOTHING, "no fence after the index"),
                DevicePair.READ_WRITE: (DeviceOrder.BRANCH, "it looks at the index before it answers"),
                DevicePair.WRITE_WRITE: (DeviceOrder.RELEASE, "the fence of its publish"),
                DevicePair.READ_THEN_INDEX: (DeviceOrder.RELEASE, "the fence of its publish"),
                DevicePair.WRITE_READ: (DeviceOrder.NOTHING, "no fence before it looks again"),
            },
        ),
        DeviceModel(
            "hardware",
            "a device of its own (VIRTIO_F_ORDER_PLATFORM), in the outer domain",
            {
                pair: (DeviceOrder.FULL, "VIRTIO 1.2, section 6: it orders its accesses as the platform's devices do")
                for pair in DevicePair
            },
            outer=True,
        ),
    )
}


def device_thread(arch: str, pair: DevicePair, order: DeviceOrder) -> tuple[Thread, dict[int, int]]:
    """The device's thread on the words ``b`` and ``a``, and what its reads see in the bad outcome."""
    fence = _COMPILED[arch].get(order)
    middle = () if fence is None else (Event(1, EventKind.FENCE, fence=fence),)
    last = 1 + len(middle)
    first_reads = pair in (DevicePair.READ_READ, DevicePair.READ_WRITE, DevicePair.READ_THEN_INDEX)
    last_reads = pair in (DevicePair.READ_READ, DevicePair.WRITE_READ)
    branch = frozenset({0}) if order is DeviceOrder.BRANCH else frozenset[int]()
    first = Event(0, EventKind.READ, "b") if first_reads else Event(0, EventKind.WRITE, "b", 1)
    second = (
        Event(last, EventKind.READ, "a", control=branch)
        if last_reads
        else Event(last, EventKind.WRITE, "a", 1, control=branch)
    )
    seen = ({0: 1} if first_reads else {}) | ({last: 0} if last_reads else {})
    return (first, *middle, second), seen
