"""Build one kernel and say where it is."""

from __future__ import annotations

from harness.model.spec import Switches, Verdict
from harness.platform.build import build_kernel
from harness.report.printer import Printer
from harness.settings import Arguments, split_settings


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``build [SWITCH=value …] [CC=clang] [TEST=1]``."""
    settings, switches = split_settings(arguments, ["CC", "TEST"])
    built = build_kernel(
        Switches.of(switches), compiler=settings.get("CC", "gcc"), test=settings.get("TEST", "") not in ("", "0")
    )
    out.line(f"{built.switches.label}: {built.path.stat().st_size} bytes, sha256 {built.sha256[:16]}…")
    out.line(str(built.path))
    return Verdict.PASS
