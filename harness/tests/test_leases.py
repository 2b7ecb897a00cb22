"""Cores are leased: two runs never get the same one, whatever the host, its quota and its other runs are like."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.model.record import Lease
from harness.model.spec import ROOT
from harness.platform.host import leases
from harness.platform.host.cpus import (
    Cpus,
    CpuTimes,
    busy_between,
    busy_shares,
    cpu_quota,
    cpu_times,
    parse_cpu_list,
    read_cpus,
)
from harness.platform.host.leases import lease_cores

BASE = 9000 + os.getpid() % 500 * 16
"""CPUs that no host has, and no other test process uses: only their names are leased."""

HOLD = """
import sys, time
from harness.platform.host.cpus import Cpus
from harness.platform.host.leases import lease_cores
cores = [int(word) for word in sys.argv[1].split(",")]
cpus = Cpus(tuple(cores), {core: core for core in cores})
with lease_cores(2, wait_s=float(sys.argv[2]), cpus_now=lambda: cpus, busy_now=dict) as lease:
    print(*lease.cores, *lease.notices, flush=True)
    sys.stdin.read()
"""


def cpus_of(*cores: int, threads: Mapping[int, int] | None = None, quota: float | None = None) -> Cpus:
    allowed = tuple(BASE + core for core in cores)
    core_of = {BASE + cpu: BASE + first for cpu, first in (threads or {}).items()}
    return Cpus(allowed, {cpu: core_of.get(cpu, cpu) for cpu in allowed}, quota)


def lease(
    cpus: Cpus, busy: Mapping[int, float] | None = None, wanted: int = 2, wait_s: float = 0.0, quiet: bool = False
) -> Lease:
    shares = {BASE + cpu: share for cpu, share in (busy or {}).items()}
    with lease_cores(wanted, wait_s=wait_s, cpus_now=lambda: cpus, busy_now=lambda: shares, quiet=quiet) as found:
        return found


def names(found: Lease) -> list[int]:
    return [core - BASE for core in found.cores]


@contextmanager
def holder(*cores: int, wait_s: float = 0.0) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """Another run that holds these cores."""
    listed = ",".join(str(BASE + core) for core in cores)
    command = [sys.executable, "-c", HOLD, listed, str(wait_s)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()
        finally:
            process.kill()


def test_two_runs_at_once_never_share_a_core() -> None:
    with holder(0, 1, 2, 3) as (_, first), holder(0, 1, 2, 3) as (_, second):
        held = set(map(int, first + second))
        assert held == {BASE, BASE + 1, BASE + 2, BASE + 3}
        found = lease(cpus_of(0, 1, 2, 3, 4, 5))
        assert names(found) == [4, 5]


def test_cores_are_free_when_their_holder_is_killed() -> None:
    with holder(0, 1) as (process, held):
        assert len(held) == 2
        process.kill()
        process.wait()
        found = lease(cpus_of(0, 1))
        assert names(found) == [0, 1] and not found.notices


@pytest.mark.slow
def test_waiting_is_said_and_ends_when_the_other_run_does() -> None:
    said: list[str] = []
    with holder(0, 1) as (process, _):

        def shares() -> dict[int, float]:
            if said:
                process.kill()
                process.wait()
            return {}

        with lease_cores(2, said.append, 30.0, lambda: cpus_of(0, 1), shares) as found:
            assert names(found) == [0, 1]
        assert said == [f"waiting for cores, up to 30 s: cores are leased by process {process.pid}"]


def test_after_the_limit_cores_are_shared_and_that_is_said() -> None:
    with holder(0, 1) as (process, _):
        found = lease(cpus_of(0, 1))
        assert names(found) == [0, 1] and f"shared with process {process.pid}" in found.notices[0]


def test_a_stopped_run_s_idle_cores_are_taken_and_its_busy_ones_are_not() -> None:
    with holder(0, 1) as (process, _):
        os.kill(process.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 60
        while not leases._stopped(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        with holder(0, 1) as (second, taken):
            assert taken == [str(BASE), str(BASE + 1)]
            with holder(0, 1) as (_, third):
                assert f"shared with process {second.pid}" in " ".join(third)
        busy = lease(cpus_of(0, 1), {0: 0.9, 1: 0.9})
        assert f"shared with process {process.pid}" in busy.notices[0]


def test_a_run_uses_what_the_run_that_started_it_holds() -> None:
    cpus = cpus_of(0, 1)
    with lease_cores(2, wait_s=0, cpus_now=lambda: cpus, busy_now=dict):
        with holder(0, 1) as (_, inner):
            assert inner == [str(BASE), str(BASE + 1)]
        assert names(lease(cpus_of(4, 5))) == [0, 1], "a lease inside a lease is the same"


@pytest.mark.parametrize(
    ("cpus", "busy", "wanted", "cores", "at_once", "says"),
    [
        (cpus_of(0, 1, 2, 3), {0: 0.9, 1: 0.0, 2: 0.5, 3: 0.1}, 2, [1, 3], 2, ""),
        (cpus_of(0, 1), {0: 0.9, 1: 0.8}, 2, [1, 0], 2, "no idle core: others use core"),
        (cpus_of(0, 1, 2, 3, threads={0: 0, 1: 1, 2: 0, 3: 1}), {}, 2, [0, 1], 2, ""),
        (cpus_of(0, 1, 2, 3, threads={0: 0, 1: 1, 2: 0, 3: 1}), {2: 0.9}, 2, [1, 0], 2, ""),
        (cpus_of(0, 1, threads={0: 0, 1: 0}), {}, 2, [0, 1], 2, "threads of one physical core"),
        (cpus_of(0), {}, 2, [0], 1, ""),
        (cpus_of(0, 1, 2, quota=1.5), {}, 2, [0, 1], 1, "allows 1.5 CPUs"),
        (cpus_of(*range(8)), {}, 6, [0, 1, 2, 3, 4, 5], 6, ""),
        (cpus_of(*range(8)), {}, 32, [0, 1, 2, 3, 4, 5], 6, ""),
        (cpus_of(*range(16)), {}, 32, list(range(12)), 12, ""),
        (cpus_of(*range(4)), {}, 32, [0, 1], 2, ""),
        (cpus_of(*range(8)), {cpu: 0.9 for cpu in range(2, 8)}, 6, [0, 1], 2, ""),
    ],
)
def test_the_idlest_cores_are_taken(
    cpus: Cpus, busy: dict[int, float], wanted: int, cores: list[int], at_once: int, says: str
) -> None:
    found = lease(cpus, busy, wanted)
    assert (names(found), found.at_once) == (cores, at_once)
    assert says in "; ".join(found.notices) and bool(says) <= bool(found.notices)


@pytest.mark.slow
def test_quiet_waits_for_idle_cores_until_the_limit() -> None:
    shares: Iterator[dict[int, float]] = iter([{BASE: 0.9, BASE + 1: 0.9}, {}])
    said: list[str] = []
    with lease_cores(2, said.append, 30, lambda: cpus_of(0, 1), lambda: next(shares), quiet=True) as found:
        assert not [notice for notice in found.notices if "idle" in notice]
    assert said == ["waiting for cores, up to 30 s: cores are busy"]
    assert "no idle core" in lease(cpus_of(0, 1), {0: 0.9, 1: 0.9}, quiet=True).notices[0]


# What the host says of its CPUs


def test_this_host_is_read() -> None:
    cpus = read_cpus()
    assert cpus.allowed == tuple(sorted(os.sched_getaffinity(0)))
    assert sorted(cpu for group in cpus.cores for cpu in group) == list(cpus.allowed)
    assert all(0 <= share <= 1 for share in busy_shares(0.05).values())


def test_unreadable_topology_quota_and_load_leave_plain_assumptions(tmp_path: Path) -> None:
    cpus = read_cpus(tmp_path, tmp_path, tmp_path)
    assert len(cpus.cores) == len(cpus.allowed) and cpus.quota is None and cpus.at_once == len(cpus.allowed)
    assert busy_shares(0.0, tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-2,8\n", {0, 1, 2, 8}), ("3", {3}), ("", set()), ("0-", {0}), ("a-b", set())]
)
def test_cpu_lists(text: str, cpus: set[int]) -> None:
    assert parse_cpu_list(text) == cpus


def test_the_tightest_quota_above_a_process_counts(tmp_path: Path) -> None:
    inner = tmp_path / "cgroup" / "outer" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("0::/outer/inner\n")
    assert cpu_quota(tmp_path / "cgroup", tmp_path) is None
    (inner / "cpu.max").write_text("max 100000\n")
    (inner.parent / "cpu.max").write_text("150000 100000\n")
    assert cpu_quota(tmp_path / "cgroup", tmp_path) == 1.5
    old = tmp_path / "cgroup" / "cpu" / "job"
    old.mkdir(parents=True)
    (tmp_path / "self" / "cgroup").write_text("3:cpu,cpuacct:/job\n0::/outer\n")
    for name, value in (("quota", "50000"), ("period", "100000")):
        (old / f"cpu.cfs_{name}_us").write_text(value)
    assert cpu_quota(tmp_path / "cgroup", tmp_path) == 0.5


def test_busy_is_what_was_not_idle() -> None:
    before = cpu_times("cpu 9 9 9\ncpu0 10 0 10 100 0 0 0 0 0 0\ncpu1 0 0 0 50 50 0 0 0\nintr 5\n")
    after = cpu_times("cpu0 20 0 10 120 10 0 0 0 0 0\ncpu1 0 0 0 100 100 0 0 0\n")
    assert before[0] == CpuTimes(100, 0, 120)
    assert busy_between(before, after) == {0: pytest.approx(0.25), 1: 0.0}
