"""A linked kernel, as the emulator needs it."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.core.machine_code.ringmarks import Mark, RingpointError, read_marks
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded

SPAN_BYTES_MAX = 512 << 20
"""The largest distance between the first and the last byte of a kernel in memory."""
_OURS = "gpu_init"
_PVH_NOTE = struct.pack("<II", 18, 0x006E6558)
"""Type and name of the note; the address follows."""
_ARCHES = {"EM_X86_64": "x86_64", "EM_386": "x86_64", "EM_AARCH64": "aarch64", "EM_RISCV": "riscv64"}


class TraceError(Exception):
    """The kernel cannot be traced: not an ELF of ours, an instruction that is not known, or code that does not end."""


class EndlessError(TraceError):
    """Code that did not end within the instructions that it was given."""


@dataclass(frozen=True)
class ElfImage:
    """A linked kernel."""

    arch: str
    segments: tuple[tuple[int, bytes, int], ...]
    """Address, content, size in memory."""
    entry: int
    symbols: Mapping[str, int]
    functions: tuple[tuple[int, int, str], ...]
    """Start, size, name; sorted."""
    marks: tuple[Mark, ...] = ()
    """Where its ordering points are; empty for a kernel that does not say."""

    @property
    def ours(self) -> bool:
        """The kernel of this project: its driver's functions can be called by name."""
        return _OURS in self.symbols

    def where(self, address: int) -> str:
        """A program counter in words: ``virtqueue_publish+0x14``."""
        for start, size, name in self.functions:
            if start <= address < start + max(size, 1):
                return f"{name}+{address - start:#x}"
        return f"{address:#x}"


def read_image(path: Path, load_at: str = "") -> ElfImage:
    """Load a kernel.

    Parameters
    ----------
    load_at
        For an image that is not an ELF file: ``riscv64@0x80200000``.

    Raises
    ------
    TraceError
        When it is not an ELF file of the three architectures, or asks for more memory than a kernel needs.
    """
    try:
        content = read_bounded(path, KERNEL_BYTES_MAX)
        if load_at:
            arch, address = parse_place(load_at)
            return ElfImage(arch, _bounded(path, [(address, content, len(content))]), address, {}, ())
        elf = ELFFile(io.BytesIO(content))
        arch = _ARCHES.get(elf.header.e_machine, "")
        segments = [
            (one.header.p_paddr, one.data(), one.header.p_memsz)
            for one in elf.iter_segments()
            if one.header.p_type == "PT_LOAD" and one.header.p_memsz
        ]
        table = elf.get_section_by_name(".symtab")
        entries = list(table.iter_symbols()) if table is not None else []
    except (ELFError, OSError, UnicodeDecodeError, ValueError, KeyError, AttributeError) as error:
        raise TraceError(f"{path.name} is not an ELF kernel that can be read: {error}") from error
    if not arch:
        raise TraceError(f"{path.name} is for none of {', '.join(dict.fromkeys(_ARCHES.values()))}")
    symbols = {one.name: one.entry.st_value for one in entries if one.name}
    functions = sorted(
        (one.entry.st_value, one.entry.st_size, one.name) for one in entries if one.entry.st_info.type == "STT_FUNC"
    )
    entry = _pvh_entry(content, path.name) if elf.header.e_machine == "EM_X86_64" and _OURS not in symbols else 0
    start = entry or elf.header.e_entry
    return ElfImage(arch, _bounded(path, segments), start, symbols, tuple(functions), _marks(content))


def _pvh_entry(content: bytes, name: str) -> int:
    """Where a 64-bit kernel starts in 32-bit code (xen/include/public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY)."""
    at = content.find(_PVH_NOTE)
    if at < 0:
        raise TraceError(f"{name} has no PVH entry: a PC does not start in 64-bit code")
    return int.from_bytes(content[at + len(_PVH_NOTE) :][:4], "little")


def parse_place(text: str) -> tuple[str, int]:
    """Architecture and address of ``riscv64@0x80200000``.

    Raises
    ------
    ValueError
        When it is written otherwise.
    """
    arch, separator, address = text.partition("@")
    if not separator or arch not in _ARCHES.values():
        raise ValueError(f"'{text}' is not an architecture and an address, as in riscv64@0x80200000")
    value = int(address, 0)
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{address} is not an address")
    return arch, value


def _bounded(path: Path, segments: list[tuple[int, bytes, int]]) -> tuple[tuple[int, bytes, int], ...]:
    """Segments that an emulator can be given: a header may ask for any size."""
    if not segments:
        raise TraceError(f"{path.name} has nothing to load")
    start = min(address for address, _, _ in segments)
    end = max(address + max(size, len(content)) for address, content, size in segments)
    if end - start > SPAN_BYTES_MAX or end >= 1 << 63:
        raise TraceError(f"{path.name} asks for {end - start:,} bytes of memory; at most {SPAN_BYTES_MAX:,} are given")
    return tuple((address, content, max(size, len(content))) for address, content, size in segments)


def _marks(content: bytes) -> tuple[Mark, ...]:
    try:
        return read_marks(content)
    except RingpointError:
        return ()
