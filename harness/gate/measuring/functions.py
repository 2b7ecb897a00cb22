"""Instructions a frame by function, of two kernels: what the exact stage's sum is made of."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from harness.core.counts.functions import FrameCounts, FunctionChange, Symbols, changed_functions, executed
from harness.gate.measuring.exact import exact_spec
from harness.model.errors import GuestError
from harness.model.spec import RunSpec
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded
from harness.platform.machine.qemu import FLUSH_EVENT, TIMING_EVENTS, Qemu

FIRST_FRAME = 250
"""In the middle of a spin."""
LAST_FLUSHES = (4, 12, 36)
"""The last that is logged, so that all runs end with the same frames; the next where logging began too late."""
DRAWN_FRAMES = 4000
LOG_S = 20.0
POLL_S = 0.02
SMALLEST = 1e-4
"""Share of a frame: smaller differences are not told."""


def compare_functions(reference: RunSpec, candidate: RunSpec, folder: Path) -> tuple[FunctionChange, ...]:
    """Which functions' instruction counts differ, the largest difference first.

    Raises
    ------
    GuestError
        When a guest draws no frames.
    """
    runs = {"reference": reference, "again": reference, "candidate": candidate}
    for last in LAST_FLUSHES:
        found = {name: count_functions(spec, folder / name, last) for name, spec in runs.items()}
        try:
            return changed_functions(found["reference"], found["again"], found["candidate"], SMALLEST)
        except ValueError as error:
            why = str(error)
    raise GuestError(f"functions cannot be compared: {why}")


def count_functions(spec: RunSpec, folder: Path, last_flush: int = LAST_FLUSHES[0]) -> FrameCounts:
    """Log a few frames of a kernel block by block. Logging starts in the frames: booting would fill gigabytes.

    Parameters
    ----------
    last_flush : int
        Which flush ends the log; the frames are those between when logging began and this one.

    Raises
    ------
    GuestError
        When the guest draws no frames in time.
    """
    exact = exact_spec(spec, FIRST_FRAME)
    exact = replace(exact, params=replace(exact.params, frames=DRAWN_FRAMES, records=0))
    with Qemu(exact, folder, TIMING_EVENTS) as machine:
        machine.wait_for(b"driver probe succeeded", machine.limits.first_frame_s, "driver probe")
        with machine.stopped():
            _log(machine, "in_asm,exec,nochain")
        log = _read_log(machine, last_flush)
        machine.kill()
    shutil.rmtree(folder, ignore_errors=True)
    return executed(log, Symbols(read_bounded(spec.kernel, KERNEL_BYTES_MAX)), FLUSH_EVENT)


def _log(machine: Qemu, items: str) -> None:
    machine.qmp.execute("human-monitor-command", **{"command-line": f"log {items}"})


def _read_log(machine: Qemu, last_flush: int) -> bytes:
    """Everything that QEMU logs until enough frames have ended, or the guest."""
    ends_s = time.monotonic() + LOG_S
    marker = FLUSH_EVENT.encode()
    parts: list[bytes] = []
    flushes = size = 0
    # No bound needed: QEMU's log, up to its limit and a deadline.
    with open(machine.trace_path, "rb") as log:
        while flushes <= last_flush:
            part = log.read()
            if not part:
                if machine.exited():
                    break
                if time.monotonic() > ends_s:
                    raise GuestError(f"no frame within {LOG_S:g} s while its blocks are logged", machine.serial_path)
                time.sleep(POLL_S)
            size += len(part)
            if size > machine.limits.trace_bytes:
                raise GuestError(f"its blocks and frames fill more than {machine.limits.trace_bytes} bytes of log")
            parts.append(part)
            flushes += part.count(marker)
    return b"".join(parts)
