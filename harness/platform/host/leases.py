"""Cores are leased, so that runs on one host do not measure each other.

A lease is an abstract socket address, one a CPU, bound while the lease lasts. The kernel frees it when its holder ends,
however it ends, and nothing lies in a file system. A second address beside it says who holds it: the lease of a stopped
run is passed over when its CPU is idle, and a run uses what the run that started it holds. Abstract addresses belong to
a network namespace; what runs in another one is seen by how busy its cores are.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.core.wording import percent
from harness.model.record import Lease
from harness.platform.host.cpus import Cpus, busy_shares, read_cpus

NAME = "virtio-gpu-perf-cpu-{cpu}-{layer}"
HOLDER = NAME + "-held-by-{pid}-in-{namespace}"
_LISTED = re.compile(r"@virtio-gpu-perf-cpu-(\d+)-(\d+)(?:-held-by-(\d+)-in-(\S+))?$", re.MULTILINE)
LAYERS = 4
"""Most leases of one CPU: those below the topmost belong to stopped runs."""
WAIT_S = 300.0
"""How long to wait for a run that holds all cores: a usual one ends in a minute or two."""
POLL_S = 0.5
BUSY = 0.25
"""A core that was busy for this share of a moment is not idle."""

Progress = Callable[[str], None]


@dataclass
class _Held:
    """The lease that this process has; a second request inside it gets the same."""

    lease: Lease | None = None


_HELD = _Held()


def held_lease() -> Lease | None:
    """Leases that this process holds now."""
    return _HELD.lease


def spare_cpus(
    lease: Lease,
    cpus_now: Callable[[], Cpus] = read_cpus,
    busy_now: Callable[[], Mapping[int, float]] = busy_shares,
) -> tuple[int, ...]:
    """One CPU of each idle core that neither this run nor another one holds."""
    cpus, busy = cpus_now(), busy_now()
    free, _ = _free_cores(cpus, busy)
    ours = {group for group in cpus.cores if set(group) & set(lease.cores)}
    return tuple(group[0] for group in free if group not in ours and max(busy.get(cpu, 0.0) for cpu in group) <= BUSY)


@dataclass(frozen=True)
class _Choice:
    """Cores that are free at this moment."""

    cpus: tuple[int, ...]
    siblings: bool
    """The CPUs are threads of one physical core."""


@contextmanager
def lease_cores(
    wanted: int = 2,
    progress: Progress = lambda text: None,
    wait_s: float = WAIT_S,
    cpus_now: Callable[[], Cpus] = read_cpus,
    busy_now: Callable[[], Mapping[int, float]] = busy_shares,
    quiet: bool = False,
) -> Iterator[Lease]:
    """Hold up to ``wanted`` cores while inside; waits, and says so, while other runs leave too few for a pair.

    Parameters
    ----------
    wanted
        Cores that are useful; at least as many as a pair needs are waited for, where the host has them. Beyond a pair
        a quarter of the idle ones is left to other runs.
    wait_s
        After this long the idlest cores are shared, and the lease says so.
    quiet
        Wait for idle cores too, not only for unleased ones.
    """
    if _HELD.lease is not None:
        yield _HELD.lease
        return
    with ExitStack() as stack:
        lease = _wait(stack, wanted, progress, wait_s, cpus_now, busy_now, quiet)
        _HELD.lease = lease
        stack.callback(setattr, _HELD, "lease", None)
        yield lease


def _wait(
    stack: ExitStack,
    wanted: int,
    progress: Progress,
    wait_s: float,
    cpus_now: Callable[[], Cpus],
    busy_now: Callable[[], Mapping[int, float]],
    quiet: bool,
) -> Lease:
    begun, said = time.monotonic(), ""
    while True:
        cpus, busy = cpus_now(), busy_now()
        needed = min(2, len(cpus.allowed), wanted)
        free, holders = _free_cores(cpus, busy)
        waited_s = time.monotonic() - begun
        late = waited_s >= wait_s
        choice = _choose(cpus, busy, free, wanted)
        noisy = any(busy.get(cpu, 0.0) > BUSY for cpu in choice.cpus)
        if len(choice.cpus) >= needed and (late or not (quiet and noisy)):
            sockets = _bind(choice.cpus, cpus)
            if sockets is not None:
                stack.enter_context(sockets)
                return _lease(choice, cpus, busy, waited_s, ())
        elif late:
            everything = _choose(cpus, busy, cpus.cores, wanted)
            shared = f"no core became free within {wait_s:g} s: shared with {_names(holders)}"
            return _lease(everything, cpus, busy, waited_s, (shared,))
        why = f"cores are leased by {_names(holders)}" if len(choice.cpus) < needed else "cores are busy"
        if why != said:
            progress(f"waiting for cores, up to {wait_s:g} s: {why}")
            said = why
        time.sleep(POLL_S)


def _lease(choice: _Choice, cpus: Cpus, busy: Mapping[int, float], waited_s: float, notices: tuple[str, ...]) -> Lease:
    found = list(notices)
    noisy = {cpu: busy[cpu] for cpu in choice.cpus if busy.get(cpu, 0.0) > BUSY}
    if noisy:
        told = ", ".join(f"core {cpu} {percent(share, 0)}" for cpu, share in sorted(noisy.items()))
        found.append(f"no idle core: others use {told}")
    if choice.siblings:
        found.append("both cores are threads of one physical core")
    if cpus.quota is not None and cpus.at_once < len(cpus.allowed):
        found.append(f"the control group allows {cpus.quota:.2g} CPUs")
    if waited_s > POLL_S:
        found.append(f"waited {waited_s:.0f} s for cores")
    return Lease(choice.cpus, min(cpus.at_once, len(choice.cpus)), waited_s, tuple(found))


def _choose(cpus: Cpus, busy: Mapping[int, float], free: tuple[tuple[int, ...], ...], wanted: int) -> _Choice:
    """The idlest free cores, one CPU of each; threads of one core where it is the only one."""
    load = {group: max(busy.get(cpu, 0.0) for cpu in group) for group in free}
    order = sorted(free, key=lambda group: (round(load[group], 1), group))
    idle = [group for group in order if load[group] <= BUSY]
    chosen = idle if len(idle) >= min(2, wanted) else order[: min(2, wanted)]
    if len(chosen) == 1 and len(cpus.cores) == 1 and len(chosen[0]) > 1 and wanted > 1:
        return _Choice(chosen[0][:2], True)
    fair = max(2, len(idle) * 3 // 8 * 2)
    return _Choice(tuple(group[0] for group in chosen[: min(wanted, fair)]), False)


def _free_cores(cpus: Cpus, busy: Mapping[int, float]) -> tuple[tuple[tuple[int, ...], ...], frozenset[int]]:
    """Physical cores that no living run holds, and the holders of the others."""
    free: list[tuple[int, ...]] = []
    holders: set[int] = set()
    listed = _listed()
    for group in cpus.cores:
        held = {
            holder
            for (cpu, _), holder in listed.items()
            if cpu in group and not _passed_over(holder) and not (busy.get(cpu, 0.0) <= BUSY and _stopped(holder))
        }
        holders |= held
        if not held:
            free.append(group)
    return tuple(free), frozenset(holders)


def _listed(proc: Path = Path("/proc")) -> dict[tuple[int, int], int]:
    """All leases, by CPU and layer: the holder's process id, 0 when it cannot be told here."""
    try:
        # No bound needed: /proc.
        text = (proc / "net" / "unix").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[tuple[int, int], int] = {}
    for cpu, layer, pid, namespace in _LISTED.findall(text):
        known = pid and namespace == _namespace(proc)
        found[int(cpu), int(layer)] = max(int(pid) if known else 0, found.get((int(cpu), int(layer)), 0))
    return found


