"""Gates: one judged metric each, by the kinds ratio, equal, bound, floor, rise and report.

Three answers for what has no figure: *not applicable* (verdict None) when the build cannot offer it or it was not asked
for, inconclusive when it should be there, never zero and never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.core.statistics import Decision, State
from harness.gate.metrics import FAILURES, HIGHER, Rule
from harness.gate.tails import Tail
from harness.model.result import Arm, Frames, Gate, Metric
from harness.model.spec import ON_PROGRESS_BARRIERS, Verdict


def missing_gate(rule: Rule, why: str | None) -> Gate:
    """The gate of a metric without a figure: not applicable for a reason, or inconclusive without one."""
    if why is not None or rule.kind == "report":
        return Gate(rule.metric, rule.kind, None, f"not applicable: {why}" if why else "not measured")
    return Gate(rule.metric, rule.kind, Verdict.INCONCLUSIVE, "no data")


def ratio_gate(rule: Rule, candidate: Metric, reference: Metric | None, decision: Decision | None) -> Gate:
    """The primary metric, a rate, judged by the comparison of frame times.

    The change and its interval are those of the paired comparison, not of the two values beside it, which stem from all
    frames of either arm.
    """
    if decision is None or math.isnan(decision.ratio):
        return Gate(rule.metric, rule.kind, Verdict.INCONCLUSIVE, "no comparison was made", value=candidate.value)
    invert = rule.better == HIGHER
    change, low, high = _change(decision.ratio, invert), _change(decision.low, invert), _change(decision.high, invert)
    low, high = min(low, high), max(low, high)
    slower = decision.state is State.CHANGED and decision.direction == "slower"
    why = decision.words
    if slower:
        verdict = Verdict.REGRESSION
    elif decision.state is not State.UNDECIDED:
        verdict = Verdict.PASS
    elif decision.rules_out_slower(rule.smallest):
        verdict = Verdict.PASS
        why = f"not slower by {rule.smallest:.1%}: {decision.words.removeprefix('undecided: ')}"
    else:
        verdict = Verdict.INCONCLUSIVE
    return Gate(
        rule.metric,
        rule.kind,
        verdict,
        why,
        value=candidate.value,
        reference=reference.value if reference else None,
        change=change,
        low=low,
        high=high if math.isfinite(high) else None,
        limit=rule.smallest,
    )


def same_kernel_gate(rule: Rule, candidate: Metric, words: str) -> Gate:
    """A metric of frame times, of two arms that are one kernel: no difference can be the kernel's."""
    value = candidate.value
    if not rule.primary:
        return Gate(rule.metric, rule.kind, None, f"not applicable: {words}", value=value)
    return Gate(rule.metric, rule.kind, Verdict.PASS, words, value, value, 0.0, 0.0, 0.0, rule.smallest)


def _change(ratio: float, invert: bool) -> float:
    if invert:
        return 1 / ratio - 1 if ratio > 0 else math.inf
    return ratio - 1


def tail_gate(rule: Rule, candidate: Metric, reference: Metric | None, tail: Tail | None) -> Gate:
    """A further metric judged over the launches.

    Undecided is a pass here, said as such: the primary metric answers whether there was data enough, and a tail that no
    budget could decide would otherwise make every verdict inconclusive.
    """
    if tail is None:
        return Gate(rule.metric, rule.kind, None, "not applicable: too few launches", value=candidate.value)
    size = f"{tail.change:+.1%} ({tail.low:+.1%} to {tail.high:+.1%}, {tail.launches} launches)"
    if tail.state is State.CHANGED:
        verdict, why = Verdict.REGRESSION, f"{size}, corrected p {tail.p:.2g}, in both halves of the launches"
    elif tail.state is State.UNCHANGED:
        verdict, why = Verdict.PASS, f"{size}: not worse by {rule.smallest:.0%}"
    else:
        verdict, why = Verdict.PASS, f"{size}: no change shown, one of {rule.smallest:.0%} not ruled out"
    return Gate(
        rule.metric,
        rule.kind,
        verdict,
        why,
        value=candidate.value,
        reference=reference.value if reference else None,
        change=tail.change,
        low=tail.low,
        high=tail.high,
        limit=rule.smallest,
    )


