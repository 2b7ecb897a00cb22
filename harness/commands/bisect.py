"""Find the commit that changed the frame time."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path

from harness.bisect.comparing import Recipe
from harness.bisect.culprit import BisectMark
from harness.bisect.search import Bisection, BisectOutcome, judge_step
from harness.bisect.shared import SharedBisection
from harness.bisect.target_commit import target_recipe
from harness.bisect.worktree import commit_range, commits_between
from harness.cluster.bundle import Provisions
from harness.cluster.crew import crew_for
from harness.core import budget
from harness.gate.finish import finish
from harness.gate.judging.next_steps import given_words
from harness.model.result import Gate, Result
from harness.model.spec import ROOT, Switches, UsageError, Verdict
from harness.platform.files.store import RunFolder
from harness.platform.host.identity import host_facts
from harness.platform.kernels.build import source_state
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 80
EXAMPLES = (
    "GOOD=v1.0 BAD=HEAD",
    "GOOD=HEAD~20 BAD=HEAD BARRIER=linux BUDGET=900",
    "GOOD=v1 BAD=v2 REPO=../os BUILD='make -C os' IMAGE=os/kernel.elf",
    "GOOD=v1.0 BAD=HEAD CLUSTER=local",
)
NEXT = "make ab A=<parent> B=<commit> measures the culprit again"
TAKES = ("switches", "--json")
MEASURES = True
WRITES = ("line", "page")
STEP_S = 60.0
"""Without a budget."""
_VERDICTS = {BisectMark.GOOD: Verdict.PASS, BisectMark.BAD: Verdict.REGRESSION, BisectMark.SKIP: Verdict.INCONCLUSIVE}


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``bisect GOOD=revision BAD=revision [SWITCH=value …] [BUDGET=seconds]``.

    Another kernel: ``REPO=path BUILD='make -C kernel' IMAGE=kernel/out/kernel.elf``, the command run at the top of each
    checkout, the image named from there. ``STEP=folder`` is how git calls back.
    """
    folder = arguments.path("STEP")
    if folder is not None:
        step = judge_step(folder)
        out.line(f"{step.commit[:12]} {step.side}: {step.why}")
        return _VERDICTS[BisectMark(step.side)]
    begun = time.monotonic()
    repository, target = (arguments.path("REPO") or ROOT).resolve(), None
    if arguments.has("TARGET"):
        repository, target = target_recipe(arguments.text("TARGET"))
    recipe = replace(_recipe(arguments, repository, begun), target=target)
    with RunFolder("bisect") as run:
        ends = arguments.text("GOOD"), arguments.text("BAD")
        notices: tuple[str, ...] = ()
        if arguments.cluster is None:
            found = Bisection(repository, recipe, run.path, out.line).run(*ends)
        else:
            with crew_for(arguments.cluster, Provisions(), "bisect", out.progress) as crew:
                shared = SharedBisection(repository, recipe, run.path, out.line, crew)
                found = shared.run(*ends)
                crew.page.keep(run.path)
            notices = (f"{shared.rounds} rounds on the hosts of {arguments.cluster.where}", *crew.notices)
        result = _result(run, found, repository, time.monotonic() - begun)
        result = replace(result, notices=(*result.notices, *notices))
        result = replace(result, words=given_words(tuple(arguments.given.items()), ()))
        return finish(run, result, out, {}, [], json_out=arguments.json)


def _recipe(arguments: Arguments, repository: Path, begun: float) -> Recipe:
    """How commits are built and compared, in the time that there is for them.

    Raises
    ------
    UsageError
        When git cannot search between the revisions, or the budget is too small for this many commits.
    """
    step_s, ends_s = STEP_S, 0.0
    if arguments.has("BUDGET"):
        budget_s = arguments.number("BUDGET")
        ends = commit_range(repository, arguments.text("GOOD"), arguments.text("BAD"))
        commits = commits_between(repository, *ends)
        least_s = budget.rounded_s(budget.bisect_s(commits))
        if budget_s < least_s:
            many = "1 commit" if commits == 1 else f"{commits} commits"
            raise UsageError(f"BUDGET={budget_s:g} is too small for {many}: give BUDGET={least_s} or more")
        step_s, ends_s = budget.bisect_step_s(budget_s, commits), begun + budget_s
    switches = arguments.switches
    words = tuple(f"{name}={value}" for name, value in switches.items() if name != "ARCH")
    image = str(arguments.path("IMAGE") or "")
    return Recipe(Switches.of(switches).arch, words, arguments.text("BUILD"), image, step_s, 2 * step_s, ends_s)


def _result(run: RunFolder, found: BisectOutcome, repository: Path, seconds: float) -> Result:
    gates = tuple(
        Gate("fps_trace", "report", None, f"{step.commit[:12]} {step.side}: {step.why}") for step in found.steps
    )
    own = found.own
    if own is not None:
        why = f"{found.candidates[0][:12]} against its parent: {own.words}"
        gates += (Gate("fps_trace", "ratio", found.verdict, why, change=own.change, low=own.low, high=own.high),)
    notices = [f"GOOD is {found.good}, BAD is {found.bad}: {found.whole.words}"]
    if found.folder:
        notices.append(f"the comparison with the parent: {found.folder}/report.html")
    return Result(
        command="bisect",
        verdict=found.verdict,
        sentence=found.sentence,
        started=run.started,
        seconds=seconds,
        host=host_facts(),
        source=source_state(repository),
        gates=gates,
        notices=tuple(notices),
        details={
            "candidates": list(found.candidates),
            "steps": [asdict(step) for step in found.steps],
            "whole": asdict(found.whole),
            "own": asdict(own) if own else None,
            "comparison": found.folder,
        },
    )
