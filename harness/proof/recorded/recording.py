"""What a kernel's driver does, from probing to the last frame: the run that the questions are asked of.

It covers two chains in flight, a ring that wraps twice, an answer that comes at once and one that comes after some
looks, a cursor and a disk beside the display, an error response, and a time-out with a second notification.
"""

from __future__ import annotations

import array
import bisect
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.proof.emulator.display import F_VIRGL
from harness.proof.emulator.image import ElfImage, EndlessError, TraceError
from harness.proof.emulator.model_device import GPU, Manner, ModelDevice
from harness.proof.emulator.pci_device import PciDevice
from harness.proof.emulator.split_ring import Buffer, Chain, Queue
from harness.proof.emulator.tracer import Tracer
from harness.proof.recorded.access import Access

FRAMES = 20
"""Two chains a frame: the ring wraps twice, and each slot is used again."""
DISK_REQUESTS = 20
"""More than the ring has slots."""
LOOKS = 3
"""Polls of the driver before the device answers once."""
WIDTH_PX, HEIGHT_PX = 16, 8
DRAWN_BYTES = 16
"""What is written of each picture, and of what a disk is given."""
PATIENCE_NS = 200_000_000
"""Each reading of the clock adds this much where a deadline must pass."""
_GPU_AT, _RECT_AT, _BLK_AT, _DATA_AT, _DRAW_AT, _PIXELS_AT, _HEAP_AT = (
    0x0,
    0x8000,
    0xA000,
    0xC000,
    0xD000,
    0xE000,
    0x10000,
)


@dataclass(frozen=True, eq=False)
class Ring:
    """Where one queue's words are, and what went through it."""

    device: int
    size: int
    descriptors: int
    available: int
    used: int
    event_index: bool
    chains: tuple[Chain, ...]
    pictures: Mapping[int, Buffer]
    """What a display's transfers read, by the numbers of their chains."""

    @property
    def avail_index(self) -> int:
        return self.available + 2

    @property
    def used_index(self) -> int:
        return self.used + 2

    @property
    def notify_flags(self) -> int:
        """What tells the driver whether to notify: flags, or the event index behind the used ring (§2.7.8)."""
        return self.used + 4 + 8 * self.size if self.event_index else self.used

    @property
    def interrupt_flags(self) -> int:
        """What tells the device whether to interrupt: flags, or the event index behind the available ring (§2.7.6)."""
        return self.available + 4 + 2 * self.size if self.event_index else self.available

    def slot(self, number: int) -> int:
        """The entry of the available ring that the n-th chain is put into."""
        return self.available + 4 + 2 * (number % self.size)

    def element(self, number: int) -> tuple[int, int]:
        """Start and end of the used element of the n-th completion."""
        start = self.used + 4 + 8 * (number % self.size)
        return start, start + 8


def ring_of(device: ModelDevice, queue: Queue) -> Ring:
    """A queue as it is once the run is over."""
    return Ring(
        device.kind,
        queue.size,
        queue.descriptors,
        queue.available,
        queue.used,
        device.event_index,
        tuple(queue.chains),
        device.pictures(queue),
    )


@dataclass(frozen=True, eq=False)
class Recording:
    """One run of one kernel."""

    name: str
    arch: str
    accesses: tuple[Access, ...]
    rings: tuple[Ring, ...]
    registers: tuple[tuple[int, int], ...]
    """Address ranges of device registers: start, end."""
    notify: tuple[tuple[int, int], ...]
    """Those of them that are notifications."""
    queue_enables: frozenset[int]
    """Addresses of the registers that start a queue."""
    statuses: frozenset[int]
    """Addresses of the registers that start a device."""
    branch_sources: Mapping[int, int]
    """Reads that branches depended on, each with its position among them."""
    where: Callable[[int], str]

    @functools.cached_property
    def path(self) -> bytes:
        """The instruction of each access, eight bytes each: a part of it stands for a path through the code."""
        return array.array("Q", (access.pc for access in self.accesses)).tobytes()

    @functools.cached_property
    def _ordering(self) -> list[int]:
        return [access.index for access in self.accesses if access.orders]

    def ordering(self, first: int, last: int) -> list[int]:
        """The positions, within a stretch, of fences and of accesses that order others."""
        start = bisect.bisect_left(self._ordering, first)
        return self._ordering[start : bisect.bisect_right(self._ordering, last, start)]

    def controls(self, read: int, access: Access) -> bool:
        """Whether a branch before an access depended on a read."""
        return self.branch_sources.get(read, 1 << 62) < access.branches

    def device(self, access: Access) -> bool:
        """Whether an access is one to a device's register."""
        return self.region(access) >= 0

    def region(self, access: Access) -> int:
        """Which device's registers an access is to, by number; -1 for memory."""
        for number, (start, end) in enumerate(self.registers):
            if start <= access.address < end:
                return number
        return -1


