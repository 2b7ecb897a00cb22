"""The instructions at the ring's ordering points, compared with the claims of each strategy.

`claimed` says what the table of strategies in docs/design.md means in the instructions of each architecture,
independently of the kernel's headers, so that `problems` can fail.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.core.machine_code.ringmarks import Instruction, Mark, RingpointError, operation


class Point(enum.Enum):
    """The ordering points, as a letter and what it is for."""

    PUBLISH = "A publish"
    POLL = "B poll"
    PROGRESS = "B progress"
    KICK = "C kick check"
    REARM = "D re-arm"
    NOTIFY = "E notify"


_POINTS = {
    ("A", 0): Point.PUBLISH,
    ("B", 0): Point.POLL,
    ("B", 2): Point.PROGRESS,
    ("C", 0): Point.KICK,
    ("D", 0): Point.REARM,
    ("E", 0): Point.NOTIFY,
}


@dataclass(frozen=True)
class Span:
    """One place in the code where a point stands, with what a memory model sees of it.

    ``operations`` are ``load``, ``store``, mnemonics that also order (``ldarh``), and fences with their
    operands (``dmb ish``), in program order.
    """

    point: Point
    start: int
    end: int
    operations: tuple[str, ...]


def spans(marks: Sequence[Mark], instructions: Sequence[Instruction], arch: str) -> tuple[Span, ...]:
    """Pair begins with ends, in order of address.

    Raises
    ------
    RingpointError
        When a point begins without an end behind it, or a mark does not stand between two instructions.
    """
    starts = {instruction.address for instruction in instructions}
    found, ends = [], [mark for mark in marks if mark.phase & 1]
    for begin in (mark for mark in marks if not mark.phase & 1):
        matching = [end for end in ends if (end.letter, end.phase) == (begin.letter, begin.phase + 1)]
        end = next((end for end in matching if end.address >= begin.address), None)
        if end is None:
            raise RingpointError(f"{begin.letter}{begin.phase} at {begin.address:#x} has no end behind it")
        if begin.address not in starts:
            raise RingpointError(
                f"{begin.letter}{begin.phase} at {begin.address:#x} is not where an instruction begins"
            )
        ends.remove(end)
        inside = (i for i in instructions if begin.address <= i.address < end.address)
        operations = tuple(seen for i in inside if (seen := operation(i, arch)) is not None)
        found.append(Span(_POINTS[begin.letter, begin.phase], begin.address, end.address, operations))
    if ends:
        raise RingpointError(f"{ends[0].letter}{ends[0].phase} at {ends[0].address:#x} ends what did not begin")
    return tuple(found)


_FENCED = {"publish": ("release", "store"), "poll": ("load",), "progress": ("acquire",), "kick": ("full",)}
_CLAIMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "acquire_progress": _FENCED,
    "seqcst_spin": {"publish": ("store",), "poll": ("full", "load"), "progress": (), "kick": ("full",)},
    "acquire_spin": {**_FENCED, "poll": ("acquire", "load"), "progress": ()},
    "full_progress": {**_FENCED, "publish": ("full", "store"), "progress": ("full",)},
    "acquire_load": {"publish": ("store_release",), "poll": ("load_acquire",), "progress": (), "kick": ("full",)},
    "linux": {**_FENCED, "publish": ("write", "store"), "progress": ("read",)},
    "volatile_only": {"publish": ("store",), "poll": ("load",), "progress": (), "kick": ()},
    "late_publish": {**_FENCED, "publish": ("store", "release")},
    "no_kick_fence": {**_FENCED, "kick": ()},
}
"""docs/design.md's table of strategies, in words that each architecture has instructions for."""

_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "x86_64": {
        "full": ("lock orl",),
        "acquire": (),
        "release": (),
        "write": (),
        "read": (),
        "io": (),
        "load_acquire": ("load",),
        "store_release": ("store",),
    },
    "aarch64": {
        "full": ("dmb ish",),
        "acquire": ("dmb ishld",),
        "release": ("dmb ish",),
        "write": ("dmb ishst",),
        "read": ("dmb ishld",),
        "io": ("dmb oshst",),
        "load_acquire": ("ldarh",),
        "store_release": ("stlrh",),
    },
    "riscv64": {
        "full": ("fence rw,rw",),
        "acquire": ("fence r,rw",),
        "release": ("fence rw,w",),
        "write": ("fence w,w",),
        "read": ("fence r,r",),
        "io": ("fence w,o",),
        "load_acquire": ("load", "fence r,rw"),
        "store_release": ("fence rw,w", "store"),
    },
}


