"""A comparison while it runs: pairs at once, images linked in other orders, and an aim below what matters."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.comparison.statistics import CANDIDATE, REFERENCE, Plan, State, decide, decide_effects
from harness.gate import relink
from harness.gate.measured import ArmKernel, KernelSource
from harness.gate.measuring import comparison
from harness.gate.measuring import launch as launch_module
from harness.gate.measuring.comparison import Relinked, compare, status_words
from harness.gate.measuring.launch import ClockStepped, MeasuredLaunch, PairSpec
from harness.gate.measuring.protocol import Protocol, choose_protocol, surviving_protocol
from harness.gate.measuring.timing import Timing
from harness.gate.relink import LAYOUTS, linked, relinked_arms
from harness.model.errors import BuildError, GuestError
from harness.model.record import Lease
from harness.model.spec import BUILT_IN, RunSpec, Switches
from harness.platform.host.hostload import available_memory_mib
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.pin import CoreVanished, PinRights
from harness.tests.test_slices import steady_launch

ARMS = {role: RunSpec(Path(f"{role}.elf")) for role in (CANDIDATE, REFERENCE)}
OTHERS = tuple({role: RunSpec(Path(f"{role}-{n}.elf")) for role in (CANDIDATE, REFERENCE)} for n in range(1, 4))


class Pretended:
    """Stands for machines: effects that depend on layout, frames that depend on how many pairs run at once."""

    def __init__(self, effect: float = 0.0, relinked: float = 0.0, crowded: Sequence[float] = (), sd: float = 0.003):
        self.effect, self.relinked, self.crowded, self.sd = effect, relinked, crowded, sd
        self.rng = np.random.default_rng(3)
        self.rounds: list[Sequence[PairSpec]] = []

    def __call__(
        self, pairs: Sequence[PairSpec], protocol: Protocol, rng: np.random.Generator
    ) -> tuple[MeasuredLaunch, ...]:
        self.rounds.append(pairs)
        assert len(pairs) <= protocol.pairs and len({protocol.cores_of(n) for n in range(len(pairs))}) == len(pairs)
        time.sleep(0.002)
        return tuple(self.launch(one, len(pairs)) for one in pairs)

    def launch(self, pair: PairSpec, at_once: int) -> MeasuredLaunch:
        effect = (self.relinked if pair.layout else self.effect) + self.rng.normal(0, self.sd)
        found = steady_launch(np.full(400, 3_000_000, np.int64), pair.batch)
        slower = 1 + (self.crowded[at_once - 1] if at_once <= len(self.crowded) else 0.0)
        launch = replace(found.launch, undisturbed=effect, layout=pair.layout)
        return replace(found, launch=launch, frame_ms={role: np.full(99, 3.0 * slower) for role in ARMS})

    @property
    def widest(self) -> int:
        return max(len(pairs) for pairs in self.rounds)


def run(
    monkeypatch: pytest.MonkeyPatch,
    pretended: Pretended,
    cores: int = 2,
    aim: float | None = None,
    relinked: Relinked | None = Relinked(OTHERS),
    memory_mib: int = 64_000,
) -> Timing:
    monkeypatch.setattr(comparison, "measure_launches", pretended)
    monkeypatch.setattr(comparison, "available_memory_mib", lambda: memory_mib)
    relink = (lambda: relinked) if relinked is not None else None
    protocol = Protocol(cores=tuple(range(cores)))
    return compare(ARMS, Path("/x"), protocol, 4.0, lambda text: None, 1, aim=aim, relink=relink)


# Layout


def test_an_alarm_that_other_orders_of_linking_do_not_show_is_layout_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = Pretended(effect=0.03, relinked=0.0)
    found = run(monkeypatch, pretended)
    assert found.decision.state is State.UNCHANGED
    words = found.decision.words
    assert words.startswith("layout luck, no change beyond ±1.5 %: frame time ")
    assert re.search(r" linked in other orders, \+[23]\.\d % \(.* launches\) as linked$", words)
    assert found.layout == "an alarm was checked on images linked in 3 other orders"
    confirming = [pair for pairs in pretended.rounds for pair in pairs if pair.batch]
    assert {pair.arms[CANDIDATE].kernel.name for pair in confirming} == {f"candidate-{n}.elf" for n in (1, 2, 3)}
    assert all(pair.arms[REFERENCE].kernel.name[-5] == pair.arms[CANDIDATE].kernel.name[-5] for pair in confirming)


def test_a_change_that_every_order_shows_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(monkeypatch, Pretended(effect=0.03, relinked=0.028))
    assert found.decision.state is State.CHANGED and found.decision.direction == "slower"
    assert found.decision.words.endswith("confirmed, linked in other orders too)")


def test_what_cannot_be_linked_again_is_checked_as_it_is_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Relinked(problem="the reference cannot be linked again: its source is not known here")
    found = run(monkeypatch, Pretended(effect=0.03), relinked=refused)
    assert found.decision.state is State.CHANGED and "other orders" not in found.decision.words
    told = "launched in one link order: the reference cannot be linked again: its source is not known here"
    assert found.layout == told and told in found.advice
    assert told not in run(monkeypatch, Pretended(sd=0.001), relinked=refused).advice


def test_without_an_alarm_nothing_is_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(monkeypatch, Pretended(sd=0.001), relinked=None)
    assert found.decision.state is State.UNCHANGED and not found.layout


def test_noise_beside_other_orders_leaves_the_question_open() -> None:
    first, second = np.full(20, 0.03), np.linspace(-0.08, 0.08, 20)
    effects = np.concatenate([first + np.linspace(-1e-3, 1e-3, 20), second])
    decision = decide_effects(effects, np.repeat([0, 1], 20), Plan(launches=40), relinked=True)
    assert decision.state is State.UNDECIDED and decision.words.endswith("an alarm may be layout luck")


def _kernel(path: str, source: KernelSource | None, name: str = "reference") -> ArmKernel:
    return ArmKernel(name, Path(path), "", Switches(), BUILT_IN, source=source)


def test_both_arms_are_linked_alike_or_neither_is(tmp_path: Path) -> None:
    kernels = {CANDIDATE: _kernel("a", KernelSource("gcc"), CANDIDATE), REFERENCE: _kernel("b", None)}

    def link(kernel: ArmKernel) -> tuple[Path, ...]:
        return (Path("x"),) * len(LAYOUTS) if kernel.source else linked(kernel, tmp_path)

    found = relinked_arms(kernels, ARMS, link)
    assert not found.arms and "cannot be linked again" in found.problem
    found = relinked_arms(kernels, ARMS, link=lambda kernel: tuple(Path(f"{kernel.name}-{n}") for n in LAYOUTS))
    assert [str(arms[REFERENCE].kernel) for arms in found.arms] == [f"reference-{n}" for n in LAYOUTS]
    assert [str(arms[CANDIDATE].kernel) for arms in found.arms] == [f"candidate-{n}" for n in LAYOUTS]


@pytest.mark.xdist_group("functions")
@pytest.mark.slow
def test_a_kernel_linked_again_is_another_image_of_the_same_source(tmp_path: Path) -> None:
    built = build_kernel(Switches())
    kernel = _kernel(str(built.path), KernelSource("gcc"))
    images = linked(kernel, tmp_path / "kept")
    assert len({path.read_bytes() for path in (built.path, *images)}) == 1 + len(LAYOUTS)
    assert images[3].read_bytes() == build_kernel(Switches(), shuffle=LAYOUTS[3]).path.read_bytes()
    made = images[0].stat()
    assert linked(kernel, tmp_path / "kept") == images and images[0].stat() == made
    other = tmp_path / "other.elf"
    other.write_bytes(built.path.read_bytes()[:-64] + bytes(64))
    spoilt = bytearray(built.path.read_bytes())
    spoilt[len(spoilt) // 4] ^= 1
    other.write_bytes(bytes(spoilt))
    with pytest.raises(BuildError, match="builds to another kernel now"):
        linked(_kernel(str(other), KernelSource("gcc")), tmp_path / "kept")


def test_images_in_other_orders_are_kept_of_a_few_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made.elf"
    made.write_bytes(b"image")
    monkeypatch.setattr(relink, "_made", lambda kernel: (made,) * len(LAYOUTS))
    for number in range(relink.KERNELS_MAX + 2):
        plain = tmp_path / f"{number}.elf"
        plain.write_bytes(bytes([number]))
        images = linked(_kernel(str(plain), KernelSource("gcc")), tmp_path / "kept")
        assert all(image.is_file() for image in images)
    kept = [folder for folder in (tmp_path / "kept").iterdir() if folder.is_dir()]
    assert len(kept) == relink.KERNELS_MAX and images[0].parent in kept


def test_launches_take_turns_at_link_orders_where_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "LINK_FIRST_S", 1.0)
    pretended = Pretended(effect=0.03, relinked=0.001)
    found = run(monkeypatch, pretended)
    assert found.decision.state is State.UNCHANGED and "layout luck" not in found.decision.words
    assert found.layout == "both kernels linked alike in 3 orders that took turns"
    launched = [pair.layout for pairs in pretended.rounds[1:] for pair in pairs]
    assert launched == [1 + turn % 3 for turn in range(len(launched))]
    assert found.plan.allowance == pytest.approx(Plan.allowance / 3**0.5)
    real = run(monkeypatch, Pretended(relinked=0.03))
    assert real.decision.state is State.CHANGED and real.decision.confirmed


# Several pairs


def test_one_pair_on_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = Pretended()
    assert run(monkeypatch, pretended).protocol.pairs == 1 and pretended.widest == 1


@pytest.mark.slow
def test_as_many_pairs_as_do_not_slow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = Pretended(crowded=[0, 0.02, 0, 0.1, 0, 0, 0.4, 0.5])
    found = run(monkeypatch, pretended, cores=16)
    assert found.protocol.pairs == 4 and pretended.widest == 8
    assert found.protocol.words.startswith("4 pairs at once (frames +10 % beside one pair), pinned to cores 0, 1, 2")
    assert len(found.launches) >= 8 and found.decision.state is State.UNCHANGED


@pytest.mark.slow
def test_all_of_a_large_host_where_none_is_slowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Pretended(), cores=14).protocol.pairs == 7


@pytest.mark.slow
def test_memory_bounds_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Pretended(), cores=16, memory_mib=2000).protocol.pairs == 3
    assert run(monkeypatch, Pretended(), cores=16, memory_mib=0).protocol.pairs == 1


def test_free_memory_is_read_or_unknown(tmp_path: Path) -> None:
    assert available_memory_mib(tmp_path) == 0
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:  2048000 kB\n", encoding="ascii")
    assert available_memory_mib(tmp_path) == 2000


def test_pairs_that_lose_their_cores_go_on_with_fewer() -> None:
    wide = Protocol(cores=tuple(range(8)), pairs=4)
    left = surviving_protocol(wide, {0, 1, 2, 3, 4, 9})
    assert left.cores == (0, 1, 2, 3) and left.pairs == 2 and left.swap
    assert surviving_protocol(wide, {0, 1, 2, 3, 4, 5, 6, 7}).pairs == 4


# The aim


def _decided(effect: float, sd: float, count: int, plan: Plan, second: bool = False) -> State:
    rng = np.random.default_rng(5)
    effects = effect + sd * rng.standard_normal(count)
    batches = np.repeat([0, 1], [count - count // 2, count // 2]) if second else np.zeros(count, np.int64)
    return decide_effects(effects, batches, plan).state


def test_one_per_cent_is_found_and_ruled_out_where_the_noise_allows() -> None:
    plan = Plan(launches=70, aim=0.01)
    quiet = decide_effects(0.005 * np.random.default_rng(2).standard_normal(70), np.zeros(70, np.int64), plan)
    assert quiet.state is State.UNCHANGED and quiet.words.startswith("no change beyond ±1.0 %")
    assert quiet.smallest == 0.01
    assert _decided(0.0115, 0.005, 70, plan, second=True) is State.CHANGED
    assert _decided(0.0115, 0.005, 70, Plan(launches=70), second=True) is not State.CHANGED


@pytest.mark.parametrize(("effect", "told"), [(0.0095, True), (0.008, True), (0.006, False)])
def test_a_change_about_as_large_as_the_aim_is_told(effect: float, told: bool) -> None:
    """One that may be as large as the aim is told, and one that is surely smaller is not."""
    plan = Plan(launches=70, aim=0.01, allowance=0.001)
    noise = np.random.default_rng(5).standard_normal(70)
    noise -= noise.mean()
    batches = np.repeat([0, 1], 35)
    assert (decide_effects(effect + 0.009 * noise, batches, plan).state is State.CHANGED) is told
    assert decide_effects(effect + 0.0003 * noise, batches, plan).state is State.UNCHANGED


def test_noise_leaves_the_usual_size() -> None:
    loud = decide_effects(0.04 * np.random.default_rng(2).standard_normal(70), np.zeros(70, np.int64), Plan(aim=0.01))
    assert loud.smallest == 0.015 and "±1.0 %" not in loud.words


def test_an_aim_in_reach_costs_a_few_launches_and_one_beyond_costs_none() -> None:
    plan = Plan(launches=70, aim=0.01)
    rng = np.random.default_rng(4)
    for sd, goes_on in ((0.0085, True), (0.002, False)):
        decision = decide_effects(sd * rng.standard_normal(14), np.zeros(14, np.int64), plan)
        assert decision.state is State.UNCHANGED, decision.words
        assert (decision.next.value == "more") is goes_on, (sd, decision.words)


# What a host may do meanwhile


def test_run_delay_that_cannot_be_read_keeps_nothing_from_its_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(monkeypatch, Pretended(effect=0.03, relinked=0.03))
    assert all(one.load.run_delay is None for one in found.launches) and found.host.run_delay is None
    assert found.decision.state is State.CHANGED


def test_a_single_core_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = choose_protocol(PinRights((3,), affinity=True, realtime=True), lease=Lease((3,), 1))
    assert not protocol.swap and protocol.most_pairs == 1 and protocol.cores_of(0) == (3,)
    assert protocol.words.startswith("machines took turns: fewer than two cores")


def test_a_core_that_vanishes_while_warming_up_or_confirming(monkeypatch: pytest.MonkeyPatch) -> None:
    class Vanishing(Pretended):
        gone = 0

        def __call__(self, pairs: Sequence[PairSpec], *rest: Any) -> tuple[MeasuredLaunch, ...]:
            confirming = bool(pairs[0].batch) and self.gone < 2
            if not self.rounds and not self.gone or confirming:
                self.gone += 1
                raise CoreVanished("core 1")
            return super().__call__(pairs, *rest)

    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    pretended = Vanishing(effect=0.03, relinked=0.03)
    found = run(monkeypatch, pretended)
    assert pretended.gone == 2 and found.decision.state is State.CHANGED


@pytest.mark.slow
def test_launches_of_which_only_one_can_be_told_decide_nothing_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Untold(Pretended):
        def launch(self, pair: PairSpec, at_once: int) -> MeasuredLaunch:
            found = super().launch(pair, at_once)
            if len(self.rounds) == 2:
                return found
            return replace(found, launch=replace(found.launch, undisturbed=None, slices=()))

    found = run(monkeypatch, Untold(effect=0.03))
    assert found.decision.state is State.UNDECIDED and found.decision.words.startswith(
        "undecided: 1 launches are too few"
    )


def test_a_guest_that_fails_in_one_launch_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Pretended):
        def launch(self, pair: PairSpec, at_once: int) -> MeasuredLaunch:
            if len(self.rounds) == 3:
                raise GuestError("the guest panicked: planted")
            return super().launch(pair, at_once)

    with pytest.raises(GuestError, match="planted"):
        run(monkeypatch, Failing())


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.slow
def test_launches_beside_a_step_of_the_clock_are_measured_again(monkeypatch: pytest.MonkeyPatch, always: bool) -> None:
    class Stepping(Pretended):
        def __call__(self, pairs: Sequence[PairSpec], *rest: Any) -> tuple[MeasuredLaunch, ...]:
            found = super().__call__(pairs, *rest)
            if always or len(self.rounds) in (1, 4, 5):
                time.sleep(0.02)
                raise ClockStepped("the host clock was set or slewed by +3600000.0 ms within 0.7 s")
            return found

    found = run(monkeypatch, Stepping(sd=0.001))
    (notice,) = found.protocol.notices
    assert notice.startswith("launches were measured again: the host clock was set")
    assert found.decision.state is (State.UNDECIDED if always else State.UNCHANGED)
    assert bool(found.launches) is not always


def test_a_step_of_the_clock_is_seen_while_a_launch_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stepped:
        def problem(self) -> str:
            return "the host clock was set"

    class Ready(launch_module._Pair):
        def __init__(self, *rest: Any) -> None:
            self.machines, self.cores = {}, (0, 1)

    monkeypatch.setattr(launch_module, "ClockWatch", Stepped)
    monkeypatch.setattr(launch_module, "_Pair", Ready)
    monkeypatch.setattr(launch_module, "_slices", lambda running, protocol: None)
    with pytest.raises(ClockStepped, match="was set"):
        launch_module.measure_launch(ARMS, tmp_path, Protocol(settle_s=0.0), np.random.default_rng(1), 0)


def test_a_status_line_says_how_far_it_is_and_fits_a_terminal() -> None:
    plan = Plan(28, 0.015)
    few = decide([], plan)
    assert status_words(few, 2, 28, 41.4) == "comparing 2/28 · about 41 s left"
    known = replace(few, ratio=1.026, low=0.986, high=1.066)
    assert status_words(known, 12, 28, 20.0) == "comparing 12/28 · +2.6 % ± 4.0 · about 20 s left"
    assert len(status_words(known, 100, 100, 3600.0)) < 70
