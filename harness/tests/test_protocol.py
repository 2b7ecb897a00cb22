"""How launches are measured follows from rights, cores, quota, and cores that vanish."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.statistics import CANDIDATE, REFERENCE
from harness.gate.stages import timing
from harness.gate.stages.protocol import Protocol, choose_protocol, surviving_protocol
from harness.gate.stages.timing import MeasuredLaunch, compare
from harness.model.record import Lease
from harness.model.spec import RunSpec
from harness.platform.pin import CoreVanished, PinRights
from harness.tests.test_slices import steady_launch

RIGHTS = PinRights((0, 1, 2, 3), affinity=True, realtime=True)


def test_a_pair_is_pinned_to_leased_cores() -> None:
    assert choose_protocol(RIGHTS).cores == (0, 3)
    protocol = choose_protocol(RIGHTS, lease=Lease((2, 1), 2, notices=("no idle core",)))
    assert (protocol.cores, protocol.swap, protocol.notices) == ((2, 1), True, ("no idle core",))


@pytest.mark.parametrize("lease", [Lease((2,), 1), Lease((1, 2), at_once=1), Lease((1, 1), 2)])
def test_machines_take_turns_where_two_may_not_run_at_once(lease: Lease) -> None:
    assert not choose_protocol(RIGHTS, lease=lease).swap
    assert not choose_protocol(replace(RIGHTS, affinity=False)).swap


def test_what_is_left_of_vanished_cores_is_used() -> None:
    protocol = Protocol(cores=(4, 5))
    assert surviving_protocol(protocol, {0, 4, 7}).cores == (4, 0)
    one = surviving_protocol(protocol, {5})
    assert (one.cores, one.swap) == ((5,), False) and "core 4 vanished" in one.notices[0]


def test_cores_that_vanish_cost_a_launch_and_not_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Protocol] = []

    def measure(arms: object, folder: Path, protocol: Protocol, rng: object, batch: int) -> MeasuredLaunch:
        used.append(protocol)
        if len(used) == 3:
            raise CoreVanished("core 1")
        return steady_launch(np.full(400, 3_000_000, np.int64), batch)

    monkeypatch.setattr(timing, "measure_launch", measure)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    arms = {role: RunSpec(Path("kernel")) for role in (CANDIDATE, REFERENCE)}
    found = compare(arms, tmp_path, Protocol(cores=(0, 1)), 2.0, lambda text: None, 1)
    assert [protocol.swap for protocol in used[:4]] == [True, True, True, False]
    assert found.launches and not found.protocol.swap and "vanished" in found.protocol.notices[0]
