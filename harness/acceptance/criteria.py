"""The case study's checklist, line by line: the evidence against what each line asks for."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.acceptance.evidence import (
    Absent,
    ApprovedEvidence,
    BuildEvidence,
    CheckOutcome,
    DeviceEvidence,
    DiskLoad,
    EventCounts,
    Evidence,
    FrameRateChange,
    InputEvidence,
    PictureEvidence,
    Roulette,
)
from harness.acceptance.ringorder import publishes_in_order, receives_in_order
from harness.core.device.latency import CLOCK_GOAL_NS
from harness.core.wording import percent, signed_percent, span
from harness.model.spec import Verdict
from harness.model.suites import SuiteRun

FPS_MUST, FPS_TARGET = 10.0, 30.0
ROULETTE_S = 30.0
WHOLE = 0.95
"""Share of the roulette's time between the first frame and the last; the rest is the boot."""
FENCES_MUST, FENCES_TARGET = 0.90, 0.99
"""How much smaller the number of fences becomes."""
ALIKE = 10.0
"""Numbers within this factor are of the same order."""
BAD_SHARE = 0.02
"""A bound on the share of bad frames that is wider than this says too little."""
COMPLETIONS = 2
RACE = "preempt_race"
CLOCK_GOAL_MS = CLOCK_GOAL_NS / 1e6


class Level(enum.Enum):
    """How much a line weighs."""

    MUST = "must"
    TARGET = "target"
    """Missing it is shown and fails nothing."""


class Status(enum.Enum):
    PASS = "PASS"
    FAIL = "FAIL"
    NOT_RUN = "NOT RUN"


@dataclass(frozen=True)
class Criterion:
    """One line of the checklist, judged."""

    name: str
    status: Status
    figure: str
    source: str = ""
    """The evidence, as a path in the run's folder."""
    device: str = ""
    """``virgl`` or ``2d``; empty where it makes no difference."""
    level: Level = Level.MUST
    failure: Verdict = Verdict.GUEST_FAILED
    """The verdict when it does not pass."""

    @property
    def verdict(self) -> Verdict:
        """What the line contributes to the exit code."""
        missed_target = self.level is Level.TARGET and self.status is Status.FAIL
        return Verdict.PASS if self.status is Status.PASS or missed_target else self.failure


T = TypeVar("T")


def _line(
    name: str,
    evidence: T | Absent,
    judge: Callable[[T], CheckOutcome | Absent],
    device: str = "",
    *,
    level: Level = Level.MUST,
    failure: Verdict = Verdict.GUEST_FAILED,
) -> Criterion:
    """Judge one line; a line without evidence does not pass."""
    judged = evidence if isinstance(evidence, Absent) else judge(evidence)
    if isinstance(judged, Absent):
        status = Status.FAIL if judged.verdict in (Verdict.GUEST_FAILED, Verdict.USAGE) else Status.NOT_RUN
        source = judged.source or str(getattr(evidence, "source", ""))
        return Criterion(name, status, judged.why, source, device, level, judged.verdict)
    passed, figure = judged
    source = str(getattr(evidence, "source", ""))
    return Criterion(name, Status.PASS if passed else Status.FAIL, figure, source, device, level, failure)


def _also(text: str, findings: Sequence[str]) -> str:
    """A figure with the first thing that was wrong."""
    return f"{text}: {findings[0]}" if findings else text


def criteria(evidence: Evidence) -> tuple[Criterion, ...]:
    """Every line, in the order of the checklist: what holds for all devices, then each device."""
    lines = [
        _line("builds without warnings", evidence.built, _built),
        _line("labelled points: release before avail->idx", evidence.ring, publishes_in_order),
        _line("labelled points: acquire after used->idx moved", evidence.ring, receives_in_order),
        _line("race test: no lost reschedule", evidence.race, _race),
    ]
    for device in evidence.devices:
        lines += _device(device, evidence.draws_whole)
    return tuple(lines)


def verdict_of(lines: Sequence[Criterion]) -> Verdict:
    """The worst line's verdict; without any line, nothing was measured."""
    return Verdict.worst(line.verdict for line in lines) if lines else Verdict.INCONCLUSIVE


def sentence_of(lines: Sequence[Criterion]) -> str:
    """How many lines pass, and the worst of the others."""
    counts = [
        f"{sum(line.status is Status.PASS for line in lines if line.level is level)} of "
        f"{sum(line.level is level for line in lines)} {level.value}s"
        for level in Level
    ]
    text = f"{verdict_of(lines).value}: {' and '.join(counts)} are met"
    others = [line for line in lines if line.status is not Status.PASS]
    if not others:
        return text
    worst = max(others, key=lambda line: line.verdict.severity)
    where = f" on {worst.device}" if worst.device else ""
    return f"{text}; {worst.status.value}: {worst.name}{where}: {worst.figure}"


