"""Judge a saved run again, without QEMU or a compiler."""

from __future__ import annotations

from dataclasses import replace

from harness.gate.approved.references import NoBaseline, read_baseline
from harness.gate.approved.target_references import kept_target_baseline
from harness.gate.approved.target_rules import rules_of_target
from harness.gate.evaluate import evaluate
from harness.gate.judging.next_steps import next_steps
from harness.gate.judging.rule_file import load_by_counts, load_rules
from harness.gate.replay import load_measured
from harness.model.record import JudgedBy
from harness.model.result import ReplayError
from harness.model.spec import Verdict
from harness.platform.files.store import load_result, saved_run
from harness.report.printer import Printer
from harness.report.told import next_lines
from harness.settings import Arguments

ORDER = 60
EXAMPLES = ("", "RESULT=results/latest CONFIG=perf.toml", "results/latest")
NEXT = "make explain RESULT=results/latest, of a run that failed"


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``analyze [results/…] [CONFIG=…]``; the last run when none is named."""
    folder = saved_run(arguments.path("RESULT"))
    result = load_result(folder)
    if result.command != "perf":
        raise ReplayError(
            f"{folder.name} cannot be replayed: it is a run of {result.command}, and analyze judges runs of perf"
        )
    measured = load_measured(folder, result)
    baseline = None
    judged_by = result.run.judged_by if result.run else JudgedBy()
    if judged_by.baseline:
        try:
            arch, _, name = judged_by.baseline.partition("/")
            if measured.order.candidate.target is not None:
                baseline = kept_target_baseline(folder, name)
            else:
                baseline, _ = read_baseline(arch, name, folder / "baselines")
        except NoBaseline as error:
            raise ReplayError(
                f"{folder.name} cannot be replayed: the baseline it was judged by is missing: {error}"
            ) from error
    judgement, _ = evaluate(
        measured,
        rules=load_rules(arguments.path("CONFIG"), rules_of_target(measured.order.candidate.target)),
        baseline=baseline,
        same_host=judged_by.same_host,
        no_reference=judged_by.no_reference,
        other_compiler=judged_by.other_compiler,
        by_counts=judged_by.by_counts and load_by_counts(arguments.path("CONFIG")),
    )
    for problem in judgement.problems:
        out.line(problem)
    out.line(judgement.sentence)
    if judgement.verdict is not result.verdict:
        out.line(f"note: the run itself said {result.verdict.value}")
    judged = replace(
        result,
        verdict=judgement.verdict,
        sentence=judgement.sentence,
        gates=judgement.gates,
        problems=judgement.problems,
        next_steps=(),
    )
    for line in next_lines(replace(judged, next_steps=next_steps(judged, folder))):
        out.line(line)
    return judgement.verdict
