"""Events of a kernel's frames, by its own summary: fences, spins, completions, timeouts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.core.guest.serial import parse_serial
from harness.explain.case_report import EventsPerFrame
from harness.model.errors import GuestError
from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu

COUNTED = ("fences", "spins", "completions", "timeouts")
FRAMES = 60
END_S = 60.0


def counting_switches(switches: Switches) -> tuple[Switches, str]:
    """The same combination with its events counted, frame by frame, and what had to be set for it."""
    changes = {"COUNTERS": "plain"} if switches.get("COUNTERS") == "none" else {}
    if switches.get("LOG") == "none":
        changes["LOG"] = "deferred"
    return switches.but(**changes), " ".join(f"{name}={value}" for name, value in changes.items())


def count_events(
    kernel: Path,
    machine: Machine,
    folder: Path,
    counted_in: str = "",
    frames: int = FRAMES,
    params: RunParams = RunParams(),
) -> EventsPerFrame:
    """Run a kernel for some frames and read its counters.

    Raises
    ------
    GuestError
        When it panics, does not end, or prints no summary.
    """
    params = replace(params, frames=frames)
    with Qemu(RunSpec(kernel, machine, params), folder, TIMING_EVENTS) as guest:
        guest.wait_end(END_S)
        log = parse_serial(guest.console.content())
    if log.panics:
        raise GuestError(f"the guest panicked: {log.panics[0]}", folder / "serial.log")
    if log.summary is None or not log.counted_frames:
        raise GuestError("the guest printed no [PERF SUMMARY]", folder / "serial.log")
    counts = {key: log.per_frame(key) or 0.0 for key in COUNTED}
    frame_ms = (log.per_frame("elapsed_ns") or 0.0) / 1e6
    return EventsPerFrame(log.counted_frames, frame_ms=frame_ms, counted_in=counted_in, **counts)
