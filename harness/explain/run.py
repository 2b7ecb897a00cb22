"""Explaining one kernel: its frame taken apart, its switches changed one at a time, the case study replayed.

Sections are measured in this order until the budget is used up. A section without time, or whose guest failed, is
missing with its reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core import budget
from harness.core.comparison.statistics import CANDIDATE
from harness.core.counts.functions import FunctionChange
from harness.explain.ablate import COLD, Bench, ablate, fitted, other_values
from harness.explain.attribution import FrameAccount
from harness.explain.case_replay import replay_seed
from harness.explain.case_report import Replay
from harness.explain.counting import FRAMES, count_events, counting_switches
from harness.explain.effects import Ablation, Changes
from harness.explain.explanation import CASE, PARTS, SWITCHES, Explanation, Regression
from harness.explain.growth import PartChange
from harness.explain.measure_parts import compare_parts, take_run_apart
from harness.explain.saved_run import SavedRun
from harness.gate.measuring.functions import compare_functions
from harness.gate.measuring.protocol import WARM_UP_FRAMES, choose_protocol
from harness.gate.measuring.timing import TIMING_S
from harness.model.errors import GuestError
from harness.model.spec import Device, Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import BuiltKernel, build_kernel
from harness.platform.machine.pin import probe_rights

CLOSING_S = 5.0
"""For plots and pages."""
COUNTED_FRAMES = 200
GL_FRAMES = 30
SLICES, QUICK_SLICES = 8, 4
SETTLE_S = 0.12
WINDOW_S, QUICK_WINDOW_S = 2.0, 0.6
PARTS_SHARE_S = 16.0
"""Seconds of a comparison of parts."""
QUICK_SWITCHES = ("FILL", "LOG", "BATCH", "BARRIER", "COUNTERS", "GPU_FENCE")
"""Switches that a quick explanation tries, one value each: the suspects of the case study."""


@dataclass(frozen=True)
class ExplainRequest:
    """What to explain, on what, and how long it may take."""

    subject: str
    kernel: BuiltKernel
    machine: Machine
    budget_s: float
    devices: tuple[Machine, ...]
    """Machines to replay the case study on."""
    quick: bool = False
    compiler: str = "gcc"
    random_state: int = 1
    notice: str = ""
    """What was left out."""
    params: RunParams = RunParams()
    """The kernel's command line; the case study is replayed without it."""


def explain(question: ExplainRequest, folder: Path, progress: Callable[[str], None]) -> Explanation:
    """Measure all sections.

    Raises
    ------
    HarnessError
        When QEMU or the harness fails, or the kernel itself does not draw.
    """
    ends_s = time.monotonic() + question.budget_s - CLOSING_S
    bench = _bench(question)
    missing: dict[str, str] = {}
    progress(f"counting, about {budget.COUNT_S:.0f} s")
    counting, counted_in = counting_switches(question.kernel.switches)
    counted = build_kernel(counting, compiler=question.compiler)
    counts = count_events(counted.path, question.machine, folder / "count", counted_in, COUNTED_FRAMES, question.params)
    bench = replace(bench, protocol=fitted(bench.protocol, counts.frame_ms))
    progress("taking frames apart")
    account = _account(question, counted.path, folder / "parts", missing)
    alternatives = _alternatives(question)
    case_s = {machine: budget.CASE_S[machine.device.value] for machine in question.devices}
    needs_s = len(alternatives) * _change_s(question)
    share_s = (ends_s - time.monotonic()) * needs_s / (needs_s + sum(case_s.values()))
    ablation = ablate(question.kernel, alternatives, bench, folder / "ablation", share_s, progress)
    if not ablation.effects:
        why = next((one.why for one in ablation.unmeasured if one.same_code is None), "nothing could be changed")
        missing[SWITCHES] = f"no switch was measured: {why}"
    replays = []
    for number, machine in enumerate(question.devices):
        later_s = sum(case_s[one] for one in question.devices[number:])
        share_s = (ends_s - time.monotonic()) * case_s[machine] / later_s
        place = folder / f"case-{machine.device.value}"
        try:
            replays.append(_replay(replace(bench, machine=machine), place, max(share_s, 0.0), progress))
        except GuestError as error:
            missing[CASE] = f"on the {machine.device.value} device: {error.message}"
    notices = (question.notice,) if question.notice else ()
    if not replays and CASE not in missing:
        missing[CASE] = "QUICK=1 leaves it out: run 'make explain'"
    notices += account.notices if account else ()
    found = Explanation(question.subject, counts, account, ablation, tuple(replays), missing=missing, notices=notices)
    return replace(found, incomplete=incomplete(question, found))


