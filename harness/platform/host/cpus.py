"""The host's CPUs as this process may use them: which, which share a core, how much of them, and how busy they are.

Where something cannot be read, each CPU counts as a core of its own, without a quota, and nothing is busy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SYSFS_CPUS = Path("/sys/devices/system/cpu")
CGROUP_ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")

LOOK_S = 0.2
"""How long to observe the CPUs: twenty ticks of /proc/stat."""


@dataclass(frozen=True)
class Cpus:
    """CPUs that this process may use."""

    allowed: tuple[int, ...]
    """By affinity and cpuset, rising."""
    core_of: Mapping[int, int]
    """By CPU: the lowest CPU of the physical core that it is a thread of."""
    quota: float | None = None
    """CPUs' worth of time that the control group allows; None without a limit."""

    @property
    def cores(self) -> tuple[tuple[int, ...], ...]:
        """The allowed CPUs, those of one physical core together."""
        groups: dict[int, list[int]] = {}
        for cpu in self.allowed:
            groups.setdefault(self.core_of.get(cpu, cpu), []).append(cpu)
        return tuple(tuple(group) for _, group in sorted(groups.items()))

    @property
    def at_once(self) -> int:
        """How many threads may compute at once without being throttled."""
        whole = len(self.allowed) if self.quota is None else min(len(self.allowed), int(self.quota + 0.05))
        return max(whole, 1)


def read_cpus(sysfs: Path = SYSFS_CPUS, cgroup: Path = CGROUP_ROOT, proc: Path = PROC) -> Cpus:
    """The CPUs as they are now: cpusets and affinity may change while this process runs."""
    allowed = tuple(sorted(os.sched_getaffinity(0)))
    core_of = {cpu: min(parse_cpu_list(_siblings(sysfs, cpu)), default=cpu) for cpu in allowed}
    return Cpus(allowed, core_of, cpu_quota(cgroup, proc))


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Restrict this process and its children to this many CPUs, as ``taskset`` does; 0 changes nothing."""
    allowed = os.sched_getaffinity(0)
    if count:
        os.sched_setaffinity(0, set(sorted(allowed)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _siblings(sysfs: Path, cpu: int) -> str:
    return _read(sysfs / f"cpu{cpu}" / "topology" / "thread_siblings_list")


def parse_cpu_list(text: str) -> frozenset[int]:
    """``0-3,8`` as a set; empty when it is not such a list."""
    found: set[int] = set()
    for part in text.strip().split(","):
        low, _, high = part.partition("-")
        if not low.isdigit() or (high and not high.isdigit()) or int(high or low) - int(low) > 4096:
            return frozenset()
        found |= set(range(int(low), int(high or low) + 1))
    return frozenset(found)


def cpu_quota(cgroup: Path = CGROUP_ROOT, proc: Path = PROC) -> float | None:
    """The tightest CPU limit of this process's control groups, version 2 or 1, in CPUs."""
    limits: list[float] = []
    for line in _read(proc / "self" / "cgroup").splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0":
            limits += _limits([cgroup, cgroup / "unified"], path, _words_v2)
        elif "cpu" in controllers.split(","):
            limits += _limits([cgroup / "cpu", cgroup / "cpu,cpuacct"], path, _words_v1)
    return min(limits, default=None)


def _limits(mounts: list[Path], path: str, words_of: Callable[[Path], list[str]]) -> list[float]:
    """Limits of a group and of all groups above it."""
    found = []
    for mount in mounts:
        group = mount / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder != mount and mount not in folder.parents:
                break
            words = words_of(folder)
            if len(words) == 2 and all(word.isdigit() for word in words) and int(words[1]):
                found.append(int(words[0]) / int(words[1]))
    return found


def _words_v2(folder: Path) -> list[str]:
    return _read(folder / "cpu.max").split()


def _words_v1(folder: Path) -> list[str]:
    return [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]


def busy_shares(look_s: float = LOOK_S, proc: Path = PROC) -> dict[int, float]:
    """By CPU: the share of a moment that it did not idle, 0 to 1. Empty when the kernel does not say."""
    before = cpu_times(_read(proc / "stat"))
    time.sleep(look_s)
    return busy_between(before, cpu_times(_read(proc / "stat")))


@dataclass(frozen=True)
class CpuTimes:
    """Clock ticks of one CPU since boot."""

    idle: int
    stolen: int
    total: int


def cpu_times(stat: str) -> dict[int, CpuTimes]:
    """From the ``cpuN`` lines of /proc/stat."""
    found: dict[int, CpuTimes] = {}
    for line in stat.splitlines():
        name, *fields = line.split()
        if not name.startswith("cpu") or not name[3:].isdigit() or not all(field.isdigit() for field in fields):
            continue
        ticks = [int(field) for field in fields[:8]] + [0] * (8 - len(fields))
        found[int(name[3:])] = CpuTimes(ticks[3] + ticks[4], ticks[7], sum(ticks))
    return found


def busy_between(before: Mapping[int, CpuTimes], after: Mapping[int, CpuTimes]) -> dict[int, float]:
    """By CPU: the share of the time between two readings that it did not idle."""
    shares = {}
    for cpu, late in after.items():
        early = before.get(cpu)
        if early is not None and late.total > early.total:
            idle = (late.idle - early.idle) / (late.total - early.total)
            shares[cpu] = min(max(1 - idle, 0.0), 1.0)
    return shares


def _read(path: Path) -> str:
    try:
        # No bound needed: /proc.
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
