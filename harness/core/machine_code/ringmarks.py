"""The marks of the ring's ordering points in a kernel or an object, and its disassembly as operations.

``kernel/drivers/virtio/ordering/points.h`` leaves the begin and end of each point in section ``.ringpoints``. Only
loads, stores and fences between them matter, because a memory model sees nothing else.

Accepted disassembly is that of GNU objdump 2.40, ``-d --no-show-raw-insn``::

    ^ *HEX:\tMNEMONIC( OPERANDS)?$
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

SECTION = ".ringpoints"
LETTERS = "ABCDE"
_ENTRY_BYTES = 16


class RingpointError(Exception):
    """The marks or the disassembly do not fit together."""


@dataclass(frozen=True)
class Mark:
    """One entry of the section: an address, and which point begins (even phase) or ends (odd) there."""

    address: int
    letter: str
    phase: int


@dataclass(frozen=True)
class Instruction:
    """One line of disassembly."""

    address: int
    mnemonic: str
    operands: str = ""


def read_marks(elf: bytes) -> tuple[Mark, ...]:
    """The marks of a linked kernel or of one object file, sorted by address, begins before ends.

    Raises
    ------
    RingpointError
        When the file is not an ELF file, lacks the section, or has an entry that is not a known point.
    """
    try:
        file = ELFFile(io.BytesIO(elf))
        section = file.get_section_by_name(SECTION)
        content = section.data() if section is not None else b""
        addresses = _relocated(file)
    except (ELFError, UnicodeDecodeError) as error:
        raise RingpointError(f"not an ELF file with readable sections: {error}") from error
    if not content or len(content) % _ENTRY_BYTES:
        raise RingpointError(f"section {SECTION} has {len(content)} bytes, not a number of {_ENTRY_BYTES}-byte entries")
    marks = []
    for offset in range(0, len(content), _ENTRY_BYTES):
        address = addresses.get(offset, int.from_bytes(content[offset : offset + 8], "little"))
        letter = chr(int.from_bytes(content[offset + 8 : offset + 12], "little") & 0x7F)
        phase = int.from_bytes(content[offset + 12 : offset + 16], "little")
        if letter not in LETTERS or phase > (3 if letter == "B" else 1):
            raise RingpointError(f"mark {letter!r}{phase} at {address:#x} is none of the known points")
        marks.append(Mark(address, letter, phase))
    return tuple(sorted(marks, key=lambda mark: (mark.address, mark.letter, mark.phase)))


def _relocated(file: ELFFile) -> dict[int, int]:
    """Addresses that an object file leaves to the linker, by their offset in the section; within ``.text``."""
    relocations = file.get_section_by_name(f".rela{SECTION}")
    if not isinstance(relocations, RelocationSection):
        return {}
    symbols = file.get_section(relocations["sh_link"])
    assert isinstance(symbols, SymbolTableSection)
    return {
        int(entry["r_offset"]): int(symbols.get_symbol(entry["r_info_sym"])["st_value"]) + int(entry["r_addend"])
        for entry in relocations.iter_relocations()
    }


_LINE = re.compile(r"^ *([0-9a-f]+):\t([a-z][a-z0-9._]*)(?:[ \t]+(.*))?$", re.MULTILINE)


def parse_disassembly(text: str) -> tuple[Instruction, ...]:
    """The instructions of objdump's output, comments and symbol names stripped off the operands."""
    return tuple(
        Instruction(int(address, 16), mnemonic, re.split(r"\s*(?:#|//|<)", operands, maxsplit=1)[0].strip())
        for address, mnemonic, operands in _LINE.findall(text)
    )


_X86_NO_ACCESS = ("lea", "nop", "j", "call", "ret", "endbr")
_AARCH64_ORDERED = re.compile(r"(ldar|ldapr|stlr|ldax|stlx|swp|cas|ld(add|clr|set|eor))")
_RISCV_LOADS = frozenset(("lb", "lbu", "lh", "lhu", "lw", "lwu", "ld"))
_RISCV_STORES = frozenset(("sb", "sh", "sw", "sd"))


def operation(instruction: Instruction, arch: str) -> str | None:
    """An instruction as a memory model sees it; None when it sees nothing."""
    mnemonic, operands = instruction.mnemonic, instruction.operands
    if arch == "x86_64":
        return _operation_x86(mnemonic, operands)
    if arch == "aarch64":
        if mnemonic in ("dmb", "dsb", "isb"):
            return f"{mnemonic} {operands}".strip()
        if _AARCH64_ORDERED.match(mnemonic):
            return mnemonic
        if mnemonic.startswith("ld"):
            return "load"
        return "store" if mnemonic.startswith("st") else None
    if arch == "riscv64":
        if mnemonic == "fence":
            # `pause` is a fence with an empty successor set; objdump prints it as unknown or 0.
            return None if operands in ("w,unknown", "w,0") else f"fence {operands or 'iorw,iorw'}".replace(" ,", ",")
        if mnemonic.startswith(("amo", "lr.", "sc.", "fence")):
            return mnemonic
        if mnemonic in _RISCV_LOADS:
            return "load"
        return "store" if mnemonic in _RISCV_STORES else None
    raise RingpointError(f"no known instructions for {arch}")


def _operation_x86(mnemonic: str, operands: str) -> str | None:
    if mnemonic == "lock":
        return f"lock {operands.split()[0]}"
    if mnemonic in ("mfence", "lfence", "sfence") or (mnemonic.startswith("xchg") and "(" in operands):
        return mnemonic
    if "(" not in operands or mnemonic.startswith(_X86_NO_ACCESS):
        return None
    # AT&T order: the destination comes last.
    if not operands.endswith(")"):
        return "load"
    if mnemonic.startswith("mov"):
        return "store"
    return "load" if mnemonic.startswith(("cmp", "test")) else f"{mnemonic} memory"
