"""The work of QEMU for each part of a frame, from a plugin's account and QEMU's log of translated code.

The plugin (``harness/platform/machine/frame_counts.c``) tells how often each translation block ran between entries of a
few functions of the kernel. Where these entries follow each other in one of the ways that a frame has, the stretches
between them are its parts. The kernel reads its instruction counter, by a function, where a part begins or ends.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from harness.model.record import PartCounts

CLOCK, DRAW, PRESENT, WAIT, LOG = "clock", "draw", "present", "wait", "log"
MARKS: Mapping[str, tuple[str, ...]] = {
    CLOCK: ("arch_instructions",),
    DRAW: ("roulette_draw", "roulette_draw_dirty", "hostdraw_frame"),
    PRESENT: ("gpu_present",),
    WAIT: ("transport_wait",),
    LOG: ("record_print_frame",),
}
"""By event: functions whose entry it is. A kernel without the first four has no parts."""
NEEDED = (CLOCK, DRAW, PRESENT, WAIT)

PARTS = ("draw", "submit", "poll", "complete", "log", "rest")
"""Parts of a frame. ``rest`` is the loop's own, idling included; ``poll`` is as long as the device takes."""
SETTLED = ("draw", "submit", "complete", "log", "rest")
"""Parts that cost the same in every run."""

_TOLD = re.compile(rb"^(?:block (\d+)|event (\w+))$|^ call (?!plugin)(\w+)|\b(virtio_queue_notify) ", re.MULTILINE)
_PORT = re.compile(rb"(?:in|out)[bwl]$")


@dataclass
class _Blocks:
    """The calls in each block's translation, and the notifications before each event."""

    helpers: Counter[int] = field(default_factory=Counter)
    ports: Counter[int] = field(default_factory=Counter)
    notified: list[int] = field(default_factory=list)
    """By event, in order: notifications since the event before."""


@dataclass(frozen=True)
class _Stretch:
    """From one event to the next."""

    begins: str
    counts: PartCounts


def parts_of(account: str, log: bytes) -> tuple[Mapping[str, PartCounts], int]:
    """Means by part, and of how many frames: those that are whole, the first left out.

    Parameters
    ----------
    account
        What the plugin wrote.
    log
        QEMU's log, with ``op_opt`` and ``plugin``.

    Raises
    ------
    ValueError
        When the account is damaged, or holds no whole frame besides the first.
    """
    stretches = _stretches(account, _read_log(log))
    labels = part_labels([stretch.begins for stretch in stretches])
    starts = [at for at in range(len(labels) - 1) if _frame_starts(stretches, at)]
    if len(starts) < 3:
        raise ValueError(f"{max(len(starts) - 1, 0)} whole frames in the account of blocks")
    frames = len(starts) - 2
    found = {part: PartCounts() for part in PARTS}
    for at in range(starts[1], starts[-1]):
        found[labels[at]] = added(found[labels[at]], stretches[at].counts)
    return {part: scaled(counts, 1 / frames) for part, counts in found.items()}, frames


def _frame_starts(stretches: Sequence[_Stretch], at: int) -> bool:
    return stretches[at].begins == CLOCK and stretches[at + 1].begins == DRAW


def part_labels(events: Sequence[str]) -> list[str]:
    """The part that each event begins or goes on with, from how events follow each other."""
    labels: list[str] = []
    state = "rest"
    for at, event in enumerate(events):
        ahead = [*events[at + 1 : at + 3], "", ""]
        state = _label(event, ahead[0], ahead[1], state)
        labels.append(state)
    return labels


def _label(event: str, following: str, later: str, state: str) -> str:
    if event != CLOCK:
        return {DRAW: "draw", PRESENT: "submit", WAIT: "poll", LOG: "log"}[event]
    if following in (DRAW, WAIT):
        return "draw" if following == DRAW else "poll"
    if state == "poll":
        return "complete"
    if state == "complete":
        # An answer has been looked at: another wait follows, more commands, or the end of the frame.
        return "complete" if later == WAIT else "rest" if later in (DRAW, "") or following != CLOCK else "submit"
    return "submit" if state in ("draw", "submit") else state


def _read_log(log: bytes) -> _Blocks:
    blocks = _Blocks()
    block, notified = -1, 0
    for told in _TOLD.finditer(log):
        number, event, helper, _ = told.groups()
        if number is not None:
            block = int(number)
        elif event is not None:
            blocks.notified.append(notified)
            notified = 0
        elif helper is not None:
            blocks.helpers[block] += 1
            blocks.ports[block] += bool(_PORT.match(helper))
        else:
            notified += 1
    blocks.notified.append(notified)
    return blocks


def _stretches(account: str, blocks: _Blocks) -> list[_Stretch]:
    """The account's events, each with what came after it."""
    names: list[str] = []
    totals: list[tuple[int, ...]] = []
    ran: list[list[tuple[int, int]]] = []
    sizes: dict[int, int] = {}
    for line in account.splitlines():
        kind, *words = line.split(" ")
        if kind == "b":
            sizes[int(words[0])] = int(words[1])
        elif kind == "e":
            names.append(words[0])
            totals.append(tuple(int(word) for word in words[1:4]))
            ran.append([])
        elif kind == "r" and ran:
            ran[-1].append((int(words[0]), int(words[1])))
    if any(len(total) != 3 for total in totals) or len(blocks.notified) < len(names):
        raise ValueError("the account of blocks is damaged")
    if any(block not in sizes for runs in ran for block, _ in runs):
        raise ValueError("the account of blocks tells of a block that was not translated")
    return [
        _Stretch(names[at], _counts(ran[at + 1], totals[at], totals[at + 1], sizes, blocks, blocks.notified[at + 1]))
        for at in range(len(names) - 1)
    ]


def _counts(
    runs: Iterable[tuple[int, int]],
    before: tuple[int, ...],
    after: tuple[int, ...],
    sizes: Mapping[int, int],
    blocks: _Blocks,
    notified: int,
) -> PartCounts:
    runs = list(runs)
    accesses, moved, exits = (late - early for early, late in zip(before, after))
    return PartCounts(
        instructions=sum(sizes[block] * times for block, times in runs),
        accesses=accesses,
        blocks=sum(times for _, times in runs),
        helpers=sum(blocks.helpers[block] * times for block, times in runs),
        bytes=moved,
        exits=exits + sum(blocks.ports[block] * times for block, times in runs),
        notifications=notified,
    )


COUNTED = tuple(one.name for one in fields(PartCounts))
"""What is counted, by name."""


def added(first: PartCounts, second: PartCounts) -> PartCounts:
    """Both together."""
    return PartCounts(*(getattr(first, name) + getattr(second, name) for name in COUNTED))


def scaled(counts: PartCounts, factor: float) -> PartCounts:
    """How many times as much."""
    return PartCounts(*(getattr(counts, name) * factor for name in COUNTED))


def total_of(parts: Mapping[str, PartCounts], names: Iterable[str] = SETTLED) -> PartCounts:
    """Several parts together."""
    total = PartCounts()
    for name in names:
        total = added(total, parts.get(name, PartCounts()))
    return total
