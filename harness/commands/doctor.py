"""Try what works on this machine."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.model.errors import HarnessError
from harness.model.spec import ARCHES, Device, Display, Machine, RunSpec, Switches, Verdict
from harness.platform.files.scratch import scratch_folder
from harness.platform.host.context_switches import tells_switches
from harness.platform.host.probe import boots, choose_accelerator, qemu_version
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.pin import probe_rights
from harness.platform.machine.sandbox import trials
from harness.platform.pictures.display import Xvfb
from harness.platform.pictures.gnuplot import plot_svg
from harness.platform.pictures.virgl import PACKAGES, display_trouble, renderer_name
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 5
EXAMPLES = ("",)
NEXT = "make setup installs what is missing; make perf"

TOOLS = {
    "setpriv": "util-linux",
    "git": "git",
    "make": "make",
    "ld.lld": "lld",
    "chromium": "chromium",
}


@dataclass(frozen=True)
class Check:
    """One thing that was tried."""

    what: str
    works: bool
    says: str
    needed: bool = True
    """``make perf`` needs it."""


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``doctor``: 0 when ``make perf`` can work here, 5 when it cannot."""
    found: list[Check] = []
    for name, look in _CHECKS.items():
        out.progress(f"doctor: {name}")
        found += look()
    rows = [
        [("✓ works" if one.works else "✗ does not" if one.needed else "– not here"), one.what, one.says]
        for one in found
    ]
    out.table("this machine", ["", "what", "how"], rows)
    broken = [one.what for one in found if one.needed and not one.works]
    if broken:
        out.line(f"'make perf' cannot work here: {', '.join(broken)}")
        out.line("next: install what is missing: make setup perf")
        return Verdict.HARNESS_FAILED
    out.line("'make perf' can work here")
    return Verdict.PASS


def _architectures() -> list[Check]:
    """Every architecture: its QEMU, its compiler, and its kernel booted to frames and a clean end."""
    found = []
    for name in ARCHES:
        needed = name == "x86_64"
        try:
            version = ".".join(str(part) for part in qemu_version(name))
            kernel = build_kernel(Switches(name))
            trouble = boots(RunSpec(kernel.path, Machine(name, vcpus=1, maxcpus=2)))
            says = trouble or f"QEMU {version}, {kernel.compiler}: booted, drew, ended"
            found.append(Check(name, not trouble, says, needed))
        except HarnessError as error:
            found.append(Check(name, False, error.message, needed))
    return found


def _accelerators() -> list[Check]:
    name = next((arch.name for arch in ARCHES.values() if arch.host == platform.machine()), None)
    if name is None:
        return [Check("kvm", False, f"no kernel for {platform.machine()}", False)]
    try:
        kernel = build_kernel(Switches(name))
        chosen, notice = choose_accelerator("kvm", RunSpec(kernel.path, Machine(name, vcpus=1, maxcpus=2)))
    except HarnessError as error:
        return [Check("kvm", False, error.message, False)]
    return [Check("kvm", chosen == "kvm", notice or "a kernel booted on it", False)]


SWITCHES_SAY = (
    "perf_event_open; without it sizes on a busy host are less narrow: sysctl kernel.perf_event_paranoid=2, and a "
    "container that allows the call"
)


def _rights() -> list[Check]:
    rights = probe_rights()
    cores = f"cores {', '.join(str(core) for core in rights.cores)}"
    without = "machines take turns instead, which is less precise"
    return [
        Check("pinning", rights.affinity and len(rights.cores) > 1, f"{cores}; without it {without}", False),
        Check("real-time priority", rights.realtime, "SCHED_FIFO; without it pinned runs are noisier", False),
        Check("context switches", tells_switches(), SWITCHES_SAY, False),
    ]


def _sandbox() -> list[Check]:
    """How far QEMU is kept apart here; a run takes the first layer that works."""
    found = [Check(f"sandbox: {one.layer.value}", one.works, one.says, False) for one in trials()]
    limited = shutil.which("prlimit") is not None
    says = "memory, sizes of files, no core dumps" if limited else "not installed: install the package util-linux"
    return [*found, Check("sandbox: limits", limited, says, False)]


def _tools() -> list[Check]:
    found = []
    for tool, package in TOOLS.items():
        path = shutil.which(tool)
        needed = tool in ("setpriv", "git", "make")
        says = path or f"not installed: install the package {package}"
        found.append(Check(tool, path is not None, says, needed))
    return found


def _clang() -> list[Check]:
    """The other compiler, with a kernel built by it."""
    try:
        kernel = build_kernel(Switches(), compiler="clang")
        return [Check("clang", True, f"{kernel.compiler}: built the kernel", False)]
    except HarnessError as error:
        return [Check("clang", False, error.message, False)]


def _plots() -> list[Check]:
    try:
        plot_svg("set terminal svg\nplot x\n")
    except HarnessError as error:
        return [Check("gnuplot", False, error.message)]
    return [Check("gnuplot", True, "drew a plot")]


def _displays() -> list[Check]:
    """The session's display, and where QEMU shows the wheel without one, with GL and without."""
    session = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    found = [Check("session display", bool(session), session or "none here: VIDEO=1 has no window to open", False)]
    with scratch_folder("doctor") as folder:
        try:
            with Xvfb(folder, (640, 480)) as display:
                found.append(Check("virtual display", True, f"Xvfb :{display.number} started", False))
        except HarnessError as error:
            return [*found, Check("virtual display", False, error.message, False)]
    shown = {what: _shows(what, machine) for what, machine in _SHOWN.items()}
    drawing = [machine for what, machine in _SHOWN.items() if machine.device is Device.GPU_GL and shown[what].works]
    return [*found, *shown.values(), _renderer(drawing)]


_SHOWN = {
    "2d device in a window": Machine(vcpus=1, display=Display.XVFB),
    "gl device in a window": Machine(vcpus=1, device=Device.GPU_GL, display=Display.XVFB),
    "gl device on a render node": Machine(vcpus=1, device=Device.GPU_GL, display=Display.EGL_HEADLESS),
}


def _shows(what: str, machine: Machine) -> Check:
    """Whether the wheel appears."""
    try:
        trouble = display_trouble(machine)
    except HarnessError as error:
        trouble = error.message
    says = f"{trouble}; its packages: {PACKAGES}" if trouble else "showed the wheel"
    return Check(what, not trouble, says, False)


def _renderer(drawing: Sequence[Machine]) -> Check:
    """Who draws for ``DRAW=gpu``, on the last of the machines that show the GL device."""
    if not drawing:
        return Check("drawn by the host", False, "DRAW=gpu needs the GL device, which shows nothing here", False)
    try:
        return Check("drawn by the host", True, f"DRAW=gpu VIRGL=1: {renderer_name(drawing[-1])}", False)
    except HarnessError as error:
        return Check("drawn by the host", False, error.message, False)


_CHECKS: dict[str, Callable[[], list[Check]]] = {
    "architectures": _architectures,
    "accelerators": _accelerators,
    "rights": _rights,
    "sandbox": _sandbox,
    "clang": _clang,
    "tools": _tools,
    "plots": _plots,
    "displays": _displays,
}
