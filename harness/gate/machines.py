"""The machine that a command's kernels are measured on."""

from __future__ import annotations

from dataclasses import replace

from harness.gate.approved.target_kernels import session_machine
from harness.gate.measured import ArmKernel
from harness.model.spec import LOAD_DISK_MIB, Machine, RunSpec, UsageError
from harness.platform.host.probe import choose_accelerator, qemu_version
from harness.platform.kernels.key_place import key_place


def base_machine(arch: str, loaded: bool, extra: tuple[str, ...] = ()) -> Machine:
    """The machine of an architecture. The disk's load, where there is one, runs as a task on a CPU of its own."""
    return Machine(arch=arch, vcpus=2 if loaded else 1, maxcpus=2, disk_mib=LOAD_DISK_MIB if loaded else 0, extra=extra)


def accelerated(machine: Machine, kernel: ArmKernel, asked: str) -> tuple[Machine, str]:
    """The machine with an accelerator on which this kernel boots, and why it is not the one asked for.

    Raises
    ------
    QemuError
        When there is no QEMU for the machine that the kernel runs on, or it is too old.
    UsageError
        When it has not the device that a target names.
    """
    own = session_machine(kernel, machine)
    try:
        qemu_version(own.arch, own.gpu)
    except UsageError as error:
        where = key_place(kernel.target, "gpu") if kernel.target is not None else "gpu"
        raise UsageError(f"{where}: {error}") from error
    spec = RunSpec(kernel.path, own, capabilities=kernel.capabilities, iso=kernel.iso, target=kernel.target)
    accelerator, notice = choose_accelerator(asked, spec)
    return replace(machine, accelerator=accelerator), notice
