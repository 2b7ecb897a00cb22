"""QEMU's command line: the machine, its GPU, its disk, and what it boots."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from harness.model.errors import QemuError
from harness.model.qemu_arches import arch_of
from harness.model.spec import Device, Display, Machine, RunSpec, UsageError
from harness.platform.kernels.key_place import key_place
from harness.platform.kernels.target_command import SERIAL_LINE, boot_arguments, quoted

TRACE_LOG = "trace.log"
QEMU_LOG = "qemu.log"
"""QEMU's standard error output."""

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


GL_DEVICE = "virtio-gpu-gl-pci"
KEYBOARD_DEVICE = "virtio-keyboard-pci"
GPU_ID = "gpu"
_OURS = ("virt", "q35", "pc")
"""Machines on which our CPU and our exit device work."""


def gpu_arguments(machine: Machine) -> list[str]:
    """The GPU and the display of a machine."""
    shown = "sdl" if machine.display is Display.XVFB else machine.display.value
    usual = arch_of(machine.arch).gpu_device if machine.device is Device.GPU_2D else GL_DEVICE
    device = _named(machine.gpu or usual + (f",max_outputs={machine.heads}" if machine.heads > 1 else ""))
    viewer = [] if machine.viewer is None else ["-vnc", f"none,display={gpu_id(device)},head={machine.viewer}"]
    if machine.device is Device.GPU_2D:
        return ["-device", device, "-display", shown, *viewer]
    if machine.display is Display.EGL_HEADLESS:
        return ["-device", device, "-display", shown]
    # Apple's OpenGL does not suit the renderer.
    return ["-device", device, "-display", f"{shown},gl={'es' if shown == 'cocoa' else 'on'}"]


def _named(device: str) -> str:
    """A device with the name under which the monitor asks it for pictures."""
    return device if ",id=" in device else f"{device},id={GPU_ID}"


def gpu_id(device: str) -> str:
    """The name that a device was given, or else gets."""
    return next((one[3:] for one in device.split(",") if one.startswith("id=")), GPU_ID)


def machine_arguments(machine: Machine) -> list[str]:
    """QEMU's arguments for a machine, without kernel, monitor and serial line."""
    arch = arch_of(machine.arch)
    board = machine.machine or arch.machine
    ours = board.partition(",")[0] in _OURS
    cpu = machine.cpu or (arch.cpu if ours else "")
    maxcpus = max(machine.maxcpus, machine.vcpus)
    # Toolkits and software GL start threads in ways that the sandbox counts as processes.
    windowed = machine.display is not Display.NONE
    arguments = [
        *(["-machine", board] if board else []),
        "-m",
        str(machine.memory_mib),
        "-nodefaults",
        "-no-user-config",
    ]
    arguments += ["-nic", "none", "-no-reboot"]
    arguments += ["-sandbox", SANDBOX.replace("spawn=deny,", "") if windowed else SANDBOX]
    if machine.accelerator == "tcg":
        arguments += ["-cpu", cpu] if cpu else []
        if machine.icount:
            arguments += ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1"]
        else:
            arguments += ["-accel", "tcg,thread=multi", "-smp", f"{machine.vcpus},maxcpus={maxcpus}"]
    else:
        arguments += ["-accel", machine.accelerator, "-cpu", "host", "-smp", f"{machine.vcpus},maxcpus={maxcpus}"]
    if machine.arch in ("x86_64", "i386") and ours:
        arguments += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    arguments += gpu_arguments(machine)
    return arguments + list(machine.extra)


def disk_arguments(machine: Machine, path: Path) -> list[str]:
    """The scratch disk of a machine, in a sparse file that is made here."""
    with open(path, "wb") as disk:
        disk.truncate(machine.disk_mib << 20)
    drive = f"file={quoted(path)},if=none,id=scratch,format=raw,cache=unsafe,aio=threads"
    return ["-drive", drive, "-device", f"{arch_of(machine.arch).blk_device},drive=scratch"]


def serial_chardev(spec: RunSpec, folder: Path, serial_fd: int) -> str:
    """Where the serial line goes: into a pipe; of a guest that is typed to, through two with names."""
    if spec.target is not None and spec.target.input:
        return f"pipe,id=serial,path={quoted(folder / SERIAL_LINE)}"
    return f"file,id=serial,path=/proc/self/fd/{serial_fd}"


def qemu_command(spec: RunSpec, folder: Path, qmp_fd: int, serial_fd: int, events: Sequence[str]) -> list[str]:
    """The command that boots a run, its CPUs stopped until the monitor lets them go.

    Parameters
    ----------
    folder
        Receives the trace and the scratch disk.
    qmp_fd, serial_fd
        Descriptors that QEMU inherits: a socket for its monitor, and a pipe that takes the serial line.
    events
        Trace events enabled from the start.

    Raises
    ------
    QemuError
        When there is no QEMU for the architecture, or it would take the folder for a pattern.
    """
    machine = spec.machine
    arch = arch_of(machine.arch)
    binary = shutil.which(arch.qemu)
    if binary is None:
        said = f"{arch.qemu} is not installed: install the package {arch.qemu_package}"
        if spec.target is not None:
            raise UsageError(f"{key_place(spec.target, 'arch')}: {machine.arch}: {said}")
        raise QemuError(f"{arch.qemu} is not installed: install the package {arch.qemu_package} (make setup perf)")
    if "%" in str(folder):
        raise UsageError(
            f"QEMU cannot log into a folder whose name holds %: {folder}; set HARNESS_RESULTS and TMPDIR to others"
        )
    command = [binary, *machine_arguments(machine)]
    command += ["-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control"]
    command += ["-chardev", serial_chardev(spec, folder, serial_fd), "-serial", "chardev:serial"]
    for event in events:
        command += ["-trace", event]
    command += ["-d", "guest_errors", "-D", str(folder / TRACE_LOG), "-msg", "timestamp=on"]
    if machine.disk_mib:
        command += disk_arguments(machine, folder / "disk.img")
    if machine.keyboard and spec.params.input and spec.capabilities.command_line:
        command += ["-device", KEYBOARD_DEVICE]
    command.append("-S")
    if spec.target is not None:
        return command + boot_arguments(spec, folder)
    if spec.iso:
        return command + ["-cdrom", str(spec.kernel), "-boot", "d"]
    command += ["-kernel", str(spec.kernel)]
    if spec.capabilities.command_line:
        command += ["-append", spec.params.command_line()]
    return command
