"""Find the commit between two revisions that made frames slower or faster."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from harness.bisect.culprit import Side
from harness.bisect.search import Bisection, Found, Recipe, judge_step
from harness.gate.finish import finish
from harness.model.result import Gate, Result
from harness.model.spec import ROOT, Switches, UsageError, Verdict
from harness.platform.build import source_state
from harness.platform.host import host_facts
from harness.platform.store import RunFolder
from harness.report.printer import Printer
from harness.settings import Arguments, number, split_settings

SETTINGS = "GOOD BAD REPO BUILD IMAGE BUDGET STEP".split()
_VERDICTS = {Side.GOOD: Verdict.PASS, Side.BAD: Verdict.REGRESSION, Side.SKIP: Verdict.INCONCLUSIVE}


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``bisect GOOD=revision BAD=revision [SWITCH=value …] [BUDGET=seconds of a step]``.

    Another kernel: ``REPO=path BUILD='make -C kernel' IMAGE=kernel/out/kernel.elf``, the command run at the top of each
    checkout, the image named from there. ``STEP=folder`` is how git calls back.
    """
    settings, switches = split_settings(arguments, SETTINGS)
    if "STEP" in settings:
        step = judge_step(Path(settings["STEP"]))
        out.line(f"{step.commit[:12]} {step.side}: {step.why}")
        return _VERDICTS[Side(step.side)]
    if "GOOD" not in settings or "BAD" not in settings:
        raise UsageError("bisect needs two revisions: GOOD=revision BAD=revision")
    recipe = _recipe(settings, switches)
    repository = Path(settings.get("REPO", ROOT)).resolve()
    begun = time.monotonic()
    with RunFolder("bisect") as run:
        found = Bisection(repository, recipe, run.path, out.line).run(settings["GOOD"], settings["BAD"])
        result = _result(run, found, repository, time.monotonic() - begun)
        return finish(run, result, out, {}, [], json_out="json" in arguments.options)


def _recipe(settings: dict[str, str], switches: dict[str, str]) -> Recipe:
    step_s = number(settings, "BUDGET", Recipe.step_s, 15, 3600)
    foreign = "BUILD" in settings or "IMAGE" in settings
    if foreign and not ("BUILD" in settings and "IMAGE" in settings):
        raise UsageError("another kernel needs both BUILD='command' and IMAGE=path/in/checkout")
    if "REPO" in settings and not foreign:
        raise UsageError("REPO needs BUILD='command' and IMAGE=path/in/checkout")
    own = [name for name in switches if name != "ARCH"]
    if foreign and own:
        raise UsageError(f"{' '.join(own)}: switches are the built-in kernel's, not BUILD's")
    arch = Switches.of(switches).arch
    words = tuple(f"{name}={switches[name]}" for name in own)
    return Recipe(arch, words, settings.get("BUILD", ""), settings.get("IMAGE", ""), step_s, 2 * step_s)


def _result(run: RunFolder, found: Found, repository: Path, seconds: float) -> Result:
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
