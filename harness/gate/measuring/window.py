"""The measured window: one ordinary run of the candidate, unpinned, seen by all sources at once.

The guest draws for a fixed time, keeps its records in memory and prints them after the window; QEMU traces every queue
event; one capture at either end gives frame numbers. No capture falls inside the window.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.arrays import F64, Image
from harness.core.device.answers import missing_interrupts
from harness.core.device.cursor import cursor_problems
from harness.core.device.frametimes import Presented, WarmUp, presented_frames, stamp_rows, warm_up
from harness.core.device.trace import TRANSFER_2D, TRANSFERS_3D, Trace, parse_trace
from harness.core.guest.complaints import device_complaints
from harness.core.guest.last_words import COMPLAINT, last_words
from harness.core.guest.serial import SerialLog, parse_serial
from harness.core.guest.serial_noise import without_noise
from harness.core.guest.target_serial import read_serial
from harness.core.pictures.screen import screen_problems
from harness.core.timing.animation import overrun_words, overruns
from harness.core.timing.sources import Sources, reconcile
from harness.gate.measuring.target_window import end_of_target, head_problems, rule_of, watch_window
from harness.model.record import Cause
from harness.model.record import Ending as Ending
from harness.model.record import Incident
from harness.model.record import Observed as Observed
from harness.model.record import Sighting
from harness.model.spec import Capabilities, RunSpec, Verdict
from harness.model.target import Target, is_built_in
from harness.platform.files.bounded import read_bounded
from harness.platform.host.hostclock import ClockWatch
from harness.platform.host.hostload import longest_wait, thread_times
from harness.platform.machine.qemu import FRAME_EVENTS, Qemu
from harness.platform.machine.qemu_command import GL_DEVICE
from harness.platform.machine.readiness import wait_ready
from harness.platform.machine.trace_file import read_trace
from harness.platform.pictures.screen import glimpse

WINDOW_S = 2.0
WARM_UP_S = 0.15
PRINT_S = 12.0
"""For printing the records after the window."""
WARM_FRAME_S = 0.2
"""For each frame that the guest draws before its window, on any host."""

GLIMPSES_MAX = 20
COMPLAINTS_MAX = 3
OUR_NAME = "roulette"
"""Name of the built-in kernel in its [BOOT] line."""
_QEMU = re.compile(r"qemu-system-(\w+)$")
_UNUSED = re.compile(rb"^virtio-gpu: virgl is not used: ([^\n]*)", re.MULTILINE)

DecodeFrame = Callable[[Image], int | None]
"""Reads the frame number out of a picture; None when there is none."""


@dataclass(frozen=True)
class Window:
    """Everything that the sources report of one run."""

    observed: Observed
    serial: SerialLog
    trace: Trace
    presented: Presented
    warm: WarmUp
    sources: Sources
    frame_ms: F64
    """Frame times by the trace, warm-up left out, shape (n,)."""
    boot_ms: float
    device: tuple[str, ...] = ()
    """Complaints of the device."""
    complaints: tuple[str, ...] = ()
    """Lines in which a driver of the guest says what went wrong."""
    fallback: str = ""
    """Why a guest with the GL device does not use it, in its own words."""
    last_words: str = ""
    """The guest's last words."""


def observe(
    spec: RunSpec,
    folder: Path,
    decode: DecodeFrame | None,
    window_s: float = WINDOW_S,
    events: Sequence[str] = FRAME_EVENTS,
    meanwhile: Callable[[Qemu], None] | None = None,
) -> Window:
    """Run the window once, for ``window_s``.

    Parameters
    ----------
    meanwhile
        What is done to the machine between the two captures, for 60 % of the window at most.
    events
        What QEMU traces. Without those of the queue, what the guest counts is compared with less.

    Raises
    ------
    GuestError
        When the guest shows no frame, panics, hangs or does not end as it should.
    """
    if spec.target is not None:
        return observe_target(spec, folder, decode, events)
    if spec.capabilities.command_line:
        spec = replace(spec, params=replace(spec.params, seconds=window_s))
    launched_ns, clock = time.time_ns(), ClockWatch()
    with Qemu(spec, folder, events) as machine:
        wait_first_frame(machine)
        time.sleep(WARM_UP_S)
        sightings = [_sight(machine, decode)]
        until_s = time.monotonic() + window_s * 0.6
        if meanwhile is not None:
            meanwhile(machine)
        time.sleep(max(until_s - time.monotonic(), 0))
        sightings.append(_sight(machine, decode))
        ending = _end(machine, window_s)
        content = machine.console.content()
        seen = tuple(sighting for sighting in sightings if sighting is not None)
        observed = Observed(ending, launched_ns, seen, machine.version, tuple(machine.command), clock.problem())
    return assemble(observed, content, read_trace(machine.trace_path, machine.limits), read_bounded(machine.log_path))


