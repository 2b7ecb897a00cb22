"""How a target is judged: the table of metrics, with what its ``gates`` say."""

from __future__ import annotations

from dataclasses import replace

from harness.gate.metrics import RULES, Rule, row_of
from harness.model.target import Target


def rules_of_target(target: Target | None, rules: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The rules of a target; a frame rate has a floor, and a frame time a bound, only where they are declared."""
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
    if gates.p99_ms:
        found.append(Rule("frame_ms_p99", "bound", row_of("frame_ms_p99").better, limit=gates.p99_ms))
    return tuple(found)
