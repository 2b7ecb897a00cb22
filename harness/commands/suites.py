"""Run the in-kernel suites on every architecture."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from harness.gate.measuring.suites import SuiteBoot, run_suites, suite_boots
from harness.model.errors import HarnessError
from harness.model.spec import ARCHES, Switches, Verdict
from harness.model.suites import SuiteRun
from harness.platform.files.scratch import scratch_folder
from harness.platform.kernels.build import build_kernel
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 125
EXAMPLES = ("", "ARCH=riscv64 SUITE=virtqueue", "BARRIER=linux")
NEXT = "make test runs them with every other suite"
TAKES = ("switches",)


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``suites [ARCH=…] [SUITE=name] [SWITCH=value …]``; ends with ``N passed, N failed``."""
    switches = arguments.switches
    arches = [switches.pop("ARCH")] if "ARCH" in switches else list(ARCHES)
    passed = failed = 0
    broken: list[str] = []
    troubles: list[str] = []
    for arch in arches:
        built = build_kernel(Switches.of({**switches, "ARCH": arch}), compiler=arguments.text("CC"), test=True)
        for boot in suite_boots(arch):
            try:
                run = _run(replace(boot, suite=arguments.text("SUITE") or boot.suite), built.path)
            except HarnessError as error:  # the others run all the same
                troubles.append(f"{arch} {boot.name}: {error.message}")
                continue
            passed, failed = passed + run.passed, failed + run.failed
            broken += [arch] if run.failed or run.complaints else []
            for line in run.complaints:
                out.line(f"FAIL {arch} {run.name}: {line}")
            out.line(f"{arch} {run.name}: {run.passed} passed, {run.failed} failed")
    out.line(f"{passed} passed, {failed} failed")
    if failed or not (passed or troubles):
        kept = [f"{name}={text}" for name, text in arguments.given.items() if name != "ARCH"]
        command = shlex.join(["make", "suites", f"ARCH={(broken or arches)[0]}", *kept])
        out.line(f"next: a line above names the check and its place; after a change, run that architecture: {command}")
    for trouble in troubles:
        out.line(f"{'not run' if failed else Verdict.HARNESS_FAILED.value}: {trouble}")
    if troubles and not failed:
        return Verdict.HARNESS_FAILED
    return Verdict.GUEST_FAILED if failed or not passed else Verdict.PASS


def _run(boot: SuiteBoot, kernel: Path) -> SuiteRun:
    """One boot."""
    with scratch_folder("suites") as folder:
        return run_suites(boot, kernel, folder)
