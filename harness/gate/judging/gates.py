"""Gate kinds: each one class, with how it judges a metric and the words in which it says so.

A metric without a figure is *not applicable* (verdict None) when the build cannot offer it or when it was not asked
for, and inconclusive when it should be there. It is never zero and never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from harness.core.comparison.statistics import Decision, State
from harness.core.wording import amount, changed_by, percent, signed_percent, span
from harness.gate.judging.basis import Figures
from harness.gate.judging.count_gates import by_counts, contradicted, part_verdict, prediction_words
from harness.gate.judging.metrics import HIGHER, PART_SUFFIX, Rule
from harness.gate.judging.pace_gate import pace_verdict
from harness.gate.judging.tails import Tail
from harness.model.result import Gate, Metric
from harness.model.spec import ON_PROGRESS_BARRIERS, Verdict
from harness.report.words import label_of

NO_DATA = "no data"
NO_COMPARISON = "no comparison was made"
NOT_APPLICABLE = "not applicable: "


def gate_of(rule: Rule, figures: Figures, verdict: Verdict | None, why: str, compared: bool = True) -> Gate:
    """A gate of this rule, with the values of both arms and their change where they were compared."""
    before = figures.reference.value if figures.reference is not None and compared else None
    change = figures.candidate.value / before - 1 if before else None
    return Gate(rule.metric, rule.kind, verdict, why, figures.candidate.value, before, change)


class GateKind:
    """One way of judging a metric that was measured; a subclass says its name."""

    compares = True
    """Needs a reference."""
    needs_value = True
    """Needs the reference's value of the metric, where it compares."""
    by_cost = False
    """A regression is of cost against the reference: undecided when another compiler built that one."""
    tracked = False
    """History keeps the change against the reference."""
    every: ClassVar[dict[str, GateKind]] = {}

    def __init_subclass__(cls, name: str) -> None:
        GateKind.every[name] = cls()

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        """The gate of a metric that both arms have, as far as the kind needs it."""
        raise NotImplementedError


def no_value(rule: Rule, figures: Figures) -> Gate:
    """The reference should have the metric and does not; of the same kernel, one value is enough."""
    if figures.basis.same_kernel:
        return gate_of(rule, figures, None, f"{NOT_APPLICABLE}{figures.basis.same_kernel}", compared=False)
    return gate_of(rule, figures, Verdict.INCONCLUSIVE, "the reference has no data", compared=False)


class Report(GateKind, name="report"):
    """Reported, never judged."""

    compares = False

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        gate = gate_of(rule, figures, None, "reported, not judged")
        return replace(gate, low=figures.candidate.low, high=figures.candidate.high)


class Floor(GateKind, name="floor"):
    """At least ``limit``; a warning between ``limit`` and ``warn`` passes and says so."""

    compares = False

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        assert rule.limit is not None
        value, floor = figures.candidate.value, f"{rule.limit:g} {rule.unit}"
        verdict, why = Verdict.PASS, f"above the floor of {floor}"
        if value < rule.limit:
            verdict, why = Verdict.REGRESSION, f"{figure_of(figures.candidate)} is below the floor of {rule.limit:g}"
        elif rule.warn is not None and value < rule.warn:
            why = f"warning: {figure_of(figures.candidate)} is below {rule.warn:g}"
        return replace(gate_of(rule, figures, verdict, why, compared=False), limit=rule.limit)


class Bound(GateKind, name="bound"):
    """At most ``limit``. A counter with a failure above it means that the guest failed, else it is a regression."""

    compares = False

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        if rule.limit_metric:
            return self._by_metric(rule, figures)
        assert rule.limit is not None
        return self._within(rule, figures, rule.limit, f"{rule.limit:g}" if rule.limit else "none")

    def _within(self, rule: Rule, figures: Figures, limit: float, allowed: str) -> Gate:
        failure = rule.row.failure
        verdict = Verdict.PASS
        why = f"{figure_of(figures.candidate)} (at most {allowed} allowed)"
        if not limit:
            why = f"{figure_of(figures.candidate) if figures.candidate.value else 'none'} (none allowed)"
        if figures.candidate.value > limit * (1 + 1e-9):
            verdict = Verdict.GUEST_FAILED if failure else Verdict.REGRESSION
            why += f": {failure}" if failure else ""
        return replace(gate_of(rule, figures, verdict, why, compared=False), limit=limit)

    def _by_metric(self, rule: Rule, figures: Figures) -> Gate:
        """At most one a completion, for strategies that fence on progress; else reported."""
        barrier = figures.arm.switches.get("BARRIER")
        if barrier not in ON_PROGRESS_BARRIERS:
            name = f"BARRIER={barrier}" if barrier else "a kernel of unknown strategy"
            reported = replace(rule, kind="report")
            return gate_of(reported, figures, None, f"{name} may fence while spinning: reported", compared=False)
        most = figures.arm.metrics.get(rule.limit_metric)
        if most is None:
            why = f"no {label_of(rule.limit_metric)} to compare with"
            return gate_of(rule, figures, Verdict.INCONCLUSIVE, why, compared=False)
        return self._within(rule, figures, most.value, f"one a completion ({most.value:g})")


