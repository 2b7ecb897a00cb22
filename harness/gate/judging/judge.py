"""The gate of one rule: what a missing figure means, and else what its kind says."""

from __future__ import annotations

from harness.gate.judging.basis import Basis, Figures
from harness.gate.judging.gates import KINDS, NO_DATA, NOT_APPLICABLE, figure_of, gate_of, no_value
from harness.gate.judging.metrics import FRAME_METRICS, TAIL_METRICS, Rule, not_offered
from harness.gate.judging.still import STEADY, still_gate
from harness.model.metric import Metric
from harness.model.result import Arm, Gate
from harness.model.spec import Verdict

UNPACED = (
    "an unpaced run moves one step a frame, so that its animation error is 0 by construction; OPTS=pace=60 paces it"
)
NO_PACE = "this kernel declares no pace (frame.pace)"


def judge_metric(rule: Rule, candidate: Arm, basis: Basis) -> Gate:
    """The gate of one rule, measured or not."""
    metric = candidate.metrics.get(rule.metric)
    if basis.still is not None and rule.metric in FRAME_METRICS and (metric is None or rule.kind in STEADY):
        return still_gate(rule, basis.still)
    if metric is None:
        longest = candidate.metrics.get("frame_ms_max")
        if basis.few_frames and rule.kind == "bound" and rule.metric in TAIL_METRICS and longest is not None:
            return _bound_of_few(rule, longest, basis.few_frames)
        why = basis.not_measured.get(rule.metric) or (_unpaced(basis) if rule.row.paced else None)
        return missing_gate(rule, why or not_offered(rule.metric, basis.capabilities, candidate.switches))
    kind = KINDS[rule.kind]
    reference = basis.reference.metrics.get(rule.metric) if basis.reference else None
    figures = Figures(basis, candidate, metric, reference)
    if kind.compares and basis.stood_still and rule.metric in FRAME_METRICS:
        return gate_of(rule, figures, None, f"{NOT_APPLICABLE}{basis.stood_still}", compared=False)
    if kind.compares and basis.reference is None:
        verdict = Verdict.INCONCLUSIVE if rule.primary and not basis.first else None
        return gate_of(rule, figures, verdict, basis.no_reference or "nothing to compare with")
    if kind.compares and reference is None and basis.reference is not None and not basis.same_kernel:
        offered = not_offered(rule.metric, basis.capabilities, basis.reference.switches)
        if offered is not None:
            return gate_of(rule, figures, None, f"{NOT_APPLICABLE}reference: {offered}")
    if kind.compares and kind.needs_value and reference is None:
        return no_value(rule, figures)
    return kind.judge(rule, figures)


def _bound_of_few(rule: Rule, longest: Metric, few: str) -> Gate:
    """A few frames have no known percentile, but none exceeds the longest frame."""
    assert rule.limit is not None
    if longest.value <= rule.limit:
        why = f"even the longest frame took {figure_of(longest)} (at most {rule.limit:g} allowed)"
        return Gate(rule.metric, rule.kind, Verdict.PASS, why, limit=rule.limit)
    why = f"{few}, and the longest took {figure_of(longest)}, of which {rule.limit:g} are allowed"
    return Gate(rule.metric, rule.kind, Verdict.INCONCLUSIVE, why, limit=rule.limit)


def _unpaced(basis: Basis) -> str | None:
    if basis.paced:
        return None
    return UNPACED if basis.capabilities.command_line else NO_PACE


def missing_gate(rule: Rule, why: str | None) -> Gate:
    """The gate of a metric without a figure: not applicable for a reason, or inconclusive without one."""
    if why is not None or rule.kind == "report":
        return Gate(rule.metric, rule.kind, None, f"{NOT_APPLICABLE}{why}" if why else "not measured")
    return Gate(rule.metric, rule.kind, Verdict.INCONCLUSIVE, NO_DATA)
