"""From measured arms to a verdict: gates, the worst of them, and one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.core.statistics import Decision
from harness.gate import gates
from harness.gate.metrics import RULES, Rule, not_offered
from harness.gate.tails import Tail
from harness.model.record import Incident
from harness.model.result import Arm, Frames, Gate
from harness.model.spec import BUILT_IN, Capabilities, Verdict

STORED_FPS_TOLERANCE = 0.35
"""How far below its stored frame rate the same host may fall: whole runs differ by 11 % (one sigma) on one host."""


@dataclass(frozen=True)
class Basis:
    """All that a verdict is made from."""

    candidate: Arm | None
    reference: Arm | None = None
    decision: Decision | None = None
    tails: tuple[Tail, ...] = ()
    frames: Frames | None = None
    incidents: tuple[Incident, ...] = ()
    capabilities: Capabilities = BUILT_IN
    rules: tuple[Rule, ...] = RULES
    not_measured: Mapping[str, str] = field(default_factory=dict)
    """Metrics that nobody asked for, with the reason: not applicable."""
    stored_fps: Mapping[str, float] = field(default_factory=dict)
    """``{"fps_window": …}`` as stored with the baseline."""
    same_host: bool = False
    """``stored_fps`` was measured on a host with this fingerprint."""
    no_reference: str = ""
    """Why there is nothing to compare with."""
    same_kernel: str = ""
    """That both arms load the same bytes, in words: their frame times need no comparison."""
    grown: str = ""
    """Functions that execute more, in words."""


@dataclass(frozen=True)
class Judgement:
    """A verdict, with what it rests on."""

    verdict: Verdict
    sentence: str
    gates: tuple[Gate, ...]
    notices: tuple[str, ...]
    problems: tuple[str, ...]


def judge(basis: Basis) -> Judgement:
    """Judge everything; the worst gate or incident is the verdict. Without measured FPS and pictures nothing passes."""
    judged = _gates(basis)
    incidents = sorted(basis.incidents, key=lambda incident: incident.verdict.severity, reverse=True)
    candidates = [gate.verdict for gate in judged if gate.verdict] + [incident.verdict for incident in incidents]
    verdict = Verdict.worst(candidates or [Verdict.INCONCLUSIVE])
    notices = tuple(f"{gate.metric}: {gate.why}" for gate in judged if gate.why.startswith("warning:"))
    return Judgement(
        verdict,
        _sentence(verdict, judged, incidents, basis),
        judged,
        notices,
        tuple(incident.text for incident in incidents),
    )


def _gates(basis: Basis) -> tuple[Gate, ...]:
    if basis.candidate is None:
        return (Gate("fps_trace", "ratio", Verdict.INCONCLUSIVE, "the candidate was not measured"),)
    found = [_metric_gate(rule, basis.candidate, basis) for rule in basis.rules]
    if "fps_trace" not in basis.candidate.metrics:
        found.append(Gate("fps_trace", "equal", Verdict.INCONCLUSIVE, "no frame rate from the trace"))
    found.append(gates.picture_gate(basis.frames))
    if basis.reference is not None:
        found.append(gates.scene_gate(basis.candidate.scene, basis.reference.scene))
    if basis.stored_fps:
        fps = basis.candidate.metrics.get("fps_window")
        found.append(
            gates.stored_fps_gate(basis.stored_fps, basis.same_host, fps, STORED_FPS_TOLERANCE, _host_s(basis))
        )
    return tuple(found)


def _host_s(basis: Basis) -> Decision | str | None:
    """What tells the host's doing from the kernel's."""
    return basis.same_kernel or basis.decision


def _metric_gate(rule: Rule, candidate: Arm, basis: Basis) -> Gate:
    metric = candidate.metrics.get(rule.metric)
    if metric is None:
        why = basis.not_measured.get(rule.metric)
        return gates.missing_gate(rule, why or not_offered(rule.metric, basis.capabilities, candidate.switches))
    reference = basis.reference.metrics.get(rule.metric) if basis.reference else None
    if rule.kind == "report":
        return gates.report_gate(rule, metric, reference)
    if rule.kind == "floor":
        return gates.floor_gate(rule, metric)
    if rule.kind == "bound":
        if rule.metric == "fences_per_frame":
            return gates.fences_gate(rule, candidate)
        assert rule.limit is not None
        return gates.bound_gate(rule, metric, rule.limit, f"{rule.limit:g}")
    if basis.reference is None:
        verdict = Verdict.INCONCLUSIVE if rule.primary else None
        why = basis.no_reference or "nothing to compare with"
        return Gate(rule.metric, rule.kind, verdict, why, value=metric.value)
    if rule.kind == "ratio" and basis.same_kernel:
        return gates.same_kernel_gate(rule, metric, basis.same_kernel)
    if reference is None:
        offered = not_offered(rule.metric, basis.capabilities, basis.reference.switches)
        if offered is not None:
            return Gate(rule.metric, rule.kind, None, f"not applicable: reference: {offered}", value=metric.value)
    if rule.kind == "equal":
        return gates.equal_gate(rule, metric, reference)
    if rule.kind == "rise":
        return gates.rise_gate(rule, metric, reference, basis.grown)
    if rule.primary:
        return gates.ratio_gate(rule, metric, reference, basis.decision)
    tail = next((tail for tail in basis.tails if tail.metric == rule.metric), None)
    return gates.tail_gate(rule, metric, reference, tail)


def _sentence(verdict: Verdict, judged: Sequence[Gate], incidents: Sequence[Incident], basis: Basis) -> str:
    """The verdict in one sentence for people."""
    for incident in incidents:
        if incident.verdict is verdict:
            return f"{verdict.value}: {incident.text}"
    if verdict is not Verdict.PASS:
        causes = [f"{gate.metric}: {gate.why}" for gate in judged if gate.verdict is verdict]
        more = f" (and {len(causes) - 1} more)" if len(causes) > 1 else ""
        return f"{verdict.value}: {causes[0]}{more}" if causes else f"{verdict.value}: nothing was measured"
    fps = next(gate for gate in judged if gate.metric == "fps_trace" and gate.value is not None)
    words = f"{fps.value:.4g} frames/s"
    if fps.kind == "ratio" and (basis.decision is not None or basis.same_kernel):
        words += f", {fps.why}"
    checked = basis.frames.checked if basis.frames else 0
    return f"pass: {words}; {checked} pictures intact"
