"""One run through several modes: the display changes while the kernel draws, and every picture is compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from harness.core.device.mode_changes import edid_notes, mode_changes, refusals
from harness.core.device.trace import Trace, parse_trace
from harness.core.guest.complaints import device_complaints
from harness.core.pictures.frames import CheckedPicture, FrameClass, check_picture
from harness.gate.measuring.window import wait_first_frame
from harness.model.modes_record import AskedMode, ModeSize, ModesRecord
from harness.model.record import Ending, Observed
from harness.model.spec import RunSpec
from harness.platform.files.bounded import read_bounded
from harness.platform.host.hostclock import ClockWatch
from harness.platform.host.hostload import ThreadTimes, thread_times
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.machine.rfb import Viewer
from harness.platform.machine.trace_file import read_trace
from harness.platform.pictures.capture import Screendump
from harness.platform.pictures.oracle import DEFAULT_SEED, Oracle
from harness.platform.pictures.screen import take_picture

PICTURES = 6
"""Captured in each mode, once it is shown."""
FOLLOW_S = 30.0
"""How long a kernel may take to follow: it makes its new scene beside the frames of the old one."""
PAUSE_S = 0.05
"""Between captures of a change: QEMU executes no command while it writes one, and the gap must not be its doing."""
RUN_S = 600.0
EVENTS = (*TIMING_EVENTS, "virtio_gpu_cmd_res_create_2d", "virtio_gpu_cmd_res_unref", "virtio_gpu_cmd_get_edid")
BAD_MOST = 8
"""Bad pictures that are told and kept."""
ENDED = "ended by the harness after the last mode"


@dataclass(frozen=True)
class Modes:
    """What the stage brings."""

    trace: Trace
    record: ModesRecord
    device: tuple[str, ...] = ()
    """Complaints of the device."""


class _ModesRun:
    """A guest whose display is changed, and what its pictures show."""

    def __init__(self, machine: Qemu, modes: Sequence[ModeSize]) -> None:
        self.machine = machine
        seed = machine.spec.params.seed
        self._oracles = _oracles(modes, DEFAULT_SEED if seed is None else seed)
        self._modes = [modes[0]]
        self.asked: list[AskedMode] = []
        self.bad: list[str] = []

    def begin(self) -> None:
        """Pictures of the first mode."""
        self._note(self._modes[0], 0, [self._capture() for _ in range(PICTURES)], 0)

    def change(self, viewer: Viewer, size: ModeSize) -> None:
        """Give the display a size; pictures until it is shown or refused, and some more."""
        before, asked_ns = thread_times(self.machine.pid), time.time_ns()
        self._modes.append(size)
        viewer.resize(*size)
        seen, until_s = [self._capture()], time.monotonic() + FOLLOW_S
        while not (self._shows(seen[-1], size) or self._refused(size)) and time.monotonic() < until_s:
            time.sleep(PAUSE_S)
            seen.append(self._capture())
        waited_ns = _waited_ns(before, thread_times(self.machine.pid))
        seen += [self._capture() for _ in range(PICTURES)]
        self._note(size, asked_ns, seen, waited_ns)
        if not self._shows(seen[-1], size) and not self._refused(size):
            width, height = size
            self.bad.append(
                f"the display was given {width}x{height}, and after {FOLLOW_S:g} s the kernel does not show it"
            )

    def _shows(self, seen: tuple[ModeSize, bool], size: ModeSize) -> bool:
        return seen[0] == size

    def _refused(self, size: ModeSize) -> bool:
        return f"mode {size[0]}x{size[1]} refused".encode() in self.machine.console.content()

    def _capture(self) -> tuple[ModeSize, bool]:
        """One picture: its size, and whether every pixel is right."""
        picture = take_picture(self.machine)
        height, width = picture.pixels.shape[:2]
        checked = self._check(picture, (width, height))
        if checked.kind is not FrameClass.INTACT and len(self.bad) < BAD_MOST:
            self._keep(picture, checked, (width, height))
        return (width, height), checked.kind is FrameClass.INTACT

    def _check(self, picture: Screendump, size: ModeSize) -> CheckedPicture:
        oracle = self._oracles.get(size)
        if oracle is None:
            return CheckedPicture(FrameClass.CORRUPT, "the display was never given this size")
        return check_picture(picture.pixels, oracle.picture)

    def _keep(self, picture: Screendump, checked: CheckedPicture, size: ModeSize) -> None:
        name = f"bad-{len(self.bad):02d}.png"
        cv2.imwrite(str(self.machine.folder / name), cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2BGR))
        self.bad.append(
            f"{size[0]}x{size[1]}: {checked.why}{pitch_words(checked.why, size, self._modes)} (modes/{name})"
        )

    def _note(self, size: ModeSize, asked_ns: int, seen: Sequence[tuple[ModeSize, bool]], waited_ns: int) -> None:
        self.asked.append(AskedMode(size, asked_ns, len(seen), sum(intact for _, intact in seen), waited_ns))


def pitch_words(why: str, size: ModeSize, modes: Sequence[ModeSize]) -> str:
    """Which earlier mode's pitch a picture was drawn with; empty where that is not what is wrong."""
    earlier = [mode for mode in modes if mode[0] != size[0] and f"rows are written {mode[0]} px long" in why]
    return f": the pitch of {earlier[-1][0]}x{earlier[-1][1]}, the mode before, was kept" if earlier else ""


