"""The verdict of a session that measures input to frame alone."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.comparison.statistics import CANDIDATE
from harness.gate.evaluate import arms_of, incidents_of
from harness.gate.judging.basis import Basis
from harness.gate.judging.judge import judge_metric
from harness.gate.judging.metrics import RULES
from harness.gate.judging.verdict import Judgement
from harness.gate.measured import Measured
from harness.model.metric import Metric
from harness.model.result import Arm
from harness.model.spec import Verdict
from harness.report.words import label_of

STAGE = "latency"
_PARTS = (("queue", "queue"), ("wait", "waiting for a frame"), ("draw", "drawing"), ("device", "device"))


def judge_latency(measured: Measured) -> tuple[Judgement, Mapping[str, Arm]]:
    """By the rules of the stage's own metrics, and by what the stage saw; without any input nothing passes."""
    arms = arms_of(measured)
    rules = tuple(rule for rule in RULES if rule.row.stage == STAGE)
    candidate, incidents = arms[CANDIDATE], incidents_of(measured)
    basis = Basis(candidate, incidents=incidents, capabilities=measured.order.candidate.capabilities, rules=rules)
    metrics = {name: one for name, one in candidate.metrics.items() if name in {rule.metric for rule in rules}}
    gates = tuple(judge_metric(rule, candidate, basis) for rule in rules) if metrics else ()
    verdicts = [gate.verdict for gate in gates if gate.verdict] + [one.verdict for one in incidents]
    verdict = Verdict.worst(verdicts or [Verdict.INCONCLUSIVE])
    failed = [one.text for one in incidents if one.verdict is verdict]
    failed += [f"{label_of(gate.metric)}: {gate.why}" for gate in gates if gate.verdict is verdict]
    cause = failed[0] if failed and verdict is not Verdict.PASS else ""
    said = cause or (latency_words(metrics) if metrics else "no key came to a frame")
    problems = tuple(one.text for one in sorted(incidents, key=lambda one: -one.verdict.severity))
    return Judgement(verdict, f"{verdict.value}: {said}", gates, (), problems), arms


def latency_words(metrics: Mapping[str, Metric]) -> str:
    """``a key is on the screen after 14.2 ms (median, 12.9 to 15.8), 22.0 ms at 95 %: 0.05 ms queue, …``."""
    median, tail = metrics["input_ms_p50"], metrics["input_ms_p95"]
    between = f", {median.low:.1f} to {median.high:.1f}" if median.low is not None and median.high is not None else ""
    parts = ", ".join(f"{metrics[f'input_{name}_ms'].value:.2f} ms {words}" for name, words in _PARTS)
    return (
        f"a key is on the screen after {median.value:.1f} ms (median{between}), {tail.value:.1f} ms at 95 %: {parts}; "
        f"{median.n} keys, times known to within {metrics['input_clock_error_ms'].value:.2f} ms"
    )
