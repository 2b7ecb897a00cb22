"""The split ring's ordering questions as litmus tests for herd7, in the instructions that the compiler made.

`SHAPES` is the one place that says what is asked: two threads, driver and device, over a few words of shared memory,
and an outcome that must not be reachable. A shape names ordering points; `render` fills in what a strategy has there,
from `ringpoints.by_point`. The device is QEMU's virtio code as a CPU of the same architecture (VIRTIO 1.2 §6): its
smp_rmb is an acquire fence, its smp_wmb a release fence, its smp_mb a full one.

Every access is written as one of 32 bits: width has no part in the question, as all accesses to a word have the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Union

from harness.core.ringmarks import RingpointError
from harness.core.ringpoints import Point, fence_words

DRIVER, DEVICE = 0, 1


@dataclass(frozen=True)
class Store:
    """Writes 1 to a word."""

    word: str


@dataclass(frozen=True)
class Load:
    """Reads a word into a register; ``after``: its address depends on that register."""

    word: str
    register: str
    after: str | None = None


@dataclass(frozen=True)
class Branch:
    """Leaves the thread unless a register holds 1."""

    register: str


@dataclass(frozen=True)
class DeviceFence:
    """A fence of the device: ``acquire``, ``release`` or ``full``."""

    kind: str


@dataclass(frozen=True)
class At:
    """An ordering point of the driver; its store goes to ``word``, its load comes from there into ``register``."""

    point: Point
    word: str = ""
    register: str = ""


LitmusStep = Union[Store, Load, Branch, DeviceFence, At]
LitmusOutcome = tuple[tuple[int, str, int], ...]
"""All of (thread, register, value)."""


@dataclass(frozen=True)
class Shape:
    """One question: can any of these outcomes be seen?"""

    name: str
    question: str
    driver: tuple[LitmusStep, ...]
    device: tuple[LitmusStep, ...]
    outcomes: tuple[LitmusOutcome, ...]


_POLL = (At(Point.POLL, "used_index", "moved"), Branch("moved"), At(Point.PROGRESS))

SHAPES: tuple[Shape, ...] = (
    Shape(
        "publish",
        "the device sees the new index and an old descriptor",
        (Store("descriptor"), At(Point.PUBLISH, "avail_index")),
        (Load("avail_index", "published"), DeviceFence("acquire"), Load("descriptor", "read")),
        (((DEVICE, "published", 1), (DEVICE, "read", 0)),),
    ),
    Shape(
        "response-reuse",
        "the driver reads the next response where it meant to read the last one, before it published the buffer again",
        (Load("response", "read"), At(Point.PUBLISH, "avail_index")),
        (Load("avail_index", "published"), DeviceFence("acquire"), Store("response")),
        (((DRIVER, "read", 1), (DEVICE, "published", 1)),),
    ),
    Shape(
        "poll-response",
        "the driver sees the used index moved and an old response",
        (*_POLL, Load("response", "read")),
        (Store("response"), DeviceFence("release"), Store("used_index")),
        (((DRIVER, "moved", 1), (DRIVER, "read", 0)),),
    ),
    Shape(
        "poll-element-response",
        "the driver sees the used index moved, and an old used element or the old response that it leads to",
        (*_POLL, Load("element", "id"), Load("response", "read", after="id")),
        (Store("response"), Store("element"), DeviceFence("release"), Store("used_index")),
        (
            ((DRIVER, "moved", 1), (DRIVER, "id", 0)),
            ((DRIVER, "moved", 1), (DRIVER, "read", 0)),
        ),
    ),
    Shape(
        "framebuffer-reuse",
        "the device transfers a pixel that the driver drew after it saw the transfer complete",
        (*_POLL, Store("pixel")),
        (Load("pixel", "transferred"), DeviceFence("release"), Store("used_index")),
        (((DRIVER, "moved", 1), (DEVICE, "transferred", 1)),),
    ),
    Shape(
        "kick-check",
        "the driver sees that no notification is wanted, and the device that nothing was published: a lost kick",
        (At(Point.PUBLISH, "avail_index"), At(Point.KICK), Load("wanted", "kick")),
        (Store("wanted"), DeviceFence("full"), Load("avail_index", "published")),
        (((DRIVER, "kick", 0), (DEVICE, "published", 0)),),
    ),
    Shape(
        "re-arm",
        "the driver sees no completion, and the device that no interrupt is wanted: a lost interrupt",
        (Store("interrupt"), At(Point.REARM), Load("used_index", "moved")),
        (Store("used_index"), DeviceFence("full"), Load("interrupt", "wanted")),
        (((DRIVER, "moved", 0), (DEVICE, "wanted", 0)),),
    ),
)


class _Thread:
    """One column of a test. Subclasses know an architecture's syntax; words and registers are numbered as they come."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.lines: list[str] = []
        self.registers: dict[str, int] = {}
        self.words: dict[str, int] = {}

    def register(self, name: str) -> int:
        return self.registers.setdefault(name, len(self.registers))

    def word(self, name: str) -> int:
        return self.words.setdefault(name, len(self.words))

    def load(self, word: str, register: str, mnemonic: str = "load") -> None:
        raise NotImplementedError

    def load_after(self, word: str, register: str, after: str) -> None:
        raise NotImplementedError

    def store(self, word: str, mnemonic: str = "store") -> None:
        raise NotImplementedError

    def branch(self, register: str) -> None:
        raise NotImplementedError

    def fence(self, operation: str) -> None:
        raise NotImplementedError

    def shown(self, register: str) -> str:
        raise NotImplementedError

    def initial(self) -> Iterator[str]:
        yield from ()