def _change_s(question: ExplainRequest) -> float:
    return budget.QUICK_CHANGE_S if question.quick else budget.CHANGE_S


def incomplete(question: ExplainRequest, found: Explanation) -> tuple[str, ...]:
    """What was asked for and not measured; where time was short, with the budget that would do."""
    said = [f"{section} ({why})" for section, why in found.missing.items() if section in (PARTS, CASE)]
    said = said if question.devices else [one for one in said if not one.startswith(CASE)]
    left, tried = _short_changes(found.ablation)
    if left:
        said.append(f"{left} of {tried} switches")
    short_s, done_s = left * _change_s(question), (tried - left) * _change_s(question)
    for replay in found.replays:
        rows = [row.trouble for row in replay.rows] + [row.trouble for row in replay.candidates]
        left = sum(trouble.startswith(budget.NO_TIME) for trouble in rows)
        each_s = budget.CASE_S[replay.device] / max(len(rows), 1)
        short_s, done_s = short_s + left * each_s, done_s + (len(rows) - left) * each_s
        if left:
            said.append(f"{left} of {len(rows)} steps of the case study on the {replay.device} device")
    if not short_s:
        return tuple(said)
    would_do = budget.budget_that_would_do(0.0, question.budget_s, done_s, short_s)
    return (*said[:-1], f"{said[-1]}: {budget.no_time(would_do)}")


def _short_changes(ablation: Ablation | None) -> tuple[int, int]:
    """Changes that there was no time for, and all that were to be timed."""
    if ablation is None:
        return 0, 0
    short = sum(one.why.startswith(budget.NO_TIME) and len(one.changes) == 1 for one in ablation.unmeasured)
    return short, short + len(ablation.effects)


def _account(question: ExplainRequest, kernel: Path, folder: Path, missing: dict[str, str]) -> FrameAccount | None:
    window_s = QUICK_WINDOW_S if question.quick else WINDOW_S
    try:
        return take_run_apart(RunSpec(kernel, question.machine, question.params), folder, window_s)
    except GuestError as error:
        missing[PARTS] = error.message
        return None


def _replay(bench: Bench, folder: Path, budget_s: float, progress: Callable[[str], None]) -> Replay:
    slow = bench.machine.device is Device.GPU_GL
    frames = GL_FRAMES if slow else FRAMES
    return replay_seed(bench, folder, budget_s, progress, frames=frames, causes_only=slow)