def _oracles(modes: Sequence[ModeSize], seed: int) -> Mapping[ModeSize, Oracle]:
    """Those of every size that the scene offers: others must be refused."""
    found = {}
    for size in dict.fromkeys(modes):
        with suppress(ValueError):
            found[size] = Oracle(*size, seed)
    return found


def _waited_ns(before: ThreadTimes | None, after: ThreadTimes | None) -> int:
    """The longest that a thread waited for a core between two readings."""
    if not before or not after:
        return 0
    return max((after[one][1] - before[one][1] for one in before if one in after), default=0)


def measure_modes(
    spec: RunSpec, folder: Path, modes: Sequence[ModeSize], progress: Callable[[str], None] = lambda text: None
) -> Modes:
    """Run the kernel through these modes, the first of them its command line's.

    Raises
    ------
    GuestError
        When the guest fails.
    """
    params = replace(spec.params, mode=modes[0], seconds=RUN_S, records=0)
    spec = replace(spec, params=params, machine=replace(spec.machine, viewer=spec.head))
    launched_ns, clock = time.time_ns(), ClockWatch()
    with Qemu(spec, folder, EVENTS) as machine:
        wait_first_frame(machine)
        run = _ModesRun(machine, modes)
        run.begin()
        with Viewer(machine.qmp, machine.limits.qmp_s) as viewer:
            for number, size in enumerate(modes[1:], 1):
                progress(f"modes: {size[0]}x{size[1]}, {number} of {len(modes) - 1}")
                run.change(viewer, size)
        machine.check()
        serial = machine.console.content()
    observed = Observed(Ending(True, ENDED), launched_ns, (), machine.version, tuple(machine.command), clock.problem())
    record = ModesRecord(observed, tuple(run.asked), bad=tuple(run.bad))
    logs = read_trace(machine.trace_path, machine.limits), read_bounded(machine.log_path)
    return modes_of(record, serial, *logs, head=spec.head)


def modes_of(record: ModesRecord, serial: bytes, trace_log: bytes, qemu_log: bytes = b"", head: int = 0) -> Modes:
    """What the run says of each change. Pure: a saved run is replayed through it."""
    trace = parse_trace(trace_log)
    record = replace(
        record,
        changes=mode_changes(trace, head, record.asked),
        refused=refusals(serial),
        notes=edid_notes(serial),
    )
    return Modes(trace, record, device_complaints(trace, qemu_log))
