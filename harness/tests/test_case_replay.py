"""The steps of the case study that are counted and timed, on made-up machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.core.arrays import F64
from harness.core.budget import NO_TIME
from harness.core.comparison.statistics import CANDIDATE
from harness.explain import case_replay as case_replay
from harness.explain.ablate import Bench
from harness.explain.case_report import EventsPerFrame
from harness.explain.effects import Changes, Sample, Worth
from harness.gate.measuring.protocol import Protocol
from harness.model.errors import GuestError
from harness.model.spec import Machine, Switches
from harness.platform.kernels.build import BuiltKernel

FRAME_MS: Mapping[tuple[str, str], float] = {("LOG", "frame"): 1.0, ("FILL", "pixel"): 2.0, ("GPU_FENCE", "on"): 8.0}


def frame_ms(switches: Switches) -> float:
    """The planted truth: what each switch adds to a frame of 2 ms."""
    return 2.0 + sum(extra for (name, value), extra in FRAME_MS.items() if switches.get(name) == value)


@dataclass(frozen=True)
class FakeTiming:
    candidate: Switches
    reference: Switches
    launches: tuple[str, ...] = ("one",)

    def frame_ms(self, role: str) -> F64:
        return np.array([frame_ms(self.candidate if role == CANDIDATE else self.reference)])


class World:
    """Everything that the stage touches, made up."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.timed: list[str] = []
        self.broken: set[str] = set()
        patch.setattr(case_replay, "build_kernel", self.build)
        patch.setattr(case_replay, "code_of", self.code)
        patch.setattr(case_replay, "count_events", self.count)
        patch.setattr(case_replay, "time_pair", self.time)
        patch.setattr(case_replay, "sample_of", self.sample)

    def build(self, switches: Switches, compiler: str) -> BuiltKernel:
        return BuiltKernel(Path(switches.label), "", switches, compiler)

    def code(self, built: BuiltKernel, compiler: str) -> Mapping[str, str]:
        alike = built.switches.get("BARRIER") == "linux"
        return {"ring": (built.switches.but(BARRIER="acquire_progress") if alike else built.switches).label}

    def count(self, kernel: Path, machine: Machine, folder: Path, frames: int) -> EventsPerFrame:
        if folder.name in self.broken:
            raise GuestError("no frame")
        fences = 700.0 if "BARRIER" in str(kernel) else 2.0
        return EventsPerFrame(frames, fences, 250.0, 2.0, 0.0, frame_ms=4.0)

    def time(
        self,
        candidate: BuiltKernel,
        reference: BuiltKernel,
        bench: Bench,
        folder: Path,
        budget_s: float,
        progress: Callable[[str], None],
    ) -> FakeTiming:
        self.timed.append(folder.name)
        return FakeTiming(candidate.switches, reference.switches)

    def sample(self, changes: Changes, timing: FakeTiming) -> Sample:
        effect = np.log(frame_ms(timing.candidate) / frame_ms(timing.reference))
        return Sample(changes, tuple(effect + 0.01 * np.sin(np.arange(16))), 16)


@pytest.fixture(name="world")
def _world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def bench() -> Bench:
    return Bench(Machine(vcpus=1, maxcpus=2), Protocol())


def test_every_step_is_counted_and_steps_of_the_same_code_are_not_timed(world: World, tmp_path: Path) -> None:
    replay = case_replay.replay_seed(bench(), tmp_path, 600.0, lambda text: None)
    rows = {row.step.name: row for row in replay.rows}
    assert all(row.counts is not None for row in rows.values())
    assert rows["case-3-release"].same == case_replay.NO_SWITCH
    assert rows["case-4-wmb-rmb"].same == case_replay.SAME_CODE
    assert set(world.timed).isdisjoint({"case-0-seqcst", "case-3-release", "case-4-wmb-rmb", "case-5-race-analysis"})
    assert rows["case-4-wmb-rmb"].fps == rows["case-2-acquire"].fps == pytest.approx(1e3 / 5)
    assert rows["case-0-seqcst"].fps == pytest.approx(1e3 / 4)


def test_planted_causes_stand_and_the_others_fall(world: World, tmp_path: Path) -> None:
    replay = case_replay.replay_seed(bench(), tmp_path, 600.0, lambda text: None)
    worth = {row.step.name: row.effect.worth for row in replay.rows if row.effect is not None}
    assert worth["case-8-unlogged"] is worth["case-10-bulk-fill"] is Worth.FASTER
    assert worth["case-1-logged"] is Worth.SLOWER
    assert worth["case-2-acquire"] is worth["case-9-plain-counters"] is Worth.NOISE
    fenced, bare = replay.candidates
    assert fenced.effect is not None and fenced.effect.worth is Worth.SLOWER and fenced.fps == pytest.approx(1e3 / 12)
    assert bare.effect is not None and bare.effect.worth is Worth.NOISE
    said = " ".join(replay.closing)
    assert (
        "These stand as causes: the serial line in every frame" in said and "stands as a cause, frame time +20" in said
    )


def test_only_blamed_steps_are_timed_when_asked(world: World, tmp_path: Path) -> None:
    replay = case_replay.replay_seed(bench(), tmp_path, 600.0, lambda text: None, causes_only=True)
    rows = {row.step.name: row for row in replay.rows}
    assert rows["case-6-percpu"].effect is None and rows["case-6-percpu"].trouble == case_replay.NOT_BLAMED
    assert rows["case-8-unlogged"].effect is not None
    assert not any(name.startswith(("case-1-", "case-6-", "case-7-")) for name in world.timed)
    assert rows["case-0-seqcst"].fps is not None


def test_a_step_whose_guest_fails_says_so_and_the_others_go_on(world: World, tmp_path: Path) -> None:
    world.broken = {"count-case-6-percpu"}
    replay = case_replay.replay_seed(bench(), tmp_path, 600.0, lambda text: None)
    rows = {row.step.name: row for row in replay.rows}
    assert rows["case-6-percpu"].counts is None and "no frame" in rows["case-6-percpu"].trouble
    assert rows["case-10-bulk-fill"].effect is not None


def test_without_time_nothing_is_timed_and_nothing_claimed(world: World, tmp_path: Path) -> None:
    replay = case_replay.replay_seed(bench(), tmp_path, 0.0, lambda text: None)
    assert not world.timed
    assert {row.trouble for row in replay.rows if not row.same and row.step.changes} == {NO_TIME}
    assert replay.closing[-1] == "No step was timed, so no cause can be judged."
