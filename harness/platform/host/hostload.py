"""How busy the host is, before and while something is measured: run delay, stolen time, load and frequency.

Run delay is what a thread, ready to run, waited for a core (``/proc/PID/task/*/schedstat``: ns on the core, ns waiting,
slices). QEMU's own main loop, pinned to the core of its guest, makes the guest's thread wait too: that part is taken
out. An unreadable value is None.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.model.record import HostLoad, LaunchLoad
from harness.platform.host.cpus import PROC, SYSFS_CPUS, CpuTimes, cpu_times

ThreadTimes = Mapping[int, tuple[int, int]]
"""By thread: ns on a core, and ns ready and waiting for one."""


def available_memory_mib(proc: Path = PROC) -> int:
    """Memory that programs can still have without swapping; 0 when the kernel does not say."""
    try:
        # No bound needed: /proc.
        lines = (proc / "meminfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    words: list[str] = next((line.split() for line in lines if line.startswith("MemAvailable:")), [])
    return int(words[1]) // 1024 if len(words) > 1 and words[1].isdigit() else 0


def threads_of(pid: int, proc: Path = PROC) -> tuple[int, ...]:
    """Threads of a process; none of one that has ended."""
    try:
        return tuple(sorted(int(name) for name in os.listdir(proc / str(pid) / "task")))
    except (OSError, ValueError):
        return ()


def thread_times(pid: int, proc: Path = PROC) -> ThreadTimes | None:
    """Times of all threads of a process; None when the kernel does not say."""
    found: dict[int, tuple[int, int]] = {}
    for thread in threads_of(pid, proc):
        try:
            words = (proc / str(pid) / "task" / str(thread) / "schedstat").read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError):
            continue
        if len(words) == 3 and all(word.isdigit() for word in words):
            found[thread] = (int(words[0]), int(words[1]))
    return found or None


def longest_wait(before: ThreadTimes | None, after: ThreadTimes | None, seconds: float) -> float | None:
    """The share of a stretch that the thread which waited longest waited for a core; None when it is not known."""
    if before is None or after is None or seconds <= 0:
        return None
    waited = [time[1] - before[thread][1] for thread, time in after.items() if thread in before]
    return max(waited) / 1e9 / seconds if waited else None


def outside_delay(before: ThreadTimes | None, after: ThreadTimes | None, main: int, running_s: float) -> float | None:
    """Share of a stretch that a machine waited for a core because of others.

    Parameters
    ----------
    main
        QEMU's main thread, for which its other threads wait where they share a core.
    running_s
        How long the machine was running.
    """
    if not before or not after or running_s <= 0:
        return None
    spent = {thread: _difference(before[thread], after[thread]) for thread in before if thread in after}
    own_ns = spent.get(main, (0, 0))[0]
    longest = max((wait for thread, (_, wait) in spent.items() if thread != main), default=0)
    return min(max(longest - own_ns, 0) / (running_s * 1e9), 1.0)


def main_delay(before: ThreadTimes | None, after: ThreadTimes | None, main: int, seconds: float) -> float | None:
    """Share of a stretch that a machine's main thread waited for a core."""
    if not before or not after or main not in before or main not in after or seconds <= 0:
        return None
    return _difference(before[main], after[main])[1] / 1e9 / seconds


def on_core_ns(before: ThreadTimes | None, after: ThreadTimes | None) -> float | None:
    """Processor time of all threads of a process between two readings."""
    if not before or not after:
        return None
    return float(sum(after[thread][0] - before.get(thread, (0, 0))[0] for thread in after))


def _difference(early: tuple[int, int], late: tuple[int, int]) -> tuple[int, int]:
    return max(late[0] - early[0], 0), max(late[1] - early[1], 0)


@dataclass(frozen=True)
class HostMoment:
    """The host's own counters at one time."""

    cpus: Mapping[int, CpuTimes]
    load_1min: float | None
    mhz: tuple[float, ...]
    """Frequencies of the cores asked for."""


def host_moment(cores: Collection[int], proc: Path = PROC, sysfs: Path = SYSFS_CPUS) -> HostMoment:
    """Read everything once."""
    return HostMoment(cpu_times(_read(proc / "stat")), _load_1min(proc), _mhz(cores, proc, sysfs))


def stolen_share(before: HostMoment, after: HostMoment, cores: Collection[int]) -> float | None:
    """Share of the cores' time that a hypervisor gave to others; None when the kernel does not say."""
    stolen = total = 0
    for core in cores:
        early, late = before.cpus.get(core), after.cpus.get(core)
        if early is not None and late is not None:
            stolen += max(late.stolen - early.stolen, 0)
            total += max(late.total - early.total, 0)
    return stolen / total if total else None


def launch_load(delays: Collection[float | None], stolen: float | None) -> LaunchLoad:
    """The worse of both machines."""
    known = [delay for delay in delays if delay is not None]
    return LaunchLoad(max(known) if len(known) == len(delays) and known else None, stolen)


def host_load(
    before: HostMoment, after: HostMoment, cores: Collection[int], launches: Collection[LaunchLoad]
) -> HostLoad:
    """Condition of the host while launches were measured."""
    mhz = before.mhz + after.mhz
    delays = sorted(load.run_delay for load in launches if load.run_delay is not None)
    return HostLoad(
        load_before=before.load_1min,
        load_after=after.load_1min,
        run_delay=delays[len(delays) // 2] if delays else None,
        stolen=stolen_share(before, after, cores),
        mhz=(min(mhz), max(mhz)) if mhz else None,
    )


def _load_1min(proc: Path) -> float | None:
    words = _read(proc / "loadavg").split()
    try:
        return float(words[0])
    except (IndexError, ValueError):
        return None


def _mhz(cores: Collection[int], proc: Path, sysfs: Path) -> tuple[float, ...]:
    """By the frequency governor, or /proc/cpuinfo where there is none."""
    found = []
    for core in cores:
        khz = _read(sysfs / f"cpu{core}" / "cpufreq" / "scaling_cur_freq").strip()
        if khz.isdigit():
            found.append(int(khz) / 1000)
    if found:
        return tuple(found)
    lines = [line.partition(":")[2].strip() for line in _read(proc / "cpuinfo").splitlines() if line[:7] == "cpu MHz"]
    return tuple(float(text) for text in lines if text.replace(".", "", 1).isdigit())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
