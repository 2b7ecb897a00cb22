"""Whether two objects hold the same machine code, whatever else a switch changed in them.

A kernel names its own combination of switches, so images of two combinations never have the same bytes. Two kernels run
the same code when, object by object, executable sections, relocations and all constants except text are the same.
"""

from __future__ import annotations

import hashlib
import io

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import Section, SymbolTableSection

from harness.core.machine_code.ringmarks import SECTION as RING_MARKS


class ObjectCodeError(Exception):
    """A file is not an object that can be compared."""


def code_digest(elf: bytes) -> str:
    """SHA-256, in hex, over what an object file makes a CPU do.

    Left out are texts, which are merged and addressed by the linker, and the marks of the ring's ordering points.

    Raises
    ------
    ObjectCodeError
        When the file is not an ELF object.
    """
    digest = hashlib.sha256()
    try:
        file = ELFFile(io.BytesIO(elf))
        for section in file.iter_sections():
            if _counts(section):
                digest.update(f"{section.name} {section['sh_size']}\n".encode())
                digest.update(b"" if section["sh_type"] == "SHT_NOBITS" else section.data())
            elif isinstance(section, RelocationSection) and _counts(file.get_section(section["sh_info"])):
                digest.update("\n".join(_relocations(file, section)).encode())
    except (ELFError, UnicodeDecodeError, AttributeError) as error:
        raise ObjectCodeError(f"not an object file: {error}") from error
    return digest.hexdigest()


def _counts(section: Section) -> bool:
    flags = section["sh_flags"]
    return bool(flags & SH_FLAGS.SHF_ALLOC) and not flags & SH_FLAGS.SHF_STRINGS and section.name != RING_MARKS


def _relocations(file: ELFFile, section: RelocationSection) -> list[str]:
    """One line each: where, how, and what it points at; inside texts that is left open."""
    symbols = file.get_section(section["sh_link"])
    assert isinstance(symbols, SymbolTableSection)
    lines = []
    for entry in section.iter_relocations():
        symbol = symbols.get_symbol(entry["r_info_sym"])
        index = symbol["st_shndx"]
        home = file.get_section(index) if isinstance(index, int) else None
        in_text = home is not None and bool(home["sh_flags"] & SH_FLAGS.SHF_STRINGS)
        target = "text" if in_text else f"{symbol.name or (home.name if home else '')}+{symbol['st_value']}"
        addend = 0 if in_text else entry["r_addend"] if entry.is_RELA() else 0
        lines.append(f"{entry['r_offset']} {entry['r_info_type']} {target} {addend}")
    return lines
