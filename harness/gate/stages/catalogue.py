"""Every stage there is, one class each, from the quickest to the longest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.core.bootimage import same_loaded_bytes
from harness.core.budget import FUNCTIONS_S, NO_TIME
from harness.core.functions import FunctionChange
from harness.core.stamp import decode_frame
from harness.core.statistics import CANDIDATE, REFERENCE, Plan, decide
from harness.gate.measured import COUNTS, SAME_KERNEL, Measured, Order, run_spec
from harness.gate.stages.exact import count_everything
from harness.gate.stages.frame_file import FRAMES_FILE, load_frames
from harness.gate.stages.functions import compare_functions
from harness.gate.stages.host_costs import fitted_costs
from harness.gate.stages.launch import MeasuredLaunch
from harness.gate.stages.observer_overhead import TooFewStretches, measure_observer_overhead
from harness.gate.stages.pictures import Pictures, load_verification, picture_incidents, verify_pictures
from harness.gate.stages.protocol import WARM_UP_FRAMES, Protocol, choose_protocol
from harness.gate.stages.stage import Session, Stage
from harness.gate.stages.timing import Timing, compare
from harness.gate.stages.window import assemble, observe, window_incidents
from harness.model.errors import GuestError
from harness.model.record import (
    EXACT_PARTS,
    ExactCount,
    Incident,
    LaunchRecord,
    PicturesRecord,
    RunRecord,
    TimingRecord,
)
from harness.model.result import Result
from harness.model.spec import RunSpec
from harness.platform.pin import probe_rights
from harness.platform.qemu_command import QEMU_LOG, TRACE_LOG

OVERHEAD_QUADS = 8
"""About two seconds: an interval of a few per cent, which bench narrows."""
LATER_SHARE = 1.5
"""So many times what the stages after the pictures take at the least is kept for them."""
TIMING_S = 3600.0
"""How long a guest draws in a timing launch, which ends it from outside."""
LAUNCHES_MAX = 100_000


class WindowStage(Stage):
    """One ordinary run of the candidate, seen by all sources at once."""

    name = "window"

    def measure(self, session: Session, measured: Measured) -> Measured:
        order = session.order
        decode = decode_frame if order.candidate.capabilities.stamp else None
        spec = run_spec(order, order.candidate, order.params)
        return replace(measured, window=observe(spec, session.folder / "window", decode))

    def incidents(self, measured: Measured) -> tuple[Incident, ...]:
        if measured.window is None:
            return ()
        candidate = measured.order.candidate
        return tuple(window_incidents(measured.window, candidate.capabilities, candidate.scene))

    def record(self, measured: Measured, run: RunRecord) -> RunRecord:
        return replace(run, window=measured.window.observed if measured.window else None)

    def replay(self, folder: Path, result: Result, run: RunRecord, measured: Measured) -> Measured:
        if run.window is None:
            return measured
        serial, trace = ((folder / "window" / name).read_bytes() for name in ("serial.log", TRACE_LOG))
        said = folder / "window" / QEMU_LOG
        return replace(
            measured, window=assemble(run.window, serial, trace, said.read_bytes() if said.is_file() else b"")
        )


class PicturesStage(Stage):
    """Captures at random moments of a run of their own, every pixel compared."""

    name = "pictures"

    def measure(self, session: Session, measured: Measured) -> Measured:
        order = session.order
        spec = run_spec(order, order.candidate, order.params)
        limit_s = session.left_s - session.later_s * LATER_SHARE
        pictures = verify_pictures(spec, session.folder, order.pictures, order.seed, session.progress, limit_s=limit_s)
        skipped = dict(measured.skipped)
        if pictures.cut_short:
            skipped[self.name] = f"{order.pictures - pictures.frames.checked} of {order.pictures}: {NO_TIME}"
        return replace(measured, pictures=pictures, skipped=skipped)

    def incidents(self, measured: Measured) -> tuple[Incident, ...]:
        return tuple(picture_incidents(measured.pictures)) if measured.pictures is not None else ()

    def record(self, measured: Measured, run: RunRecord) -> RunRecord:
        found = measured.pictures
        if found is None:
            return run
        return replace(run, pictures=PicturesRecord(found.verification.sentence, found.film, found.captured_per_s))

    def replay(self, folder: Path, result: Result, run: RunRecord, measured: Measured) -> Measured:
        """Verify the captures again; what geometry and golden list found stands in the result alone."""
        if run.pictures is None or result.frames is None:
            return measured
        verification = load_verification(folder)
        frames = replace(verification.frames, findings=result.frames.findings, evidence=result.frames.evidence)
        pictures = Pictures(verification, frames, run.pictures.film, run.pictures.captured_per_s)
        return replace(measured, pictures=pictures)


class OverheadStage(Stage):
    """What watching costs."""

    name = "overhead"
    long = True

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        switches = order.candidate.switches
        prints = order.candidate.capabilities.records and (switches is None or switches.get("LOG") == "deferred")
        return None if measured.window is not None and prints else ""

    def measure(self, session: Session, measured: Measured) -> Measured:
        spec = run_spec(session.order, session.order.candidate, session.order.params)
        try:
            overhead = measure_observer_overhead(spec, session.folder / self.name, OVERHEAD_QUADS)
        except TooFewStretches as error:
            why = f"this host was too busy: {error.message}"
            return replace(measured, skipped={**measured.skipped, self.name: why})
        return replace(measured, overhead=overhead)

    def record(self, measured: Measured, run: RunRecord) -> RunRecord:
        return replace(run, overhead=measured.overhead)

    def replay(self, folder: Path, result: Result, run: RunRecord, measured: Measured) -> Measured:
        return replace(measured, overhead=run.overhead)


class ExactStage(Stage):
    """Guest instructions a frame and all else that its parts make QEMU do; of more instructions, by function."""

    name = "exact"
    long = True

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        counts = order.candidate.capabilities.command_line and order.machine.accelerator == "tcg"
        return None if counts else ""

    def measure(self, session: Session, measured: Measured) -> Measured:
        arms = self._arms(session.order)
        found = count_everything(arms, session.folder / self.name)
        if _alike(session.order):
            found = found.shared(CANDIDATE, REFERENCE)
        costs = fitted_costs(found.parts.get(CANDIDATE), measured.window)
        measured = replace(measured, exact=found.counts, counted=found.parts, costs=costs)
        if found.problem:
            measured = replace(measured, skipped={**measured.skipped, COUNTS: found.problem})
        try:
            return replace(measured, functions=self._functions(arms, session, measured))
        except GuestError as error:
            return replace(measured, skipped={**measured.skipped, "functions": error.message})

    def _arms(self, order: Order) -> dict[str, RunSpec]:
        arms = {CANDIDATE: run_spec(order, order.candidate, order.params)}
        if order.reference is not None and order.reference.capabilities.command_line and not _alike(order):
            arms[REFERENCE] = run_spec(order, order.reference, order.params)
        return arms

    def _functions(self, arms: dict[str, RunSpec], session: Session, measured: Measured) -> tuple[FunctionChange, ...]:
        """Of a candidate that executes more: where. What cannot be told leaves the verdict as it is."""
        exact, most = measured.exact, 1 + session.order.smallest_exact
        if REFERENCE not in exact or exact[CANDIDATE].mean <= exact[REFERENCE].mean * most:
            return ()
        if session.left_s < session.later_s + FUNCTIONS_S:
            return ()
        session.progress("exact: by function")
        return compare_functions(arms[REFERENCE], arms[CANDIDATE], session.folder / "functions")

    def record(self, measured: Measured, run: RunRecord) -> RunRecord:
        counted, costs = measured.counted, measured.costs
        return replace(run, exact=measured.exact, functions=measured.functions, counted=counted, costs=costs)

    def replay(self, folder: Path, result: Result, run: RunRecord, measured: Measured) -> Measured:
        exact = {role: _counted(role, count) for role, count in run.exact.items()}
        return replace(measured, exact=exact, functions=run.functions, counted=run.counted, costs=run.costs)


def _counted(role: str, count: ExactCount) -> ExactCount:
    if not count.frames or any(len(count.parts.get(part, ())) != len(count.frames) for part in EXACT_PARTS):
        raise ValueError(f"exact counts of the {role} are not one a frame")
    return count


class TimingStage(Stage):
    """Candidate and reference side by side in many short launches."""

    name = "timing"
    long = True

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        if order.reference is None:
            return "nothing to compare with"
        same = order.asks_for(self.name) and _alike(order)
        return SAME_KERNEL if same else None

    def measure(self, session: Session, measured: Measured) -> Measured:
        order = session.order
        assert order.reference is not None
        protocol = choose_protocol(probe_rights(), order.machine)
        params = replace(order.params, seconds=TIMING_S, records=0, warmup=order.params.warmup or WARM_UP_FRAMES)
        if protocol.swap:
            order = replace(order, machine=replace(order.machine, render_threads=0))
        arms = {CANDIDATE: run_spec(order, order.candidate, params)}
        arms[REFERENCE] = run_spec(order, session.order.reference or order.candidate, params)
        timing = compare(
            arms,
            session.folder / self.name,
            protocol,
            session.left_s,
            session.progress,
            seed=order.seed,
            smallest=order.smallest,
        )
        return replace(measured, timing=timing)

    def record(self, measured: Measured, run: RunRecord) -> RunRecord:
        timing = measured.timing
        if timing is None:
            return run
        launches = tuple(LaunchRecord(one.launch, one.boot_ms, one.load) for one in timing.launches)
        words = "; ".join((timing.protocol.words, timing.tlb, *timing.protocol.notices))
        record = TimingRecord(words, timing.seconds, timing.plan, launches, timing.host, timing.estimator)
        return replace(run, timing=record)

    def replay(self, folder: Path, result: Result, run: RunRecord, measured: Measured) -> Measured:
        noted = run.timing
        if noted is None:
            return measured
        _check_plan(noted.plan)
        arrays = load_frames(folder / FRAMES_FILE)
        launches = tuple(
            MeasuredLaunch(
                one.launch,
                {role: arrays[f"{number}-{role}"] for role in (CANDIDATE, REFERENCE)},
                {role: one.boot_ms[role] for role in (CANDIDATE, REFERENCE)},
                {},
                (),
                one.load,
            )
            for number, one in enumerate(noted.launches)
        )
        decision = decide([one.launch for one in launches], noted.plan)
        return replace(measured, timing=Timing(launches, decision, noted.plan, Protocol(), noted.seconds, noted.host))


def _alike(order: Order) -> bool:
    """Whether candidate and reference boot the same bytes in the same way."""
    candidate, reference = order.candidate, order.reference
    if reference is None:
        return False
    alike = candidate.capabilities == reference.capabilities and candidate.iso == reference.iso
    return alike and same_loaded_bytes(candidate.path.read_bytes(), reference.path.read_bytes())


def _check_plan(plan: Plan) -> None:
    """Reject a plan with which no decision can be reached."""
    sound = 0 < plan.smallest < 1 and 0 <= plan.allowance < 1 and 1 <= plan.launches <= LAUNCHES_MAX
    sound = sound and 1 <= plan.looks <= plan.launches + LAUNCHES_MAX and 0 <= plan.trim < 0.5
    if not sound or not all(0 < share < 1 for share in (plan.confidence, plan.alarm_alpha, 1 - plan.reserve)):
        raise ValueError("the plan of the comparison is not one that can be decided on")


STAGES: tuple[Stage, ...] = (WindowStage(), PicturesStage(), OverheadStage(), ExactStage(), TimingStage())
STAGE_NAMES = tuple(stage.name for stage in STAGES)
"""What the setting STAGES takes."""