def explain_regression(
    run: SavedRun, question: ExplainRequest, folder: Path, progress: Callable[[str], None]
) -> Explanation:
    """The changes that may undo a regression.

    Parameters
    ----------
    question
        Its kernel is the candidate's combination, built from this tree.

    Raises
    ------
    HarnessError
        When QEMU or the harness fails.
    """
    ends_s = time.monotonic() + question.budget_s - CLOSING_S
    notices = list(run.notices)
    grown = _grown(run, question, folder / "parts", notices, progress)
    functions = _functions(run, question, folder / "functions", notices, progress)
    restored, why = None, ""
    if question.kernel.sha256 != run.result.arms[CANDIDATE].kernel_sha256:
        why = "this tree builds another kernel from the same switches, so none was tried"
    elif run.restorations:
        share_s = max(ends_s - time.monotonic(), 0.0)
        bench = replace(_bench(question), pairs=0)
        restored = ablate(question.kernel, run.restorations, bench, folder / "restored", share_s, progress)
    regression = Regression(run.folder.name, run.result.sentence, run.slower, restored, why, grown, functions)
    missing = {SWITCHES: "only the switches that differ are tried for a regression", CASE: "run 'make explain'"}
    left, tried = _short_changes(restored)
    incomplete: tuple[str, ...] = ()
    if left:
        would_do = budget.budget_that_would_do(0.0, question.budget_s, tried - left, left)
        incomplete = (f"{left} of {tried} switches that differ: {budget.no_time(would_do)}",)
    return Explanation(
        question.subject, regression=regression, missing=missing, incomplete=incomplete, notices=tuple(notices)
    )


def _grown(
    run: SavedRun, question: ExplainRequest, folder: Path, notices: list[str], progress: Callable[[str], None]
) -> tuple[PartChange, ...]:
    """The change of each part of the frame between the two kernels that the run kept."""
    arms = [RunSpec(kernel, question.machine, run.params) for kernel in (run.reference, run.candidate)]
    try:
        return compare_parts(arms[0], arms[1], folder, PARTS_SHARE_S, progress)
    except GuestError as error:
        notices.append(f"frames were not taken apart: {error.message}")
        return ()


def _functions(
    run: SavedRun, question: ExplainRequest, folder: Path, notices: list[str], progress: Callable[[str], None]
) -> tuple[FunctionChange, ...]:
    """Which functions execute more or fewer instructions, as the run says already or by logging both kernels."""
    if run.functions:
        return run.functions
    progress(f"instructions by function, about {budget.FUNCTIONS_S:.0f} s")
    arms = [RunSpec(kernel, question.machine, run.params) for kernel in (run.reference, run.candidate)]
    try:
        return compare_functions(arms[0], arms[1], folder)
    except GuestError as error:
        notices.append(f"instructions were not counted by function: {error.message}")
        return ()


def _bench(question: ExplainRequest) -> Bench:
    # The launch is the unit of noise: many short launches tell more than few long ones.
    slices = QUICK_SLICES if question.quick else SLICES
    protocol = replace(choose_protocol(probe_rights()), slices=slices, settle_s=SETTLE_S)
    return Bench(
        question.machine,
        protocol,
        replace(question.params, seconds=TIMING_S, records=0, warmup=question.params.warmup or WARM_UP_FRAMES),
        question.compiler,
        question.random_state,
        pairs=0 if question.quick else 3,
    )


def _alternatives(question: ExplainRequest) -> tuple[Changes, ...]:
    everything = other_values(question.kernel.switches, question.machine.device)
    if question.quick:
        return quick_choice(question.kernel.switches, everything)
    first = in_turn(everything)
    return first if question.params.tlb == "cold" else (COLD, *first)


def in_turn(everything: tuple[Changes, ...]) -> tuple[Changes, ...]:
    """The first other value of every switch, then the second of every switch that has one, and so on."""
    place: dict[str, int] = {}
    turns: list[tuple[int, Changes]] = []
    for changes in everything:
        name = changes[0][0]
        place[name] = place.get(name, -1) + 1
        turns.append((place[name], changes))
    return tuple(changes for _, changes in sorted(turns, key=lambda turn: turn[0]))


def quick_choice(base: Switches, everything: tuple[Changes, ...]) -> tuple[Changes, ...]:
    """One value of each switch that mattered somewhere: the default where the base differs, else the first other."""
    found: list[Changes] = []
    for name in ("FAULT", *QUICK_SWITCHES):
        values = [changes for changes in everything if changes[0][0] == name]
        found += [next((c for c in values if c[0][1] == Switches(base.arch).get(name)), values[0])] if values else []
    return tuple(found)