def _device(found: DeviceEvidence, draws_whole: bool) -> list[Criterion]:
    name, slow = found.device, Verdict.REGRESSION
    roulette, optimised, spinning = found.roulette, found.optimised, found.spinning
    both = _both(optimised, spinning)
    return [
        _line("all in-kernel suites pass", found.suites, _suites, name),
        _line("boots, no hang, no crash", roulette, _sound, name),
        _line("driver probe succeeded", roulette, _probed, name),
        _line("no fallback", roulette, lambda seen: _no_fallback(seen, found.path), name),
        _line(f"FPS ≥ {FPS_MUST:g} over {ROULETTE_S:g} s", roulette, _fps(FPS_MUST), name, failure=slow),
        _line(
            f"FPS ≥ {FPS_TARGET:g} over {ROULETTE_S:g} s",
            roulette,
            _fps(FPS_TARGET),
            name,
            level=Level.TARGET,
            failure=slow,
        ),
        _line("no visual corruption", found.pictures, _pictures, name),
        _line("[VIRTIO PERF] for every frame", optimised, _records, name),
        _line(f"fences down > {percent(FENCES_MUST, 0)}", both, _fences(FENCES_MUST), name, failure=slow),
        _line(
            f"fences down > {percent(FENCES_TARGET, 0)}",
            both,
            _fences(FENCES_TARGET),
            name,
            level=Level.TARGET,
            failure=slow,
        ),
        _line("at most one fence a completion", optimised, _fence_each, name, failure=slow),
        _line("spins of the same order", both, _spins, name, failure=slow),
        _line("completions a frame", optimised, lambda counted: _completions(counted, draws_whole), name),
        _line("change in FPS, as measured", found.change, _change, name),
        _line("no virtio-blk request timeout under load", found.disk, _disk, name),
        _line("every key comes to a frame in time", found.input, _keys, name),
        _line(
            f"input to frame: clock error ≤ {CLOCK_GOAL_MS:g} ms at 95 %",
            found.input,
            _clock,
            name,
            failure=Verdict.INCONCLUSIVE,
        ),
        _line("per-CPU preemption counter in use", roulette, _preempt, name),
        _line("rollback: the approved kernel boots and passes", found.approved, _approved, name),
    ]


def _built(built: BuildEvidence) -> CheckOutcome:
    return not built.complaints, _also(f"-Werror, {' and '.join(built.compilers)}", built.complaints)


def _suites(run: SuiteRun) -> CheckOutcome:
    figure = _also(f"{run.passed} passed, {run.failed} failed", run.complaints)
    return run.passed > 0 and not run.failed and not run.complaints, figure


def _race(run: SuiteRun) -> CheckOutcome | Absent:
    tests = {name: passed for name, passed in run.tests.items() if RACE in name.split(".")}
    if run.complaints:
        return False, run.complaints[0]
    if not tests:
        return Absent("no race test ran: it needs -icount")
    lost = [name for name, passed in tests.items() if not passed]
    return not lost, _also(f"{len(tests) - len(lost)} of {len(tests)} checks, on every instruction of the drop", lost)


def _sound(seen: Roulette) -> CheckOutcome:
    return not seen.findings and seen.frames > 0, _also(f"{seen.frames} frames, [DONE] status=ok", seen.findings)


def _probed(seen: Roulette) -> CheckOutcome:
    said = "virtio-gpu: driver probe succeeded"
    return seen.probed, said if seen.probed else f"the serial log does not say '{said}'"


def _no_fallback(seen: Roulette, wanted: str) -> CheckOutcome:
    if seen.fallback:
        return False, seen.fallback
    return seen.path == wanted, f"path '{seen.path or 'not named'}', wanted '{wanted}'"


def _fps(least: float) -> Callable[[Roulette], CheckOutcome | Absent]:
    def judge(seen: Roulette) -> CheckOutcome | Absent:
        figure = f"{seen.fps:.1f} frames/s over {seen.seconds:.1f} s by the trace"
        if seen.fps >= least and seen.seconds < WHOLE * ROULETTE_S:
            return Absent(f"{figure}, too short to tell")
        return seen.fps >= least, figure

    return judge


def _pictures(watched: PictureEvidence) -> CheckOutcome | Absent:
    frames = watched.frames
    right = f"{frames.checked - frames.bad} of {frames.checked} pictures right, every pixel compared"
    figure = f"{right} (fewer than {percent(watched.bad_share_max, 2)} can be wrong)"
    if frames.bad or frames.findings:
        return False, _also(figure, frames.findings)
    if watched.bad_share_max > BAD_SHARE:
        return Absent(f"{figure}, too few to tell")
    return True, figure


