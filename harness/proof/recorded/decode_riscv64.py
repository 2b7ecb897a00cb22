"""RV64IMAC, as effects. Fields are those of the RISC-V Instruction Set Manual, volume I; compressed instructions are
decoded as the base instructions that they stand for (chapter "C" extension).
"""

from __future__ import annotations

from dataclasses import replace

from harness.proof.decided.events import Acquire, Fence
from harness.proof.recorded.instructions import DecodedInstruction, UnknownInstruction

_LOAD, _MISC_MEM, _OP_IMM, _AUIPC, _OP_IMM_32 = 0x03, 0x0F, 0x13, 0x17, 0x1B
_STORE, _AMO, _OP, _LUI, _OP_32 = 0x23, 0x2F, 0x33, 0x37, 0x3B
_BRANCH, _JALR, _JAL, _SYSTEM = 0x63, 0x67, 0x6F, 0x73
_TSO = 0b1000
_LETTERS = ((8, "i"), (4, "o"), (2, "r"), (1, "w"))


def _x(number: int) -> str:
    """A register's name; x0 carries nothing."""
    return f"x{number}" if number else ""


def _some(*numbers: int) -> tuple[str, ...]:
    return tuple(f"x{number}" for number in numbers if number)


def _letters(bits: int) -> str:
    return "".join(letter for bit, letter in _LETTERS if bits & bit)


def _fence(word: int) -> DecodedInstruction:
    if (word >> 12) & 7 == 1:
        return DecodedInstruction(text="fence.i")
    before, after = _letters((word >> 24) & 15), _letters((word >> 20) & 15)
    if word >> 28 == _TSO:
        raise UnknownInstruction("fence.tso")
    if not before or not after:  # a hint: pause
        return DecodedInstruction(text="pause")
    return DecodedInstruction(fence=Fence(before, after), text=f"fence {before},{after}")


def _atomic(word: int, rd: int, rs1: int, rs2: int) -> DecodedInstruction:
    function = word >> 27
    if function in (0b00010, 0b00011):
        raise UnknownInstruction("lr or sc")
    acquire = Acquire.SC if word >> 26 & 1 else Acquire.NONE
    return DecodedInstruction(
        _some(rs1), (_x(rs2),), (_x(rd),), (), (), (), None, acquire, bool(word >> 25 & 1), True, f"amo x{rd},x{rs2}"
    )


def _decode32(word: int, address: int) -> DecodedInstruction:
    opcode, rd, rs1, rs2 = word & 0x7F, word >> 7 & 31, word >> 15 & 31, word >> 20 & 31
    if opcode == _LOAD:
        return DecodedInstruction(_some(rs1), (), (_x(rd),), text=f"load x{rd},(x{rs1})")
    if opcode == _STORE:
        return DecodedInstruction(_some(rs1), (_x(rs2),), text=f"store x{rs2},(x{rs1})")
    if opcode in (_OP_IMM, _OP_IMM_32):
        return DecodedInstruction(sources=_some(rs1), results=_some(rd), text=f"op x{rd},x{rs1}")
    if opcode in (_OP, _OP_32):
        return DecodedInstruction(sources=_some(rs1, rs2), results=_some(rd), text=f"op x{rd},x{rs1},x{rs2}")
    if opcode in (_LUI, _AUIPC, _JAL):
        return DecodedInstruction(results=_some(rd), text=f"set x{rd}")
    if opcode == _JALR:
        return DecodedInstruction(results=_some(rd), branch=_some(rs1), text=f"jalr x{rd},x{rs1}")
    if opcode == _BRANCH:
        return DecodedInstruction(branch=_some(rs1, rs2), text=f"branch x{rs1},x{rs2}")
    if opcode == _MISC_MEM:
        return _fence(word)
    if opcode == _AMO:
        return _atomic(word, rd, rs1, rs2)
    if opcode == _SYSTEM:
        return DecodedInstruction(results=_some(rd), text="system")
    raise UnknownInstruction(f"{word:08x} at {address:#x}")


def _quadrant0(half: int, function: int) -> DecodedInstruction | None:
    high, low = 8 + (half >> 7 & 7), 8 + (half >> 2 & 7)
    if function == 0 and half:
        return DecodedInstruction(sources=("x2",), results=(_x(low),), text=f"addi x{low},x2")
    if function in (2, 3):
        return DecodedInstruction((_x(high),), (), (_x(low),), text=f"load x{low},(x{high})")
    if function in (6, 7):
        return DecodedInstruction((_x(high),), (_x(low),), text=f"store x{low},(x{high})")
    return None


def _quadrant1(half: int, function: int) -> DecodedInstruction | None:
    rd, high, low = half >> 7 & 31, 8 + (half >> 7 & 7), 8 + (half >> 2 & 7)
    if function in (0, 1):  # addi, addiw
        return DecodedInstruction(sources=_some(rd), results=_some(rd), text=f"op x{rd}")
    if function == 2:
        return DecodedInstruction(results=_some(rd), text=f"li x{rd}")
    if function == 3:  # addi16sp keeps x2; lui makes a constant
        return DecodedInstruction(sources=_some(rd) if rd == 2 else (), results=_some(rd), text=f"lui x{rd}")
    if function == 4:
        both = half >> 10 & 3 == 3
        sources = (_x(high), _x(low)) if both else (_x(high),)
        return DecodedInstruction(sources=sources, results=(_x(high),), text=f"op x{high}")
    if function == 5:
        return DecodedInstruction(text="j")
    return DecodedInstruction(branch=(_x(high),), text=f"branch x{high}")


def _quadrant2(half: int, function: int) -> DecodedInstruction | None:
    rd, rs2 = half >> 7 & 31, half >> 2 & 31
    if function == 0:
        return DecodedInstruction(sources=_some(rd), results=_some(rd), text=f"slli x{rd}")
    if function in (2, 3):
        return DecodedInstruction(("x2",), (), (_x(rd),), text=f"load x{rd},(x2)")
    if function in (6, 7):
        return DecodedInstruction(("x2",), (_x(rs2),), text=f"store x{rs2},(x2)")
    if function != 4:
        return None
    link = half >> 12 & 1
    if rs2:
        sources = _some(rd, rs2) if link else _some(rs2)
        return DecodedInstruction(sources=sources, results=_some(rd), text=f"{'add' if link else 'mv'} x{rd},x{rs2}")
    if not rd:
        return None
    return DecodedInstruction(results=("x1",) if link else (), branch=_some(rd), text=f"jr x{rd}")


def decode_riscv64(code: bytes, address: int) -> DecodedInstruction:
    """The first instruction of ``code``.

    Raises
    ------
    UnknownInstruction
        When it is none of RV64IMAC, or a load-reserved, store-conditional or ``fence.tso``.
    """
    half = int.from_bytes(code[:2], "little")
    if half & 3 == 3:
        return _decode32(int.from_bytes(code[:4], "little"), address)
    effect = (_quadrant0, _quadrant1, _quadrant2)[half & 3](half, half >> 13)
    if effect is None:
        raise UnknownInstruction(f"{half:04x} at {address:#x}")
    return replace(effect, length=2)
