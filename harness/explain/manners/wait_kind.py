"""How a driver waits for the device, in two or three words, and how busy the CPU is meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.core.wording import percent
from harness.explain.manners.facts import DriverFacts
from harness.explain.manners.waits import READS_MANY, buffers_reused, device_s, gives_up, late_look

BUSY = 0.5
"""Share of the device's time during which the CPU does not rest, from which on the driver polls."""

PAUSED = 1.25
"""A rest this many times as long as the device works can still be its doing."""


@dataclass(frozen=True)
class DriverWait:
    """One driver's way to wait."""

    kind: str
    """``polls``, ``polls a register``, ``interrupt``, ``sleeps``, ``fixed delay``, ``does not wait``, ``gives up``;
    empty where too little was seen."""
    busy: float | None = None
    """Share of the device's time during which the CPU did not rest, at the least."""

    @property
    def words(self) -> str:
        """For a page or a terminal."""
        if not self.kind:
            return "how the driver waits was not seen"
        return f"how the driver waits: {self.kind}; {self.busy_words}"

    @property
    def busy_words(self) -> str:
        if self.busy is None:
            return "the CPU's time was not measured"
        return f"the CPU is busy for {percent(self.busy, 0)} of the time that the device works"


def wait_kind(facts: DriverFacts) -> DriverWait:
    """How this driver waits, the plainest sign first."""
    if not facts.frames_traced or not device_s(facts):
        return DriverWait("")
    busy, reads = _busy(facts), facts.register_reads
    if late_look(facts).tripped:
        return DriverWait("fixed delay", busy)
    if buffers_reused(facts).tripped:
        return DriverWait("does not wait", busy)
    if gives_up(facts).tripped:
        return DriverWait("gives up", busy)
    if reads is not None and reads.reads / max(reads.flushes, 1) >= READS_MANY:
        return DriverWait("polls a register", busy)
    if busy is None:
        return DriverWait("")
    if busy >= BUSY:
        return DriverWait("polls", busy)
    if facts.interrupts:
        return DriverWait("interrupt", busy)
    # QEMU 7.2 keeps a vCPU that pauses in its poll off its core while the device works: such a rest ends with the
    # answer. A longer one only a timer can have ended.
    return DriverWait("polls" if _rest_s(facts) <= PAUSED * device_s(facts) else "sleeps", busy)


def _busy(facts: DriverFacts) -> float | None:
    """A CPU that waits for a core of the host does not rest; all of its rest may lie where the device works."""
    if facts.cpu is None:
        return None
    return float(np.clip(1 - _rest_s(facts) / device_s(facts), 0, 1))


def _rest_s(facts: DriverFacts) -> float:
    cpu = facts.cpu
    return cpu.wall_s - cpu.vcpu_s - cpu.vcpu_waited_s if cpu is not None else 0.0
