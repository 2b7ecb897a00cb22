"""Two kernels of a bisection compared: the command line, and what its run says."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from harness.bisect.culprit import MeasuredEffect
from harness.bisect.target_commit import TargetRecipe
from harness.model.result import ResultError
from harness.model.spec import ROOT, Verdict
from harness.platform.files.store import load_result
from harness.platform.processes.pipeline import HarnessRun, run_harness

SLACK_S = 300.0
"""Beside its budget, what a comparison may take for building, booting and reporting."""


@dataclass(frozen=True)
class Recipe:
    """How a commit becomes a kernel, and how long it is compared."""

    arch: str = "x86_64"
    switches: tuple[str, ...] = ()
    """``SWITCH=value`` of the built-in kernel."""
    build: str = ""
    """A shell command, run at the top of the checkout; empty for the built-in kernel."""
    image: str = ""
    """What the command leaves, relative to the top."""
    step_s: float = 60.0
    direct_s: float = 120.0
    """For the two ends, and for the culprit against its parent."""
    ends_s: float = 0.0
    """On the monotonic clock, when all of it must have ended; 0 for never."""
    gate: str = "harness"
    """The Python module that compares two kernels."""
    target: TargetRecipe | None = None
    """The file of a target, instead of ``build`` and ``image``."""

    def has_time(self, step_s: float) -> bool:
        """Whether a step may begin: time to confirm the culprit must be left after it."""
        return not self.ends_s or time.monotonic() + step_s + self.direct_s <= self.ends_s


@dataclass(frozen=True)
class Comparison:
    """How one comparison ended; ``effect`` is None when there is none, and ``why`` says more."""

    effect: MeasuredEffect | None
    why: str
    folder: str
    broken: bool
    """The harness failed, not a kernel."""


def compare(recipe: Recipe, reference: Path, candidate: Path, budget_s: float, smallest: float) -> Comparison:
    """Compare two kernel images: the candidate's frame rate against the reference's."""
    first, second = (os.path.relpath(image, ROOT) for image in (reference, candidate))
    words = comparison_words(recipe, first, second, budget_s, smallest)
    return comparison_of(run_harness(words, budget_s + SLACK_S, recipe.gate))


def comparison_words(
    recipe: Recipe, reference: str, candidate: str, budget_s: float, smallest: float
) -> tuple[str, ...]:
    """The command line that compares two images, named from the top of the tree."""
    words = ["ab", f"A={reference}", f"B={candidate}", f"ARCH={recipe.arch}", f"BUDGET={budget_s:g}"]
    return (*words, f"SMALLEST={min(max(smallest, 0.001), 0.9):.4f}", "STAGES=window,timing")


def comparison_of(ran: HarnessRun) -> Comparison:
    """How a comparison ended, by what its run left."""
    said = ran.said[-1] if ran.said else "it said nothing"
    if ran.folder is None:
        reason = next((line for line in reversed(ran.said) if not line.startswith("verdict:")), said)
        return Comparison(None, reason, "", ran.exit_code == Verdict.HARNESS_FAILED.exit_code)
    folder = str(ran.folder)
    try:
        result = load_result(ran.folder)
    except ResultError as error:
        return Comparison(None, str(error), folder, True)
    if result.verdict in (Verdict.GUEST_FAILED, Verdict.HARNESS_FAILED):
        return Comparison(None, result.sentence, folder, result.verdict is Verdict.HARNESS_FAILED)
    gate = next((gate for gate in result.gates if gate.metric == "fps_trace"), None)
    if gate is None or gate.change is None or gate.low is None:
        return Comparison(None, gate.why if gate else result.sentence, folder, False)
    high = gate.high if gate.high is not None else float("inf")
    effect = MeasuredEffect(gate.change, gate.low, high, gate.verdict is Verdict.PASS)
    return Comparison(effect, effect.words, folder, False)