def fence_words(arch: str, kind: str) -> tuple[str, ...]:
    """The instructions of an ``acquire``, ``release``, ``full``, ``read``, ``write`` or ``io`` fence, if any."""
    return _WORDS[arch][kind]


def claimed(strategy: str, arch: str) -> dict[Point, tuple[str, ...]]:
    """The operations that a strategy promises at each point of the ring, for an architecture."""
    claims = _CLAIMS[strategy]
    words: dict[str, tuple[str, ...]] = {"load": ("load",), "store": ("store",), **_WORDS[arch]}
    points = {
        Point.PUBLISH: claims["publish"],
        Point.POLL: claims["poll"],
        Point.PROGRESS: claims["progress"],
        Point.KICK: claims["kick"],
        Point.REARM: ("full",),
        Point.NOTIFY: ("io",),
    }
    return {point: tuple(op for word in wanted for op in words[word]) for point, wanted in points.items()}


def problems(strategy: str, arch: str, found: Sequence[Span]) -> tuple[str, ...]:
    """Differences between a strategy's claims and the code, one sentence each."""
    wanted = claimed(strategy, arch)
    said = [
        f"{span.point.value} at {span.start:#x} is {show(span.operations)}, claimed is {show(wanted[span.point])}"
        for span in found
        if span.operations != wanted[span.point]
    ]
    missing = [point for point in Point if not any(span.point is point for span in found)]
    return (*said, *(f"{point.value} stands nowhere in the code" for point in missing))


def strays(found: Sequence[Span], instructions: Iterable[Instruction], arch: str) -> tuple[str, ...]:
    """Instructions that order memory and belong to no point, one sentence each.

    Parameters
    ----------
    found
        The places of one object.
    instructions
        All of that object's code.
    """
    said = []
    for instruction in instructions:
        seen = operation(instruction, arch)
        if seen is None or seen in ("load", "store") or seen.endswith(" memory"):
            continue
        if not any(span.start <= instruction.address < span.end for span in found):
            said.append(f"{seen} at {instruction.address:#x} belongs to no point")
    return tuple(said)


def by_point(found: Sequence[Span]) -> dict[Point, tuple[str, ...]]:
    """The operations of each point, where all its places in the code agree.

    Raises
    ------
    RingpointError
        When two places of one point differ.
    """
    table: dict[Point, tuple[str, ...]] = {}
    for span in found:
        if table.setdefault(span.point, span.operations) != span.operations:
            raise RingpointError(
                f"{span.point.value} is not the same everywhere: {table[span.point]}, {span.operations}"
            )
    return table


def identical(tables: Mapping[str, Mapping[Point, tuple[str, ...]]]) -> tuple[tuple[str, ...], ...]:
    """Groups of strategies whose operations are the same at every point; each with at least two members."""
    groups: dict[tuple[tuple[str, tuple[str, ...]], ...], list[str]] = {}
    for strategy, table in tables.items():
        key = tuple(sorted((point.value, operations) for point, operations in table.items()))
        groups.setdefault(key, []).append(strategy)
    return tuple(tuple(members) for members in groups.values() if len(members) > 1)


def show(operations: Sequence[str]) -> str:
    """Operations for a person: ``dmb ish; store``, or a dash for none."""
    return "; ".join(operations) or "–"


RingTable = Mapping[str, Mapping[str, Mapping[Point, tuple[str, ...]]]]
"""Operations by architecture, strategy and point."""


def markdown(table: RingTable) -> str:
    """The table for readers: one part an architecture, what is the same code under it."""
    columns = [point for point in Point if point is not Point.NOTIFY]
    lines = []
    for arch, strategies in table.items():
        lines += [f"### {arch}", "", "| BARRIER | " + " | ".join(point.value for point in columns) + " |"]
        lines.append("|" + "---|" * (len(columns) + 1))
        for strategy, points in strategies.items():
            cells = [f"`{show(points[point])}`" if points[point] else "–" for point in columns]
            lines.append(f"| `{strategy}` | " + " | ".join(cells) + " |")
        notifies = {show(points[Point.NOTIFY]) for points in strategies.values()}
        lines += ["", f"{Point.NOTIFY.value}: {', '.join(sorted(notifies))}."]
        same = [
            "identical at every point: " + ", ".join(f"`{name}`" for name in group) for group in identical(strategies)
        ]
        lines += [f"{'; '.join(same) or 'No two strategies are identical'}.".capitalize(), ""]
    return "\n".join(lines)