class Equal(GateKind, name="equal"):
    """Exact equality, to a millionth for means of counts."""

    needs_value = False

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        ours, theirs = figures.candidate, figures.reference
        if rule.decided_by and _differ(rule.decided_by, figures):
            return self._by_metric(rule, figures)
        if theirs is None:
            return no_value(rule, figures)
        if _same(ours, theirs):
            return gate_of(rule, figures, Verdict.PASS, "equal")
        why = f"{figure_of(ours)} where the reference has {figure_of(theirs)}"
        return gate_of(rule, figures, Verdict.REGRESSION, why)

    def _by_metric(self, rule: Rule, figures: Figures) -> Gate:
        """Against another source's count of the same kernel: the reference, built otherwise, says nothing of it."""
        differs, own = f"{rule.decided_by} differs", figures.arm.metrics.get(rule.limit_metric)
        if own is None:
            why = f"{NOT_APPLICABLE}{differs}, and there is no {rule.limit_metric} to compare with"
            return gate_of(rule, figures, None, why, compared=False)
        if _same(figures.candidate, own):
            return gate_of(rule, figures, Verdict.PASS, f"{differs}: equal to {rule.limit_metric}", compared=False)
        why = f"{differs}: {figure_of(figures.candidate)} where its own {rule.limit_metric} are {figure_of(own)}"
        return gate_of(rule, figures, Verdict.REGRESSION, why, compared=False)


def _differ(switch: str, figures: Figures) -> bool:
    """Whether both arms say how this switch stands, and not alike."""
    reference = figures.basis.reference
    ours, theirs = figures.arm.switches.get(switch), reference.switches.get(switch) if reference else None
    return ours is not None and theirs is not None and ours != theirs


def _same(ours: Metric, theirs: Metric) -> bool:
    return math.isclose(ours.value, theirs.value, rel_tol=1e-6, abs_tol=1e-9)


SAID_SHORT = 0.01
"""A change of an exact count has one decimal from this share on, and three below it."""


class Rise(GateKind, name="rise"):
    """An exact count may fall, or rise by less than ``smallest``; a change is reported with the functions that grew."""

    by_cost = tracked = True

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        ours, theirs = figures.candidate, figures.reference
        assert theirs is not None
        if theirs.value <= 0:
            return gate_of(rule, figures, Verdict.INCONCLUSIVE, "the reference has no data", compared=False)
        change = ours.value / theirs.value - 1
        risen = change > rule.smallest
        why = "exactly equal"
        if change:
            difference = amount(abs(round(ours.value - theirs.value)))
            size = signed_percent(change, 1 if abs(change) >= SAID_SHORT else 3)
            allowed = f"; up to {percent(rule.smallest, 2)} allowed" if risen else ""
            more = "more" if change > 0 else "fewer"
            why = f"{difference} {more} {rule.unit} a frame ({size}{allowed})"
        if risen and figures.basis.grown:
            why += f": {figures.basis.grown}"
        verdict = Verdict.REGRESSION if risen else Verdict.PASS
        return replace(gate_of(rule, figures, verdict, why), limit=rule.smallest)


class Part(GateKind, name="part"):
    """One part of a frame: none of what it makes QEMU do may rise by more than ``smallest``, unless it only moved."""

    by_cost = True
    needs_value = False

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        verdict, why = part_verdict(figures.basis, rule.metric.removesuffix(PART_SUFFIX), rule.smallest)
        return replace(gate_of(rule, figures, verdict, why), limit=rule.smallest)


class Pace(GateKind, name="pace"):
    """A target's declared pace: the frame rate lies near it, and few of its deadlines pass without a new frame."""

    compares = False

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        assert rule.limit is not None
        verdict, why = pace_verdict(figures.candidate, figures.arm.metrics, rule.limit)
        return replace(gate_of(rule, figures, verdict, why, compared=False), limit=rule.limit)


class Predicted(GateKind, name="prediction"):
    """Reported, never judged: the frame time that counts predict."""

    needs_value = False

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        return gate_of(rule, figures, None, prediction_words(figures.basis))


LAUNCHES_FEWEST = 3
"""With fewer launches of an arm, one busy moment of the host would decide."""


class Growth(GateKind, name="growth"):
    """A time measured once a launch may grow by ``smallest`` of itself or by ``limit``, whichever allows more."""

    by_cost = True
    needs_value = False

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        assert rule.limit is not None
        ours, theirs = figures.candidate, figures.reference
        if theirs is None or theirs.value <= 0 or min(ours.n, theirs.n) < LAUNCHES_FEWEST:
            why = f"{NOT_APPLICABLE}fewer than {LAUNCHES_FEWEST} launches of each kernel"
            return gate_of(rule, figures, None, why, compared=False)
        change, more = ours.value / theirs.value - 1, ours.value - theirs.value
        grown = change > rule.smallest and more > rule.limit
        why = f"{signed_percent(change, 0)}, {figure_of(ours)} where the reference has {figure_of(theirs)}"
        if grown:
            why += f" (up to {percent(rule.smallest, 0)} or {rule.limit:g} {rule.unit} allowed)"
        verdict = Verdict.REGRESSION if grown else Verdict.PASS
        return replace(gate_of(rule, figures, verdict, why), limit=rule.smallest)


