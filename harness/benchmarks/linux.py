"""The test kernel's driver against Linux's own: the same pixels, the same device, the same QEMU.

Both have two vCPUs, as in the case study. The driver compared polls as a driver does that has a CPU to itself,
``SPIN=none``: the first ``pause`` of a poll takes the vCPU out of its translated code and keeps it out for as long as
QEMU's main loop works on the device's queue (QEMU 7.2). The cost of that is shown beside it. On one vCPU Linux saves
the other CPU's wake-ups, and the ratio of frame rates is about 1.45.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np

from harness.benchmarks import Figure, Measure
from harness.core.guest.serial import parse_serial
from harness.core.pictures.frames import FrameClass, check_picture
from harness.model.errors import GuestError
from harness.model.spec import FOREIGN, Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.kernels.linuxguest import LinuxGuest, linux_guest
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.pictures.oracle import Oracle
from harness.platform.pictures.screen import take_picture

TURNS = 5
PICTURES = 24
FRAMES = 400
BOOT_S = 90.0
OUTSIDE_MAX, RATE_MIN = 0.5, 1.5
MACHINE = Machine(memory_mib=512)
FASTEST = Switches().but(SPIN="none")
_SAID = re.compile(rb"^\[LINUX\] waits=(\d) frame_ns=(\d+) draw_ns=(\d+) outside_ns=(\d+)\r?$", re.MULTILINE)
_FAILED = re.compile(rb"^\[LINUX\] failed: ([^\r\n]*)", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """A frame's mean, which is the frame rate's, and the medians of its parts, which a stall of the host leaves."""

    frame_ms: float
    draw_ms: float
    outside_ms: float

    @property
    def fps(self) -> float:
        return 1e3 / self.frame_ms


@dataclass(frozen=True)
class Shown:
    """A way of handing frames to Linux's driver: its cost, and its pictures."""

    cost: Cost
    seen: Counter[FrameClass]

    @property
    def damaged(self) -> int:
        return self.seen.total() - self.seen[FrameClass.INTACT]


def _against_linux(folder: Path) -> list[Figure]:
    """the same roulette on Linux's driver"""
    guest = linux_guest()
    fastest, usual, queued, waited = [], [], [], []
    for turn in range(TURNS):
        for part in range(2):
            fastest.append(_our_cost(FASTEST, folder / f"fastest-{turn}-{part}"))
            usual.append(_our_cost(Switches(), folder / f"usual-{turn}-{part}"))
        ways = _linux_costs(guest, folder / f"linux-{turn}")
        queued.append(ways[0])
        waited.append(ways[1])
    mine, default = _median(fastest), _median(usual)
    theirs, early = (_median([shown.cost for shown in way]) for way in (waited, queued))
    damaged = sum(one.damaged for one in queued)
    pictures = sum(one.seen.total() for one in queued)
    outside = f"{mine.outside_ms:.3f} ms outside drawing, of {theirs.outside_ms:.3f} ms of {guest.version}'s"
    rate = f"{mine.fps:.0f} frames/s, of Linux's {theirs.fps:.0f}"
    torn = f"Linux's damaged pictures when it does not wait ({early.fps:.0f} frames/s), of {pictures}"
    return [
        Figure(outside, mine.outside_ms / theirs.outside_ms, "x", OUTSIDE_MAX),
        Figure(rate, mine.fps / theirs.fps, "x", RATE_MIN, at_most=False),
        Figure(
            f"outside drawing with SPIN=pause, {default.outside_ms:.3f} ms",
            default.outside_ms / theirs.outside_ms,
            "x",
            None,
        ),
        Figure(f"frame rate with SPIN=pause, {default.fps:.0f} frames/s", default.fps / theirs.fps, "x", None),
        Figure("the same of a driver that takes no time at all", theirs.frame_ms / mine.draw_ms, "x", None),
        Figure("Linux's damaged pictures when it waits", sum(one.damaged for one in waited), "", 0),
        Figure(torn, damaged, "", None),
    ]


def _median(costs: Sequence[Cost]) -> Cost:
    frame_ms, draw_ms, outside_ms = np.median([astuple(cost) for cost in costs], axis=0).tolist()
    return Cost(frame_ms, draw_ms, outside_ms)


def _our_cost(switches: Switches, folder: Path) -> Cost:
    spec = RunSpec(build_kernel(switches).path, MACHINE, RunParams(frames=FRAMES, warmup=60))
    with Qemu(spec, folder, TIMING_EVENTS) as machine:
        machine.wait_end(60)
        records = parse_serial(machine.console.content()).records
    begun, drawn = (np.asarray(records.columns[name], np.int64) for name in ("t_ns", "render_ns"))
    frame = np.diff(begun)
    return Cost(*(float(value) / 1e6 for value in (frame.mean(), np.median(drawn), np.median(frame - drawn[:-1]))))


def _linux_costs(guest: LinuxGuest, folder: Path) -> tuple[Shown, ...]:
    """Without waiting for the host, and waiting for it: what the guest says of its frames, and later pictures."""
    machine = replace(MACHINE, extra=guest.arguments)
    oracle = Oracle(1024, 768)
    found = []
    with Qemu(RunSpec(guest.kernel, machine, capabilities=FOREIGN), folder, TIMING_EVENTS) as linux:
        for waits in (0, 1):
            cost = _said(linux, waits)
            seen = Counter(check_picture(take_picture(linux).pixels, oracle.picture).kind for _ in range(PICTURES))
            found.append(Shown(cost, seen))
    return tuple(found)


def _said(linux: Qemu, waits: int) -> Cost:
    """The guest's report of its frames, as soon as it comes."""
    ends_s = time.monotonic() + BOOT_S
    while True:
        content = linux.console.content()
        said = next((found for found in _SAID.finditer(content) if int(found[1]) == waits), None)
        if said is not None:
            return Cost(*(int(value) / 1e6 for value in said.groups()[1:]))
        failed = _FAILED.search(content)
        if failed or linux.exited() or time.monotonic() > ends_s:
            why = failed[1].decode("utf-8", "replace") if failed else "it says nothing"
            raise GuestError(f"the Linux guest failed: {why}", linux.serial_path)
        time.sleep(0.02)


FIGURES: tuple[Measure, ...] = (_against_linux,)