@dataclass(frozen=True)
class Coverage:
    """Instructions of the driver that access memory: how many were run, and in which functions others are."""

    run: int
    total: int | None
    """None where the driver's instructions are not known."""
    missing: tuple[str, ...] = ()

    @property
    def share(self) -> str:
        if self.total is None:
            return f"{self.run} instructions that access what it shares with a device; what else it has is not known"
        return f"{self.run} of {self.total} instructions of its driver that access memory"

    def __str__(self) -> str:
        left = f"; not run: {', '.join(self.missing)}" if self.missing else ""
        return f"run: {self.share}{left}"


_DRIVER = ("virtqueue_", "gpu_", "transport_", "blk_", "input_", "queue_notify", "wait_")


class _Session:
    """One emulator, and how its devices behave."""

    def __init__(self, image: ElfImage, *, virgl: bool = False) -> None:
        self.tracer = Tracer(image)
        self.heap = self.tracer.ram[0]
        self.virgl = virgl
        self.display.offers |= F_VIRGL if virgl else 0
        self.looks = 0
        self.forgiving = False
        """A second notification makes a silent device answer again."""
        self.tracer.on_notify = self._notified
        self.tracer.on_read = self._looked
        self.tracer.on_halt = self._halted
        self.tracer.call("heap_init", self.heap + _HEAP_AT, self.tracer.ram[1])

    def _notified(self, device: PciDevice) -> None:
        if device.manner is Manner.SILENT and device.queue.pending and self.forgiving:
            device.manner = Manner.HONEST
        device.take()

    def _looked(self, address: int, size: int) -> None:
        del size
        for device in self.tracer.devices:
            if any(queue.enabled and address == queue.used + 2 for queue in device.queues):
                self.looks += 1
                if self.looks % LOOKS == 0:
                    device.answer()

    def _halted(self) -> None:
        for device in self.tracer.devices:
            device.answer()

    @property
    def display(self) -> PciDevice:
        return next(device for device in self.tracer.devices if device.kind == GPU)

    def start(self) -> None:
        status = self.tracer.call("gpu_init", self.heap + _GPU_AT, WIDTH_PX, HEIGHT_PX)
        if status or not self.display.backing:
            raise TraceError(f"the driver does not start on the model device: {self.tracer.text.strip()}")
        self._put(_RECT_AT, 0, 0, WIDTH_PX, HEIGHT_PX)
        if self.draws:
            self._put(_DRAW_AT, self.heap + _PIXELS_AT, 0, WIDTH_PX, HEIGHT_PX, WIDTH_PX)
            if self.tracer.call("gpu_draw_start", self.heap + _GPU_AT, self.heap + _DRAW_AT, 3, 1):
                raise TraceError(f"the driver does not draw on the model device: {self.tracer.text.strip()}")
            self._put(_DRAW_AT, 0, 0, 3)  # struct gpu_draw_batch
        if self.points and self.tracer.call("gpu_cursor_show", self.tracer.image.symbols["gpu_cursor"], 1, 1):
            raise TraceError(f"the driver shows no cursor on the model device: {self.tracer.text.strip()}")

    @property
    def draws(self) -> bool:
        """The kernel has the host's renderer draw (DRAW=gpu)."""
        return self.virgl and "gpu_draw_start" in self.tracer.image.symbols

    @property
    def points(self) -> bool:
        """The kernel has a cursor in a queue of its own (CURSOR=hw)."""
        return self.display.queues[1].enabled and "gpu_cursor_show" in self.tracer.image.symbols

    def _put(self, offset: int, *words: int) -> None:
        content = b"".join(value.to_bytes(4, "little") for value in words)
        self.tracer.uc.mem_write(self.heap + offset, content)

    def frame(self, number: int) -> int:
        """Draw a little with the kernel's own memset, or a triangle, and present it; move the cursor."""
        self.tracer.call("memset", self.display.backing[0].address, number & 0xFF, DRAWN_BYTES)
        if self.draws:
            self.tracer.call("gpu_draw_frame", self.heap + _PIXELS_AT, 3, self.heap + _DRAW_AT, 1)
        status = self.tracer.call("gpu_present", self.heap + _GPU_AT, self.heap + _RECT_AT, 1)
        if not status and self.points:
            status = self.tracer.call("gpu_cursor_move", self.tracer.image.symbols["gpu_cursor"], number % WIDTH_PX, 1)
        return status

    def disk(self, requests: int) -> None:
        """Write to the disk, where the kernel has a driver for one."""
        if "blk_init" not in self.tracer.image.symbols:
            return
        if self.tracer.call("blk_init", self.heap + _BLK_AT):
            raise TraceError(f"the disk's driver does not start: {self.tracer.text.strip()}")
        for number in range(requests):
            self.tracer.call("memset", self.heap + _DATA_AT, number, DRAWN_BYTES)
            status = self.tracer.call("blk_submit", self.heap + _BLK_AT, number % 2, 1, self.heap + _DATA_AT, 512)
            if status or self.tracer.call("blk_complete", self.heap + _BLK_AT) < 0:
                raise TraceError(f"a request of the disk fails: {self.tracer.text.strip()}")

    def recording(self, name: str) -> Recording:
        tracer = self.tracer
        rings = tuple(ring_of(device, queue) for device in tracer.devices for queue in device.queues if queue.enabled)
        return Recording(
            name,
            tracer.image.arch,
            tuple(tracer.recorder.accesses),
            rings,
            tuple(device.registers_at for device in tracer.devices),
            tuple(device.notify_at for device in tracer.devices),
            frozenset(at for device in tracer.devices for at in device.queue_enables_at),
            frozenset(device.status_at for device in tracer.devices),
            tracer.recorder.branch_sources,
            tracer.image.where,
        )


