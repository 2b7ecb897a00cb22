"""How a target is judged: the table of metrics, with what its ``gates`` say."""

from __future__ import annotations

from dataclasses import replace

from harness.core.budget import PICTURES_LEAST
from harness.gate.judging.metrics import RULES, Rule, row_of
from harness.model.target import Target


def pictures_least(target: Target | None, pictures: int, asked: bool) -> int:
    """How many pictures are enough where time is short: all that was asked for, and fewer of a target's default."""
    return pictures if asked or target is None else min(pictures, PICTURES_LEAST)


def rules_of_target(target: Target | None, rules: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The rules of a target; a floor of the frame rate, a bound of the frame time and a pace hold only where they are
    declared."""
    if target is None:
        return rules
    gates = target.gates
    found = []
    for rule in rules:
        if rule.kind == "floor":
            if gates.fps_floor:
                found.append(replace(rule, limit=gates.fps_floor, warn=None))
        elif rule.primary:
            found.append(replace(rule, smallest=gates.smallest))
        else:
            found.append(rule)
    if target.frame.pace:
        found.append(Rule("fps_window", "pace", row_of("fps_window").better, limit=target.frame.pace))
    if gates.p99_ms:
        found.append(Rule("frame_ms_p99", "bound", row_of("frame_ms_p99").better, limit=gates.p99_ms))
    return tuple(found)
