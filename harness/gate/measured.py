"""A session's request, and the measurements of its stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from harness.core.machine_code.bootimage import same_loaded_bytes
from harness.gate.judging.metrics import RULES, Rule
from harness.model.declared import on_request
from harness.model.record import Incident, Lease
from harness.model.spec import ROOT, Capabilities, Machine, RunParams, RunSpec, Switches
from harness.model.target import Target, limits_of, machine_of
from harness.model.target_record import TargetRecord
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded
from harness.platform.kernels.build import checkout_revision

B = TypeVar("B")
SAME_KERNEL = "the same kernel, byte for byte"
"""Why the comparison of such a pair is left out."""

NOT_ASKED = "not asked for"
"""Why a stage that could have measured did not: ``STAGES=`` leaves it out."""

COUNTS = "counts"
"""Key in ``skipped``: why the exact stage counted only instructions."""


@dataclass(frozen=True)
class KernelSource:
    """Source of a kernel."""

    compiler: str
    """``gcc`` or ``clang``."""
    commit: str = ""
    """Empty for the working tree."""

    @property
    def tree(self) -> Path:
        """The folder of its files; raises BuildError where there is no such commit."""
        return checkout_revision(self.commit)[0] if self.commit else ROOT


@dataclass(frozen=True)
class ArmKernel:
    """A kernel to measure, however it came to be."""

    name: str
    path: Path
    sha256: str
    switches: Switches | None
    """None for a kernel that this tree did not build."""
    capabilities: Capabilities
    compiler: str = ""
    commit: str = ""
    iso: bool = False
    source: KernelSource | None = None
    """Where it can be linked again from; None of a mere image."""
    scene: str = ""
    """Name of its scene in its source; empty without a source."""
    target: Target | None = None
    """Target of another project's kernel, with its images found."""
    record: TargetRecord | None = None


@dataclass(frozen=True)
class Order:
    """The measurements to make, and their time."""

    candidate: ArmKernel
    reference: ArmKernel | None
    machine: Machine
    params: RunParams
    budget_s: float = 60.0
    """For the session and the report after it."""
    spent_s: float = 0.0
    """Seconds that the command has taken before the session."""
    sessions: int = 1
    """This session and those that share what is left with it."""
    after_s: float = 0.0
    """Seconds that the command takes after all of them, on two idle cores."""
    smallest: float = 0.015
    aim: float | None = None
    """A smaller effect that is looked for where the noise allows."""
    smallest_exact: float = 0.0005
    """Rise of instructions a frame from which on the functions that grew are looked for."""
    random_state: int = 1
    pictures: int = 250
    """Frames to verify."""
    pictures_least: int = 250
    """This many are enough where there is no time for more."""
    stages: frozenset[str] | None = None
    """Names of the stages to run; None is the usual ones."""
    inputs: int = 60
    """Keys that the latency stage presses."""
    gap_s: float = 0.05
    """Mean time between two of them; 0 is a flood."""
    modes: tuple[tuple[int, int], ...] = ()
    """Sizes that the modes stage gives the display, the first of them the run's; of one alone there is no change."""
    stood_still: str = ""
    """Why frame times of the reference need not be compared, in words; empty where they are."""
    quiet: bool = False
    """Wait, up to a limit, until the host's cores are idle."""
    bounded: bool = False
    """The budget was given: waiting for cores is part of it."""
    by_counts: bool = True
    """Equal counts pass a comparison that the clock left undecided, within its bound."""
    rules: tuple[Rule, ...] = RULES
    """The rules of the verdict: a guest that fails by them is not measured further."""

    @property
    def pace_hz(self) -> int:
        """Frames a second that the kernel is to keep; 0 for as many as it can."""
        target = self.candidate.target
        return (target.frame.pace if target is not None else self.params.pace) or 0

    @cached_property
    def loads_the_same(self) -> bool:
        """Candidate and reference boot the same bytes in the same way; both images are read once."""
        ours, theirs = self.candidate, self.reference
        if theirs is None or (ours.capabilities, ours.iso) != (theirs.capabilities, theirs.iso):
            return False
        if ours.target is not None or theirs.target is not None:
            return ours.sha256 == theirs.sha256
        return same_loaded_bytes(read_bounded(ours.path, KERNEL_BYTES_MAX), read_bounded(theirs.path, KERNEL_BYTES_MAX))

    def asks_for(self, stage: str) -> bool:
        """This stage is to run."""
        return stage in self.stages if self.stages is not None else not on_request(stage)

    def run_spec(self, kernel: ArmKernel, params: RunParams) -> RunSpec:
        """One kernel with the session's machine."""
        return run_spec(kernel, self.machine, params)


def run_spec(kernel: ArmKernel, base: Machine, params: RunParams) -> RunSpec:
    """One kernel on a machine; of a target, on its own and within its limits, on that machine's display."""
    if kernel.target is not None:
        machine, limits = machine_of(kernel.target, base), limits_of(kernel.target)
        return RunSpec(kernel.path, machine, params, kernel.capabilities, limits, target=kernel.target)
    heads = int(kernel.switches.get("HEADS")) if kernel.switches is not None else 1
    return RunSpec(kernel.path, replace(base, heads=heads), params, kernel.capabilities, iso=kernel.iso)


@dataclass(frozen=True)
class Measured:
    """Measurements of the stages; ``skipped`` says why a stage did not run."""

    order: Order
    brought: tuple[object, ...] = ()
    """One object of each stage that ran; :meth:`of` finds it."""
    incidents: tuple[Incident, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    lease: Lease | None = None
    """The cores that the comparison had."""

    def of(self, kind: type[B]) -> B | None:
        """A stage's measurement, found by its class; None when it did not run."""
        return next((one for one in self.brought if isinstance(one, kind)), None)

    def joined_by(self, brought: object | None) -> Measured:
        """The same with what another stage brought."""
        return self if brought is None else replace(self, brought=(*self.brought, brought))

    @property
    def same_kernel(self) -> bool:
        """Candidate and reference load the same bytes, so that there is nothing to compare."""
        return self.skipped.get("timing") == SAME_KERNEL
