"""One session: the arms of a comparison, their machines in every stage, and what came of it.

A session measures; it judges nothing. Stages run from the quickest to the longest, and a guest that fails in one is not
measured in the next: the incident is what the user needs, and soon.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.core.bootimage import same_loaded_bytes
from harness.core.functions import FunctionChange
from harness.core.statistics import CANDIDATE, REFERENCE
from harness.gate.metrics import RULES, Rule
from harness.gate.stages.exact import ExactCount, count_instructions
from harness.gate.stages.functions import compare_functions
from harness.gate.stages.observer_overhead import measure_observer_overhead
from harness.gate.stages.pictures import Pictures, picture_incidents, verify_pictures
from harness.gate.stages.protocol import choose_protocol
from harness.gate.stages.timing import Timing, compare
from harness.gate.stages.window import Window, observe, window_incidents
from harness.model.errors import GuestError, HarnessError
from harness.model.record import Incident, Lease
from harness.model.result import Metric
from harness.model.spec import Capabilities, Machine, RunParams, RunSpec, Switches, Verdict
from harness.platform.leases import lease_cores
from harness.platform.pin import probe_rights

PERTURBATION_QUADS = 8
"""About two seconds: an interval of a few per cent, which bench narrows."""
SAME_KERNEL = "the same kernel, byte for byte"
"""Why the comparison of such a pair is left out."""
CLOSING_S = 6.0
"""Kept free of the budget for the last launch to end and the report to be written."""
TIMING_S = 3600.0
"""How long a guest draws in a timing launch, which ends it from outside."""


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


@dataclass(frozen=True)
class Order:
    """What to measure, and how long."""

    candidate: ArmKernel
    reference: ArmKernel | None
    machine: Machine
    params: RunParams
    budget_s: float = 60.0
    smallest: float = 0.015
    smallest_exact: float = 0.0005
    """Rise of instructions a frame from which on the functions that grew are looked for."""
    seed: int = 1
    pictures: int = 250
    """Frames to verify."""
    stages: frozenset[str] = frozenset({"window", "pictures", "perturbation", "exact", "timing"})
    rules: tuple[Rule, ...] = RULES
    """By which it will be judged: a guest that fails by them is not measured any longer."""


@dataclass(frozen=True)
class Measured:
    """What the stages brought; a stage that did not run is None, and ``skipped`` says why."""

    order: Order
    window: Window | None = None
    pictures: Pictures | None = None
    exact: Mapping[str, ExactCount] = field(default_factory=dict)
    functions: tuple[FunctionChange, ...] = ()
    """Of a candidate that executes more: where."""
    timing: Timing | None = None
    incidents: tuple[Incident, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    lease: Lease | None = None
    """The cores that the comparison had."""

    @property
    def same_kernel(self) -> bool:
        """Candidate and reference load the same bytes, so that there is nothing to compare."""
        return self.skipped.get("timing") == SAME_KERNEL


def run_spec(order: Order, kernel: ArmKernel, params: RunParams) -> RunSpec:
    """One kernel with the session's machine."""
    return RunSpec(kernel.path, order.machine, params, kernel.capabilities, iso=kernel.iso)


class _Stages:
    """Runs stages one after the other, collecting what they find."""

    def __init__(self, order: Order, folder: Path, progress: Callable[[str], None]) -> None:
        self.order = order
        self.folder = folder
        self.progress = progress
        self.begun = time.monotonic()
        self.incidents: list[Incident] = []
        self.skipped: dict[str, str] = {}
        self.failed = False
        """A finished stage has shown that the guest fails: longer stages would measure a broken kernel."""

    def run(self, name: str, stage: Callable[[], object]) -> object | None:
        """Run one stage, unless it was not asked for or the guest has already failed."""
        if name not in self.order.stages:
            self.skipped[name] = "not asked for"
            return None
        if self.incidents or self.failed:
            self.skipped[name] = "the guest had failed before"
            return None
        self.progress(f"{name}: started")
        try:
            return stage()
        except GuestError as error:
            where = f" (see {_inside(error, self.folder)})" if _inside(error, self.folder) else ""
            self.incidents.append(Incident(Verdict.GUEST_FAILED, f"{name}: {error.message}{where}"))
            return None

    def left_s(self) -> float:
        return self.order.budget_s - (time.monotonic() - self.begun)


def _inside(error: HarnessError, folder: Path) -> Path | None:
    """Where in the run's folder the evidence lies, if it does."""
    if error.evidence is None or not error.evidence.is_relative_to(folder):
        return None
    return error.evidence.relative_to(folder)


