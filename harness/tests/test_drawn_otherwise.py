"""A kernel that draws otherwise than the approved one is held to its own transfers and flushes."""

from __future__ import annotations

import pytest

from harness.gate.judging.basis import Basis
from harness.gate.judging.judge import judge_metric
from harness.gate.judging.metrics import RULES
from harness.model.metric import Metric
from harness.model.result import Arm
from harness.model.spec import Verdict

COMPLETIONS = next(rule for rule in RULES if rule.metric == "completions_per_frame")


def drawn(how: str, completions: float, commands: float | None) -> Arm:
    metrics = {"completions_per_frame": Metric(completions, "completions", "guest", n=600)}
    if commands is not None:
        metrics["commands_per_frame"] = Metric(commands, "commands", "trace", n=600)
    return Arm({"ARCH": "x86_64", "DRAW": how}, "ab" * 32, metrics)


@pytest.mark.parametrize(
    ("how", "commands", "verdict", "why"),
    [
        ("dirty", 5.8, Verdict.PASS, "DRAW differs: equal to commands_per_frame"),
        (
            "dirty",
            6.0,
            Verdict.REGRESSION,
            "DRAW differs: 5.8 completions where its own commands_per_frame are 6 commands",
        ),
        ("dirty", None, None, "not applicable: DRAW differs, and there is no commands_per_frame to compare with"),
        ("full", 5.8, Verdict.REGRESSION, "5.8 completions where the reference has 2 completions"),
    ],
)
def test_completions_are_compared_like_with_like(
    how: str, commands: float | None, verdict: Verdict | None, why: str
) -> None:
    candidate = drawn(how, 5.8, commands)
    gate = judge_metric(COMPLETIONS, candidate, Basis(candidate, drawn("full", 2.0, 2.0)))
    assert (gate.verdict, gate.why) == (verdict, why)
