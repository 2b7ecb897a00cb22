"""The test kernel's driver against Linux's own: the same pixels, the same device, the same QEMU."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.analyze.frames import FrameClass, check_picture
from harness.analyze.serial import parse_serial
from harness.drive.build import build_kernel
from harness.drive.errors import BuildError, GuestError
from harness.drive.linuxguest import LinuxGuest, linux_guest
from harness.drive.oracle import Oracle
from harness.drive.qemu import TIMING_EVENTS, Qemu
from harness.drive.screen import take_picture
from harness.figures import Figure, Measure
from harness.spec import FOREIGN, Machine, RunParams, RunSpec, Switches

TURNS = 3
PICTURES = 40
FRAMES = 400
BOOT_S = 90.0
OUTSIDE_MAX, RATE_MIN = 0.5, 1.5
MACHINE = Machine(vcpus=1, maxcpus=2, memory_mib=512)
_SAID = re.compile(rb"^\[LINUX\] frames=(\d+) draw_ns=(\d+) total_ns=(\d+)\r?$", re.MULTILINE)
_FAILED = re.compile(rb"^\[LINUX\] failed: ([^\r\n]*)", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """A mean frame, ms."""

    frame_ms: float
    draw_ms: float

    @property
    def outside_ms(self) -> float:
        return self.frame_ms - self.draw_ms


def _against_linux(folder: Path) -> list[Figure]:
    """the same roulette on Linux's driver"""
    try:
        guest = linux_guest()
    except BuildError as error:
        return [Figure(f"against Linux: not measured: {error.message}", float("nan"), "", 0)]
    ours, theirs = [], []
    shown: Counter[FrameClass] = Counter()
    for turn in range(TURNS):
        ours.append(_our_cost(folder / f"ours-{turn}"))
        cost, seen = _linux_cost(guest, folder / f"linux-{turn}")
        theirs.append(cost)
        shown += seen
    outside_ms = [float(np.median([one.outside_ms for one in costs])) for costs in (ours, theirs)]
    frame_ms = [float(np.median([one.frame_ms for one in costs])) for costs in (ours, theirs)]
    words = f"{guest.version}'s, which does not wait: {shown.total() - shown[FrameClass.INTACT]} of {shown.total()}"
    outside = f"{outside_ms[0]:.3f} ms outside drawing, of {outside_ms[1]:.3f} ms of {words} pictures damaged"
    rate = f"{1e3 / frame_ms[0]:.0f} frames/s, of Linux's {1e3 / frame_ms[1]:.0f}"
    return [
        Figure(outside, outside_ms[0] / outside_ms[1], "x", OUTSIDE_MAX),
        Figure(rate, frame_ms[1] / frame_ms[0], "x", RATE_MIN, at_most=False),
    ]


def _our_cost(folder: Path) -> Cost:
    spec = RunSpec(build_kernel(Switches()).path, MACHINE, RunParams(frames=FRAMES, warmup=60))
    with Qemu(spec, folder, TIMING_EVENTS) as machine:
        machine.wait_end(60)
        records = parse_serial(machine.console.content()).records
    begun, drawn = (np.asarray(records.columns[name], np.int64) for name in ("t_ns", "render_ns"))
    return Cost(float(np.diff(begun).mean()) / 1e6, float(drawn.mean()) / 1e6)


def _linux_cost(guest: LinuxGuest, folder: Path) -> tuple[Cost, Counter[FrameClass]]:
    """What the guest says of its frames, and what pictures of later ones show."""
    machine = replace(MACHINE, extra=guest.arguments)
    with Qemu(RunSpec(guest.kernel, machine, capabilities=FOREIGN), folder, TIMING_EVENTS) as linux:
        ends_s = time.monotonic() + BOOT_S
        while not (said := _SAID.search(linux.console.content())):
            failed = _FAILED.search(linux.console.content())
            if failed or linux.exited() or time.monotonic() > ends_s:
                why = failed[1].decode("utf-8", "replace") if failed else "it says nothing"
                raise GuestError(f"the Linux guest failed: {why}", linux.serial_path)
            time.sleep(0.05)
        pictures = [take_picture(linux).pixels for _ in range(PICTURES)]
    oracle = Oracle(1024, 768)
    seen = Counter(check_picture(picture, oracle.picture).kind for picture in pictures)
    if not seen[FrameClass.INTACT]:
        raise GuestError("the Linux guest shows no picture that the scene has", linux.serial_path)
    frames, draw_ns, total_ns = (int(word) for word in said.groups())
    return Cost(total_ns / frames / 1e6, draw_ns / frames / 1e6), seen


FIGURES: tuple[Measure, ...] = (_against_linux,)
