"""A metric is one row: a made-up one is measured, judged, kept by history and by baselines, and reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.gate.evaluate import evaluate
from harness.gate.judging import metrics, rule_file
from harness.gate.judging.basis import Basis
from harness.gate.judging.gates import KINDS
from harness.gate.judging.judge import judge_metric
from harness.gate.judging.metrics import EXACT, LOWER, Judged, MetricRow, Rule
from harness.gate.measured import SAME_KERNEL
from harness.gate.replay import load_measured
from harness.history.series import run_record
from harness.model.metric import Metric
from harness.model.result import Arm, Result
from harness.model.spec import Verdict
from harness.report.render import markdown, page
from harness.report.run_view import view_of
from harness.tests.test_replay import save_run

MADE_UP = MetricRow(
    "flushes_total",
    "flushes",
    LOWER,
    lambda side: Metric(float(len(side.window.presented.time_ns)), "", "trace") if side.window else None,
    (Judged("bound", limit=3.0),),
    scope=EXACT,
    stored=True,
)


def test_a_made_up_metric_is_seen_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "ROWS", (*metrics.ROWS, MADE_UP))
    saved = save_run(tmp_path / "run")
    judgement, arms = evaluate(load_measured(tmp_path / "run", saved), rules=metrics.rules_of(metrics.ROWS))
    found = arms["candidate"].metrics["flushes_total"]
    assert found.unit == "flushes" and found.value > 3
    gate = next(gate for gate in judgement.gates if gate.metric == "flushes_total")
    assert gate.verdict is Verdict.REGRESSION and gate.why.endswith("flushes (at most 3 allowed)")
    result = Result("perf", judgement.verdict, "", "2026-11-28T10:00:00Z", 1.0, arms=arms, gates=judgement.gates)
    points = run_record(result, "id", "run", "cell", None).points
    assert [(point.scope, point.value) for point in points if point.metric == "flushes_total"] == [(EXACT, found.value)]
    assert "flushes_total" in metrics.stored_names(EXACT)
    assert "flushes_total" in page(view_of(result, tmp_path)) and "flushes" in markdown(view_of(result, tmp_path))
    assert (
        "flushes_total"
        in rule_file.rules_from_toml("[metrics.flushes_total.bound]\nlimit=9\n", "x", metrics.rules_of(metrics.ROWS))[
            -1
        ].metric
    )


def test_every_row_has_a_unit_a_kind_that_exists_and_its_own_name() -> None:
    from harness.gate.judging.gates import KINDS

    names = [row.name for row in metrics.ROWS]
    assert len(names) == len(set(names))
    assert all(row.unit and all(one.kind in KINDS for one in row.judged) for row in metrics.ROWS)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.compares])
@pytest.mark.parametrize("same", ["", SAME_KERNEL])
def test_a_kind_that_compares_never_passes_without_the_reference_s_value(kind: str, same: str) -> None:
    """It is not judged or inconclusive: never green, and never an error of the harness."""
    reference = Arm({"ARCH": "x86_64"}, "ab" * 32, {}, "7f2e")
    arm = replace(reference, metrics={"instructions_per_frame": Metric(7.0, "instructions", "trace")})
    rule = Rule("instructions_per_frame", kind, LOWER, smallest=0.1, limit=1.0)
    gate = judge_metric(rule, arm, Basis(arm, reference, same_kernel=same))
    assert gate.verdict in (None, Verdict.INCONCLUSIVE) and gate.why
