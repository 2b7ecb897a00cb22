"""Which function a frame's instructions are executed in, from QEMU's log of translation blocks.

With ``-d in_asm,exec,nochain`` QEMU prints the code of every block when it translates it, and one line each time that
it runs it (``accel/tcg/cpu-exec.c``). The sum over a frame is every instruction of that frame: the guest's own count
under ``-icount`` differs from it only by where the frame is cut.
"""

from __future__ import annotations

import bisect
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness.model.record import FunctionChange as FunctionChange

_RAN = b"Trace "
_INSTRUCTION = re.compile(rb"^0x[0-9a-f]+:  (?:[0-9a-f]{2,8} )+ *[a-z]", re.MULTILINE)
_ABANDONED = re.compile(rb"^(Trace .*)\nStopped execution", re.MULTILINE)
_CLONE = re.compile(r"\.(?:part|constprop|isra|cold)(?:\.\d+)*")
UNKNOWN = "(no function)"

FrameCounts = Mapping[int, Mapping[str, int]]
"""By number of a flush since the first: instructions of each function from that flush to the next one."""


class Symbols:
    """The functions of a kernel by address.

    Raises
    ------
    ValueError
        When the image is not an ELF file.
    """

    def __init__(self, elf: bytes) -> None:
        try:
            table = ELFFile(io.BytesIO(elf)).get_section_by_name(".symtab")
        except ELFError as error:
            raise ValueError(f"no ELF file: {error}") from error
        found: list[tuple[int, int, str]] = []
        if isinstance(table, SymbolTableSection):
            for symbol in table.iter_symbols():
                if symbol["st_info"]["type"] == "STT_FUNC":
                    found.append((symbol["st_value"], symbol["st_size"], _CLONE.sub("", symbol.name)))
        self._found = sorted(found)
        self._starts = [start for start, _, _ in self._found]

    def name(self, address: int) -> str:
        """The function at an address; of clones that a compiler makes, the function that they were made from."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return UNKNOWN
        start, size, name = self._found[index]
        return name if address < start + max(size, 1) else UNKNOWN


def executed(log: bytes, symbols: Symbols, event: str) -> FrameCounts:
    """Instructions by function of every frame that the log has whole.

    Parameters
    ----------
    event : str
        The trace event that ends a frame.
    """
    lengths = _block_lengths(log)
    begun = log.find(_RAN)
    ends = [found.start() for found in re.finditer(re.escape(event.encode()), log)]
    return {
        number: _by_function(log[start:end], lengths, symbols)
        for number, (start, end) in enumerate(zip(ends, ends[1:]))
        if 0 <= begun < start
    }


def _block_lengths(log: bytes) -> dict[tuple[bytes, int], int]:
    """Instructions of each block, by where its translation lies and what it translates.

    A block is run once it is translated: the first line after its code says where the translation lies.
    """
    found: dict[tuple[bytes, int], int] = {}
    for part in log.split(b"\nIN:")[1:]:
        code, ran, rest = part.partition(b"\n" + _RAN)
        if ran:
            found[_identity(rest[: rest.find(b"\n")])] = len(_INSTRUCTION.findall(code))
    return found


def _identity(line: bytes) -> tuple[bytes, int]:
    """``0: <translation> [<cs base>/<address>/<flags>/<cflags>] <symbol>`` as translation and address."""
    _, place, state = line.split(b" ", 3)[:3]
    return place, int(state[1:].split(b"/")[1], 16)


def _by_function(frame: bytes, lengths: Mapping[tuple[bytes, int], int], symbols: Symbols) -> Counter[str]:
    lines = Counter(frame.split(b"\n"))
    # A block that was left before its first instruction, because time was up or an interrupt came, is logged as begun.
    lines.subtract(Counter(_ABANDONED.findall(frame)))
    found: Counter[str] = Counter()
    for line, times in lines.items():
        if line.startswith(_RAN):
            place = _identity(line.removeprefix(_RAN))
            found[symbols.name(place[1])] += lengths.get(place, 0) * times
    return found


def changed_functions(
    reference: FrameCounts, again: FrameCounts, candidate: FrameCounts, smallest: float = 0.0
) -> tuple[FunctionChange, ...]:
    """Functions whose counts differ, the largest difference first.

    Parameters
    ----------
    reference, again : mapping
        Two runs of the reference: a function that differs between them, as polling does, varies without a change and is
        left out.
    smallest : float
        Share of a frame below which a difference is not told.

    Raises
    ------
    ValueError
        When the runs have no frame in common.
    """
    frames = sorted(set(reference) & set(again) & set(candidate))
    if not frames:
        raise ValueError("the runs have no frame in common")
    total = sum(_mean(reference, frames, name) for name in _names(reference, frames))
    found = []
    for name in _names(reference, frames) | _names(candidate, frames):
        if any(reference[frame].get(name, 0) != again[frame].get(name, 0) for frame in frames):
            continue
        change = FunctionChange(name, _mean(reference, frames, name), _mean(candidate, frames, name))
        if abs(change.candidate - change.reference) > smallest * total:
            found.append(change)
    return tuple(sorted(found, key=lambda one: (-abs(one.candidate - one.reference), one.name)))


def _names(counts: FrameCounts, frames: Sequence[int]) -> set[str]:
    return {name for frame in frames for name in counts[frame]}


def _mean(counts: FrameCounts, frames: Sequence[int], name: str) -> float:
    return sum(counts[frame].get(name, 0) for frame in frames) / len(frames)


def function_words(changes: Sequence[FunctionChange], most: int = 3) -> str:
    """The largest changes in one line; empty without any."""
    return ", ".join(change.words for change in changes[:most])
