"""The steps of the case study on one device: each counted, and timed against the step before."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.core.budget import NO_TIME
from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.explain.ablate import Bench, Spent, code_of, fitted, sample_of, time_pair
from harness.explain.case_report import CandidateRow, EventsPerFrame, Replay, StepRow, closing_sentences
from harness.explain.counting import FRAMES, count_events, counting_switches
from harness.explain.effects import Sample, measure_effects
from harness.model.case_study import CASE_CANDIDATES, CASE_FIGURES, CASE_STEPS, Candidate, NamedStep, named_combination
from harness.model.errors import GuestError
from harness.model.spec import Switches
from harness.platform.kernels.build import BuiltKernel, build_kernel

NO_SWITCH = "no switch changes"
SAME_CODE = "identical code"
NOT_BLAMED = "not timed here: its change was never a suspect"
SHORTEST_S = 1.0
COUNT_SHARE = 0.5
"""Share of the budget for counting; the rest is for timing."""


@dataclass(frozen=True)
class _Task:
    """One combination to count, and to time against another."""

    name: str
    switches: Switches
    before: Switches | None
    timed: bool = True


@dataclass(frozen=True)
class _Outcome:
    """What was found."""

    counts: EventsPerFrame | None = None
    sample: Sample | None = None
    fps: float | None = None
    fps_before: float | None = None
    same: str = ""
    trouble: str = ""


class _CaseSession:
    """Builds, counts and times combinations."""

    def __init__(self, bench: Bench, folder: Path, frames: int, progress: Callable[[str], None]) -> None:
        self.bench = bench
        self.folder = folder
        self.frames = frames
        self.progress = progress
        self.counted: dict[Switches, EventsPerFrame] = {}

    def measure(self, tasks: Sequence[_Task], budget_s: float) -> dict[str, _Outcome]:
        """Count all, then time those that differ from their counterparts, each in its share of the budget."""
        spent = Spent(budget_s)
        found = {task.name: self._look(task, spent.left_s > budget_s * (1 - COUNT_SHARE)) for task in tasks}
        waiting = [task for task in tasks if task.before is not None and task.timed and not found[task.name].same]
        for number, task in enumerate(waiting):
            share_s = spent.left_s / (len(waiting) - number)
            found[task.name] = self._time(task, found[task.name], share_s)
        return found

    def _kernel(self, switches: Switches) -> BuiltKernel:
        return build_kernel(switches, compiler=self.bench.compiler)

    def _look(self, task: _Task, timely: bool) -> _Outcome:
        """Its counts, while there is time for them, and whether it is the same as its counterpart."""
        counts, trouble = None, "" if task.timed or task.before is None else NOT_BLAMED
        try:
            if timely or task.before is None:
                counts = self._count(task)
            else:
                trouble = f"{NO_TIME} to count its events"
        except GuestError as error:
            trouble = f"the guest failed: {error.message}"
        return _Outcome(counts, same=self._same(task), trouble=trouble)

    def _count(self, task: _Task) -> EventsPerFrame:
        switches, counted_in = counting_switches(task.switches)
        if switches not in self.counted:
            self.progress(f"case study: counting {task.name}")
            folder = self.folder / f"count-{task.name}"
            kernel = self._kernel(switches)
            self.counted[switches] = count_events(kernel.path, self.bench.machine, folder, frames=self.frames)
            shutil.rmtree(folder, ignore_errors=True)
        return replace(self.counted[switches], counted_in=counted_in)

    def _same(self, task: _Task) -> str:
        if task.before is None:
            return ""
        if task.switches == task.before:
            return NO_SWITCH
        ours, theirs = (code_of(self._kernel(one), self.bench.compiler) for one in (task.switches, task.before))
        return SAME_CODE if ours == theirs else ""

    def _time(self, task: _Task, known: _Outcome, share_s: float) -> _Outcome:
        assert task.before is not None
        if share_s < SHORTEST_S:
            return replace(known, trouble=NO_TIME)
        self.progress(f"case study: {task.name}")
        ours, theirs = self._kernel(task.switches), self._kernel(task.before)
        try:
            bench = (
                self.bench
                if known.counts is None
                else replace(self.bench, protocol=fitted(self.bench.protocol, known.counts.frame_ms))
            )
            timing = time_pair(ours, theirs, bench, self.folder / task.name, share_s, lambda text: None)
        except GuestError as error:
            return replace(known, trouble=f"the guest failed: {error.message}")
        sample = sample_of(((task.name, ""),), timing)
        if len(sample.effects) < sample.looks[0]:
            return replace(known, trouble=f"{NO_TIME} for more launches than {len(sample.effects)}")
        fps, before = (1e3 / float(np.mean(timing.frame_ms(role))) for role in (CANDIDATE, REFERENCE))
        return replace(known, sample=sample, fps=fps, fps_before=before)


def replay_seed(
    bench: Bench,
    folder: Path,
    budget_s: float,
    progress: Callable[[str], None],
    steps: Sequence[NamedStep] = CASE_STEPS,
    *,
    frames: int = FRAMES,
    causes_only: bool = False,
) -> Replay:
    """Count and time the steps, and the candidates that were never tried against the first.

    Parameters
    ----------
    bench
        Its machine says on which device.
    steps
        In order; each is timed against the one before it here.
    frames
        To count events in.
    causes_only
        Time only steps that removed a suspected cause.

    Raises
    ------
    BuildError
        When a combination does not build.
    """
    begun = time.monotonic()
    combinations = [named_combination(step.name, bench.machine.arch) for step in steps]
    befores = [None, *combinations[:-1]]
    tasks = [
        _Task(step.name, one, before, bool(step.removes) or not causes_only)
        for step, one, before in zip(steps, combinations, befores)
    ]
    start = combinations[0]
    tasks += [_Task(_name(one), start.but(**dict(one.changes)), start) for one in CASE_CANDIDATES]
    found = _CaseSession(bench, folder, frames, progress).measure(tasks, budget_s)
    family = [one.sample for one in found.values() if one.sample is not None]
    effects = {effect.changes[0][0]: effect for effect in measure_effects(family)[0]}
    rates = _rates(steps, found)
    rows = tuple(
        StepRow(step, one.counts, rates.get(step.name), effects.get(step.name), one.same, one.trouble)
        for step, one in ((step, found[step.name]) for step in steps)
    )
    candidates = tuple(
        CandidateRow(candidate, one.counts, one.fps, effects.get(_name(candidate)), one.same, one.trouble)
        for candidate, one in ((candidate, found[_name(candidate)]) for candidate in CASE_CANDIDATES)
    )
    closing = closing_sentences(rows, candidates, CASE_FIGURES)
    return Replay(bench.machine.device.value, rows, candidates, closing, time.monotonic() - begun)


def _name(candidate: Candidate) -> str:
    return "first," + ",".join(f"{name}={value}" for name, value in candidate.changes)


def _rates(steps: Sequence[NamedStep], found: Mapping[str, _Outcome]) -> dict[str, float]:
    """Frame rate of every step: of its own comparison, of the step before with the same code, or of the next one."""
    against_first = [found[_name(candidate)] for candidate in CASE_CANDIDATES]
    rates: dict[str, float] = {}
    for number, step in enumerate(steps):
        one = found[step.name]
        following = [found[steps[number + 1].name]] if number + 1 < len(steps) else []
        as_reference = [*following, *(against_first if number == 0 else [])]
        known = [one.fps, rates.get(steps[number - 1].name) if number and one.same else None]
        known += [other.fps_before for other in as_reference]
        rate = next((rate for rate in known if rate is not None), None)
        if rate is not None:
            rates[step.name] = rate
    return rates
