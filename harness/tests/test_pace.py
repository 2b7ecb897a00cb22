"""The pace that a target declares: kept, missed in each way, and not told from a busy host."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.arrays import F64
from harness.gate.approved.target_rules import rules_of_target
from harness.gate.judging.basis import Basis
from harness.gate.judging.judge import NO_PACE, judge_metric
from harness.gate.judging.metrics import Rule
from harness.gate.judging.pace_gate import missed_share
from harness.model.result import Arm, Gate, Metric
from harness.model.spec import FOREIGN, Verdict
from harness.model.target import Target, TargetFrame

RNG = np.random.default_rng(1)


def gate_of(frame_ms: F64, pace: int, host_wait: float = 0.0) -> Gate:
    """The gate of a window with these frame times."""
    (rule,) = [rule for rule in rules_of_target(Target("mine", frame=TargetFrame(pace=pace))) if rule.kind == "pace"]
    metrics = {
        "fps_window": Metric(1000 / float(frame_ms.mean()), "frames/s", "trace", n=len(frame_ms)),
        "pace_missed": Metric(missed_share(frame_ms, pace), "ratio", "trace"),
        "host_wait": Metric(host_wait, "ratio", "host"),
    }
    candidate = Arm({}, "ab" * 32, metrics)
    return judge_metric(rule, candidate, Basis(candidate, capabilities=FOREIGN, paced=True))


def around(frame_ms: float, count: int = 300, sd_ms: float = 0.3) -> F64:
    return frame_ms + RNG.normal(0, sd_ms, count)


def test_a_kept_pace_passes_with_its_figures() -> None:
    gate = gate_of(around(1000 / 60), 60)
    assert gate.verdict is Verdict.PASS and gate.why.startswith("keeps its pace of 60: ")
    assert "0 % of deadlines missed" in gate.why


def test_timers_of_milliseconds_keep_a_pace_of_thirty() -> None:
    assert gate_of(around(33.0), 30).verdict is Verdict.PASS


def test_one_late_frame_in_a_hundred_is_allowed() -> None:
    times = around(1000 / 60)
    times[::100] += 1000 / 60
    assert gate_of(times, 60).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "times",
    [
        around(1000 / 30),
        around(1000 / 55),
        around(1000 / 300),
        np.tile([1000 / 60, 1000 / 60, 2000 / 60], 100),
        np.tile([*[900 / 60] * 9, 2000 / 60], 30),
    ],
    ids=["half", "a little slow", "too fast", "every third late", "every tenth late, the others early"],
)
def test_a_pace_that_is_not_kept_fails_with_its_figures(times: F64) -> None:
    gate = gate_of(times, 60)
    assert gate.verdict is Verdict.REGRESSION
    assert gate.why.startswith("does not keep its pace of 60: ") and "of deadlines missed (up to 3 % off" in gate.why


def test_a_busy_host_decides_nothing_of_a_late_guest_and_excuses_no_fast_one() -> None:
    late = gate_of(around(1000 / 40), 60, host_wait=0.2)
    assert late.verdict is Verdict.INCONCLUSIVE and "waited for a core of the host 20.0 %" in late.why
    assert gate_of(around(1000 / 60), 60, host_wait=0.2).verdict is Verdict.PASS
    assert gate_of(around(1000 / 300), 60, host_wait=0.2).verdict is Verdict.REGRESSION


def test_without_a_declared_pace_nothing_is_judged_and_the_key_is_named() -> None:
    assert not [rule for rule in rules_of_target(Target("mine")) if rule.kind == "pace"]
    candidate = Arm({}, "ab" * 32, {})
    gate = judge_metric(Rule("pace_missed", "report", "lower"), candidate, Basis(candidate, capabilities=FOREIGN))
    assert gate.verdict is None and NO_PACE in gate.why
