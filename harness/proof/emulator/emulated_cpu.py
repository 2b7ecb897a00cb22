"""How functions are called in the emulator, by the calling convention of each architecture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EmulatedCpu:
    """How an architecture is called in the emulator."""

    arch: int
    mode: int
    arguments: tuple[int, ...]
    result: int
    stack: int
    pc: int
    link: int | None
    """The register of the return address; None where it is on the stack."""


def emulated_cpu(arch: str) -> EmulatedCpu:
    import unicorn
    from unicorn import arm64_const as arm
    from unicorn import riscv_const as riscv
    from unicorn import x86_const as x86

    if arch == "x86_64":
        arguments = tuple(getattr(x86, f"UC_X86_REG_{name}") for name in ("RDI", "RSI", "RDX", "RCX", "R8", "R9"))
        registers = (x86.UC_X86_REG_RAX, x86.UC_X86_REG_RSP, x86.UC_X86_REG_RIP, None)
        return EmulatedCpu(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64, arguments, *registers)
    if arch == "aarch64":
        arguments = tuple(getattr(arm, f"UC_ARM64_REG_X{number}") for number in range(6))
        registers = (arm.UC_ARM64_REG_X0, arm.UC_ARM64_REG_SP, arm.UC_ARM64_REG_PC, arm.UC_ARM64_REG_LR)
        return EmulatedCpu(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM, arguments, *registers)
    arguments = tuple(getattr(riscv, f"UC_RISCV_REG_A{number}") for number in range(6))
    registers = (riscv.UC_RISCV_REG_A0, riscv.UC_RISCV_REG_SP, riscv.UC_RISCV_REG_PC, riscv.UC_RISCV_REG_RA)
    return EmulatedCpu(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64, arguments, *registers)