def _records(counted: EventCounts) -> CheckOutcome:
    figure = f"{counted.records} records of {counted.presented} frames"
    whole = 0 < counted.records == counted.presented and not counted.gaps and not counted.lost
    if counted.gaps or counted.lost:
        figure += f", {counted.gaps} missing between others, {counted.lost} dropped"
    return whole and not counted.findings, _also(figure, counted.findings)


@dataclass(frozen=True)
class _Both:
    """The two strategies that are compared, each with records."""

    optimised: EventCounts
    spinning: EventCounts
    source: str


def _both(optimised: EventCounts | Absent, spinning: EventCounts | Absent) -> _Both | Absent:
    for one in (optimised, spinning):
        if isinstance(one, Absent):
            return one
        if not one.records:
            return Absent("no record to count by", Verdict.GUEST_FAILED, one.source)
    assert isinstance(optimised, EventCounts) and isinstance(spinning, EventCounts)
    return _Both(optimised, spinning, ", ".join(one.source for one in (spinning, optimised) if one.source))


def _fences(least: float) -> Callable[[_Both], CheckOutcome | Absent]:
    def judge(both: _Both) -> CheckOutcome | Absent:
        after, before = both.optimised.fences, both.spinning.fences
        if not before:
            return Absent("the spinning strategy counted no fence")
        return (
            1 - after / before > least,
            f"{before:.1f} to {after:.1f} a frame ({signed_percent(after / before - 1, 2)})",
        )

    return judge


def _fence_each(counted: EventCounts) -> CheckOutcome:
    most = counted.most_fences_a_completion
    return 0 < counted.records and most <= 1, f"at most {most:.3g} a completion in any of {counted.records} frames"


def _spins(both: _Both) -> CheckOutcome:
    after, before = both.optimised.spins, both.spinning.spins
    figure = f"{before:.1f} to {after:.1f} a frame"
    if min(after, before) <= 0:
        return max(after, before) < ALIKE, figure
    return 1 / ALIKE <= after / before <= ALIKE, f"{figure} (× {after / before:.2f})"


def _completions(counted: EventCounts, draws_whole: bool) -> CheckOutcome:
    low, high = counted.completions_range
    figure = f"{counted.completions:.4g} a frame, {low} to {high}"
    if draws_whole:
        return low == high == COMPLETIONS, figure
    return low >= COMPLETIONS and not counted.findings, _also(f"{figure}, as the device published", counted.findings)


def _change(change: FrameRateChange) -> CheckOutcome | Absent:
    if not math.isfinite(change.high):
        return Absent(f"{change.launches} launches are too few for an interval")
    slower, low, high = (1 / (1 + one) - 1 for one in (change.change, change.high, change.low))
    figure = f"frame time {signed_percent(slower)} ({span(low, high)}, {change.launches} launches)"
    return True, f"{figure} against seqcst_spin"


def _disk(load: DiskLoad) -> CheckOutcome | Absent:
    figure = f"{load.timeouts or 'no'} timeouts in {load.requests} requests, {load.mib:.1f} MiB in {load.seconds:.1f} s"
    if load.timeouts or load.findings:
        return False, _also(figure, load.findings)
    return (True, figure) if load.requests else Absent("the disk was asked for nothing")


def _keys(seen: InputEvidence) -> CheckOutcome | Absent:
    figure = f"{seen.shown} of {seen.pressed} keys seen in a frame"
    if seen.late or seen.findings:
        return False, _also(
            f"{figure}, {seen.late} of them in a later one than they could" if seen.late else figure, seen.findings
        )
    if not seen.shown:
        return Absent(f"{figure}: nothing to time")
    return True, f"{figure}, on the screen after {seen.median:.1f} ms (median), {seen.tail:.1f} ms at 95 %"


def _clock(seen: InputEvidence) -> CheckOutcome | Absent:
    if not seen.shown:
        return Absent("no key was seen in a frame")
    figure = f"times of {seen.shown} keys are known to within {seen.clock_error:.2f} ms"
    return seen.clock_error <= CLOCK_GOAL_MS, f"{figure}; the monitor's {seen.monitor:.2f} ms is not counted"


def _preempt(seen: Roulette) -> CheckOutcome:
    return seen.preempt == "percpu", f"[BOOT] preempt={seen.preempt or '?'}"


def _approved(approved: ApprovedEvidence) -> CheckOutcome:
    frames, findings = approved.frames, (*approved.findings, *approved.frames.findings)
    figure = (
        f"{approved.label} {approved.sha256[:12]}: {approved.fps:.1f} frames/s, {frames.bad} of {frames.checked} bad"
    )
    good = not findings and not frames.bad and frames.checked > 0 and approved.fps >= FPS_MUST
    return good, _also(figure, findings)
