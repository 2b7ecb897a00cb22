"""Build one kernel and say where it is."""

from __future__ import annotations

from harness.commands import Arguments, Printer
from harness.commands.perf import split_settings
from harness.drive.build import build_kernel
from harness.spec import Switches, Verdict


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``build [SWITCH=value …] [CC=clang] [TEST=1]``."""
    settings, switches = split_settings(arguments, ["CC", "TEST"])
    built = build_kernel(
        Switches.of(switches), compiler=settings.get("CC", "gcc"), test=settings.get("TEST", "") not in ("", "0")
    )
    out.line(f"{built.switches.label}: {built.path.stat().st_size} bytes, sha256 {built.sha256[:16]}…")
    out.line(str(built.path))
    return Verdict.PASS
