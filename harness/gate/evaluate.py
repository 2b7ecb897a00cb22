"""From what a session measured to a Result: metrics of each arm, the judgement, and what a replay needs.

Pure: no file is read here, so that a saved run evaluates to the same verdict.
"""

from __future__ import annotations

import dataclasses

from harness.core.budget import NO_TIME
from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.core.counts.functions import function_words
from harness.core.guest.serial import SerialLog
from harness.core.timing.hostnoise import noise_cause
from harness.gate.judging import metrics
from harness.gate.judging.basis import Basis
from harness.gate.judging.figures import ArmFigures, prediction
from harness.gate.judging.metrics import HIGHER, LOWER, RULES, Rule
from harness.gate.judging.still import still_screen, stood_still
from harness.gate.judging.tails import compare_tails
from harness.gate.judging.verdict import Judgement, judge
from harness.gate.measured import COUNTS, NOT_ASKED, ArmKernel, Measured
from harness.gate.measuring.pictures import Pictures
from harness.gate.measuring.timing import Timing
from harness.gate.measuring.window import Window
from harness.gate.stages import STAGES
from harness.model.baseline import Baseline
from harness.model.declared import on_request
from harness.model.record import Cause, ExactRecord, Incident, JudgedBy, RunRecord
from harness.model.result import Arm
from harness.model.spec import Verdict
from harness.model.target_baseline import FIRST


def arms_of(measured: Measured) -> dict[str, Arm]:
    """Both arms with every metric that was measured."""
    order = measured.order
    arms = {CANDIDATE: _arm(order.candidate, CANDIDATE, measured)}
    if order.reference is not None:
        arms[REFERENCE] = _arm(order.reference, REFERENCE, measured)
    return arms


def _arm(kernel: ArmKernel, role: str, measured: Measured) -> Arm:
    found = metrics.metrics_of(ArmFigures(measured, role))
    switches = kernel.switches.everything() if kernel.switches else {}
    build = {"compiler": kernel.compiler, "commit": kernel.commit, "path": kernel.path.name}
    if kernel.scene:
        build["scene"] = kernel.scene
    if kernel.record is not None:
        build["target"] = kernel.record.name
    timing, window = measured.of(Timing), measured.of(Window)
    launches = len(timing.launches) if timing else 0
    scene = _scene(window.serial) if role == CANDIDATE and window else ""
    return Arm(switches, kernel.sha256, found, scene=scene, launches=launches, build=build)


def _scene(serial: SerialLog) -> str:
    return dict(serial.boot.fields).get("scene", "") if serial.boot else ""


def incidents_of(measured: Measured) -> tuple[Incident, ...]:
    """Everything that went wrong outside of metrics: what stopped a stage first, then what finished stages saw."""
    found = [*measured.incidents, *(one for stage in STAGES for one in stage.seen(measured))]
    for stage, why in measured.skipped.items():
        if NO_TIME in why:
            text = f"{stage}: not measured: {why}"
            found.append(Incident(Verdict.INCONCLUSIVE, text, Cause.INSTRUMENT))
    return tuple(dict.fromkeys(found))


def evaluate(
    measured: Measured,
    *,
    rules: tuple[Rule, ...] = RULES,
    no_reference: str = "",
    same_host: bool = False,
    other_compiler: str = "",
    baseline: Baseline | None = None,
    by_counts: bool = True,
) -> tuple[Judgement, dict[str, Arm]]:
    """Judge a session.

    Parameters
    ----------
    by_counts
        Equal counts pass a comparison that the clock left undecided, within its bound.
    baseline
        Where the reference comes from: it supplies the scene, and the exact metrics that only its approval counted.
    """
    arms = arms_of(measured)
    if REFERENCE in arms and baseline is not None:
        arms[REFERENCE] = dataclasses.replace(
            arms[REFERENCE], scene=baseline.scene, metrics={**baseline.exact, **arms[REFERENCE].metrics}
        )
    timing, pictures, exact = measured.of(Timing), measured.of(Pictures), measured.of(ExactRecord) or ExactRecord({})
    launches = [one.launch for one in timing.launches] if timing else []
    tails = [rule for rule in rules if rule.kind == "ratio" and not rule.primary and rule.better in (HIGHER, LOWER)]
    basis = Basis(
        candidate=arms[CANDIDATE],
        reference=arms.get(REFERENCE),
        decision=timing.decision if timing else None,
        tails=compare_tails(launches, tails),
        frames=pictures.frames if pictures else None,
        incidents=incidents_of(measured),
        capabilities=measured.order.candidate.capabilities,
        rules=rules,
        not_measured=_not_measured(measured),
        left_out=tuple(stage for stage, why in measured.skipped.items() if why == NOT_ASKED),
        paced=bool(measured.order.pace_hz),
        stored_fps=_stored_fps(baseline),
        same_host=same_host,
        no_reference=no_reference,
        other_compiler=other_compiler,
        same_kernel=measured.skipped["timing"] if measured.same_kernel else "",
        noise=noise_cause(timing.host) if timing else "",
        grown=function_words(exact.functions),
        still=still_screen(measured.of(Window), measured.order.candidate.target),
        stood_still=stood_still(measured.order.candidate.target, baseline),
        few_frames=ArmFigures(measured, CANDIDATE).few_frames,
        first=measured.order.candidate.target is not None and no_reference.startswith(FIRST),
        counted=exact.counted,
        prediction=prediction(measured),
        costs=exact.costs,
        by_counts=by_counts,
    )
    return judge(basis), arms


def _not_measured(measured: Measured) -> dict[str, str]:
    """Why, for each metric whose stage or whose counts were left out."""
    few = ArmFigures(measured, CANDIDATE).few_frames
    found = dict.fromkeys(metrics.TAIL_METRICS, few) if few else {}
    if COUNTS in measured.skipped:
        why = f"not counted: {measured.skipped[COUNTS]}"
        found |= {row.name: why for row in metrics.ROWS if row.lack is metrics.no_parts}
    for row in metrics.ROWS:
        if row.stage != "window" and row.stage in measured.skipped:
            found[row.name] = f"not measured: {measured.skipped[row.stage]}"
        elif on_request(row.stage) and not measured.order.asks_for(row.stage):
            found[row.name] = f"not measured: {NOT_ASKED}"
    return found


def _stored_fps(baseline: Baseline | None) -> dict[str, float]:
    if baseline is None or "fps_window" not in baseline.absolute:
        return {}
    return {"fps_window": baseline.absolute["fps_window"].value}


def record_of(measured: Measured, judged_by: JudgedBy = JudgedBy()) -> RunRecord:
    """The part of a measurement that a replay needs besides the files of the run."""
    brought = [(stage, measured.of(stage.brings)) for stage in STAGES]
    return RunRecord(
        params=measured.order.params,
        random_state=measured.order.random_state,
        device=measured.order.machine.device,
        judged_by=judged_by,
        skipped=measured.skipped,
        incidents=measured.incidents,
        lease=measured.lease,
        target=measured.order.candidate.record,
        stages={stage.keeps.stage: stage.record(found) for stage, found in brought if found is not None},
    )
