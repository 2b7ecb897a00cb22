"""Promises for kernels that draw slowly: 5 % found within two minutes, and no alarm where nothing has changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.core.comparison.statistics import Decision, Launch, Next, State, decide, next_look, plan_of
from harness.gate.measuring.protocol import Protocol, fitted_protocol
from harness.tests.simulated import FRAME_NS, HostNoise, simulate_launch

BUDGET_S, BOOT_S = 120.0, 1.5
"""A hobby kernel boots in less."""
SMALLEST = 0.015
"""As ``gates.smallest`` has it, where a target says nothing."""
DRAWS = 60
FOUND = {5: 0.95, 30: 0.95, 60: 0.95}
"""Share of comparisons that must find it."""
QUIET = 0.001
"""Share of frames that something interrupts, on a machine that does nothing else."""
SLOWER = 0.05


def launches_in_time(fps: float) -> tuple[Protocol, int]:
    """How a launch of such a kernel is measured, and how many fit, the one that warms up aside."""
    protocol = fitted_protocol(Protocol(), 1000 / fps)
    launch_s = protocol.measured_s + BOOT_S
    longest_look_s = 16 * Protocol.slice_s * Protocol.slices + Protocol.settle_s + BOOT_S
    return protocol, int((BUDGET_S - longest_look_s) / launch_s)


def compared(rng: np.random.Generator, fps: float, effect: float) -> Decision:
    """A comparison of pretended launches, as one of real ones goes."""
    protocol, most = launches_in_time(fps)
    frames, longer = max(int(protocol.slice_s * fps) - 1, 2), round(1e9 / fps / FRAME_NS)
    noise = HostNoise(slots=protocol.slices, frames=frames, longer=longer, spike_share=QUIET)
    plan = plan_of(most, SMALLEST, None)
    found: list[Launch] = []
    batch = 0
    while True:
        decision = decide(found, plan)
        if found and decision.next is Next.STOP or len(found) >= most:
            return decision
        batch = 1 if decision.next is Next.CONFIRM else batch
        first = sum(one.batch == 0 for one in found)
        wanted = next_look(first, len(found) - first, plan) or plan.fewest
        for _ in range(min(wanted, most - len(found))):
            found.append(replace(simulate_launch(rng, effect, noise), batch=batch))


@pytest.mark.parametrize("fps", list(FOUND))
@pytest.mark.slow
def test_five_per_cent_are_found_in_two_minutes(fps: int) -> None:
    rng = np.random.default_rng(fps)
    decisions = [compared(rng, fps, np.log(1 + SLOWER)) for _ in range(DRAWS)]
    found = [one for one in decisions if one.state is State.CHANGED and one.direction == "slower"]
    assert len(found) >= FOUND[fps] * DRAWS, [one.words for one in decisions if one not in found]
    assert abs(np.median([one.ratio for one in found]) - 1 - SLOWER) < 0.015


@pytest.mark.parametrize("fps", [5, 30, 60])
@pytest.mark.slow
def test_what_has_not_changed_raises_no_alarm(fps: int) -> None:
    rng = np.random.default_rng(100 + fps)
    assert not [one.words for one in (compared(rng, fps, 0.0) for _ in range(DRAWS)) if one.state is State.CHANGED]


@pytest.mark.parametrize("fps", [1, 5, 30, 60, 1000])
def test_slices_hold_frames_however_long_these_are(fps: int) -> None:
    protocol, most = launches_in_time(fps)
    assert protocol.slice_s * fps >= 4 and most >= (2 if fps == 1 else 20)