def observe_target(spec: RunSpec, folder: Path, decode: DecodeFrame | None, events: Sequence[str]) -> Window:
    """Run the window of a kernel that is not this tree's, for as long as its target says.

    Raises
    ------
    GuestError
        When the guest shows no frame, panics, hangs or does not end as its target says.
    """
    target = spec.target
    assert target is not None
    launched_ns, clock = time.time_ns(), ClockWatch()
    with Qemu(spec, folder, events) as machine:
        begins_ns = wait_ready(machine)
        first = _sight(machine, decode)
        before, began_s = thread_times(machine.pid), time.monotonic()
        watch_window(machine, target)
        waited = longest_wait(before, thread_times(machine.pid), time.monotonic() - began_s)
        last = None if machine.exited() else _sight(machine, decode)
        ends_ns = time.time_ns()
        ending = end_of_target(machine, target)
        content = machine.console.content()
    seen = tuple(sighting for sighting in (first, last) if sighting is not None)
    command = tuple(machine.command)
    observed = Observed(
        ending, launched_ns, seen, machine.version, command, clock.problem(), begins_ns, ends_ns, waited
    )
    logs = (read_trace(machine.trace_path, machine.limits), read_bounded(machine.log_path))
    return assemble(observed, content, *logs, target=target)


def assemble(
    observed: Observed, serial_log: bytes, trace_log: bytes, qemu_log: bytes = b"", *, target: Target | None = None
) -> Window:
    """Read all sources. Pure: a saved run is replayed through it."""
    trace = parse_trace(trace_log)
    serial = parse_serial(serial_log) if target is None else read_serial(serial_log, target.serial)
    # A frame number was read, so there are stamps.
    stamps = stamp_rows(trace) if observed.sightings else ()
    presented = presented_frames(trace, stamps, rule_of(target)).within(observed.begins_ns, observed.ends_ns)
    if target is not None:
        # A foreign kernel may transfer pixels now and flush them later.
        presented = replace(presented, unflushed=0)
    records = serial.records if len(serial.records) else None
    sources = reconcile(trace, presented, records, observed.sightings)
    warm = warm_up(presented.intervals_ms)
    first_ns = int(presented.time_ns[0]) if len(presented.time_ns) else observed.launched_ns
    frame_ms = presented.intervals_ms[warm.frames :]
    boot_ms = (first_ns - observed.launched_ns) / 1e6
    said = without_noise(serial_log) if target is None or is_built_in(target) else b""
    complaints = tuple(line.decode("utf-8", "replace") for line in COMPLAINT.findall(said)[:COMPLAINTS_MAX])
    fallback = _fallback(observed.command, said, trace)
    return Window(
        observed,
        serial,
        trace,
        presented,
        warm,
        sources,
        frame_ms,
        boot_ms,
        device_complaints(trace, qemu_log, others=target is None),
        complaints,
        fallback,
        last_words(serial_log),
    )


def _fallback(command: Sequence[str], serial_log: bytes, trace: Trace) -> str:
    """Why a guest with the GL device took the 2D path; empty when it did not, by the commands that the device saw."""
    if not any(word.startswith(GL_DEVICE) for word in command):
        return ""
    plain, virgl = len(trace.of(TRANSFER_2D)), sum(len(trace.of(kind)) for kind in TRANSFERS_3D)
    if virgl > plain:
        return ""
    said = _UNUSED.search(serial_log)
    reason = said[1].decode("utf-8", "replace") if said else "the guest does not say why"
    return f"{reason} ({plain} 2D transfers, {virgl} virgl commands)"


def window_incidents(
    window: Window, capabilities: Capabilities, scene: str = "", target: Target | None = None
) -> list[Incident]:
    """Faults that a finished window shows, the plainest cause first.

    Faults of the instruments are reported instead of what they then seemed to show.

    Parameters
    ----------
    scene
        What the kernel's source names its scene, where that is known.
    """
    trace = window.trace
    found = [Incident(Verdict.GUEST_FAILED, text, Cause.DEVICE) for text in window.device]
    found += [Incident(Verdict.GUEST_FAILED, text) for text in _guest_words(window, capabilities, scene)]
    found += [Incident(Verdict.GUEST_FAILED, text, Cause.PICTURE) for text in _cursor(window)]
    if trace.unreadable:
        return [*found, Incident(Verdict.HARNESS_FAILED, trace.unreadable, Cause.INSTRUMENT)]
    screen = screen_problems(trace, whole=capabilities.oracle) if target is None else head_problems(trace, target)
    found += [Incident(Verdict.GUEST_FAILED, text, Cause.PICTURE) for text in screen]
    clock = window.observed.clock or "; ".join(trace.clock_steps[:1])
    if clock:
        found.append(Incident(Verdict.INCONCLUSIVE, clock, Cause.INSTRUMENT))
    elif window.sources.problem:
        found.append(Incident(Verdict.GUEST_FAILED, window.sources.problem, Cause.SOURCES))
    found += [Incident(Verdict.GUEST_FAILED, text, Cause.SOURCES) for text in _damaged_logs(window)]
    return found