class _ThreadX86(_Thread):
    """AT&T syntax, as herd7's X86_64 reads it."""

    _NAMES = ("ax", "bx", "cx", "dx")

    def load(self, word: str, register: str, mnemonic: str = "load") -> None:
        self.lines.append(f"movl ({word}),%e{self._NAMES[self.register(register)]}")

    def load_after(self, word: str, register: str, after: str) -> None:
        # x86-TSO keeps loads in order; a dependency adds nothing.
        self.load(word, register)

    def store(self, word: str, mnemonic: str = "store") -> None:
        self.lines.append(f"movl $1,({word})")

    def branch(self, register: str) -> None:
        self.lines += [f"cmpl $1,%e{self._NAMES[self.register(register)]}", f"jne L{self.number}"]

    def fence(self, operation: str) -> None:
        # A locked operation on a private word orders what mfence orders (Intel SDM 3A 8.2.3.9).
        self.lines.append("mfence" if operation.startswith("lock ") else operation)

    def shown(self, register: str) -> str:
        return f"r{self._NAMES[self.register(register)]}"


class _ThreadAarch64(_Thread):
    """W0 … W9 hold what was read, W10 a one, W11 a zero made of a register, X20 … the addresses of words."""

    def load(self, word: str, register: str, mnemonic: str = "load") -> None:
        name = {"load": "LDR", "ldarh": "LDAR"}[mnemonic]
        self.lines.append(f"{name} W{self.register(register)},[X{20 + self.word(word)}]")

    def load_after(self, word: str, register: str, after: str) -> None:
        source = self.register(after)
        self.lines.append(f"EOR W11,W{source},W{source}")
        self.lines.append(f"LDR W{self.register(register)},[X{20 + self.word(word)},W11,SXTW]")

    def store(self, word: str, mnemonic: str = "store") -> None:
        name = {"store": "STR", "stlrh": "STLR"}[mnemonic]
        self.lines += ["MOV W10,#1", f"{name} W10,[X{20 + self.word(word)}]"]

    def branch(self, register: str) -> None:
        self.lines += [f"CMP W{self.register(register)},#1", f"B.NE L{self.number}"]

    def fence(self, operation: str) -> None:
        self.lines.append(operation.upper())

    def shown(self, register: str) -> str:
        return f"X{self.register(register)}"

    def initial(self) -> Iterator[str]:
        for word, number in self.words.items():
            yield f"{self.number}:X{20 + number}={word};"


