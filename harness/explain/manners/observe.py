"""A driver watched for a few seconds: a window of the trace, its rings, its registers, pictures, and the CPU's time."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace

import cv2
import numpy as np

from harness.core.device.frame_groups import FrameRule
from harness.core.device.frametimes import presented_frames
from harness.core.device.gpu_rings import RingSample
from harness.core.device.trace import parse_trace
from harness.explain.manners.facts import CpuTime, DriverFacts, RegisterReads
from harness.model.spec import Machine
from harness.platform.host.hostload import ThreadTimes, thread_times
from harness.platform.machine.gpu_memory import RingReader
from harness.platform.machine.qemu import FLUSH_EVENT, FRAME_EVENTS, Qemu
from harness.platform.machine.trace_file import read_trace
from harness.platform.pictures.screen import take_picture

MANNERS_EVENTS = FRAME_EVENTS
"""Traced from the start."""
REGISTER_EVENT = "memory_region_ops_read"
_STEP = re.compile(
    rb"^[^\n]*?(?:(?P<read>memory_region_ops_read) [^\n]*name '[^'\n]*virtio|"
    rb"virtio_queue_notify [^\n]*\bn 0 vq (?P<asked>0x[0-9a-f]+)|virtqueue_flush vq (?P<answered>0x[0-9a-f]+))",
    re.MULTILINE,
)
_ANY = b"any"
"""Waited for where a log holds nothing but reads."""
REGISTERS_S = 0.15
"""A spin on a register fills the log fast."""
NOTED_AT_ONCE = ("-global", "virtio-mmio.ioeventfd=off")
"""Newer QEMUs else note a notification when they take it up, right before the commands: no wait would be seen."""
MMIO_GPU = "virtio-gpu-device"
RING_SAMPLES = 12
PICTURES = 4


@dataclass(frozen=True)
class SeenDriver:
    """What was seen, and what could not be."""

    facts: DriverFacts
    log: bytes
    """The window's trace, as QEMU wrote it."""
    notices: tuple[str, ...] = ()


def noting_at_once(machine: Machine) -> Machine:
    """A machine whose trace has notifications when the guest writes them."""
    on_mmio = machine.gpu.partition(",")[0] == MMIO_GPU
    return replace(machine, extra=(*NOTED_AT_ONCE, *machine.extra)) if on_mmio else machine


def observe(machine: Qemu, window_s: float = 2.0, *, pace: int = 0, rule: FrameRule = FrameRule()) -> SeenDriver:
    """Watch a machine that was launched with ``MANNERS_EVENTS`` and draws.

    Parameters
    ----------
    pace, rule
        What the target says: frames a second that it means to keep, and what a frame is.

    Raises
    ------
    GuestError, QemuError
        When the guest or QEMU ends meanwhile.
    """
    begin = machine.trace_path.stat().st_size
    before, began_s = thread_times(machine.pid), time.monotonic()
    time.sleep(window_s)
    machine.check()
    after, wall_s = thread_times(machine.pid), time.monotonic() - began_s
    end = machine.trace_path.stat().st_size
    reads = _register_reads(machine)
    reader = RingReader(machine)
    samples = _ring_samples(machine, reader)
    changed = _changed_px(machine)
    log = _window(read_trace(machine.trace_path, machine.limits), begin, end)
    trace = parse_trace(log)
    facts = DriverFacts(
        trace,
        samples,
        _cpu_time(machine, before, after, wall_s),
        reads,
        changed,
        pace=pace,
        frame_ns=presented_frames(trace, rule=rule).time_ns,
    )
    notices = () if reader.works else ("QEMU does not tell where the rings are: rules about buffers are left out",)
    return SeenDriver(facts, log, notices)


def _window(log: bytes, begin: int, end: int) -> bytes:
    """Whole lines of the window, with the scanouts that were set before."""
    first = log.rfind(b"\n", 0, begin) + 1
    last = log.rfind(b"\n", 0, end) + 1
    scanouts = [line for line in log[:first].splitlines(keepends=True) if b"set_scanout" in line]
    return b"".join(scanouts) + log[first:last]


def _register_reads(machine: Qemu) -> RegisterReads:
    begin = machine.trace_path.stat().st_size
    machine.trace_event(REGISTER_EVENT, True)
    time.sleep(REGISTERS_S)
    machine.trace_event(REGISTER_EVENT, False)
    part = read_trace(machine.trace_path, machine.limits)[begin:]
    return RegisterReads(reads_meanwhile(part), part.count(FLUSH_EVENT.encode()))


def reads_meanwhile(log: bytes) -> int:
    """Reads of the device's registers between a notification of the control queue and the device's answer.

    Others poll nothing: a driver may ask for the queue's place before each notification.
    """
    steps = list(_STEP.finditer(log))
    # The log may begin in the middle of a wait, and hold no more than that.
    first = next((step for step in steps if not step["read"]), None)
    reads, waits_for = 0, (first["answered"] or b"") if first else _ANY
    for step in steps:
        if step["read"]:
            reads += bool(waits_for)
        elif step["asked"]:
            waits_for = step["asked"]
        elif step["answered"] == waits_for:
            waits_for = b""
    return reads


def _ring_samples(machine: Qemu, reader: RingReader) -> tuple[RingSample, ...]:
    found: list[RingSample] = []
    for at in range(RING_SAMPLES):
        found += reader.sample()
        # A period that no guest keeps.
        time.sleep(0.01 + 0.0037 * (at % 5))
        machine.check()
    return tuple(found)


def _changed_px(machine: Qemu) -> tuple[int, ...]:
    """Around what differs in pictures a frame or more apart: no less than what a frame changes, where any did."""
    found: list[int] = []
    before = take_picture(machine).pixels
    for _ in range(PICTURES):
        now = take_picture(machine).pixels
        if now.shape == before.shape:
            _, _, width, height = cv2.boundingRect((now != before).any(axis=2).astype(np.uint8))
            found.append(width * height)
        before = now
    return tuple(found)


def _cpu_time(machine: Qemu, before: ThreadTimes | None, after: ThreadTimes | None, wall_s: float) -> CpuTime | None:
    if before is None or after is None:
        return None
    ran, waited, device_waited = 0.0, 0.0, 0.0
    vcpus = machine.threads().vcpus
    for thread, (on_core_ns, waited_ns) in after.items():
        early = before.get(thread, (0, 0))
        if thread in vcpus:
            ran += (on_core_ns - early[0]) / 1e9
            waited += (waited_ns - early[1]) / 1e9
        elif thread == machine.pid:
            device_waited += (waited_ns - early[1]) / 1e9
    return CpuTime(wall_s, ran, waited, device_waited)
