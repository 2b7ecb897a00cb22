"""What QEMU is told to be: arguments for a machine, its GPU and its disk."""

from __future__ import annotations

from pathlib import Path

from harness.spec import ARCHES, Device, Machine

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def gpu_arguments(machine: Machine) -> list[str]:
    """The GPU and the display of a machine."""
    if machine.device is Device.GPU_GL:
        return ["-device", "virtio-gpu-gl-pci,id=gpu", "-display", "sdl,gl=on"]
    return ["-device", f"{ARCHES[machine.arch].gpu_device},id=gpu", "-display", "none"]


def machine_arguments(machine: Machine) -> list[str]:
    """QEMU's arguments for a machine, without kernel, monitor and serial line."""
    arch = ARCHES[machine.arch]
    maxcpus = max(machine.maxcpus, machine.vcpus)
    # Toolkits and software GL start threads in ways that the sandbox takes for processes.
    windowed = machine.device is Device.GPU_GL or "-display" in machine.extra
    arguments = ["-machine", arch.machine, "-m", str(machine.memory_mib), "-nodefaults", "-no-user-config"]
    arguments += ["-nic", "none", "-no-reboot"]
    arguments += ["-sandbox", SANDBOX.replace("spawn=deny,", "") if windowed else SANDBOX]
    if machine.accelerator == "tcg":
        arguments += ["-cpu", arch.cpu]
        if machine.icount:
            arguments += ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1"]
        else:
            arguments += ["-accel", "tcg,thread=multi", "-smp", f"{machine.vcpus},maxcpus={maxcpus}"]
    else:
        arguments += ["-accel", machine.accelerator, "-cpu", "host", "-smp", f"{machine.vcpus},maxcpus={maxcpus}"]
    if machine.arch == "x86_64":
        arguments += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    arguments += gpu_arguments(machine)
    return arguments + list(machine.extra)


def disk_arguments(machine: Machine, path: Path) -> list[str]:
    """The scratch disk of a machine, in a sparse file that is made here."""
    with open(path, "wb") as disk:
        disk.truncate(machine.disk_mib << 20)
    # A comma in a value of -drive is written twice.
    name = str(path).replace(",", ",,")
    drive = f"file={name},if=none,id=scratch,format=raw,cache=unsafe,aio=threads"
    return ["-drive", drive, "-device", f"{ARCHES[machine.arch].blk_device},drive=scratch"]