def equal_gate(rule: Rule, candidate: Metric, reference: Metric | None) -> Gate:
    """Exact equality, to a millionth for means of counts."""
    if reference is None:
        return Gate(rule.metric, rule.kind, Verdict.INCONCLUSIVE, "the reference has no data", value=candidate.value)
    same = math.isclose(candidate.value, reference.value, rel_tol=1e-6, abs_tol=1e-9)
    return Gate(
        rule.metric,
        rule.kind,
        Verdict.PASS if same else Verdict.REGRESSION,
        "equal" if same else f"{_figure(candidate)} where the reference has {_figure(reference)}",
        value=candidate.value,
        reference=reference.value,
        change=candidate.value / reference.value - 1 if reference.value else None,
    )


def bound_gate(rule: Rule, candidate: Metric, limit: float, what: str) -> Gate:
    """At most so much: one of ``FAILURES`` above it means that the guest failed, else it is a regression."""
    fine = candidate.value <= limit * (1 + 1e-9)
    failure = Verdict.GUEST_FAILED if rule.metric in FAILURES else Verdict.REGRESSION
    why = f"{_figure(candidate)}, at most {what} allowed"
    if not fine and rule.metric in FAILURES:
        why += f": {FAILURES[rule.metric]}"
    return Gate(rule.metric, rule.kind, Verdict.PASS if fine else failure, why, value=candidate.value, limit=limit)


def floor_gate(rule: Rule, candidate: Metric) -> Gate:
    """At least so much; a warning between ``limit`` and ``warn`` passes and says so."""
    assert rule.limit is not None
    if candidate.value < rule.limit:
        verdict, why = Verdict.REGRESSION, f"{_figure(candidate)} is below the floor of {rule.limit:g}"
    elif rule.warn is not None and candidate.value < rule.warn:
        verdict, why = Verdict.PASS, f"warning: {_figure(candidate)} is below {rule.warn:g}"
    else:
        verdict, why = Verdict.PASS, f"above the floor of {rule.limit:g}"
    return Gate(rule.metric, rule.kind, verdict, why, value=candidate.value, limit=rule.limit)


def rise_gate(rule: Rule, candidate: Metric, reference: Metric | None, grown: str = "") -> Gate:
    """An exact count may fall, and rise by less than ``smallest``; any change is told, with what ``grown`` says."""
    if reference is None or reference.value <= 0:
        return Gate(rule.metric, rule.kind, Verdict.INCONCLUSIVE, "the reference has no data", value=candidate.value)
    change = candidate.value / reference.value - 1
    risen = change > rule.smallest
    if change == 0:
        why = "exactly equal"
    else:
        why = f"{change:+.3%}, {candidate.value - reference.value:+,.0f} {rule.unit} a frame"
    if risen:
        why += f", more than {rule.smallest:.2%} up"
        why += f": {grown}" if grown else ""
    return Gate(
        rule.metric,
        rule.kind,
        Verdict.REGRESSION if risen else Verdict.PASS,
        why,
        value=candidate.value,
        reference=reference.value,
        change=change,
        limit=rule.smallest,
    )


def report_gate(rule: Rule, candidate: Metric, reference: Metric | None) -> Gate:
    """Told, never judged."""
    before = reference.value if reference else None
    change = candidate.value / before - 1 if before else None
    return Gate(
        rule.metric,
        "report",
        None,
        "reported, not judged",
        value=candidate.value,
        reference=before,
        change=change,
        low=candidate.low,
        high=candidate.high,
    )