def record(image: ElfImage) -> tuple[tuple[Recording, ...], Coverage]:
    """Run the driver of a kernel through everything that is asked about.

    Raises
    ------
    TraceError
        When the driver does not start, does not end, or meets an instruction that is not known.
    """
    session = _begun(image)
    for number in range(FRAMES):
        if session.frame(number):
            raise TraceError(f"frame {number} fails on the model device: {session.tracer.text.strip()}")
    session.disk(DISK_REQUESTS)
    session.display.manner = Manner.REFUSES
    if not session.frame(FRAMES):
        raise TraceError("the driver takes an error response for success")
    session.forgiving, session.display.manner, session.tracer.tick_ns = True, Manner.SILENT, PATIENCE_NS
    unfinished = _wait_in_vain(session)
    return (session.recording("frames, an error response and a time-out"),), _coverage(session.tracer, unfinished)


def _begun(image: ElfImage) -> _Session:
    """The driver started, on a device with a 3D renderer where it takes no other."""
    plain = _Session(image)
    try:
        plain.start()
    except TraceError as error:
        plain = _Session(image, virgl=True)
        if not plain.draws:
            raise
        try:
            plain.start()
        except TraceError as second:
            raise second from error
    return plain


def _wait_in_vain(session: _Session) -> tuple[str, ...]:
    """A frame whose answer comes only after a time-out; returns in words what did not end.

    A clock that jumps does not shorten a wait that counts polls.
    """
    try:
        session.frame(FRAMES + 1)
    except EndlessError as error:
        return (f"the second notification after a time-out ({error})",)
    return ()


def _coverage(tracer: Tracer, unfinished: tuple[str, ...]) -> Coverage:
    run, total, executed = 0, 0, tracer.recorder.effects
    missing: dict[str, int] = {}
    for start, size, name in tracer.image.functions:
        if not name.startswith(_DRIVER):
            continue
        for address in tracer.accessing(start, size):
            total += 1
            run += address in executed
            if address not in executed:
                missing[name] = missing.get(name, 0) + 1
    words = tuple(f"{count} in {name}" for name, count in sorted(missing.items()))
    return Coverage(run, total, (*unfinished, *words))
