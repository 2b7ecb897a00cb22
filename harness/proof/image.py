"""A linked kernel, as the emulator needs it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.core.ringmarks import Mark, RingpointError, read_marks
from harness.platform.bounded import KERNEL_BYTES_MAX, read_bounded

_ARCHES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64", "EM_RISCV": "riscv64"}


class TraceError(Exception):
    """The kernel cannot be traced: not an ELF of ours, an instruction that is not known, or code that does not end."""


@dataclass(frozen=True)
class ElfImage:
    """A linked kernel."""

    arch: str
    segments: tuple[tuple[int, bytes, int], ...]
    """Address, content, size in memory."""
    symbols: Mapping[str, int]
    functions: tuple[tuple[int, int, str], ...]
    """Start, size, name; sorted."""
    marks: tuple[Mark, ...] = ()
    """Where its ordering points are; empty for a kernel that does not say."""


def read_image(path: Path) -> ElfImage:
    """Load a kernel.

    Raises
    ------
    TraceError
        When the file is no ELF for one of the three architectures, or has no symbols.
    """
    try:
        content = read_bounded(path, KERNEL_BYTES_MAX)
        elf = ELFFile(io.BytesIO(content))
        arch = _ARCHES.get(elf.header.e_machine, "")
        segments = tuple(
            (one.header.p_paddr, one.data(), one.header.p_memsz)
            for one in elf.iter_segments()
            if one.header.p_type == "PT_LOAD" and one.header.p_memsz
        )
        table = elf.get_section_by_name(".symtab")
        entries = list(table.iter_symbols()) if table is not None else []
    except (ELFError, OSError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise TraceError(f"{path.name} is not an ELF kernel that can be read: {error}") from error
    if not arch:
        raise TraceError(f"{path.name} is for none of {', '.join(_ARCHES.values())}")
    symbols = {one.name: one.entry.st_value for one in entries if one.name}
    if "gpu_init" not in symbols:
        raise TraceError(f"{path.name} has no symbol gpu_init: it is stripped, or no kernel of this project")
    functions = sorted(
        (one.entry.st_value, one.entry.st_size, one.name) for one in entries if one.entry.st_info.type == "STT_FUNC"
    )
    return ElfImage(arch, segments, symbols, tuple(functions), _marks(content))


def _marks(content: bytes) -> tuple[Mark, ...]:
    try:
        return read_marks(content)
    except RingpointError:
        return ()
