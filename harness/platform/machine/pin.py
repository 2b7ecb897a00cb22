"""On which cores QEMU's threads run, and what this process may set."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass

from harness.platform.machine.qemu import Threads


@dataclass(frozen=True)
class PinRights:
    """The rights that were tried and work."""

    cores: tuple[int, ...]
    """The cores that this process may use."""
    affinity: bool
    realtime: bool


def probe_rights() -> PinRights:
    """Try it: set this process's affinity to its own value, and its policy to SCHED_FIFO for a moment."""
    cores = tuple(sorted(os.sched_getaffinity(0)))
    affinity = realtime = False
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cores)
        affinity = True
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        realtime = True
    if realtime:
        os.sched_setscheduler(0, policy, parameter)
    return PinRights(cores, affinity, realtime)


class CoreVanished(Exception):
    """A core may no longer be used: the cpuset was changed, or the core taken offline."""


def pin_process(pid: int, core: int) -> None:
    """Move every thread of a process to one core; threads that end meanwhile are none.

    Raises
    ------
    CoreVanished
        When this process may not use that core any more.
    """
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):
                _move(int(name), core)


def _move(thread: int, core: int) -> None:
    try:
        os.sched_setaffinity(thread, {core})
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise CoreVanished(f"core {core}") from error
        raise


def prefer_main_thread(threads: Threads) -> None:
    """Real-time priority for QEMU's main loop: a spinning vCPU on the same core would delay the device."""
    with contextlib.suppress(ProcessLookupError):
        os.sched_setscheduler(threads.main, os.SCHED_FIFO, os.sched_param(1))
