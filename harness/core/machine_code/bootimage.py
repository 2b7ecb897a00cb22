"""Whether two kernel images put the same bytes into a machine.

Only what a boot loader reads is compared: entry point, loadable segments, and the notes that name another entry (PVH).
Symbols, sections and build ids are for tools and change nothing. Other files are compared byte for byte.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment, Segment

Loaded = tuple[object, ...]

_HEADER = ("e_machine", "e_flags", "e_entry")
_SEGMENT = ("p_type", "p_flags", "p_vaddr", "p_paddr", "p_memsz")
_BUILD_ID = ("GNU", "NT_GNU_BUILD_ID")


def same_loaded_bytes(first: bytes, second: bytes) -> bool:
    """Whether a machine that boots one image cannot be told from one that boots the other."""
    if first == second:
        return True
    ours, theirs = _loaded(first), _loaded(second)
    return ours is not None and ours == theirs


def _loaded(image: bytes) -> Loaded | None:
    """Everything that a loader takes from an image, comparable; None when it is not a readable ELF file."""
    try:
        elf = ELFFile(io.BytesIO(image))
        build_ids = list(_build_ids(elf))
        parts = [_content(segment, build_ids) for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
        notes = [note for note in _notes(elf) if (note[0], note[1]) != _BUILD_ID]
        return (elf.elfclass, elf.little_endian, *(elf[key] for key in _HEADER), *parts, *notes) if parts else None
    except (ELFError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError):
        return None


def _content(segment: Segment, hidden: list[tuple[int, int]]) -> Loaded:
    """A segment's place and bytes, with build ids blanked."""
    start = segment["p_offset"]
    content = bytearray(segment.data())
    for at, size in hidden:
        low, high = max(at - start, 0), min(at - start + size, len(content))
        if low < high:
            content[low:high] = bytes(high - low)
    return (*(segment[key] for key in _SEGMENT), bytes(content))


def _notes(elf: ELFFile) -> Iterator[tuple[str, object, bytes]]:
    for segment in elf.iter_segments():
        if isinstance(segment, NoteSegment):
            for note in segment.iter_notes():
                yield note["n_name"], note["n_type"], bytes(note["n_descdata"])


def _build_ids(elf: ELFFile) -> Iterator[tuple[int, int]]:
    """Where in the file build ids lie: offset and size of each."""
    for segment in elf.iter_segments():
        if isinstance(segment, NoteSegment):
            for note in segment.iter_notes():
                if (note["n_name"], note["n_type"]) == _BUILD_ID:
                    yield note["n_offset"], note["n_size"]
