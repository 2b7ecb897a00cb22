"""Features that work on this host, found by trying them."""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import replace
from pathlib import Path

from harness.model.errors import HarnessError, QemuError
from harness.model.qemu_arches import arch_of
from harness.model.spec import Limits, RunParams, RunSpec, UsageError
from harness.platform.files.scratch import scratch_folder
from harness.platform.machine.qemu import Qemu
from harness.platform.processes.child import ChildError, run_child

QEMU_MINIMUM = (7, 2)
KVM_FRAMES = 20
KVM_LIMIT_S = 3.0
_SAID_BYTES_MAX = 1 << 20


def qemu_version(arch: str, gpu: str = "") -> tuple[int, ...]:
    """Version of the QEMU that emulates an architecture.

    Parameters
    ----------
    gpu
        The device that it must have; by default the architecture's.

    Raises
    ------
    QemuError
        When it is missing, does not run, is too old, or has no virtio-gpu.
    UsageError
        When it has not the device that was named.
    """
    record = arch_of(arch)
    install = f"install the package {record.qemu_package} (make setup perf)"
    binary = shutil.which(record.qemu)
    if binary is None:
        raise QemuError(f"{record.qemu} is not installed: {install}")
    text = _output([binary, "--version"])
    found = re.search(r"version (\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        raise QemuError(f"{record.qemu} --version names no version: {text[:80]!r}")
    version = tuple(int(part) for part in found.groups(default="0"))
    if version[:2] < QEMU_MINIMUM:
        least = ".".join(str(part) for part in QEMU_MINIMUM)
        raise QemuError(f"{record.qemu} is {found[0].removeprefix('version ')}, at least {least} is needed: {install}")
    devices = _output([binary, "-machine", "none", "-device", "help"])
    named = gpu.partition(",")[0]
    if named and not re.search(rf'(?:name|alias) "{re.escape(named)}"', devices):
        known = re.findall(r'name "(virtio-(?:gpu|vga)[^"]*)"', devices)
        raise UsageError(f"{named}: {record.qemu} has none; it has {' '.join(sorted(known)) or 'no virtio-gpu'}")
    if not named and f'"{record.gpu_device}"' not in devices:
        raise QemuError(f"{record.qemu} has no {record.gpu_device}: {install}")
    return version


def _output(command: list[str]) -> str:
    try:
        return run_child(command, limit_s=20, output_bytes=_SAID_BYTES_MAX, merged=True).text
    except ChildError as error:
        raise QemuError(f"{Path(command[0]).name} does not run: {error.message}") from error


def boots(spec: RunSpec) -> str:
    """Boot a kernel to its first frames and a clean end; returns what went wrong, or nothing."""
    params = RunParams(frames=KVM_FRAMES, records=0)
    limits = Limits(first_byte_s=KVM_LIMIT_S, first_frame_s=KVM_LIMIT_S, shutdown_s=1.0)
    with scratch_folder("probe") as folder:
        try:
            with Qemu(replace(spec, params=params, limits=limits), folder) as machine:
                machine.wait_first_flush()
                if spec.capabilities.done_line and not machine.wait_end(KVM_LIMIT_S).clean:
                    return "the guest did not end cleanly"
        except HarnessError as error:
            return error.message
    return ""


def choose_accelerator(wanted: str, spec: RunSpec) -> tuple[str, str]:
    """The accelerator to use, and a notice when it is not the wanted one.

    Raises
    ------
    UsageError
        When there is no accelerator of that name.
    """
    if wanted == "tcg":
        return "tcg", ""
    if wanted != "kvm":
        raise UsageError(f"ACCEL={wanted}: there are tcg and kvm")
    if arch_of(spec.machine.arch).host != platform.machine():
        return "tcg", f"ACCEL=kvm: a {platform.machine()} host cannot run {spec.machine.arch}; TCG was used"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg", "ACCEL=kvm: /dev/kvm cannot be opened; TCG was used"
    trouble = boots(replace(spec, machine=replace(spec.machine, accelerator="kvm")))
    if trouble:
        return "tcg", f"ACCEL=kvm: a kernel booted on it failed ({trouble}); TCG was used"
    return "kvm", ""
