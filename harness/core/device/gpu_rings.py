"""A driver's virtqueues as they lie in the guest's memory: which commands it gave, and what the device answered.

Pure: memory is handed in as bytes. Layouts are those of VIRTIO 1.2 §2.7 (split virtqueues, little-endian) and §5.7.6
(GPU commands). Nothing here trusts the guest: what points outside of its own table is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

CONTROL, CURSOR = 0, 1
ENTRIES_MAX = 1024
_NEXT, _WRITE, _INDIRECT = 1, 2, 4
_NO_INTERRUPT = 1
_DESCRIPTOR = struct.Struct("<QIHH")
_REQUEST_BYTES = 64
FLUSH_COMMAND, TRANSFER_COMMAND = 0x0104, 0x0105
_FIRST_ERROR, _LAST_ERROR = 0x1200, 0x12FF

ReadMemory = Callable[[int, int], bytes]
"""Guest memory by physical address and length."""


@dataclass(frozen=True)
class QueuePlace:
    """Where a queue lies, and how far the device has come in it."""

    number: int
    entries: int
    descriptors: int
    available: int
    used: int


@dataclass(frozen=True)
class GivenCommand:
    """One command that the driver made available, as its buffers hold it now."""

    head: int
    """Its first descriptor."""
    type: int
    answer: int
    """Type of the answer in its buffer; 0 when there is none yet."""
    rectangle: tuple[int, int, int, int] | None = None
    """x, y, width and height of a transfer or a flush."""
    resource: int = 0

    @property
    def refused(self) -> bool:
        return _FIRST_ERROR <= self.answer <= _LAST_ERROR


@dataclass(frozen=True)
class RingSample:
    """One queue at one moment."""

    number: int
    interrupts: bool
    """The driver wants to be interrupted."""
    waiting: tuple[int, ...]
    """Heads of the commands that were given and not answered."""
    commands: tuple[GivenCommand, ...]
    """The latest ones, the oldest first; several of one head hold the same words."""


def queue_place(number: int, status: Mapping[str, object]) -> QueuePlace | None:
    """From what QMP's ``x-query-virtio-queue-status`` says; None for a queue that is not set up."""
    found = [status.get(key) for key in ("vring-num", "vring-desc", "vring-avail", "vring-used")]
    values = [value for value in found if isinstance(value, int)]
    if len(values) < 4 or not 0 < values[0] <= ENTRIES_MAX or not all(values[1:]):
        return None
    return QueuePlace(number, *values)


def read_ring(place: QueuePlace, read: ReadMemory, latest: int = 16) -> RingSample:
    """Read one queue.

    Parameters
    ----------
    read
        Returns fewer bytes where memory ends.
    latest
        How many commands to look at.
    """
    size = place.entries
    table = read(place.descriptors, 16 * size).ljust(16 * size, b"\0")
    available = struct.unpack_from(f"<{2 + size}H", read(place.available, 4 + 2 * size).ljust(4 + 2 * size, b"\0"))
    used_index = struct.unpack("<2H", read(place.used, 4).ljust(4, b"\0"))[1]
    flags, index, ring = available[0], available[1], available[2:]
    open_commands = min((index - used_index) & 0xFFFF, size)
    waiting = tuple(ring[(index - back) % size] for back in range(open_commands, 0, -1))
    given = [ring[(index - back) % size] for back in range(min(latest, size, index or size), 0, -1)]
    commands = tuple(_command(table, head, read) for head in given if head < size)
    return RingSample(place.number, not flags & _NO_INTERRUPT, waiting, commands)


def _command(table: bytes, head: int, read: ReadMemory) -> GivenCommand:
    request, answer = b"", b""
    at = head
    address, length, flags, following = _DESCRIPTOR.unpack_from(table, at * 16)
    if flags & _INDIRECT:
        table = read(address, min(length, 16 * ENTRIES_MAX))
        at, following = 0, 1
    for _ in range(8):
        if (at + 1) * 16 > len(table):
            break
        address, length, flags, following = _DESCRIPTOR.unpack_from(table, at * 16)
        part = read(address, min(length, _REQUEST_BYTES))
        if flags & _WRITE:
            answer += part
        else:
            request += part
        if not flags & _NEXT:
            break
        at = following
    return _decoded(head, request.ljust(_REQUEST_BYTES, b"\0"), answer.ljust(4, b"\0"))


def _decoded(head: int, request: bytes, answer: bytes) -> GivenCommand:
    words = struct.unpack_from("<16I", request)
    said = struct.unpack_from("<I", answer)[0]
    kind, body = words[0], words[6:]
    rectangle = (body[0], body[1], body[2], body[3])
    if kind == FLUSH_COMMAND:
        return GivenCommand(head, kind, said, rectangle, body[4])
    if kind == TRANSFER_COMMAND:
        return GivenCommand(head, kind, said, rectangle, body[6])
    return GivenCommand(head, kind, said)