class _ThreadRiscv64(_Thread):
    """x10 … hold what was read, x5 a one, x6 and x7 a dependent address, x20 … the addresses of words."""

    def load(self, word: str, register: str, mnemonic: str = "load") -> None:
        self.lines.append(f"lw x{10 + self.register(register)},0(x{20 + self.word(word)})")

    def load_after(self, word: str, register: str, after: str) -> None:
        source = 10 + self.register(after)
        self.lines += [f"xor x6,x{source},x{source}", f"add x7,x{20 + self.word(word)},x6"]
        self.lines.append(f"lw x{10 + self.register(register)},0(x7)")

    def store(self, word: str, mnemonic: str = "store") -> None:
        self.lines += ["ori x5,x0,1", f"sw x5,0(x{20 + self.word(word)})"]

    def branch(self, register: str) -> None:
        self.lines += ["ori x5,x0,1", f"bne x{10 + self.register(register)},x5,L{self.number}"]

    def fence(self, operation: str) -> None:
        self.lines.append(operation)

    def shown(self, register: str) -> str:
        return f"x{10 + self.register(register)}"

    def initial(self) -> Iterator[str]:
        for word, number in self.words.items():
            yield f"{self.number}:x{20 + number}={word};"


_SYNTAX: Mapping[str, tuple[str, type[_Thread]]] = {
    "x86_64": ("X86_64", _ThreadX86),
    "aarch64": ("AArch64", _ThreadAarch64),
    "riscv64": ("RISCV", _ThreadRiscv64),
}

_LOADS = frozenset(("load", "ldarh"))
_STORES = frozenset(("store", "stlrh"))
_FENCES = ("dmb ", "dsb ", "fence ", "lock ", "mfence", "lfence", "sfence")


def _write(thread: _Thread, steps: Sequence[LitmusStep], arch: str, table: Mapping[Point, tuple[str, ...]]) -> None:
    for step in steps:
        if isinstance(step, Store):
            thread.store(step.word)
        elif isinstance(step, Load):
            if step.after is None:
                thread.load(step.word, step.register)
            else:
                thread.load_after(step.word, step.register, step.after)
        elif isinstance(step, Branch):
            thread.branch(step.register)
        elif isinstance(step, DeviceFence):
            for operation in fence_words(arch, step.kind):
                thread.fence(operation)
        else:
            _write_point(thread, step, table[step.point])
    if any(isinstance(step, Branch) for step in steps):
        thread.lines.append(f"L{thread.number}:")


def _write_point(thread: _Thread, at: At, operations: Sequence[str]) -> None:
    for operation in operations:
        if operation in _LOADS:
            thread.load(at.word, at.register, operation)
        elif operation in _STORES:
            thread.store(at.word, operation)
        elif operation.startswith(_FENCES):
            thread.fence(operation)
        else:
            raise RingpointError(f"{at.point.value}: {operation} has no counterpart in a litmus test")


def render(shape: Shape, strategy: str, arch: str, table: Mapping[Point, tuple[str, ...]]) -> str:
    """One test in herd7's syntax.

    Parameters
    ----------
    table
        The operations that the compiled kernel has at each point, from `ringpoints.by_point`.

    Raises
    ------
    RingpointError
        When an operation has no counterpart in the syntax.
    KeyError
        When a point of the shape is missing from the table.
    """
    header, syntax = _SYNTAX[arch]
    threads = (syntax(DRIVER), syntax(DEVICE))
    _write(threads[DRIVER], shape.driver, arch, table)
    _write(threads[DEVICE], shape.device, arch, table)
    height = max(len(thread.lines) for thread in threads)
    columns = [[f"P{thread.number}", *thread.lines, *[""] * (height - len(thread.lines))] for thread in threads]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    outcomes = " \\/ ".join(
        "(" + " /\\ ".join(f"{thread}:{threads[thread].shown(name)}={value}" for thread, name, value in outcome) + ")"
        for outcome in shape.outcomes
    )
    initial = [line for thread in threads for line in thread.initial()]
    return "\n".join(
        [
            f"{header} {shape.name}",
            f'"{strategy}: {shape.question}"',
            "{",
            *initial,
            "}",
            *(
                " " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " ;"
                for row in rows
            ),
            f"exists ({outcomes})",
            "",
        ]
    )
