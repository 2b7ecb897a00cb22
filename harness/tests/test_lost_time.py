"""Time that others took, frame by frame: from records of switches to the size of a change."""

from __future__ import annotations

import math
import os
import sys
import time

import numpy as np
import pytest

from harness.core.comparison.lost_time import GONE_IDLE, GONE_PREEMPTED, ON_CORE, SwitchLog, kept_ms, lost_ns
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, launch_effect
from harness.core.comparison.undisturbed import COMPUTED, KEPT, LOW_END, kept_effect, undisturbed_effect
from harness.gate.measuring.timing import estimator_words
from harness.model.record import Launch
from harness.platform.host.context_switches import ContextSwitches
from harness.platform.host.load import competing_load
from harness.platform.machine.pin import pin_process
from harness.platform.processes.child import end_child, start_child
from harness.tests.polling_host import polling_launch

MS = 1_000_000
ARMS = (CANDIDATE, REFERENCE)


def _log(*switches: tuple[int, int], began: int = 0, ended: int = 100) -> SwitchLog:
    times, states = ([pair[place] for pair in switches] for place in (0, 1))
    return SwitchLog(began * MS, ended * MS, np.array(times, np.int64) * MS, np.array(states, np.int8))


def _lost_ms(*logs: SwitchLog, at: int = 100) -> float:
    return float(lost_ns(logs, np.array([at * MS]))[0]) / 1e6


def test_only_preemption_is_lost_and_only_while_no_thread_runs() -> None:
    preempted = _log((10, GONE_PREEMPTED), (30, ON_CORE))
    assert _lost_ms(preempted) == 20 and _lost_ms(preempted, at=15) == 5
    assert _lost_ms(_log((10, GONE_IDLE), (30, ON_CORE))) == 0
    other = _log((15, ON_CORE), (25, GONE_IDLE))
    assert _lost_ms(preempted, other) == 10
    waiting = _log((15, GONE_PREEMPTED), (35, ON_CORE), (36, GONE_IDLE))
    assert _lost_ms(_log((10, GONE_IDLE), (30, ON_CORE)), waiting) == 15


def test_a_thread_was_before_its_first_switch_what_that_one_ended() -> None:
    assert _lost_ms(_log((40, ON_CORE)), _log((10, GONE_PREEMPTED), (20, ON_CORE))) == 10
    assert _lost_ms(_log((90, GONE_PREEMPTED)), _log((10, GONE_PREEMPTED), (20, ON_CORE))) == 0
    assert _lost_ms(_log()) == 0


def test_frames_are_told_without_what_was_lost() -> None:
    logs = [_log((12, GONE_PREEMPTED), (22, ON_CORE))]
    times = np.array([10, 15, 25, 30], np.int64) * MS
    assert kept_ms(times, np.array([1, 2, 3]), logs).tolist() == [2, 3, 5]


def _polling_launches(share: float, tells: bool) -> list[Launch]:
    """The same launches on a host that tells switches and on one that does not."""
    rng = np.random.default_rng(1)
    return [polling_launch(rng, math.log(1.093), share, tells=tells).launch for _ in range(24)]


@pytest.mark.parametrize("share", [0.47, 0.81])
@pytest.mark.slow
def test_sizes_are_right_where_guests_poll(share: float) -> None:
    """A planted 9.3 % reads 9.3 +- 1; computed time, which polling makes longer, reads less."""
    found, blind = (_polling_launches(share, tells) for tells in (True, False))
    assert {one.summed_by for one in found} == {KEPT} and {one.summed_by for one in blind} == {COMPUTED}
    sizes = [float(np.expm1(np.mean([launch_effect(one) for one in many]))) for many in (found, blind)]
    assert sizes[0] == pytest.approx(0.093, abs=0.01) and sizes[1] < 0.9 * sizes[0]
    spread = [float(np.std([launch_effect(one) for one in many])) for many in (found, blind)]
    assert spread[0] < 0.75 * spread[1]
    assert "less what others took" in estimator_words(found)


@pytest.mark.slow
def test_the_switches_of_a_thread_are_recorded_as_they_happen() -> None:
    core = max(os.sched_getaffinity(0))
    spinner = start_child([sys.executable, "-c", "while True: pass"])
    try:
        pin_process(spinner.pid, core)
        with competing_load(3 * len(os.sched_getaffinity(0))), ContextSwitches([spinner.pid]) as switches:
            for _ in range(4):
                time.sleep(0.1)
                switches.look()
            logs = switches.logs()
    finally:
        end_child(spinner)
    if not logs:
        pytest.skip("this host does not tell switches")
    (log,) = logs
    assert np.all(np.diff(log.times_ns) >= 0) and log.began_ns <= log.times_ns[0] < log.times_ns[-1] <= log.ended_ns
    share = _lost_ms(log, at=log.ended_ns // MS) / ((log.ended_ns - log.began_ns) / MS)
    assert 0.2 < share < 1


def test_a_host_that_tells_no_switches_leaves_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.platform.host.context_switches.platform.machine", lambda: "another")
    with ContextSwitches([os.getpid()]) as switches:
        switches.look()
        assert switches.logs() == ()
    with ContextSwitches([]) as nothing:
        assert nothing.logs() == ()


def test_frames_without_a_twin_count_where_an_arm_is_far_ahead() -> None:
    near = {CANDIDATE: np.arange(100), REFERENCE: np.arange(10, 110)}
    far = {CANDIDATE: np.arange(100), REFERENCE: np.arange(500, 600)}
    times = {CANDIDATE: np.where(np.arange(100) < 10, 0.1, 1.1), REFERENCE: np.ones(100)}
    assert kept_effect(near, times, ARMS, LOW_END) == pytest.approx(math.log(1.1))
    assert kept_effect(far, times, ARMS, LOW_END) < math.log(1.1)
    assert math.isnan(
        kept_effect({role: np.arange(9) for role in ARMS}, {role: np.ones(9) for role in ARMS}, ARMS, LOW_END)
    )


def test_a_device_that_never_waits_lets_more_frames_count() -> None:
    """No frame polled: the mean of more of them is steadier. Where some did, the lowest are."""
    rng = np.random.default_rng(2)
    numbers = {role: np.arange(120) for role in ARMS}

    def spread(polls: float, delay: float) -> float:
        effects = []
        for _ in range(400):
            times = {
                role: rng.normal(2, 0.05, 120) + rng.exponential(1, 120) * (rng.random(120) < polls) for role in ARMS
            }
            effects.append(undisturbed_effect(numbers, times, {}, ARMS, times, delay).effect)
        return float(np.std(effects))

    assert spread(0.0, 0.0) < 0.95 * spread(0.0, 0.5)
    assert spread(0.9, 0.5) < spread(0.9, 0.0)