def _cursor(window: Window) -> tuple[str, ...]:
    """What is wrong with the hardware cursor of a kernel that says it has one."""
    boot = dict(window.serial.boot.fields) if window.serial.boot else {}
    width, _, height = boot.get("mode", "").partition("x")
    if boot.get("cursor") != "hw" or not (width.isdecimal() and height.isdecimal()):
        return ()
    return cursor_problems(window.trace, window.sources.numbered, (int(width), int(height)))


def _guest_words(window: Window, capabilities: Capabilities, scene: str) -> list[str]:
    """The guest's own report of failure, and how it ended."""
    serial = window.serial
    texts = [f"the guest panicked: {panic}" for panic in serial.panics[:1]]
    texts += dict.fromkeys(timeout.words for timeout in serial.timeouts)
    texts += [text for text in window.complaints if text not in texts]
    done = dict(serial.done.fields) if serial.done else {}
    if capabilities.done_line and done.get("status") != "ok":
        said = window.last_words if window.observed.ending.clean and not texts else ""
        texts.append(f"the guest did not end with [DONE] status=ok{f': {said}' if said else ''}")
    if not window.observed.ending.clean:
        texts.append(f"the guest ended badly: {window.observed.ending.reason}")
    if capabilities.oracle:
        texts += _forged(window, scene)
    late = missing_interrupts(window.trace, serial)
    texts += [late] if late else []
    if window.fallback:
        texts.append(f"virgl was asked for and not used: {window.fallback}")
    return texts


def _forged(window: Window, scene: str) -> list[str]:
    """Whether [BOOT] claims another architecture than the machine's, or another scene than the source's."""
    boot = dict(window.serial.boot.fields) if window.serial.boot else {}
    machine = _QEMU.search(window.observed.command[0]) if window.observed.command else None
    texts = []
    if machine is not None and boot.get("arch", machine[1]) != machine[1]:
        texts.append(f"[BOOT] claims arch={boot['arch'][:20]} on a machine of {machine[1]}")
    if scene and boot.get("scene", scene) != scene:
        texts.append(f"[BOOT] claims scene={boot['scene'][:20]} where the kernel's source has {scene}")
    return texts


def window_notices(window: Window | None, capabilities: Capabilities, scene: str) -> tuple[str, ...]:
    """A notice on a kernel that calls itself the built-in one and has no source to show it."""
    boot = window.serial.boot if window is not None else None
    if scene or boot is None or boot.get("kernel") != OUR_NAME:
        return ()
    taken = "its claims are believed" if capabilities.oracle else "nothing in that line is believed"
    return (f"this kernel's [BOOT] line calls it {OUR_NAME}, and there is no source to compare it with: {taken}",)


def late_frames(window: Window | None, pace_hz: int | None) -> tuple[str, ...]:
    """How many frames of a paced run worked longer than a period, and which part of the frame was late."""
    if window is None or not pace_hz:
        return ()
    records = window.serial.records
    words = overrun_words(overruns(records.columns, 1000 / pace_hz), len(records))
    return (words,) if words else ()


def _damaged_logs(window: Window) -> list[str]:
    texts = []
    problems = window.serial.problems
    if problems:
        more = f" and {len(problems) - 1} more like it" if len(problems) > 1 else ""
        first = problems[0]
        texts.append(f"serial output damaged: line {first.line}: {first.kind}: {first.text[:80]}{more}")
    return texts + [f"trace: {problem}" for problem in window.trace.problems[:3]]


def wait_first_frame(machine: Qemu) -> None:
    """Wait until the guest has shown something."""
    if machine.spec.capabilities.boot_line:
        machine.wait_for(b"[BOOT]", machine.limits.first_byte_s, "first serial line")
        machine.wait_for(b"driver probe succeeded", machine.limits.first_frame_s, "driver probe")
    machine.wait_first_flush()


def _sight(machine: Qemu, decode: DecodeFrame | None) -> Sighting | None:
    """The frame shown now; a picture that caught two frames is taken again."""
    for _ in range(GLIMPSES_MAX if decode else 0):
        picture = glimpse(machine)
        frame = decode(picture.pixels) if decode else None
        if frame is not None:
            return Sighting(frame, picture.before_ns, picture.after_ns)
        if machine.display is None:
            break
    return None


def _end(machine: Qemu, window_s: float) -> Ending:
    """Wait for the guest's own end; a kernel that has none is ended after the window."""
    if machine.spec.capabilities.done_line:
        return machine.wait_end(window_s + PRINT_S + (machine.spec.params.warmup or 0) * WARM_FRAME_S)
    time.sleep(window_s * 0.4)
    machine.check()
    if machine.exited():
        return machine.wait_end(machine.limits.shutdown_s)
    return Ending(True, "ended by the harness after the window")
