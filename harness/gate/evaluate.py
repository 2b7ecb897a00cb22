"""From what a session measured to a Result: metrics of each arm, the judgement, and what a replay needs.

Pure: no file is read here, so that a saved run evaluates to the same verdict.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from harness.core.functions import function_words
from harness.core.instruments import capture_cost, record_cost
from harness.core.pacing import TooFewFrames, frame_pacing
from harness.core.serial import SerialLog
from harness.core.statistics import CANDIDATE, REFERENCE
from harness.gate.metrics import FAILURES, HIGHER, LOWER, RULES, Rule
from harness.gate.session import ArmKernel, Measured
from harness.gate.stages.pictures import Pictures, picture_incidents
from harness.gate.stages.timing import Timing
from harness.gate.stages.window import Window, window_incidents
from harness.gate.tails import compare_tails
from harness.gate.verdict import Basis, Judgement, judge
from harness.model.baseline import Baseline
from harness.model.record import Incident, JudgedBy, LaunchRecord, PicturesRecord, RunRecord, TimingRecord
from harness.model.result import METRIC_UNITS, Arm, Metric

F64 = npt.NDArray[np.float64]

_COUNTED = {"fences_per_frame": "fences", "spins_per_frame": "spins", "completions_per_frame": "completions"}


def arms_of(measured: Measured) -> dict[str, Arm]:
    """Both arms with every metric that was measured."""
    order = measured.order
    arms = {CANDIDATE: _arm(order.candidate, CANDIDATE, measured)}
    if order.reference is not None:
        arms[REFERENCE] = _arm(order.reference, REFERENCE, measured)
    return arms


def _arm(kernel: ArmKernel, role: str, measured: Measured) -> Arm:
    metrics: dict[str, Metric] = {}
    if role == CANDIDATE and measured.window is not None:
        metrics |= window_metrics(measured)
    if measured.timing is not None and measured.timing.launches:
        frame_ms = measured.timing.frame_ms(role)
        metrics |= pacing_metrics(frame_ms)
        metrics["boot_ms"] = _metric("boot_ms", measured.timing.boot_ms(role), "trace", len(measured.timing.launches))
    if role in measured.exact:
        count = measured.exact[role]
        metrics["instructions_per_frame"] = _metric("instructions_per_frame", count.mean, "icount", len(count.frames))
    switches = kernel.switches.everything() if kernel.switches else {}
    build = {"compiler": kernel.compiler, "commit": kernel.commit, "path": kernel.path.name}
    launches = len(measured.timing.launches) if measured.timing else 0
    scene = _scene(measured.window.serial) if role == CANDIDATE and measured.window else ""
    return Arm(switches, kernel.sha256, metrics, scene=scene, launches=launches, build=build)


def _scene(serial: SerialLog) -> str:
    return dict(serial.boot.fields).get("scene", "") if serial.boot else ""


def _metric(name: str, value: float, source: str, n: int) -> Metric:
    return Metric(float(value), METRIC_UNITS[name], source, n=n)


def pacing_metrics(frame_ms: F64) -> dict[str, Metric]:
    """Frame rate and pacing of a series of frame times, from the trace."""
    try:
        pacing = frame_pacing(frame_ms)
    except TooFewFrames:
        return {}
    values = {
        "fps_trace": pacing.mean_fps,
        "frame_ms_p50": pacing.p50_ms,
        "frame_ms_max": pacing.max_ms,
        "stutter_share": pacing.stutter_share,
    }
    if pacing.tails_known:
        values |= {
            "frame_ms_p95": pacing.p95_ms,
            "frame_ms_p99": pacing.p99_ms,
            "fps_low_1pct": pacing.low_1pct_fps,
        }
    return {name: _metric(name, value, "trace", pacing.frames) for name, value in values.items()}


def window_metrics(measured: Measured) -> dict[str, Metric]:
    """What the measured window says of the candidate."""
    window = measured.window
    assert window is not None
    metrics = pacing_metrics(window.frame_ms)
    if "fps_trace" in metrics:
        metrics["fps_window"] = metrics["fps_trace"]
    metrics["boot_ms"] = _metric("boot_ms", window.boot_ms, "trace", 1)
    rates = {"fps_screendump": window.sources.screendump, "fps_guest": window.sources.guest}
    for name, rate in rates.items():
        if rate is not None and np.isfinite(rate.fps):
            metrics[name] = _metric(name, rate.fps, name.removeprefix("fps_"), rate.frames)
    records = window.serial.records
    counts = len(records)
    switches = measured.order.candidate.switches
    counted = switches is None or switches.get("COUNTERS") != "none"
    for name, column in _COUNTED.items():
        if counts and counted and column in records.columns:
            metrics[name] = _metric(name, float(np.mean(records.columns[column])), "guest", counts)
    for name in FAILURES:
        total = window.serial.total(name)
        if counts and total is not None:
            metrics[name] = _metric(name, float(total), "guest", counts)
    if window.perturbation is not None:
        metrics["perturbation"] = window.perturbation
    return metrics | _instrument_metrics(window)


def _instrument_metrics(window: Window) -> dict[str, Metric]:
    """What the window's other instruments cost: records kept in memory, and pictures at its two ends."""
    metrics: dict[str, Metric] = {}
    record_ns = window.serial.total("record_ns")
    if record_ns and len(window.frame_ms):
        share = record_cost(record_ns, float(np.mean(window.frame_ms)))
        metrics["perturbation_records"] = _metric("perturbation_records", share, "guest", len(window.frame_ms))
    captures = [(one.asked_ns, one.answered_ns) for one in window.observed.sightings]
    cost = capture_cost(window.presented.time_ns, captures)
    if cost is not None:
        metrics["perturbation_screendumps"] = _metric("perturbation_screendumps", cost, "trace", len(captures))
    return metrics


