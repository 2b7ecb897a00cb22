"""x86, decoded by Capstone, as effects. x86-TSO needs no dependencies, so that none are followed."""

from __future__ import annotations

import re

import capstone

from harness.proof.decided.events import FULL, Fence
from harness.proof.recorded.instructions import DecodedInstruction, UnknownInstruction

_DECODERS = {
    bits: capstone.Cs(capstone.CS_ARCH_X86, mode)
    for bits, mode in ((16, capstone.CS_MODE_16), (32, capstone.CS_MODE_32), (64, capstone.CS_MODE_64))
}

_FENCES = {"mfence": FULL, "lfence": Fence("ri", "rwio"), "sfence": Fence("wo", "wo")}
_WEAK = re.compile("v?movnt|v?maskmov(q|dqu)|clflush|clwb|movdir|enqcmd")
"""Accesses that x86-TSO does not speak of. String stores may be seen out of order among themselves, but before every
store that follows them (Intel SDM 3A 8.2.4.2), and no question asks for the order among them.
"""


def decode_x86_64(code: bytes, address: int) -> DecodedInstruction:
    """The first instruction of ``code``, in 64-bit mode."""
    return decode_x86(code, address, 64)


def decode_x86(code: bytes, address: int, bits: int) -> DecodedInstruction:
    """The first instruction of ``code``, in code of 16, 32 or 64 bits.

    Raises
    ------
    UnknownInstruction
        When it cannot be decoded, or accesses memory outside of what x86-TSO describes.
    """
    instruction = next(_DECODERS[bits].disasm(code[:15], address), None)
    if instruction is None:
        raise UnknownInstruction(f"{code[:15].hex()} at {address:#x}")
    text = f"{instruction.mnemonic} {instruction.op_str}".strip()
    if _WEAK.match(text):
        raise UnknownInstruction(f"{text} at {address:#x}")
    locked = instruction.mnemonic.startswith("lock ") or (
        instruction.mnemonic.startswith("xchg") and "[" in instruction.op_str
    )
    touches = "[" in instruction.op_str and instruction.mnemonic not in ("lea", "nop")
    return DecodedInstruction(
        fence=_FENCES.get(instruction.mnemonic),
        atomic=locked,
        text=text,
        length=instruction.size,
        touches_memory=touches,
    )