def measure(order: Order, folder: Path, progress: Callable[[str], None]) -> Measured:
    """Run every stage that was asked for.

    Raises
    ------
    HarnessError
        When QEMU or the harness itself fails; what guests do wrong becomes incidents instead.
    """
    compares = "timing" in order.stages and order.reference is not None
    with lease_cores(progress=progress) if compares else nullcontext() as lease:
        return replace(_measure(order, folder, progress), lease=lease)


def _measure(order: Order, folder: Path, progress: Callable[[str], None]) -> Measured:
    stages = _Stages(order, folder, progress)
    spec = run_spec(order, order.candidate, order.params)
    decode = _decoder(order.candidate)
    window = stages.run("window", lambda: observe(spec, folder / "window", decode))
    pictures = stages.run("pictures", lambda: verify_pictures(spec, folder, order.pictures, order.seed, progress))
    stages.failed = _failed(order, window, pictures)
    if isinstance(window, Window) and order.candidate.capabilities.records and _prints_records(order):
        quads = PERTURBATION_QUADS
        cost = stages.run("perturbation", lambda: measure_observer_overhead(spec, folder / "perturbation", quads))
        window = replace(window, perturbation=cost if isinstance(cost, Metric) else None)
    exact = None
    if order.candidate.capabilities.command_line and order.machine.accelerator == "tcg":
        exact = stages.run("exact", lambda: count_instructions(_exact_arms(order), folder / "exact"))
    functions = _functions(order, exact, folder / "functions", stages) if isinstance(exact, dict) else ()
    timing = None
    if order.reference is None:
        stages.skipped["timing"] = "nothing to compare with"
    elif "timing" in order.stages and _same_kernel(order.candidate, order.reference):
        stages.skipped["timing"] = SAME_KERNEL
    else:
        timing = stages.run("timing", lambda: _compare(order, folder, stages))
    return Measured(
        order,
        window if isinstance(window, Window) else None,
        pictures if isinstance(pictures, Pictures) else None,
        exact if isinstance(exact, dict) else {},
        functions,
        timing if isinstance(timing, Timing) else None,
        tuple(stages.incidents),
        stages.skipped,
        time.monotonic() - stages.begun,
    )


def _same_kernel(candidate: ArmKernel, reference: ArmKernel) -> bool:
    """Whether both boot the same bytes in the same way."""
    alike = candidate.capabilities == reference.capabilities and candidate.iso == reference.iso
    return alike and same_loaded_bytes(candidate.path.read_bytes(), reference.path.read_bytes())


def _functions(
    order: Order, exact: Mapping[str, ExactCount], folder: Path, stages: _Stages
) -> tuple[FunctionChange, ...]:
    """Of a candidate that executes more: where. What cannot be told leaves the verdict as it is."""
    if REFERENCE not in exact or exact[CANDIDATE].mean <= exact[REFERENCE].mean * (1 + order.smallest_exact):
        return ()
    stages.progress("exact: by function")
    arms = _exact_arms(order)
    try:
        return compare_functions(arms[REFERENCE], arms[CANDIDATE], folder)
    except GuestError as error:
        stages.skipped["functions"] = error.message
        return ()


def _failed(order: Order, window: object, pictures: object) -> bool:
    found: list[Incident] = []
    if isinstance(window, Window):
        found += window_incidents(window, order.candidate.capabilities)
        bounds = {rule.metric: rule.limit for rule in order.rules if rule.row.failure and rule.kind == "bound"}
        if any((window.serial.total(name) or 0) > limit for name, limit in bounds.items() if limit is not None):
            return True
    if isinstance(pictures, Pictures):
        found += picture_incidents(pictures)
    return bool(found)


def _prints_records(order: Order) -> bool:
    return order.candidate.switches is None or order.candidate.switches.get("LOG") == "deferred"


def _decoder(kernel: ArmKernel) -> Callable[..., int | None] | None:
    from harness.core.stamp import decode_frame

    return decode_frame if kernel.capabilities.stamp else None


def _exact_arms(order: Order) -> dict[str, RunSpec]:
    arms = {CANDIDATE: run_spec(order, order.candidate, order.params)}
    if order.reference is not None and order.reference.capabilities.command_line:
        arms[REFERENCE] = run_spec(order, order.reference, order.params)
    return arms


def _compare(order: Order, folder: Path, stages: _Stages) -> Timing:
    reference = order.reference
    assert reference is not None
    protocol = choose_protocol(probe_rights(), order.machine)
    params = replace(order.params, seconds=TIMING_S, records=0)
    if protocol.swap:
        order = replace(order, machine=replace(order.machine, render_threads=0))
    arms = {
        CANDIDATE: run_spec(order, order.candidate, params),
        REFERENCE: run_spec(order, reference, params),
    }
    return compare(
        arms,
        folder / "timing",
        protocol,
        stages.left_s() - CLOSING_S,
        stages.progress,
        seed=order.seed,
        smallest=order.smallest,
    )
