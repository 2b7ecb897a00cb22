"""Run the in-kernel suites under QEMU, on every architecture, and count."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.analyze.serial import parse_serial
from harness.commands import Arguments, Printer
from harness.commands.perf import split_settings
from harness.drive.build import build_kernel
from harness.drive.errors import HarnessError
from harness.drive.qemu import Qemu
from harness.spec import ARCHES, BUILT_IN, Limits, Machine, RunParams, RunSpec, Switches, UsageError, Verdict

LIMIT_S = 60.0


@dataclass(frozen=True)
class SuiteRun:
    """One boot of the test kernel."""

    name: str
    machine: Machine
    suite: str


def suite_runs(arch: str) -> tuple[SuiteRun, ...]:
    """Everything at once on several CPUs; and the sweep over instructions where time is instructions."""
    return (
        SuiteRun("all", Machine(arch, vcpus=4, maxcpus=4, disk_mib=16), "all"),
        SuiteRun("icount", Machine(arch, vcpus=1, maxcpus=1, icount=True), "preempt_race"),
    )


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``suites [ARCH=…] [SUITE=name] [SWITCH=value …]``; ends with ``N passed, N failed``."""
    settings, switches = split_settings(arguments, ["SUITE", "CC"])
    arches = [switches.pop("ARCH")] if "ARCH" in switches else list(ARCHES)
    if unknown := [arch for arch in arches if arch not in ARCHES]:
        raise UsageError(f"ARCH={unknown[0]}: unknown value; valid: {' '.join(ARCHES)}")
    passed = failed = 0
    for arch in arches:
        built = build_kernel(Switches.of({**switches, "ARCH": arch}), compiler=settings.get("CC", "gcc"), test=True)
        for run in suite_runs(arch):
            if "SUITE" in settings:
                run = SuiteRun(run.name, run.machine, settings["SUITE"])
            good, bad, lines = _boot(run, built.path)
            passed, failed = passed + good, failed + bad
            for line in lines:
                out.line(f"FAIL {arch} {run.name}: {line}")
            out.line(f"{arch} {run.name}: {good} passed, {bad} failed")
    out.line(f"{passed} passed, {failed} failed")
    return Verdict.GUEST_FAILED if failed or not passed else Verdict.PASS


def _boot(run: SuiteRun, kernel: Path) -> tuple[int, int, list[str]]:
    """Passed, failed, and what to say of each failure."""
    spec = RunSpec(kernel, run.machine, RunParams(suite=run.suite), BUILT_IN, Limits(serial_bytes=8 << 20))
    with tempfile.TemporaryDirectory(prefix="suites-") as folder:
        machine = Qemu(spec, Path(folder), ())
        trouble = ""
        try:
            with machine:
                machine.wait_end(LIMIT_S)
        except HarnessError as error:
            trouble = error.message
        content = machine.console.content()
    log = parse_serial(content)
    if log.suites is None:
        return 0, 1, [trouble or "no suite ran"]
    lines = [f"{name} ({'; '.join(test.diagnostics)})" for name, test in log.suites.leaves if not test.passed]
    lines += [*log.suites.problems, *([trouble] if trouble else [])]
    if log.done is None and not lines:
        lines.append("the kernel did not say [DONE]")
    bad = max(log.suites.failed, 1 if lines else 0)
    return log.suites.passed, bad, lines
