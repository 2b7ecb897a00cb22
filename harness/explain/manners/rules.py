"""Every rule, in the order in which a report shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.explain.manners.commands import cursor_order, flush_area, round_trips, unflushed, unread_errors
from harness.explain.manners.facts import DriverFacts
from harness.explain.manners.manner import DriverManner
from harness.explain.manners.waits import buffers_reused, gives_up, idle_gaps, late_look, lottery, polling_cost

MannerRule = Callable[[DriverFacts], DriverManner]

RULES: tuple[MannerRule, ...] = (
    round_trips,
    flush_area,
    unflushed,
    gives_up,
    buffers_reused,
    unread_errors,
    late_look,
    idle_gaps,
    polling_cost,
    cursor_order,
    lottery,
)


def manners_of(facts: DriverFacts) -> tuple[DriverManner, ...]:
    """The finding of every rule on one driver."""
    return tuple(rule(facts) for rule in RULES)


def manner_lines(manners: Sequence[DriverManner]) -> tuple[str, ...]:
    """For a terminal: figures, and below them the advice."""
    lines: list[str] = []
    for one in manners:
        lines.append(f"{one.rule}: {one.figures}")
        if one.advice:
            lines.append(f"  -> {one.advice}")
    return tuple(lines)