def incidents_of(measured: Measured) -> tuple[Incident, ...]:
    """Everything that went wrong outside of metrics: what stopped a stage first, then what finished stages saw."""
    found = list(measured.incidents)
    if measured.window is not None:
        found += window_incidents(measured.window, measured.order.candidate.capabilities)
    if measured.pictures is not None:
        found += picture_incidents(measured.pictures)
    return tuple(dict.fromkeys(found))


def evaluate(
    measured: Measured,
    *,
    rules: tuple[Rule, ...] = RULES,
    no_reference: str = "",
    same_host: bool = False,
    baseline: Baseline | None = None,
) -> tuple[Judgement, dict[str, Arm]]:
    """Judge a session.

    Parameters
    ----------
    baseline
        Where the reference comes from: it supplies the scene, and the exact metrics that only its approval counted.
    """
    arms = arms_of(measured)
    if REFERENCE in arms and baseline is not None:
        arms[REFERENCE] = dataclasses.replace(
            arms[REFERENCE], scene=baseline.scene, metrics={**baseline.exact, **arms[REFERENCE].metrics}
        )
    launches = [one.launch for one in measured.timing.launches] if measured.timing else []
    tails = [rule for rule in rules if rule.kind == "ratio" and not rule.primary and rule.better in (HIGHER, LOWER)]
    stage_of = {"instructions_per_frame": "exact"}
    not_measured = {
        metric: f"not measured: {measured.skipped[stage]}"
        for metric, stage in stage_of.items()
        if stage in measured.skipped
    }
    stored = {}
    if baseline is not None and "fps_window" in baseline.absolute:
        stored["fps_window"] = baseline.absolute["fps_window"].value
    basis = Basis(
        candidate=arms[CANDIDATE],
        reference=arms.get(REFERENCE),
        decision=measured.timing.decision if measured.timing else None,
        tails=compare_tails(launches, tails),
        frames=measured.pictures.frames if measured.pictures else None,
        incidents=incidents_of(measured),
        capabilities=measured.order.candidate.capabilities,
        rules=rules,
        not_measured=not_measured,
        stored_fps=stored,
        same_host=same_host,
        no_reference=no_reference,
        same_kernel=measured.skipped["timing"] if measured.same_kernel else "",
        grown=function_words(measured.functions),
    )
    return judge(basis), arms


def record_of(measured: Measured, judged_by: JudgedBy = JudgedBy()) -> RunRecord:
    """What a replay needs besides the files of the run."""
    timing, window, pictures = measured.timing, measured.window, measured.pictures
    return RunRecord(
        params=measured.order.params,
        seed=measured.order.seed,
        device=measured.order.machine.device,
        judged_by=judged_by,
        skipped=measured.skipped,
        incidents=measured.incidents,
        window=window.observed if window else None,
        pictures=_pictures_record(pictures) if pictures else None,
        overhead=window.perturbation if window else None,
        exact=measured.exact,
        functions=measured.functions,
        lease=measured.lease,
        timing=_timing_record(timing) if timing else None,
    )


def _pictures_record(pictures: Pictures) -> PicturesRecord:
    return PicturesRecord(pictures.verification.sentence, pictures.film, pictures.captured_per_s)


def _timing_record(timing: Timing) -> TimingRecord:
    launches = tuple(LaunchRecord(one.launch, one.boot_ms) for one in timing.launches)
    return TimingRecord(timing.protocol.words, timing.seconds, timing.plan, launches)
