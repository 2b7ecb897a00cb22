"""When threads lost their core: context switches, as Linux records them for ``perf_event_open`` (man page, section 2).

A process may watch threads of its own user, unless ``perf_event_paranoid`` or a container forbids it. Stamps are of the
clock by which QEMU stamps its trace.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
import threading
import time
from collections.abc import Collection, Mapping
from types import TracebackType

import numpy as np

from harness.core.comparison.lost_time import GONE_IDLE, GONE_PREEMPTED, ON_CORE, SwitchLog

_CALLS: Mapping[str, int] = {"x86_64": 298, "aarch64": 241, "riscv64": 241}
"""By machine: the number of ``perf_event_open``, which the C library does not wrap."""
_ATTRIBUTES = struct.Struct("=IIQQQQQIIQQQQIiQIHH")
"""``struct perf_event_attr``, version 5 (112 bytes)."""
_SOFTWARE, _DUMMY = 1, 9
_TIME = 1 << 2
_FLAGS = 1 << 5 | 1 << 6 | 1 << 18 | 1 << 25 | 1 << 26
"""exclude_kernel, exclude_hv, sample_id_all, use_clockid, context_switch."""
_CLOSE_ON_EXEC = 8
_PAGES = 16
"""Pages of records for each thread: room for 4,096 switches. A power of two; all rings of a user share a limit."""
_HEAD_AT, _TAIL_AT = 1024, 1032
"""In the page before the records: what the kernel has written, and what was read."""
_HEADER = struct.Struct("=IHH")
_LOST, _SWITCH = 2, 14
_OUT, _PREEMPTED = 0x2000, 0x4000


def tells_switches() -> bool:
    """Whether this host lets a process watch its own threads: tried."""
    with ContextSwitches([threading.get_native_id()]) as switches:
        time.sleep(0.001)
        return bool(switches.logs())


class ContextSwitches:
    """The switches of some threads, from its making until its end; empty where the host does not tell them."""

    def __init__(self, threads: Collection[int]) -> None:
        self.began_ns = time.time_ns()
        self._rings: list[_Ring] = []
        try:
            for thread in threads:
                self._rings.append(_Ring(thread))
        except OSError:
            self.close()

    def __enter__(self) -> "ContextSwitches":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def look(self) -> None:
        """Read what was recorded so far, before the rings are full."""
        for ring in self._rings:
            ring.take()

    def logs(self) -> tuple[SwitchLog, ...]:
        """One log a thread, until now; none where the host does not tell, or a record was lost."""
        self.look()
        ended_ns = time.time_ns()
        if any(ring.lost for ring in self._rings):
            return ()
        return tuple(
            SwitchLog(self.began_ns, ended_ns, np.array(ring.times_ns, np.int64), np.array(ring.states, np.int8))
            for ring in self._rings
        )

    def close(self) -> None:
        """Stop recording."""
        for ring in self._rings:
            ring.close()
        self._rings = []


class _Ring:
    """The kernel's ring of records of one thread."""

    def __init__(self, thread: int) -> None:
        self.times_ns: list[int] = []
        self.states: list[int] = []
        self.lost = False
        self._file = _open(thread)
        try:
            self._pages = mmap.mmap(self._file, (1 + _PAGES) * mmap.PAGESIZE)
        except OSError:
            os.close(self._file)
            raise

    def take(self) -> None:
        """Read all new records, and give their room back."""
        size = _PAGES * mmap.PAGESIZE
        (head,), (tail,) = (struct.unpack_from("=Q", self._pages, at) for at in (_HEAD_AT, _TAIL_AT))
        if tail == head:
            return
        ring = self._pages[mmap.PAGESIZE : mmap.PAGESIZE + size]
        while tail < head:
            kind, how, length = _HEADER.unpack_from(ring, tail % size)
            if kind == _SWITCH:
                # Records are multiples of eight bytes and the ring of sixteen: only the stamp may lie behind its end.
                (stamp,) = struct.unpack_from("=Q", ring, (tail + _HEADER.size) % size)
                self.times_ns.append(stamp)
                gone = GONE_PREEMPTED if how & _PREEMPTED else GONE_IDLE
                self.states.append(gone if how & _OUT else ON_CORE)
            self.lost = self.lost or kind == _LOST or length == 0
            tail += max(length, _HEADER.size)
        struct.pack_into("=Q", self._pages, _TAIL_AT, tail)

    def close(self) -> None:
        self._pages.close()
        os.close(self._file)


def _open(thread: int) -> int:
    """A recorder of a thread's switches.

    Raises
    ------
    OSError
        When the host does not allow it, or has none.
    """
    number = _CALLS.get(platform.machine())
    if number is None:
        raise OSError("perf_event_open: its number is not known on this machine")
    asked = _ATTRIBUTES.pack(
        _SOFTWARE, _ATTRIBUTES.size, _DUMMY, 0, _TIME, 0, _FLAGS, 0, 0, 0, 0, 0, 0, 0, time.CLOCK_REALTIME, 0, 0, 0, 0
    )
    calls = ctypes.CDLL(None, use_errno=True)
    file: int = calls.syscall(number, ctypes.c_char_p(asked), thread, -1, -1, ctypes.c_ulong(_CLOSE_ON_EXEC))
    if file < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return file
