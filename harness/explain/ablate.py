"""Switches changed one at a time, each timed against the same base, side by side.

Alternatives are built and measured one after the other, each in a share of the remaining budget: one that is decided
early leaves its time to the others. A combination with the machine code of another one is not measured.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from harness.core.budget import NO_TIME
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, launch_effect
from harness.core.machine_code.objectcode import ObjectCodeError, code_digest
from harness.explain.effects import (
    Ablation,
    Changes,
    Sample,
    Unmeasured,
    label,
    measure_effects,
    measure_interactions,
    pairs_to_measure,
)
from harness.gate.measuring.comparison import compare
from harness.gate.measuring.protocol import Protocol
from harness.gate.measuring.timing import TIMING_S, Timing
from harness.model.errors import BuildError, GuestError, QemuError
from harness.model.spec import Device, Machine, RunParams, RunSpec, Switches, switch_table
from harness.platform.kernels.build import BUILD_DIR, BuiltKernel, build_kernel

ONE_CPU_SWITCHES = ("CPUS",)
"""Switches without effect on the timing machine, which has one CPU."""
FEWEST_LAUNCHES = 5
"""Fewest launches, the one that warms up included."""
PAIRS_SHARE = 0.2
SLICE_FRAMES = 8
SLICE_MOST_S = 0.25


OPTIONS = "OPTS"
"""In place of a switch: the kernel's command line is changed instead."""
COLD: Changes = ((OPTIONS, "tlb=cold"),)
"""What warming QEMU's table of translations is worth."""


@dataclass(frozen=True)
class Bench:
    """On what, and how, alternatives are timed."""

    machine: Machine
    protocol: Protocol
    params: RunParams = RunParams(seconds=TIMING_S, records=0)
    compiler: str = "gcc"
    random_state: int = 1
    smallest: float = 0.02
    """Differences below this are not worth more launches."""
    pairs: int = 3
    """Pairs of switches to try together."""


def fitted(protocol: Protocol, frame_ms: float) -> Protocol:
    """A protocol whose slices hold enough frames for a median."""
    return replace(protocol, slice_s=min(max(protocol.slice_s, SLICE_FRAMES * frame_ms / 1e3), SLICE_MOST_S))


@dataclass
class Spent:
    """The time that a stage may take."""

    budget_s: float
    begun_s: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float:
        return self.budget_s - (time.monotonic() - self.begun_s)


def other_values(base: Switches, device: Device = Device.GPU_2D) -> tuple[Changes, ...]:
    """Every other value of every switch that runs on a device, one at a time; a fault may only be taken out."""
    found: list[Changes] = []
    for name, switch in switch_table().items():
        for value in switch.values_on(device):
            if value != base.get(name) and (name != "FAULT" or value == "none"):
                found.append(((name, value),))
    return tuple(found)


def code_of(built: BuiltKernel, compiler: str) -> Mapping[str, str]:
    """Digests of the code of a kernel that was just built, by object.

    Raises
    ------
    BuildError
        When they are missing or cannot be read.
    """
    folder = BUILD_DIR / built.switches.folder / compiler / "obj"
    try:
        # No bound needed: objects of this build.
        found = {str(path.relative_to(folder)): code_digest(path.read_bytes()) for path in folder.rglob("*.o")}
    except (ObjectCodeError, OSError) as error:
        raise BuildError(f"the objects of {built.switches.label} cannot be compared: {error}") from error
    if not found:
        raise BuildError(f"the objects of {built.switches.label} are missing")
    return found


def time_pair(
    candidate: BuiltKernel,
    reference: BuiltKernel,
    bench: Bench,
    folder: Path,
    budget_s: float,
    progress: Callable[[str], None],
    tlb: str = "",
) -> Timing:
    """One kernel against another; its logs are kept only of a QEMU that failed.

    Parameters
    ----------
    tlb
        ``cold`` for a candidate that does not warm its translations, beside a reference that does.

    Raises
    ------
    GuestError
        When one of them does not draw.
    """
    arms = {
        CANDIDATE: RunSpec(candidate.path, bench.machine, replace(bench.params, tlb=tlb or bench.params.tlb)),
        REFERENCE: RunSpec(reference.path, bench.machine, bench.params),
    }
    try:
        timing = compare(
            arms,
            folder,
            bench.protocol,
            budget_s,
            progress,
            random_state=bench.random_state,
            smallest=bench.smallest,
            same_tlb=not tlb,
        )
    except QemuError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return timing


def sample_of(changes: Changes, timing: Timing) -> Sample:
    """The launches of a comparison, for the analysis of effects."""
    effects = [launch_effect(one.launch) for one in timing.launches]
    return Sample(changes, tuple(effect for effect in effects if np.isfinite(effect)), timing.plan.launches)


