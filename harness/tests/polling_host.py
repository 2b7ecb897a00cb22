"""A made-up host that preempts, whose guests poll: a device that waits for its core lets the guest's CPU compute on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import F64
from harness.core.comparison.lost_time import GONE_PREEMPTED, ON_CORE, SwitchLog
from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.gate.measuring.launch import MeasuredLaunch, slice_launch
from harness.model.record import LaunchLoad
from harness.tests.preemption import BASE_NS, trace_of

SLICES, SLICE_NS = 14, 50_000_000
WINDOW_NS = (BASE_NS + 200_000_000, BASE_NS + 200_000_000 + SLICES * SLICE_NS)
DRAW_NS, DEVICE_NS = 2.0e6, 0.4e6
STRETCH_NS = 2.8e6
"""How long a thread computes until the scheduler looks for another."""


@dataclass(frozen=True)
class _Machine:
    flushes_ns: F64
    computed_ns: float
    log: SwitchLog


def polling_launch(
    rng: np.random.Generator, effect: float, share: float, polls: float = 0.5, tells: bool = True
) -> MeasuredLaunch:
    """One launch whose machines lose a share of their core's time to others.

    Parameters
    ----------
    effect
        The truth: log frame time, candidate minus reference.
    polls
        Share of the frames whose device must wait until the guest's stretch on the core is over.
    tells
        The host tells when threads lost their core.
    """
    machines = {
        role: _machine(rng, level + rng.normal(0, 0.007), share, polls)
        for role, level in ((CANDIDATE, effect), (REFERENCE, 0.0))
    }
    spans = []
    for slot in range(SLICES):
        start = WINDOW_NS[0] + slot * SLICE_NS
        spans += [(start, start + SLICE_NS, role, (place + slot) % 2) for place, role in enumerate(machines)]
    load = LaunchLoad(share, 0.0, {role: one.computed_ns for role, one in machines.items()}, WINDOW_NS)
    logs = {role: trace_of(one.flushes_ns.astype(np.int64)) for role, one in machines.items()}
    switches: Mapping[str, tuple[SwitchLog, ...]] = {role: (one.log,) for role, one in machines.items()}
    started = dict.fromkeys(machines, BASE_NS)
    return slice_launch(logs, spans, started, 0, 0.002, load=load, switches=switches if tells else {})


def _machine(rng: np.random.Generator, level: float, share: float, polls: float) -> _Machine:
    """One core, on which the machine computes in stretches."""
    stretches = rng.gamma(9, STRETCH_NS / 9, 600)
    waits = stretches * share / (1 - share) * rng.gamma(9, 1 / 9, len(stretches))
    worked, lost = np.concatenate([[0.0], np.cumsum(stretches)]), np.concatenate([[0.0], np.cumsum(waits)])
    ends: list[float] = []
    at, number = 0.0, 0
    while at < worked[-1] - 20 * STRETCH_NS:
        drawn = at + DRAW_NS * math.exp(level + 0.04 * math.sin(number / 40) + rng.normal(0, 0.02))
        if rng.random() < polls:
            drawn = worked[int(np.searchsorted(worked, drawn))]
        at, number = drawn + DEVICE_NS * math.exp(level), number + 1
        ends.append(at)
    done = np.array(ends)
    flushes: F64 = BASE_NS + done + lost[np.searchsorted(worked[1:], done)]
    # Host time at which each stretch begins and ends.
    marks = BASE_NS + np.stack([worked[:-1] + lost[:-1], worked[1:] + lost[:-1]], axis=1).ravel()
    computed = np.interp(WINDOW_NS, marks, np.stack([worked[:-1], worked[1:]], axis=1).ravel())
    states = np.tile(np.array([ON_CORE, GONE_PREEMPTED], np.int8), len(stretches))
    log = SwitchLog(BASE_NS, int(marks[-1]), marks.astype(np.int64), states)
    return _Machine(flushes, float(computed[1] - computed[0]), log)