def _namespace(proc: Path = Path("/proc")) -> str:
    try:
        return os.readlink(proc / "self" / "ns" / "pid").strip("pid:[]")
    except OSError:
        return "unknown"


def _passed_over(holder: int) -> bool:
    """Cores that the run which started this one holds."""
    return holder in _ancestors()


def _bind(chosen: tuple[int, ...], cpus: Cpus) -> ExitStack | None:
    """Take all threads of the chosen cores; None when another run was faster."""
    groups = [group for group in cpus.cores if set(group) & set(chosen)]
    listed = _listed()
    taken = ExitStack()
    if all(_bind_one(taken, cpu, listed) for group in groups for cpu in group):
        return taken
    taken.close()
    return None


def _bind_one(stack: ExitStack, cpu: int, listed: Mapping[tuple[int, int], int]) -> bool:
    """Bind the lowest address above the leases that are passed over; False when a lease that counts is in the way."""
    for layer in range(LAYERS):
        holder = listed.get((cpu, layer))
        if holder is not None and (_passed_over(holder) or _stopped(holder)):
            continue
        if not _bound(stack, NAME.format(cpu=cpu, layer=layer)):
            return False
        _bound(stack, HOLDER.format(cpu=cpu, layer=layer, pid=os.getpid(), namespace=_namespace()))
        return True
    return False


def _bound(stack: ExitStack, name: str) -> bool:
    address = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
    try:
        address.bind(f"\0{name}")
    except OSError:
        return False
    return True


def _stopped(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process was stopped by a signal."""
    return pid > 0 and _stat(pid, proc)[:1] in (["T"], ["t"])


def _stat(pid: int, proc: Path) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent …; empty when there is no such process."""
    try:
        return (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _ancestors(proc: Path = Path("/proc")) -> frozenset[int]:
    """This process and those that started it."""
    found, pid = set(), os.getpid()
    while pid > 1 and pid not in found:
        found.add(pid)
        fields = _stat(pid, proc)
        pid = int(fields[1]) if len(fields) > 1 else 0
    return frozenset(found)


def _names(holders: frozenset[int]) -> str:
    if not holders:
        return "others"
    return " and ".join(f"process {pid}" if pid else "a process of another container" for pid in sorted(holders))