def _tlb_of(changes: Changes) -> str:
    """``cold`` of changes that leave translations cold, else empty."""
    return next((value.removeprefix("tlb=") for name, value in changes if name == OPTIONS), "")


class _AblationSession:
    """Measures alternatives of one base, collecting samples and reasons."""

    def __init__(
        self, base: BuiltKernel, bench: Bench, folder: Path, spent: Spent, progress: Callable[[str], None]
    ) -> None:
        self.base = base
        self.bench = bench
        self.folder = folder
        self.spent = spent
        self.progress = progress
        self.codes: dict[Changes, Mapping[str, str]] = {(): {**code_of(base, bench.compiler), OPTIONS: ""}}
        self.samples: dict[Changes, Sample] = {}
        self.unmeasured: list[Unmeasured] = []
        self.frame_ms: list[float] = []
        self.each_s = 1.0

    def try_all(self, alternatives: Sequence[Changes], budget_s: float) -> None:
        """Measure as many as the budget has room for, in their order."""
        end_s = self.spent.left_s - budget_s
        for number, changes in enumerate(alternatives):
            left_s = self.spent.left_s - end_s
            self._try(changes, left_s, left_s / (len(alternatives) - number))

    def _try(self, changes: Changes, left_s: float, share_s: float) -> None:
        enough_s = FEWEST_LAUNCHES * self.each_s
        if left_s < enough_s:
            self._leave(changes, NO_TIME)
            return
        try:
            switches = {name: value for name, value in changes if name != OPTIONS}
            built = build_kernel(self.base.switches.but(**switches), compiler=self.bench.compiler)
            code = {**code_of(built, self.bench.compiler), OPTIONS: _tlb_of(changes)}
        except BuildError as error:
            self._leave(changes, f"does not build: {error.message}")
            return
        same_code = next((other for other, seen in self.codes.items() if seen == code), None)
        if same_code is not None:
            other = label(same_code) if same_code else "the base"
            self._leave(changes, f"identical code to {other}", same_code)
            return
        self.codes[changes] = code
        self._time(changes, built, max(share_s, enough_s))

    def _time(self, changes: Changes, built: BuiltKernel, budget_s: float) -> None:
        self.progress(f"ablation: {label(changes)}")
        folder = self.folder / label(changes).replace(" ", ",")
        try:
            timing = time_pair(built, self.base, self.bench, folder, budget_s, lambda text: None, tlb=_tlb_of(changes))
        except GuestError as error:
            self._leave(changes, f"the guest failed: {error.message}")
            return
        if not timing.launches:
            self._leave(changes, f"{NO_TIME} for one launch")
            return
        self.each_s = timing.seconds / (len(timing.launches) + 1)
        self.samples[changes] = sample_of(changes, timing)
        self.frame_ms.append(float(np.mean(timing.frame_ms(REFERENCE))))

    def _leave(self, changes: Changes, why: str, same_code: Changes | None = None) -> None:
        self.unmeasured.append(Unmeasured(changes, why, same_code))


def ablate(
    base: BuiltKernel,
    alternatives: Sequence[Changes],
    bench: Bench,
    folder: Path,
    budget_s: float,
    progress: Callable[[str], None],
) -> Ablation:
    """Time every alternative against the base, then the most telling pairs.

    Parameters
    ----------
    alternatives
        In the order of their importance: the last ones are left out when time runs out.
    """
    spent = Spent(budget_s)
    stage = _AblationSession(base, bench, folder, spent, progress)
    useless = [changes for changes in alternatives if changes[0][0] in ONE_CPU_SWITCHES]
    for changes in useless:
        stage.unmeasured.append(Unmeasured(changes, "of no effect here: the timing machine has one CPU"))
    singles = [changes for changes in alternatives if changes not in useless]
    stage.try_all(singles, budget_s * (1 - PAIRS_SHARE if bench.pairs else 1.0))
    alone = list(stage.samples.values())
    effects, short = measure_effects(alone)
    pairs = pairs_to_measure(effects, bench.pairs)
    stage.try_all(pairs, spent.left_s)
    together = [stage.samples[changes] for changes in pairs if changes in stage.samples]
    interactions = measure_interactions(alone, together)
    frame_ms = float(np.median(stage.frame_ms)) if stage.frame_ms else float("nan")
    return Ablation(
        base.switches.label,
        frame_ms,
        effects,
        interactions,
        (*stage.unmeasured, *short),
        bench.protocol.words,
        spent.budget_s - spent.left_s,
    )
