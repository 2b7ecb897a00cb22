"""Explaining one kernel: its frame taken apart, its switches changed one at a time, the seed case replayed.

Sections are measured in this order until the budget is used up; one that had no time, or that a guest's failure made
impossible, is missing with its reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analyze.ablation import Changes
from harness.analyze.explanation import SEED, SWITCHES, Explanation, Regression
from harness.analyze.stats import CANDIDATE
from harness.drive.build import BuiltKernel, build_kernel
from harness.drive.errors import GuestError
from harness.drive.pin import probe_rights
from harness.lanes.ablation import Bench, ablate, other_values
from harness.lanes.counting import count_events, counting_switches
from harness.lanes.seedreplay import replay_seed
from harness.lanes.timing import Protocol, choose_protocol
from harness.saved_run import SavedRun
from harness.spec import Machine, Switches

CLOSING_S = 5.0
"""For plots and pages."""
SEED_SHARE = 0.35
QUICK_SLICES = 4
QUICK_SETTLE_S = 0.12
QUICK_SWITCHES = ("FILL", "LOG", "BATCH", "BARRIER", "COUNTERS", "GPU_FENCE")
"""What a quick explanation tries, one value each: the suspects of the seed case."""


@dataclass(frozen=True)
class Question:
    """What to explain, on what, and how long it may take."""

    subject: str
    kernel: BuiltKernel
    machine: Machine
    budget_s: float
    devices: tuple[Machine, ...]
    """Machines to replay the seed case on."""
    quick: bool = False
    compiler: str = "gcc"
    seed: int = 1


def explain(question: Question, folder: Path, progress: Callable[[str], None]) -> Explanation:
    """Measure all sections.

    Raises
    ------
    HarnessError
        When QEMU or the harness fails, or the kernel itself does not draw.
    """
    ends_s = time.monotonic() + question.budget_s - CLOSING_S
    bench = _bench(question)
    missing: dict[str, str] = {}
    progress("counting")
    counting, counted_in = counting_switches(question.kernel.switches)
    counted = build_kernel(counting, compiler=question.compiler)
    counts = count_events(counted.path, question.machine, folder / "count", counted_in)
    left_s = ends_s - time.monotonic()
    share_s = left_s if question.quick else left_s * (1 - SEED_SHARE)
    alternatives = _alternatives(question)
    ablation = ablate(question.kernel, alternatives, bench, folder / "ablation", share_s, progress)
    if not ablation.effects:
        why = next((one.why for one in ablation.unmeasured if one.twin is None), "nothing could be changed")
        missing[SWITCHES] = f"no switch was measured: {why}"
    replays = []
    for number, machine in enumerate(question.devices):
        left_s = (ends_s - time.monotonic()) / (len(question.devices) - number)
        place = folder / f"seed-{machine.device.value}"
        try:
            replays.append(replay_seed(replace(bench, machine=machine), place, max(left_s, 0.0), progress))
        except GuestError as error:
            missing[SEED] = f"on the {machine.device.value} device: {error.message}"
    if not replays and SEED not in missing:
        missing[SEED] = "QUICK=1 leaves it out: run 'make explain'"
    return Explanation(question.subject, counts, ablation, tuple(replays), missing=missing)


def explain_regression(run: SavedRun, question: Question, folder: Path, progress: Callable[[str], None]) -> Explanation:
    """What would undo a regression.

    Parameters
    ----------
    question
        Its kernel is the candidate's combination, built from this tree.

    Raises
    ------
    HarnessError
        When QEMU or the harness fails.
    """
    restored, why = None, ""
    if question.kernel.sha256 != run.result.arms[CANDIDATE].kernel_sha256:
        why = "this tree builds another kernel from the same switches, so none was tried"
    elif run.restorations:
        share_s = question.budget_s - CLOSING_S
        bench = replace(_bench(question), pairs=0)
        restored = ablate(question.kernel, run.restorations, bench, folder / "restored", share_s, progress)
    regression = Regression(run.folder.name, run.result.sentence, run.slower, restored, why)
    missing = {SWITCHES: "of a regression only the switches that differ are tried", SEED: "run 'make explain'"}
    return Explanation(question.subject, regression=regression, missing=missing)


def _bench(question: Question) -> Bench:
    protocol = choose_protocol(probe_rights())
    if question.quick:
        protocol = _shorter(protocol)
    return Bench(
        question.machine, protocol, compiler=question.compiler, seed=question.seed, pairs=0 if question.quick else 3
    )


def _shorter(protocol: Protocol) -> Protocol:
    """The launch is the unit of noise: where time is short, many short ones say more."""
    return replace(protocol, slices=QUICK_SLICES, settle_s=QUICK_SETTLE_S)


def _alternatives(question: Question) -> tuple[Changes, ...]:
    everything = other_values(question.kernel.switches)
    if not question.quick:
        return everything
    return quick_choice(question.kernel.switches, everything)


def quick_choice(base: Switches, everything: tuple[Changes, ...]) -> tuple[Changes, ...]:
    """One value of each switch that mattered somewhere: the default where the base differs, else the first other."""
    found: list[Changes] = []
    for name in ("FAULT", *QUICK_SWITCHES):
        values = [changes for changes in everything if changes[0][0] == name]
        found += [next((c for c in values if c[0][1] == Switches(base.arch).get(name)), values[0])] if values else []
    return tuple(found)
