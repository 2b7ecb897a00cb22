"""Kernels of others at the pace at which they draw: what is found of a change, and how soon.

The kernel of this tree stands for them, as a file that declares nothing: it draws some rows again, so that its frames
last as long as wanted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.benchmarks import Figure, Measure
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, State
from harness.core.wording import signed_percent, span
from harness.gate.measuring.comparison import compare
from harness.gate.measuring.protocol import choose_protocol
from harness.gate.measuring.window import observe
from harness.model.errors import GuestError
from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.model.target import Target, TargetImage, TargetLimits, capabilities_of, limits_of, machine_of
from harness.platform.host.leases import lease_cores
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.pin import probe_rights

COMPARED_S = 120.0
SLOWER = 0.05
SLOWED: Mapping[int, tuple[str, ...]] = {60: (), 30: (), 5: ("-singlestep",)}
"""By frames a second: arguments that make QEMU slow enough, where drawing more cannot."""
LOW, HIGH = 50, 400
"""Per cent of the rows drawn again, between which frames are timed to find the right number."""
MOST = 1000


def a_target(kernel: Path, fps: int, again: int) -> RunSpec:
    """This tree's kernel as one that nothing is known of, which draws this percentage of its rows again."""
    params = RunParams(seconds=3600.0, records=0, slow=again)
    target = Target(
        "slow",
        image=TargetImage(kernel=str(kernel), append=params.command_line()),
        args=SLOWED[fps],
        settle_s=0.2,
        limits=TargetLimits(window_s=2.0),
    )
    machine = machine_of(target, Machine())
    return RunSpec(kernel, machine, capabilities=capabilities_of(target), limits=limits_of(target), target=target)


def _frame_ms(spec: RunSpec, folder: Path) -> float:
    times = observe(spec, folder, None).frame_ms
    if not len(times):
        raise GuestError("no frame in the window")
    return float(np.median(times))


def _drawn_again(kernel: Path, fps: int, folder: Path) -> tuple[int, int]:
    """Per cent of rows for frames of this length, and for frames that are SLOWER."""
    times = [_frame_ms(a_target(kernel, fps, again), folder / f"{fps}-{again}") for again in (LOW, HIGH)]
    each_ms = (times[1] - times[0]) / (HIGH - LOW)
    wanted = [(1000 / fps * factor - times[0]) / each_ms + LOW for factor in (1.0, 1 + SLOWER)]
    low, high = (min(max(round(again), 1), MOST) for again in wanted)
    return low, high


def _found(folder: Path) -> list[Figure]:
    """5 % in kernels at 60, 30 and 5 frames/s"""
    figures = []
    kernel = build_kernel(Switches().but(FAULT="slow_draw")).path
    for fps in SLOWED:
        usual, slower = _drawn_again(kernel, fps, folder / "fit")
        arms = {CANDIDATE: a_target(kernel, fps, slower), REFERENCE: a_target(kernel, fps, usual)}
        begun = time.monotonic()
        with lease_cores():
            protocol = choose_protocol(probe_rights(), replace(arms[CANDIDATE].machine))
            timing = compare(arms, folder / str(fps), protocol, COMPARED_S, lambda text: None, random_state=1)
        took_s, decision = time.monotonic() - begun, timing.decision
        found = decision.state is State.CHANGED and decision.direction == "slower"
        size = f"{signed_percent(decision.ratio - 1)} ({span(decision.low - 1, decision.high - 1)})"
        figures.append(Figure(f"{fps} frames/s: 5 % slower told as {size}", float(found), "of 1", 1, at_most=False))
        figures.append(Figure(f"{fps} frames/s: until it was told", took_s, "s", COMPARED_S * 1.1))
    return figures


FIGURES: tuple[Measure, ...] = (_found,)
