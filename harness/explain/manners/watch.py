"""Watching the driver of any kernel: one launch for its manners, and more, as time allows, for QEMU's TLB lottery."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.core.comparison.lottery import FEWEST_LAUNCHES
from harness.core.device.frametimes import presented_frames
from harness.core.device.trace import parse_trace
from harness.explain.manners.facts import DriverFacts
from harness.explain.manners.manner import DriverManner
from harness.explain.manners.observe import MANNERS_EVENTS, noting_at_once, observe
from harness.explain.manners.rules import manners_of
from harness.explain.manners.wait_kind import DriverWait, wait_kind
from harness.gate.measured import ArmKernel, run_spec
from harness.gate.measuring.target_window import rule_of
from harness.model.spec import Machine, RunParams, RunSpec
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.machine.readiness import wait_ready
from harness.platform.machine.trace_file import read_trace

LAUNCH_WINDOW_S = 1.0
"""Length of each further launch."""
ENDLESS_S = 3600.0
KEPT_S = 3.0
"""Left for the report."""


@dataclass(frozen=True)
class DriverAnswer:
    """Everything that is known of one driver's manners."""

    manners: tuple[DriverManner, ...]
    frame_ms: float
    """Mean; 0 when fewer than two frames were shown."""
    notices: tuple[str, ...] = ()
    wait: DriverWait = DriverWait("")

    @property
    def sentence(self) -> str:
        tripped = [one.rule for one in self.manners if one.tripped]
        looked = sum(one.looked for one in self.manners)
        if not tripped:
            return f"nothing to improve by {looked} rules"
        return f"{len(tripped)} of {looked} rules {'has' if len(tripped) == 1 else 'have'} advice: {', '.join(tripped)}"


def watch_driver(
    kernel: ArmKernel, base: Machine, folder: Path, budget_s: float, progress: Callable[[str], None], *, quick: bool
) -> DriverAnswer:
    """Launch a kernel and watch what its driver does.

    Parameters
    ----------
    base
        Accelerator and display; the rest is the target's own.
    folder
        Of the run; receives ``trace.log``, the window that the rules looked at.
    budget_s
        For all launches.
    quick A single launch.

    Raises
    ------
    GuestError
        When the guest shows no frame, panics, or ends too early.
    """
    begun = time.monotonic()
    spec = run_spec(kernel, base, _params(kernel))
    spec = replace(spec, machine=noting_at_once(spec.machine))
    progress("watching the driver")
    with Qemu(spec, folder / "driver", MANNERS_EVENTS, endless=True) as machine:
        wait_ready(machine)
        pace = kernel.target.frame.pace if kernel.target else 0
        window_s = min(3.0, max(1.0, budget_s / 10))
        seen = observe(machine, window_s, pace=pace, rule=rule_of(kernel.target))
    (folder / "trace.log").write_bytes(seen.log)
    shutil.rmtree(folder / "driver", ignore_errors=True)
    each_s = time.monotonic() - begun
    facts = seen.facts
    if not quick:
        launches = _launches(spec, folder, budget_s - each_s - KEPT_S, each_s, progress)
        facts = replace(facts, launch_ms=launches)
    return DriverAnswer(manners_of(facts), facts.interval_ms, (*seen.notices, *_few(facts)), wait_kind(facts))


def _params(kernel: ArmKernel) -> RunParams:
    """As fast as it can: a kernel of this tree that has no end keeps a pace."""
    return RunParams(seconds=ENDLESS_S, records=0) if kernel.capabilities.command_line else RunParams()


def _few(facts: DriverFacts) -> tuple[str, ...]:
    shown = facts.frames_traced
    return () if shown >= 10 else (f"only {shown} frames were shown while the driver was watched",)


def _launches(
    spec: RunSpec, folder: Path, left_s: float, each_s: float, progress: Callable[[str], None]
) -> tuple[float, ...]:
    """Median frame times of further launches; none when there is no time for enough of them."""
    if left_s < FEWEST_LAUNCHES * each_s:
        return ()
    found: list[float] = []
    for number in range(FEWEST_LAUNCHES):
        progress(f"launch {number + 1} of {FEWEST_LAUNCHES}")
        with Qemu(spec, folder / "launch", TIMING_EVENTS, endless=True) as machine:
            wait_ready(machine)
            begin_ns = time.time_ns()
            time.sleep(LAUNCH_WINDOW_S)
            machine.check()
        trace = parse_trace(read_trace(machine.trace_path, machine.limits))
        times_ns = presented_frames(trace, rule=rule_of(spec.target)).time_ns
        intervals = np.diff(times_ns[times_ns >= begin_ns]) / 1e6
        if len(intervals):
            found.append(float(np.median(intervals)))
        shutil.rmtree(folder / "launch", ignore_errors=True)
    return tuple(found)
