"""How launches are measured follows from rights, cores, quota, and cores that vanish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.comparison.statistics import CANDIDATE, REFERENCE, decide_effects
from harness.gate.judging.basis import Basis
from harness.gate.judging.judge import judge_metric
from harness.gate.judging.metrics import RULES
from harness.gate.measuring import comparison
from harness.gate.measuring.comparison import compare
from harness.gate.measuring.launch import MeasuredLaunch, PairSpec, tlb_of
from harness.gate.measuring.protocol import (
    CROWDED,
    LOADED,
    QUIET,
    Protocol,
    choose_protocol,
    fitted_protocol,
    protocol_beside_load,
    surviving_protocol,
)
from harness.gate.measuring.timing import alike
from harness.model.record import LaunchLoad, Lease
from harness.model.result import Arm, Metric
from harness.model.spec import RunSpec, Verdict
from harness.platform.machine.pin import CoreVanished, PinRights
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

    def measure(pairs: Sequence[PairSpec], protocol: Protocol, rng: object) -> tuple[MeasuredLaunch, ...]:
        used.append(protocol)
        if len(used) == 3:
            raise CoreVanished("core 1")
        return tuple(steady_launch(np.full(400, 3_000_000, np.int64), one.batch) for one in pairs)

    monkeypatch.setattr(comparison, "measure_launches", measure)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    arms = {role: RunSpec(Path("kernel")) for role in (CANDIDATE, REFERENCE)}
    found = compare(arms, tmp_path, Protocol(cores=(0, 1)), 2.0, lambda text: None, 1)
    assert [protocol.swap for protocol in used[:4]] == [True, True, True, False]
    assert found.launches and not found.protocol.swap and "vanished" in found.protocol.notices[0]


@pytest.mark.parametrize(
    ("frame_ms", "slice_ms", "slices"), [(1.0, 40, 14), (5.0, 40, 14), (10.0, 80, 8), (33.0, 250, 4), (200.0, 800, 4)]
)
def test_slices_grow_with_the_frame(frame_ms: float, slice_ms: float, slices: int) -> None:
    fitted = fitted_protocol(Protocol(), frame_ms)
    assert fitted.slice_s == pytest.approx(slice_ms / 1e3) and fitted.slices == slices
    assert fitted.slice_s >= 4 * frame_ms / 1e3 and fitted.slices % 2 == 0
    turns = fitted_protocol(replace(Protocol(), swap=False), frame_ms)
    assert turns.slices % 4 == 0 or turns == replace(Protocol(), swap=False)


@pytest.mark.parametrize(
    ("delay", "stolen", "shape"),
    [(0.0, 0.0, QUIET), (None, None, QUIET), (0.3, 0.0, LOADED), (0.0, 0.06, LOADED), (0.8, None, CROWDED)],
)
def test_launches_are_as_long_as_the_host_asks_for(
    delay: float | None, stolen: float | None, shape: tuple[int, float, float]
) -> None:
    found = protocol_beside_load(Protocol(), LaunchLoad(delay, stolen))
    assert (found.slices, found.slice_s, found.settle_s) == shape
    wide = protocol_beside_load(Protocol(slice_s=0.1), LaunchLoad(delay, stolen))
    assert wide.slice_s == pytest.approx(2.5 * shape[1]) and wide.settle_s == pytest.approx(2.5 * shape[2])
    turns = Protocol(swap=False)
    assert protocol_beside_load(turns, LaunchLoad(delay, stolen)) == turns


def test_five_frames_a_second_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest so slow that the usual slices hold no frame is looked at for longer, and then by longer slices."""
    used: list[Protocol] = []

    def measure(pairs: Sequence[PairSpec], protocol: Protocol, rng: object) -> tuple[MeasuredLaunch, ...]:
        used.append(protocol)
        frames = int(protocol.slices * protocol.slice_s / 0.2)
        launch = steady_launch(np.full(400, 3_000_000, np.int64), pairs[0].batch)
        return (replace(launch, frame_ms={role: np.full(frames, 200.0) for role in (CANDIDATE, REFERENCE)}),)

    monkeypatch.setattr(comparison, "measure_launches", measure)
    arms = {role: RunSpec(Path("kernel")) for role in (CANDIDATE, REFERENCE)}
    compare(arms, tmp_path, Protocol(), 60.0, lambda text: None, 1)
    assert [protocol.slice_s for protocol in used[:2]] == [0.04, 0.16]
    assert all(protocol.slice_s == pytest.approx(0.8) for protocol in used[2:]) and len(used) >= 6


def test_an_undecided_comparison_names_the_host_s_noise() -> None:
    metric, undecided = Metric(350.0, "frames/s", "trace"), decide_effects(np.zeros(0), np.zeros(0, np.int64))
    arm = Arm({}, "ab" * 32, {"fps_trace": metric})
    basis = Basis(arm, arm, replace(undecided, ratio=1.0, low=0.9, high=1.1), noise="a hypervisor took 9 %")
    rule = next(rule for rule in RULES if rule.primary)
    found = judge_metric(rule, arm, basis)
    assert found.verdict is Verdict.INCONCLUSIVE and found.why.endswith("; a hypervisor took 9 %")


@pytest.mark.parametrize(
    ("said", "passed", "words"),
    [
        (("warm", "warm"), (None, None), "translations warmed in both arms"),
        (("warm", ""), ("cold", None), "translations cold in both arms: the reference cannot warm them"),
        (("", "warm"), (None, "cold"), "translations cold in both arms: the candidate cannot warm them"),
        (("", ""), (None, None), "translations cold in both arms: the candidate and reference cannot warm them"),
        (("cold", "warm"), (None, "cold"), "translations cold in both arms"),
    ],
)
def test_both_arms_are_warm_or_both_are_cold(
    said: tuple[str, str], passed: tuple[str | None, str | None], words: str
) -> None:
    arms = {role: RunSpec(Path("kernel")) for role in (CANDIDATE, REFERENCE)}
    found, told = alike(arms, dict(zip(arms, said)))
    assert (tuple(spec.params.tlb for spec in found.values()), told) == (passed, words)
    assert "tlb=cold" in replace(RunSpec(Path("k")).params, tlb="cold").command_line()


def test_a_kernel_says_whether_it_warms_its_translations() -> None:
    assert tlb_of(b"SeaBIOS\r\n[BOOT] kernel=roulette arch=x86_64 mode=1024x768 tlb=warm\n") == "warm"
    assert tlb_of(b"[BOOT] kernel=roulette arch=x86_64 mode=1024x768\n") == "" and tlb_of(b"hello\n") == ""
