"""Build one kernel."""

from __future__ import annotations

from harness.model.spec import Switches, Verdict
from harness.platform.kernels.build import build_kernel
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 120
EXAMPLES = ("", "ARCH=aarch64 BARRIER=linux", "CC=clang TEST=1")
NEXT = "make perf KERNEL=<the path that it printed>"
TAKES = ("switches",)


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``build [SWITCH=value …] [CC=clang] [TEST=1]``."""
    switches = Switches.of(arguments.switches)
    built = build_kernel(switches, compiler=arguments.text("CC"), test=arguments.flag("TEST"))
    out.line(f"{built.switches.label}: {built.path.stat().st_size} bytes, sha256 {built.sha256[:16]}…")
    out.line(str(built.path))
    return Verdict.PASS
