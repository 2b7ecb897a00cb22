"""The architectures that QEMU emulates, and in which Debian package each program is."""

from __future__ import annotations

from harness.model.spec import ARCHES, Arch

_PACKAGES: dict[str, str] = {
    "qemu-system-x86": "x86_64 i386",
    "qemu-system-arm": "aarch64 arm",
    "qemu-system-mips": "mips mipsel mips64 mips64el",
    "qemu-system-ppc": "ppc ppc64",
    "qemu-system-sparc": "sparc sparc64",
    "qemu-system-misc": "alpha avr cris hppa loongarch64 m68k microblaze microblazeel nios2 or1k riscv32 riscv64 rx"
    " s390x sh4 sh4eb tricore xtensa xtensaeb",
}
_USUAL_MACHINES = {"i386": "q35", "arm": "virt", "riscv32": "virt", "loongarch64": "virt", "mips": "malta"}
KNOWN_ARCHES = tuple(sorted({*ARCHES, *(arch for names in _PACKAGES.values() for arch in names.split())}))
_TWO_CPUS = ("x86_64", "i386", "aarch64", "arm", "riscv64", "riscv32")
"""Architectures whose usual machines may have a second CPU."""
_WITH_TWO = ("q35", "pc", "virt", "microvm")


def arch_of(name: str) -> Arch:
    """The record of an architecture: of the built-in kernel's full, of another what QEMU alone needs."""
    if name in ARCHES:
        return ARCHES[name]
    package = next((package for package, names in _PACKAGES.items() if name in names.split()), "qemu-system-misc")
    return Arch(
        name=name,
        qemu=f"qemu-system-{name}",
        qemu_package=package,
        machine=_USUAL_MACHINES.get(name, ""),
        cpu="",
        gpu_device="virtio-gpu-pci",
        blk_device="virtio-blk-pci",
        gcc="",
        gcc_package="",
        host={"i386": "x86_64", "arm": "aarch64"}.get(name, name),
    )


def cpus_at_most(arch: str, machine: str, vcpus: int) -> int:
    """CPUs that a machine may come to have: two at least where it can, for QEMU before 8.1 drops the fences of a guest
    that can only have one.
    """
    name = (machine or arch_of(arch).machine).partition(",")[0]
    return max(vcpus, 2) if arch in _TWO_CPUS and name in _WITH_TWO else vcpus
