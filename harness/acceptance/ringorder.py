"""Whether a kernel's machine code orders what the split ring needs ordered, at its labelled places."""

from __future__ import annotations

from collections.abc import Sequence

from harness.acceptance.evidence import Absent, CheckOutcome, Operations, RingCode
from harness.core.machine_code.ringpoints import Point, claimed, fence_words, show
from harness.model.spec import Verdict

ORDERED = ("acquire_progress", "full_progress", "linux", "acquire_load")
"""Strategies that order a publish before it (VIRTIO 1.2, 2.7.13.3.1) and a receipt after it."""


def publishes_in_order(code: RingCode) -> CheckOutcome | Absent:
    """Every place that publishes holds the operations of a strategy that orders it."""
    places = [operations for point, operations in code.places if point == Point.PUBLISH.value]
    wanted = [claimed(strategy, code.arch)[Point.PUBLISH] for strategy in ORDERED]
    if not places:
        return Absent("no place in the code publishes", Verdict.GUEST_FAILED)
    return _ordered(places, wanted, code, "A", "release")


def receives_in_order(code: RingCode) -> CheckOutcome | Absent:
    """Polling the used index and going on after it has moved: the same for both points together."""
    looks = [operations for point, operations in code.places if point == Point.POLL.value]
    moved = [operations for point, operations in code.places if point == Point.PROGRESS.value]
    if not looks or not moved:
        return Absent("no place in the code looks for progress", Verdict.GUEST_FAILED)
    claims = [claimed(strategy, code.arch) for strategy in ORDERED]
    wanted = [claim[Point.POLL] + claim[Point.PROGRESS] for claim in claims]
    return _ordered([look + after for look in looks for after in moved], wanted, code, "B", "acquire")


def _ordered(
    places: Sequence[Operations], wanted: Sequence[Operations], code: RingCode, letter: str, fence: str
) -> CheckOutcome:
    weak = [one for one in places if not any(_holds(one, claim) for claim in wanted)]
    seen = " or ".join(dict.fromkeys(f"'{show(one)}'" for one in weak or places))
    figure = f"{letter} is {seen} in {code.sha256[:12]}, {code.arch} {code.strategy}"
    if not fence_words(code.arch, fence):
        figure += f"; a{'n' if fence[0] == 'a' else ''} {fence} fence needs no instruction there"
    return not weak and not code.differences, ": ".join([figure, *code.differences[:1]])


def _holds(operations: Operations, wanted: Operations) -> bool:
    """Whether the wanted operations occur in this order, possibly with others between them."""
    rest = iter(operations)
    return all(one in rest for one in wanted)
