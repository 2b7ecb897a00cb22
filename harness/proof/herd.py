"""Programs in the syntax of herd7, and what herd7 says of them: a second opinion on the checker."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.proof.decided.checker import Program
from harness.proof.decided.events import Acquire, Event, EventKind, Fence

_HEADERS: Mapping[str, str] = {"x86_64": "X86_64", "aarch64": "AArch64", "riscv64": "RISCV"}
_OBSERVATION = re.compile(r"^Observation (\S+) (Never|Sometimes|Always) \d+ \d+$", re.MULTILINE)


class _Column:
    """One thread. Reads are numbered in program order; each has its own register."""

    def __init__(self, number: int, words: tuple[str, ...]) -> None:
        self.number = number
        self.words = words
        self.lines: list[str] = []
        self.registers: dict[int, int] = {}
        self.branched: set[int] = set()
        self.acquiring: set[int] = set()
        """Reads of atomic operations that acquire."""

    def register(self, event: Event) -> int:
        return self.registers.setdefault(event.index, len(self.registers))

    def add(self, event: Event) -> None:
        for source in sorted(event.control - self.branched):
            self.branch(self.registers[source])
            self.branched.add(source)
        if event.fence is not None:
            # A fence that orders no memory that the device sees has no instruction here.
            orders = event.fence.instruction or (
                set(event.fence.before) & set("rw") and set(event.fence.after) & set("rw")
            )
            self.lines += [self.fence(event.fence)] if orders else []
        elif event.kind is EventKind.READ and event.atomic is not None:
            self.register(event)
            if event.acquire is not Acquire.NONE:
                self.acquiring.add(event.index)
        elif event.kind is EventKind.READ:
            self.read(event, self.register(event))
        else:
            self.write(event)

    def branch(self, register: int) -> None:
        raise NotImplementedError

    def fence(self, fence: Fence) -> str:
        raise NotImplementedError

    def read(self, event: Event, register: int) -> None:
        raise NotImplementedError

    def write(self, event: Event) -> None:
        raise NotImplementedError

    def shown(self, index: int) -> str:
        raise NotImplementedError

    def initial(self) -> list[str]:
        return []

    def label(self) -> str:
        return f"L{self.number}{len(self.lines)}"


class _ColumnX86(_Column):
    """AT&T syntax. Dependencies order nothing that the model does not order anyway, and are left out."""

    _NAMES = ("ax", "bx", "cx", "dx")

    def branch(self, register: int) -> None:
        del register

    def fence(self, fence: Fence) -> str:
        if "w" in fence.before and "r" in fence.after:
            return "mfence"
        return "lfence" if fence.before == fence.after == "r" else "sfence"

    def read(self, event: Event, register: int) -> None:
        self.lines.append(f"movl ({event.location}),%e{self._NAMES[register]}")

    def write(self, event: Event) -> None:
        if event.atomic is None:
            self.lines.append(f"movl ${event.value},({event.location})")
            return
        name = self._NAMES[self.registers[event.atomic]]
        self.lines += [f"movl ${event.value},%e{name}", f"xchgl %e{name},({event.location})"]

    def shown(self, index: int) -> str:
        return f"r{self._NAMES[self.registers[index]]}"


class _ColumnAarch64(_Column):
    """W0 … W9 hold what was read, W10 a value, W11 a zero made of a register, X12 an address, X20 … words."""

    def _word(self, location: str) -> str:
        return f"X{20 + self.words.index(location)}"

    def _zero(self, sources: frozenset[int]) -> str:
        first, *others = [self.registers[source] for source in sorted(sources)]
        self.lines.append(f"EOR W11,W{first},W{first}")
        for other in others:
            self.lines += [f"EOR W13,W{other},W{other}", "ADD W11,W11,W13"]
        return "W11"

    def _place(self, event: Event) -> str:
        if not event.address:
            return self._word(event.location)
        zero = self._zero(event.address)
        self.lines.append(f"ADD X12,{self._word(event.location)},{zero},SXTW")
        return "X12"

    def branch(self, register: int) -> None:
        label = self.label()
        self.lines += [f"CBNZ W{register},{label}", f"{label}:"]

    def fence(self, fence: Fence) -> str:
        if fence.instruction:
            return "ISB"
        before, after = set(fence.before) & set("rw"), set(fence.after) & set("rw")
        if before == {"r"}:
            return "DMB LD"
        return "DMB ST" if before == after == {"w"} else "DMB SY"

    def read(self, event: Event, register: int) -> None:
        name = {Acquire.NONE: "LDR", Acquire.PC: "LDAPR", Acquire.SC: "LDAR"}[event.acquire]
        place = self._place(event)
        self.lines.append(f"{name} W{register},[{place}]")

    def write(self, event: Event) -> None:
        place = self._place(event)
        self.lines.append(f"MOV W10,#{event.value}")
        if event.data:
            self.lines.append(f"ADD W10,W10,{self._zero(event.data)}")
        if event.atomic is not None:
            suffix = ("A" if event.atomic in self.acquiring else "") + ("L" if event.release else "")
            self.lines.append(f"SWP{suffix} W10,W{self.registers[event.atomic]},[{place}]")
        else:
            self.lines.append(f"{'STLR' if event.release else 'STR'} W10,[{place}]")

    def shown(self, index: int) -> str:
        return f"X{self.registers[index]}"

    def initial(self) -> list[str]:
        return [f"{self.number}:X{20 + position}={word};" for position, word in enumerate(self.words)]


class _ColumnRiscv64(_Column):
    """x10 … hold what was read, x5 a value, x6 a zero made of a register, x7 an address, x20 … words."""

    def _word(self, location: str) -> str:
        return f"x{20 + self.words.index(location)}"

    def _zero(self, sources: frozenset[int]) -> str:
        first, *others = [10 + self.registers[source] for source in sorted(sources)]
        self.lines.append(f"xor x6,x{first},x{first}")
        for other in others:
            self.lines += [f"xor x8,x{other},x{other}", "add x6,x6,x8"]
        return "x6"

    def _place(self, event: Event) -> str:
        if not event.address:
            return self._word(event.location)
        zero = self._zero(event.address)
        self.lines.append(f"add x7,{self._word(event.location)},{zero}")
        return "x7"

    def branch(self, register: int) -> None:
        label = self.label()
        self.lines += [f"bne x{10 + register},x0,{label}", f"{label}:"]

    def fence(self, fence: Fence) -> str:
        return f"fence {fence.before.strip('io')},{fence.after.strip('io')}"

    def read(self, event: Event, register: int) -> None:
        self.lines.append(f"lw x{10 + register},0({self._place(event)})")

    def write(self, event: Event) -> None:
        place = self._place(event)
        self.lines.append(f"ori x5,x0,{event.value}")
        if event.data:
            self.lines.append(f"add x5,x5,{self._zero(event.data)}")
        if event.atomic is not None:
            suffix = {(True, True): ".aq.rl", (True, False): ".aq", (False, True): ".rl", (False, False): ""}[
                event.atomic in self.acquiring, event.release
            ]
            self.lines.append(f"amoswap.w{suffix} x{10 + self.registers[event.atomic]},x5,({place})")
        else:
            self.lines.append(f"sw x5,0({place})")

    def shown(self, index: int) -> str:
        return f"x{10 + self.registers[index]}"

    def initial(self) -> list[str]:
        return [f"{self.number}:x{20 + position}={word};" for position, word in enumerate(self.words)]


_COLUMNS: Mapping[str, type[_Column]] = {
    "x86_64": _ColumnX86,
    "aarch64": _ColumnAarch64,
    "riscv64": _ColumnRiscv64,
}


def render(program: Program, name: str, question: str) -> str:
    """One test; ``name`` must be unique among the tests that herd7 is given in one call."""
    words = tuple(sorted({event.location for thread in program.threads for event in thread if event.location}))
    columns = [_COLUMNS[program.arch](number, words) for number in range(len(program.threads))]
    for column, thread in zip(columns, program.threads, strict=True):
        for event in thread:
            column.add(event)
    height = max(len(column.lines) for column in columns)
    cells = [[f"P{column.number}", *column.lines, *[""] * (height - len(column.lines))] for column in columns]
    widths = [max(map(len, one)) for one in cells]
    rows = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in zip(*cells, strict=True)]
    wanted = [f"{place[0]}:{columns[place[0]].shown(place[1])}={value}" for place, value in program.reads.items()]
    wanted += [f"[{word}]={value}" for word, value in program.final.items()]
    initial = [line for column in columns for line in column.initial()]
    condition = " /\\ ".join(wanted) or "true"
    return "\n".join(
        [
            f"{_HEADERS[program.arch]} {name}",
            f'"{question}"',
            "{",
            *[f"{word}=0;" for word in words],
            *initial,
            "}",
            *(f" {row} ;" for row in rows),
            f"exists ({condition})",
            "",
        ]
    )


def observations(output: str) -> dict[str, bool]:
    """What herd7 printed: for each test by name, whether its outcome was observed."""
    return {name: seen != "Never" for name, seen in _OBSERVATION.findall(output)}
