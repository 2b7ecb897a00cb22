"""Judge a saved run again: from its logs and arrays, with neither QEMU nor a compiler."""

from __future__ import annotations

from pathlib import Path

from harness.commands import Arguments, Printer
from harness.commands.perf import load_rules, split_settings
from harness.conclude import conclude
from harness.drive.store import RESULTS_DIR, load_result
from harness.replay import load_measured
from harness.result import ResultError
from harness.references import NoBaseline, read_baseline
from harness.spec import UsageError, Verdict


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``analyze [results/…] [CONFIG=…]``; the last run when none is named."""
    settings, switches = split_settings(arguments, ["RESULT", "CONFIG"])
    if switches or len(arguments.words) > 1:
        raise UsageError("analyze takes one saved run and nothing else: results/<run>")
    folder = Path(
        arguments.words[0] if arguments.words else settings.get("RESULT", str(RESULTS_DIR / "latest"))
    ).resolve()
    result = load_result(folder)
    if result.command != "perf":
        raise UsageError(f"{folder.name} is a run of {result.command}; analyze judges runs of perf")
    measured = load_measured(folder, result)
    baseline = None
    stored = result.details.get("baseline")
    if stored:
        try:
            arch, _, name = stored.partition("/")
            baseline, _ = read_baseline(arch, name, folder / "baselines")
        except NoBaseline as error:
            raise ResultError(f"{folder.name}: the baseline it was judged by is missing: {error}") from error
    judgement, _ = conclude(
        measured,
        rules=load_rules(settings.get("CONFIG")),
        baseline=baseline,
        same_host=bool(result.details.get("same_host")),
        no_reference=result.details.get("no_reference", ""),
    )
    for problem in judgement.problems:
        out.line(problem)
    out.line(judgement.sentence)
    if judgement.verdict is not result.verdict:
        out.line(f"note: the run itself said {result.verdict.value}")
    return judgement.verdict
