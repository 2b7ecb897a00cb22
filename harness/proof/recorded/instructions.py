"""What an instruction does, as far as a memory model sees it, for each architecture.

Dependencies are never claimed where they might not be: a conditional select passes none on. An instruction that is not
known is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.proof.decided.events import Acquire, Fence


class UnknownInstruction(Exception):
    """The decoder does not know what this instruction does."""


@dataclass(frozen=True)
class DecodedInstruction:
    """One instruction. Registers are named; the flags are a register."""

    address: tuple[str, ...] = ()
    """Registers that the address is made of."""
    stores: tuple[str, ...] = ()
    """Registers stored, in the order of the accesses."""
    loads: tuple[str, ...] = ()
    """Registers loaded, in the order of the accesses."""
    sources: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    """Registers that get a value made of ``sources`` and of nothing that is loaded."""
    branch: tuple[str, ...] = ()
    """Registers that decide where execution goes on."""
    fence: Fence | None = None
    acquire: Acquire = Acquire.NONE
    release: bool = False
    atomic: bool = False
    """Reads and writes memory in one step."""
    text: str = ""
    length: int = 4
    """Bytes of the instruction."""
    touches_memory: bool = False
    """Accesses memory, where ``loads`` and ``stores`` do not say it (x86)."""

    @property
    def orders(self) -> bool:
        """Orders other accesses."""
        return self.fence is not None or self.release or self.atomic or self.acquire is not Acquire.NONE

    @property
    def concerns_memory(self) -> bool:
        """Accesses memory, or orders accesses."""
        return bool(self.loads or self.stores or self.fence or self.touches_memory)


Decode = Callable[[bytes, int], DecodedInstruction]
"""From the bytes at an address, of which the first instruction counts."""


def decoders() -> Mapping[str, Decode]:
    """A decoder for each architecture; loads Capstone.

    Raises
    ------
    ImportError
        When Capstone is missing.
    """
    from harness.proof.recorded.decode_aarch64 import decode_aarch64
    from harness.proof.recorded.decode_riscv64 import decode_riscv64
    from harness.proof.recorded.decode_x86 import decode_x86_64

    return {"aarch64": decode_aarch64, "riscv64": decode_riscv64, "x86_64": decode_x86_64}


def accessing(decode: Decode, read: Callable[[int, int], bytes], start: int, size: int) -> list[int]:
    """Addresses of a function's instructions that access memory or order accesses, decoded one after the other."""
    found, at = [], start
    while at < start + size:
        effect = decode(read(at, min(16, start + size - at)), at)
        if effect.concerns_memory:
            found.append(at)
        at += effect.length
    return found