def fences_gate(rule: Rule, candidate: Arm) -> Gate:
    """Fences while polling: at most one a completion for strategies that fence on progress, else reported."""
    metric = candidate.metrics[rule.metric]
    barrier = candidate.switches.get("BARRIER")
    if barrier not in ON_PROGRESS_BARRIERS:
        name = f"BARRIER={barrier}" if barrier else "a kernel of unknown strategy"
        return Gate(rule.metric, "report", None, f"{name} may fence while spinning: reported", value=metric.value)
    completions = candidate.metrics.get("completions_per_frame")
    if completions is None:
        return Gate(rule.metric, rule.kind, Verdict.INCONCLUSIVE, "no completions to compare with", value=metric.value)
    return bound_gate(rule, metric, completions.value, f"one a completion ({completions.value:g})")


def picture_gate(frames: Frames | None) -> Gate:
    """All pictures checked must be intact, and some must have been checked."""
    if frames is None or not frames.checked:
        return Gate("pictures", "equal", Verdict.INCONCLUSIVE, "no pictures were checked")
    bound = 1 - 0.05 ** (1 / frames.checked)
    kinds = ("torn", "stale", "frozen", "corrupt", "blank", "undecodable")
    bad = [f"{getattr(frames, kind)} {kind}" for kind in kinds if getattr(frames, kind)]
    if frames.bad:
        verdict, why = Verdict.GUEST_FAILED, f"{frames.bad} of {frames.checked} pictures bad: {', '.join(bad)}"
    else:
        verdict, why = Verdict.PASS, f"0 of {frames.checked} pictures bad: < {bound:.2%} at 95 %"
    return Gate("pictures", "equal", verdict, why, value=float(frames.bad), reference=0.0, limit=0.0)


def scene_gate(candidate: str, reference: str) -> Gate:
    """Both arms must draw the same scene, or their times cannot be compared."""
    if not candidate or not reference:
        return Gate("scene", "equal", None, "not applicable: a kernel that does not name its scene")
    if candidate == reference:
        return Gate("scene", "equal", Verdict.PASS, "same scene")
    why = f"the scene changed ({reference} to {candidate}): look at it and run 'make approve' again"
    return Gate("scene", "equal", Verdict.INCONCLUSIVE, why)


def _figure(metric: Metric) -> str:
    return f"{metric.value:.4g} {metric.unit}"


def stored_fps_gate(
    stored: Mapping[str, float],
    same_host: bool,
    candidate: Metric | None,
    tolerance: float,
    decision: Decision | str | None = None,
) -> Gate:
    """Today's unpinned frame rate against the one stored with the baseline, which only its own host can repeat.

    A shortfall that the comparison inside this session does not confirm is the host's: it is reported, not judged.

    Parameters
    ----------
    decision
        Of that comparison; in words, why both arms are the same kernel.
    """
    metric = "fps_window"
    figure = stored.get(metric)
    if figure is None or candidate is None:
        return Gate(metric, "bound", None, "not applicable: the baseline stores no frame rate")
    if not same_host:
        return Gate(metric, "bound", None, "not applicable: stored on another host", reference=figure)
    limit = figure * (1 - tolerance)
    verdict: Verdict | None = Verdict.PASS
    why = f"{_figure(candidate)} where this host had {figure:.4g} when the baseline was approved"
    if candidate.value < limit and decision is None:
        verdict = Verdict.INCONCLUSIVE
        why += "; nothing measured in this session tells the kernel's doing from the host's"
    elif candidate.value < limit and (isinstance(decision, str) or (decision and decision.low < 1 + tolerance)):
        verdict = None
        reason = decision if isinstance(decision, str) else "as slow here today"
        why = f"warning: {why}; the approved kernel is {reason}, so it is the host"
    elif candidate.value < limit:
        verdict = Verdict.REGRESSION
    change = candidate.value / figure - 1
    return Gate(metric, "bound", verdict, why, candidate.value, figure, change, limit=limit)