class Ratio(GateKind, name="ratio"):
    """Judged over the launches: the primary metric by the comparison of frame times, others as tails beside it."""

    by_cost = tracked = True
    needs_value = False

    def judge(self, rule: Rule, figures: Figures) -> Gate:
        if figures.basis.same_kernel:
            return self._same(rule, figures, figures.basis.same_kernel)
        if rule.primary:
            return self._primary(rule, figures, figures.basis.decision)
        return self._tail(rule, figures, figures.basis.tail(rule.metric))

    def _same(self, rule: Rule, figures: Figures, words: str) -> Gate:
        """Both arms are one kernel: no difference can be the kernel's."""
        value = figures.candidate.value
        if not rule.primary:
            return gate_of(rule, figures, None, f"{NOT_APPLICABLE}{words}", compared=False)
        return Gate(rule.metric, rule.kind, Verdict.PASS, words, value, value, 0.0, 0.0, 0.0, rule.smallest)

    def _primary(self, rule: Rule, figures: Figures, decision: Decision | None) -> Gate:
        """Change and interval are those of the paired comparison, not of the two values beside it, which stem from all
        frames of either arm.
        """
        if decision is None or math.isnan(decision.ratio):
            return gate_of(rule, figures, Verdict.INCONCLUSIVE, NO_COMPARISON, compared=False)
        invert = rule.better == HIGHER
        ratios = (decision.ratio, decision.low, decision.high)
        change, one, other = (_change(ratio, invert) for ratio in ratios)
        low, high = min(one, other), max(one, other)
        verdict, why = _decided(decision, rule.smallest)
        counts = by_counts(figures.basis, decision) if verdict is Verdict.INCONCLUSIVE else ""
        if counts:
            verdict, why = Verdict.PASS, counts
        against = contradicted(figures.basis, decision) if verdict is Verdict.PASS else ""
        if against:
            verdict, why = Verdict.INCONCLUSIVE, f"{why}; {against}"
        if verdict is Verdict.INCONCLUSIVE and figures.basis.noise:
            why += f"; {figures.basis.noise}"
        smallest = decision.smallest if math.isfinite(decision.smallest) else rule.smallest
        gate = replace(gate_of(rule, figures, verdict, why), change=change, low=low, limit=smallest)
        return replace(gate, high=high if math.isfinite(high) else None)

    def _tail(self, rule: Rule, figures: Figures, tail: Tail | None) -> Gate:
        """An undecided tail does not fail. The primary metric says whether there was enough data, and a tail that no
        budget could decide would otherwise make every verdict inconclusive.
        """
        if tail is None:
            return gate_of(rule, figures, None, f"{NOT_APPLICABLE}too few launches", compared=False)
        slower, low, high = slower_by(tail, rule.better == HIGHER)
        size = f"frame time {signed_percent(slower)} ({span(low, high)}, {tail.launches} launches)"
        if tail.state is State.CHANGED:
            verdict: Verdict | None = Verdict.REGRESSION
            why = f"{changed_by(slower)} ({span(low, high)}, {tail.launches} launches, either half of which shows it)"
        elif tail.state is State.UNCHANGED:
            verdict, why = Verdict.PASS, f"not slower by {percent(rule.smallest, 0)}: {size}"
        else:
            verdict, why = None, f"undecided, up to {percent(max(high, 0))} slower is possible: {size}"
        gate = replace(gate_of(rule, figures, verdict, why), change=tail.change, low=tail.low)
        return replace(gate, high=tail.high, limit=rule.smallest)


def _decided(decision: Decision, smallest: float) -> tuple[Verdict, str]:
    """The verdict of a comparison of frame times, with its words."""
    if decision.state is State.CHANGED and decision.direction == "slower":
        return Verdict.REGRESSION, decision.words
    if decision.state is not State.UNDECIDED:
        return Verdict.PASS, decision.words
    if decision.rules_out_slower(smallest):
        size = f"{signed_percent(decision.ratio - 1)} ({span(decision.low - 1, decision.high - 1)}"
        return Verdict.PASS, f"not slower by {percent(smallest)}: frame time {size}, {decision.launches} launches)"
    return Verdict.INCONCLUSIVE, decision.words


def slower_by(tail: Tail, invert: bool) -> tuple[float, float, float]:
    """The change of a tail with its interval as one of frame time, + is slower."""
    if not invert:
        return tail.change, tail.low, tail.high
    return 1 / (1 + tail.change) - 1, 1 / (1 + tail.high) - 1, 1 / (1 + tail.low) - 1


def _change(ratio: float, invert: bool) -> float:
    if invert:
        return 1 / ratio - 1 if ratio > 0 else math.inf
    return ratio - 1


KINDS: Mapping[str, GateKind] = GateKind.every
"""By the name that rules use."""


def figure_of(metric: Metric) -> str:
    unit = metric.unit.removesuffix("s") if metric.value == 1 and "/" not in metric.unit else metric.unit
    return f"{amount(metric.value)} {unit}"
