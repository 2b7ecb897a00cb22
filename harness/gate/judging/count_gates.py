"""Gates on what QEMU was made to do, which no noise of the host touches: of each part of a frame, and of all together.

A part of 0.1 % of a frame that grows by a fifth is beyond every clock; its counts are the same in every run.
"""

from __future__ import annotations

import math

from harness.core.comparison.statistics import CANDIDATE, REFERENCE, Decision, State
from harness.core.counts.costs import costs_words, disagreement, grown, unchanged
from harness.core.wording import signed_percent, span
from harness.gate.judging.basis import Basis
from harness.model.record import CountedFrames
from harness.model.spec import Verdict

BY_COUNTS = "by counts"
RULED_OUT = 0.05
"""The change that the clock must still rule out where equal counts pass in its place."""

MISSING = 0.05
"""Share of frame time. A predicted slow-down does not pass if the clock rules out this much, and half of it."""


def counted_arms(basis: Basis) -> tuple[CountedFrames, CountedFrames] | None:
    """Counts of both arms; None where one has none."""
    ours, theirs = basis.counted.get(CANDIDATE), basis.counted.get(REFERENCE)
    return None if ours is None or theirs is None else (ours, theirs)


def part_verdict(basis: Basis, part: str, smallest: float) -> tuple[Verdict | None, str]:
    """Whether a part of a frame makes QEMU do more than before, leaving out what only moved there."""
    arms = counted_arms(basis)
    if arms is None:
        return None, "reported, not judged: the reference's parts were not counted"
    rises = grown(*arms, part, smallest)
    if not rises:
        return Verdict.PASS, "no more than before"
    worst = rises[0]
    if worst.own > smallest:
        return Verdict.REGRESSION, worst.words
    return Verdict.PASS, worst.words


def by_counts(basis: Basis, decision: Decision) -> str:
    """Why equal counts decide where the clock did not; empty when they do not."""
    arms = counted_arms(basis)
    if not basis.by_counts or arms is None or decision.state is not State.UNDECIDED:
        return ""
    if not decision.rules_out_slower(RULED_OUT) or not unchanged(*arms):
        return ""
    return f"{BY_COUNTS} (clock undecided: {span(decision.low - 1, decision.high - 1)})"


def contradicted(basis: Basis, decision: Decision) -> str:
    """Why a clock that sees no slow-down does not pass: counts that say of one; empty when they do not.

    Caches change the cost of work by a few per cent, never by half.
    """
    found = basis.prediction
    if found is None or found.device or not math.isfinite(decision.high):
        return ""
    if found.change - (decision.high - 1) <= max(MISSING, found.change / 2):
        return ""
    return disagreement(found, decision.low - 1, decision.high - 1)


def prediction_words(basis: Basis) -> str:
    """The prediction of the counts, beside the clock's measurement."""
    found = basis.prediction
    if found is None:
        return "reported, not judged"
    words = [f"frame time {signed_percent(found.change)} by counts ({costs_words(basis.costs)})"]
    if found.device:
        words.append(f"the device decides: {found.device}")
    decision = basis.decision
    if decision is not None and decision.high < float("inf"):
        apart = disagreement(found, decision.low - 1, decision.high - 1)
        words += [apart] if apart and apart not in words else []
    return "; ".join(words)
