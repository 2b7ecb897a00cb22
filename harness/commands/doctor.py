"""What of QEMU, accelerators, displays, compilers and rights really works on this machine, by trying."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.commands import Arguments, Printer
from harness.drive.build import build_kernel, compiler_identity
from harness.drive.errors import HarnessError
from harness.drive.gnuplot import plot_svg
from harness.drive.pin import probe_rights
from harness.drive.probe import boots, choose_accelerator, qemu_version
from harness.spec import ARCHES, Machine, RunSpec, Switches, UsageError, Verdict

TOOLS = {
    "setpriv": "util-linux",
    "git": "git",
    "make": "make",
    "clang": "clang",
    "ld.lld": "lld",
    "Xvfb": "xvfb",
    "chromium": "chromium",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was tried."""

    what: str
    works: bool
    says: str
    needed: bool = True
    """``make perf`` needs it."""


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``doctor``: 0 when ``make perf`` can work here, 5 when it cannot."""
    if arguments.settings or arguments.words:
        raise UsageError("doctor takes no arguments")
    found: list[Finding] = []
    for name, look in _CHECKS.items():
        out.progress(f"doctor: {name}")
        found += look()
    rows = [
        [("✓ works" if one.works else "✗ does not" if one.needed else "– absent"), one.what, one.says] for one in found
    ]
    out.table("this machine", ["", "what", "how"], rows)
    broken = [one.what for one in found if one.needed and not one.works]
    if broken:
        out.line(f"'make perf' cannot work here: {', '.join(broken)}")
        return Verdict.HARNESS_FAILED
    out.line("'make perf' can work here")
    return Verdict.PASS


def _architectures() -> list[Finding]:
    """Every architecture: its QEMU, its compiler, and its kernel booted to frames and a clean end."""
    found = []
    for name in ARCHES:
        needed = name == "x86_64"
        try:
            version = ".".join(str(part) for part in qemu_version(name))
            kernel = build_kernel(Switches(name))
            trouble = boots(RunSpec(kernel.path, Machine(name, vcpus=1, maxcpus=2)))
            says = trouble or f"QEMU {version}, {kernel.compiler}: booted, drew, ended"
            found.append(Finding(name, not trouble, says, needed))
        except HarnessError as error:
            found.append(Finding(name, False, error.message, needed))
    return found


def _accelerators() -> list[Finding]:
    name = {"x86_64": "x86_64", "aarch64": "aarch64", "riscv64": "riscv64"}.get(platform.machine())
    if name is None:
        return [Finding("kvm", False, f"no kernel for {platform.machine()}", False)]
    try:
        kernel = build_kernel(Switches(name))
        chosen, notice = choose_accelerator("kvm", RunSpec(kernel.path, Machine(name, vcpus=1, maxcpus=2)))
    except HarnessError as error:
        return [Finding("kvm", False, error.message, False)]
    return [Finding("kvm", chosen == "kvm", notice or "a kernel booted on it", False)]


def _rights() -> list[Finding]:
    rights = probe_rights()
    cores = f"cores {', '.join(str(core) for core in rights.cores)}"
    without = "machines take turns instead, which is less precise"
    return [
        Finding("pinning", rights.affinity and len(rights.cores) > 1, f"{cores}; without it {without}", False),
        Finding("real-time priority", rights.realtime, "SCHED_FIFO; without it pinned runs are noisier", False),
    ]


def _tools() -> list[Finding]:
    found = []
    for tool, package in TOOLS.items():
        path = shutil.which(tool)
        needed = tool in ("setpriv", "git", "make")
        says = path or f"install {package}"
        if tool == "clang" and path:
            says = compiler_identity("clang")
        found.append(Finding(tool, path is not None, says, needed))
    return found


def _plots() -> list[Finding]:
    try:
        plot_svg("set terminal svg\nplot x\n")
    except HarnessError as error:
        return [Finding("gnuplot", False, error.message)]
    return [Finding("gnuplot", True, "drew a plot")]


def _displays() -> list[Finding]:
    """Displays that QEMU offers, the session's own, and a virtual one started for a moment."""
    qemu = shutil.which(ARCHES["x86_64"].qemu)
    if qemu is None:
        return []
    done = subprocess.run([qemu, "-display", "help"], capture_output=True, text=True, timeout=20, check=False)
    kinds = [line.strip() for line in done.stdout.splitlines()[1:] if line.strip() and " " not in line.strip()]
    session = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    return [
        Finding("QEMU displays", bool(kinds), ", ".join(kinds) or "none", False),
        Finding("session display", bool(session), session or "none here: VIDEO=xvfb shows the wheel headless", False),
        _xvfb(),
    ]


def _xvfb() -> Finding:
    binary = shutil.which("Xvfb")
    if binary is None:
        return Finding("virtual display", False, "install xvfb", False)
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        read, write = os.pipe()
        command = [binary, "-displayfd", str(write), "-screen", "0", "640x480x24", "-nolisten", "tcp", "-fbdir", folder]
        process = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        try:
            with os.fdopen(read) as answer:
                number = answer.readline().strip()
            mapped = (Path(folder) / "Xvfb_screen0").exists()
        finally:
            process.kill()
            process.wait()
    return Finding(
        "virtual display", bool(number) and mapped, f"Xvfb :{number}" if number else "Xvfb did not start", False
    )


_CHECKS: dict[str, Callable[[], list[Finding]]] = {
    "architectures": _architectures,
    "accelerators": _accelerators,
    "rights": _rights,
    "tools": _tools,
    "plots": _plots,
    "displays": _displays,
}
