"""QEMU's plugin that counts blocks and accesses: built on this machine, and the arguments that load it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness.model.spec import Machine
from harness.platform.kernels.build import BUILD_DIR, compiler_identity
from harness.platform.kernels.shared_library import compile_library

SOURCE = Path(__file__).with_name("frame_counts.c")
PLUGIN_DIR = BUILD_DIR / "plugin"
COMPILER = "gcc"
_FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden")

RAM_START: Mapping[str, int] = {"x86_64": 0, "aarch64": 0x4000_0000, "riscv64": 0x8000_0000}
"""Where memory begins, which kernels here map at its own addresses."""
LOG_ITEMS = "guest_errors,op_opt,plugin"
"""For QEMU's ``log`` command: the plugin's words, and the operations of each block."""


def build_plugin() -> Path:
    """The plugin, or the one built before from the same source.

    Raises
    ------
    BuildError, ToolError
        When the compiler is missing or refuses it.
    """
    # No bound needed: a source of this tree.
    digest = hashlib.sha256(repr((_FLAGS, compiler_identity(COMPILER))).encode() + SOURCE.read_bytes())
    library = PLUGIN_DIR / f"{digest.hexdigest()[:16]}.so"
    if not library.exists():
        compile_library([COMPILER, *_FLAGS, str(SOURCE)], library, "QEMU's counting plugin")
    return library


def addresses_of(image: bytes, names: Iterable[str]) -> dict[str, int]:
    """Where a kernel has these functions; only those that it has."""
    try:
        table = ELFFile(io.BytesIO(image)).get_section_by_name(".symtab")
    except ELFError:
        return {}
    if not isinstance(table, SymbolTableSection):
        return {}
    found = {name: table.get_symbol_by_name(name) for name in names}
    return {name: int(symbols[0]["st_value"]) for name, symbols in found.items() if symbols}


def loaded_range(image: bytes) -> tuple[int, int]:
    """First and last address of a kernel's code and data."""
    segments = [one for one in ELFFile(io.BytesIO(image)).iter_segments() if one["p_type"] == "PT_LOAD"]
    return min(one["p_vaddr"] for one in segments), max(one["p_vaddr"] + one["p_memsz"] for one in segments)


def plugin_arguments(
    plugin: Path, account: Path, machine: Machine, image: bytes, marks: Mapping[str, int]
) -> tuple[str, ...]:
    """QEMU's arguments that load it, and that keep the log to the kernel's own code.

    Parameters
    ----------
    account
        The file that it writes.
    marks
        Address of each function whose entry is an event, by the event's name followed by a blank and the function's.
    """
    start = RAM_START[machine.arch]
    words = [
        f"file={_escaped(plugin)}",
        f"out={_escaped(account)}",
        f"ram={start:x}:{start + (machine.memory_mib << 20):x}",
    ]
    words += [f"mark={name.split(' ')[0]}:{address:x}" for name, address in marks.items()]
    low, high = loaded_range(image)
    return ("-plugin", ",".join(words), "-dfilter", f"{low:#x}..{high:#x}")


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")
