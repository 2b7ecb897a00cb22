"""What a thread does to memory that others share: the events that a memory model speaks of, with their dependencies."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class EventKind(enum.Enum):
    """Kinds of events."""

    READ = "R"
    WRITE = "W"
    FENCE = "F"


class Acquire(enum.Enum):
    """How a read orders what follows it."""

    NONE = ""
    PC = "processor consistent"
    """Armv8 ``LDAPR``; RISC-V ``.aq`` without the RCsc rule."""
    SC = "sequentially consistent"
    """Armv8 ``LDAR``; RISC-V ``.aq`` of an atomic operation."""


@dataclass(frozen=True)
class Fence:
    """What a fence orders: accesses of ``before`` with accesses of ``after``.

    Letters are those of RISC-V: ``r`` and ``w`` for memory, ``i`` and ``o`` for device registers.
    """

    before: str
    after: str
    inner: bool = False
    """Armv8: for the CPUs of the inner shareable domain alone; a device may lie outside of it."""
    instruction: bool = False
    """A context synchronisation (Armv8 ``ISB``): orders a branch or an address with later reads only."""

    def __str__(self) -> str:
        return "isb" if self.instruction else f"{self.before},{self.after}"


FULL = Fence("rwio", "rwio")
NO_FENCE = Fence("", "")
"""What replaces a fence that was removed."""


@dataclass(frozen=True)
class Event:
    """One access or fence of one thread; indexes count the thread's events in program order, from 0."""

    index: int
    kind: EventKind
    location: str = ""
    """The shared word; empty for a fence."""
    value: int = 0
    """What a write stores."""
    fence: Fence | None = None
    acquire: Acquire = Acquire.NONE
    release: bool = False
    device: bool = False
    """An access to a device register, not to memory."""
    address: frozenset[int] = frozenset()
    """Reads that the address depends on."""
    data: frozenset[int] = frozenset()
    """Reads that the stored value depends on."""
    control: frozenset[int] = frozenset()
    """Reads that a branch before this event depends on."""
    atomic: int | None = None
    """The other half of a read-modify-write: the write's index of its read, the read's of its write."""
    region: int = -1
    """The device's number, for an access to a device register."""

    @property
    def letter(self) -> str:
        """The class of the access as fences name it."""
        if self.kind is EventKind.READ:
            return "i" if self.device else "r"
        return "o" if self.device else "w"


Thread = tuple[Event, ...]
