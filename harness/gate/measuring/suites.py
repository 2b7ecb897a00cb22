"""The in-kernel suites: a kernel that tests itself, booted, and what it says of each test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.guest.serial import parse_serial
from harness.model.errors import GuestError
from harness.model.spec import BUILT_IN, Limits, Machine, RunParams, RunSpec
from harness.model.suites import SuiteRun
from harness.platform.machine.qemu import Qemu

LIMIT_S = 60.0


@dataclass(frozen=True)
class SuiteBoot:
    """One boot of the test kernel."""

    name: str
    machine: Machine
    suite: str


def suite_boots(arch: str) -> tuple[SuiteBoot, ...]:
    """Everything at once on several CPUs; and the sweep over instructions where time is instructions."""
    return (
        SuiteBoot("all", Machine(arch, vcpus=4, maxcpus=4, disk_mib=16), "all"),
        SuiteBoot("icount", Machine(arch, vcpus=1, maxcpus=1, icount=True), "preempt_race"),
    )


def suite_boot(arch: str, suite: str) -> SuiteBoot:
    """One suite by itself, on the machine of all."""
    return replace(suite_boots(arch)[0], name=suite, suite=suite)


@dataclass(frozen=True)
class SuiteLog:
    """What a boot of the suites left."""

    serial_log: bytes
    trouble: str
    """What the host saw go wrong; empty where nothing did."""
    qemu_version: str


def run_suites(boot: SuiteBoot, kernel: Path, folder: Path) -> SuiteRun:
    """Boot the suites and read what they say; a guest that fails to end is a complaint.

    Raises
    ------
    HarnessError
        When QEMU or the harness itself fails.
    """
    said = boot_suites(boot, kernel, folder)
    return read_suites(boot.name, said.serial_log, said.trouble)


def boot_suites(boot: SuiteBoot, kernel: Path, folder: Path) -> SuiteLog:
    """Boot the suites, as :func:`run_suites` does, and keep what was said."""
    spec = RunSpec(kernel, boot.machine, RunParams(suite=boot.suite, input=1), BUILT_IN, Limits(serial_bytes=8 << 20))
    machine = Qemu(spec, folder, ())
    trouble = ""
    try:
        with machine:
            machine.wait_end(LIMIT_S)
    except GuestError as error:
        trouble = error.message
    return SuiteLog(machine.console.content(), trouble, machine.version)


def read_suites(name: str, serial_log: bytes, trouble: str = "") -> SuiteRun:
    """The suites' results in a serial log; ``trouble`` is what the host saw go wrong. Pure."""
    log = parse_serial(serial_log)
    if log.suites is None:
        return SuiteRun(name, 0, 1, (trouble or "no suite ran",))
    leaves = log.suites.leaves
    lines = [f"{test_name} ({'; '.join(test.diagnostics)})" for test_name, test in leaves if not test.passed]
    lines += [*log.suites.problems, *([trouble] if trouble else [])]
    if log.done is None and not lines:
        lines.append("the kernel did not say [DONE]")
    tests = {test_name: test.passed for test_name, test in leaves if not test.skipped}
    return SuiteRun(name, log.suites.passed, max(log.suites.failed, 1 if lines else 0), tuple(lines), tests)
