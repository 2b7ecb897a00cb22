"""Find the commit that made frames slower or faster: git walks the history, the gate judges each step.

``git bisect run`` calls :func:`judge_step` once a step, as a process of its own that finds its :class:`Plan` in the
bisection's folder and adds a line to ``steps.jsonl`` there. Every step is compared with the good end's kernel, in one
session, at half the effect between the two ends (:func:`harness.bisect.culprit.threshold`).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.bisect.comparing import SLACK_S, Comparison, Recipe, compare
from harness.bisect.culprit import BisectMark, MeasuredEffect, confirmed, side_of, threshold
from harness.bisect.target_commit import build_target_commit
from harness.bisect.worktree import (
    BisectError,
    NothingToFindError,
    Worktree,
    clean,
    commit_range,
    parents_of,
    run_build,
    subject_of,
)
from harness.core import budget
from harness.core.wording import percent
from harness.model import codec
from harness.model.codec import CodecError
from harness.model.errors import BuildError, ToolError
from harness.model.spec import ROOT, Limits, Switches, UsageError, Verdict
from harness.platform.files.atomic import append_line, write_whole
from harness.platform.files.bounded import read_bounded
from harness.platform.files.store import save_json
from harness.platform.kernels.build import build_kernel, git, sha256_of

_STEPS_MOST = 60
"""Most steps; git needs as many only for 2^60 commits, or where almost nothing builds."""
_JUDGE = """#!/bin/sh
# Not from the checkout: it may hold a harness of its own.
cd {root} || exit 255
setpriv --pdeathsig KILL {python} -m harness bisect STEP={folder} &
step=$!
# git does not end its judge when it is killed.
(while kill -0 {owner}; do sleep 1; done; kill -KILL $step) 2>/dev/null &
watch=$!
wait $step
status=$?
kill $watch
case $status in
0) exit 0 ;;
1) exit 1 ;;
5) exit 255 ;;
*) exit 125 ;;
esac
"""


@dataclass(frozen=True)
class BisectPlan:
    """What a step needs to know; ``plan.json`` in the bisection's folder."""

    recipe: Recipe
    good: str
    bad: str
    good_sha256: str
    bad_sha256: str
    whole: MeasuredEffect


@dataclass(frozen=True)
class BisectStep:
    """One commit and git's answer for it."""

    commit: str
    side: str
    why: str
    sha256: str = ""
    folder: str = ""
    """The folder of the comparison's results; empty when nothing was measured."""


@dataclass(frozen=True)
class BisectOutcome:
    """How a bisection ended."""

    verdict: Verdict
    sentence: str
    good: str
    bad: str
    whole: MeasuredEffect
    steps: tuple[BisectStep, ...]
    candidates: tuple[str, ...]
    """The commit found; several where those between could not be judged."""
    own: MeasuredEffect | None = None
    """The commit against its first parent."""
    folder: str = ""
    """Results of that comparison."""


def build_commit(recipe: Recipe, tree: Path, kernels: Path) -> tuple[Path, str]:
    """Build the commit that is checked out; returns the image, kept under its hash, and the hash.

    Raises
    ------
    BuildError
        When it does not build, or leaves no image.
    ToolError
        When a tool is missing: no fault of the commit.
    """
    clean(tree)
    if recipe.target is not None:
        return build_target_commit(recipe.target, tree, kernels)
    if recipe.build:
        run_build(recipe.build, tree, 2 * Limits().build_s)
        built = (tree / recipe.image).resolve()
        if not built.is_relative_to(tree.resolve()) or not built.is_file():
            raise BuildError(f"'{recipe.build}' left no {recipe.image} in the checkout")
    else:
        if not (tree / "kernel" / "Makefile").is_file():
            raise BuildError("there is no kernel/Makefile: another kernel needs BUILD and IMAGE")
        settings = dict(word.split("=", 1) for word in recipe.switches)
        built = build_kernel(Switches.of({"ARCH": recipe.arch} | settings), tree=tree).path
    kernels.mkdir(exist_ok=True)
    sha256 = sha256_of(built)
    kept = kernels / f"{sha256[:16]}{built.suffix if built.suffix in ('.elf', '.iso') else '.elf'}"
    # No bound needed: a kernel just built and hashed.
    shutil.copyfile(built, kept)
    return kept, sha256


def judge_step(folder: Path) -> BisectStep:
    """Judge the commit that git has checked out in the bisection's folder, and note it.

    Raises
    ------
    BisectError
        When the harness failed: no commit is to blame for that.
    """
    plan, tree = load_plan(folder), folder / "tree"
    commit = git("rev-parse", "HEAD", cwd=tree)
    step = _judge(plan, folder, tree, commit)
    append_line(folder / "steps.jsonl", codec.to_json(step, indent=None).encode().rstrip())
    return step


def _judge(plan: BisectPlan, folder: Path, tree: Path, commit: str) -> BisectStep:
    try:
        kernel, sha256 = build_commit(plan.recipe, tree, folder / "kernels")
    except ToolError:
        raise
    except BuildError as error:
        return BisectStep(commit, BisectMark.SKIP.value, f"does not build: {error.message}")
    known = [
        BisectStep(plan.good, BisectMark.GOOD.value, "", plan.good_sha256),
        BisectStep(plan.bad, BisectMark.BAD.value, "", plan.bad_sha256),
        *load_steps(folder),
    ]
    same = next((one for one in known if one.sha256 == sha256 and one.side != BisectMark.SKIP.value), None)
    if same is not None:
        return BisectStep(commit, same.side, f"builds the same kernel as {same.commit[:12]}", sha256)
    good = _kernel(folder, plan.good_sha256)
    found = Comparison(None, budget.NO_TIME, "", False)
    side = BisectMark.SKIP
    for budget_s in (plan.recipe.step_s, 2 * plan.recipe.step_s):
        if not plan.recipe.has_time(budget_s):
            break
        found = compare(plan.recipe, good, kernel, budget_s, threshold(plan.whole))
        if found.broken:
            raise BisectError(f"{commit[:12]} could not be compared: {found.why}")
        side = BisectMark.SKIP if found.effect is None else side_of(found.effect, plan.whole)
        if side is not BisectMark.SKIP or found.effect is None:
            break
    return BisectStep(commit, side.value, found.why, sha256, found.folder)


def _kernel(folder: Path, sha256: str) -> Path:
    return next((folder / "kernels").glob(f"{sha256[:16]}.*"))


def load_plan(folder: Path) -> BisectPlan:
    """The plan of the bisection that works in a folder."""
    try:
        return codec.from_json(BisectPlan, read_bounded(folder / "plan.json").decode())
    except (OSError, UnicodeDecodeError, CodecError) as error:
        raise BisectError(f"plan.json of the bisection cannot be used: {error}") from error


def load_steps(folder: Path) -> tuple[BisectStep, ...]:
    """The steps so far, in order; a line that a kill cut short is ignored."""
    path = folder / "steps.jsonl"
    steps = []
    for line in read_bounded(path).decode("utf-8", "replace").splitlines() if path.exists() else []:
        with contextlib.suppress(CodecError):
            steps.append(codec.from_json(BisectStep, line))
    return tuple(steps)


class Bisection:
    """One search; its folder keeps the plan, the steps and, while it lasts, the kernels and the checkout.

    Parameters
    ----------
    repository
        Any checkout of the history that is searched; it is not touched.
    folder
        An existing folder, without blanks in its path below the project.
    say
        Takes a line for people now and then.
    """

    def __init__(self, repository: Path, recipe: Recipe, folder: Path, say: Callable[[str], None]) -> None:
        self.repository = repository
        self.recipe = recipe
        self.folder = folder.resolve()
        self.say = say

    def run(self, good: str, bad: str) -> BisectOutcome:
        """Search between two revisions.

        Raises
        ------
        UsageError
            When there is nothing that git could search.
        NothingToFindError
            When the two ends do not surely differ.
        BuildError
            When one of the two ends, or the commit found, does not build.
        """
        first, last = commit_range(self.repository, good, bad)
        with Worktree(self.repository, self.folder / "tree", last) as tree:
            plan = self._ends(tree, first, last)
            candidates = self._search(tree, plan)
            for step in load_steps(self.folder):
                self.say(f"{step.commit[:12]} {step.side}: {step.why}")
            found = self._evaluate(tree, plan, candidates)
        shutil.rmtree(self.folder / "kernels", ignore_errors=True)
        return found

    def _build(self, tree: Worktree, commit: str) -> tuple[Path, str]:
        tree.checkout(commit)
        try:
            return build_commit(self.recipe, tree.path, self.folder / "kernels")
        except ToolError:
            raise
        except BuildError as error:
            raise BuildError(f"{commit[:12]} does not build: {error.message}") from error

    def _direct(self, reference: Path, candidate: Path, smallest: float) -> Comparison:
        return self._usable(compare(self.recipe, reference, candidate, self.recipe.direct_s, smallest))

    def _usable(self, found: Comparison) -> Comparison:
        if found.broken or found.effect is None and not found.folder:
            raise BisectError(f"the two kernels could not be compared: {found.why}")
        return found

    def _ends(self, tree: Worktree, good: str, bad: str) -> BisectPlan:
        (first, first_sha256), (last, last_sha256) = self._build(tree, good), self._build(tree, bad)
        if first_sha256 == last_sha256:
            raise UsageError(f"{good[:12]} and {bad[:12]} build the same kernel: there is nothing to find")
        self.say(f"measuring {bad[:12]} against {good[:12]}")
        found = self._direct(first, last, 0.01)
        if found.effect is None or not found.effect.decided or not found.effect.surely_not_zero:
            raise NothingToFindError(f"BAD against GOOD is not surely slower or faster: {found.why}")
        if abs(found.effect.change) < 0.01:
            raise NothingToFindError(f"BAD against GOOD differs by less than 1%: {found.why}")
        self.say(f"BAD against GOOD: {found.why}; looking for {percent(threshold(found.effect))} at each step")
        plan = BisectPlan(self.recipe, good, bad, first_sha256, last_sha256, found.effect)
        save_json(self.folder / "plan.json", codec.to_plain(plan))
        return plan

    def _search(self, tree: Worktree, plan: BisectPlan) -> tuple[str, ...]:
        tree.checkout(plan.bad)
        judge = self.folder / "judge"
        words = {"root": ROOT, "python": sys.executable, "folder": self.folder}
        quoted = {name: shlex.quote(str(word)) for name, word in words.items()}
        write_whole(judge, _JUDGE.format(owner=os.getpid(), **quoted))
        judge.chmod(0o755)
        step_s = 3 * self.recipe.step_s + 2 * SLACK_S
        return tree.bisect(plan.good, plan.bad, [str(judge)], _STEPS_MOST * step_s)

    def _evaluate(self, tree: Worktree, plan: BisectPlan, candidates: tuple[str, ...]) -> BisectOutcome:
        steps = load_steps(self.folder)
        if len(candidates) != 1:
            names = ", ".join(commit[:12] for commit in candidates)
            skipped = sum(step.side == BisectMark.SKIP.value for step in steps)
            text = f"one of {len(candidates)} commits ({names}): {skipped} could not be judged"
            if any(budget.NO_TIME in step.why for step in steps):
                spent_s = len(steps) * self.recipe.step_s
                would_do = budget.bisect_s(len(candidates), 2 * self.recipe.step_s) + spent_s
                text += f"; {budget.no_time(budget.rounded_s(would_do))}"
            return self._found(plan, steps, candidates, Verdict.INCONCLUSIVE, text)
        commit = candidates[0]
        parents = parents_of(self.repository, commit)
        kind = "the merge " if len(parents) > 1 else ""
        name = f'{kind}{commit[:12]} "{subject_of(self.repository, commit)}"'
        before, _ = self._build(tree, parents[0])
        after, _ = self._build(tree, commit)
        self.say(f"measuring {commit[:12]} against its parent {parents[0][:12]}")
        direct = self._direct(before, after, threshold(plan.whole))
        sure = direct.effect is not None and confirmed(direct.effect, plan.whole)
        verdict = Verdict.PASS if sure else Verdict.INCONCLUSIVE
        words = "confirmed directly against its parent" if sure else "not confirmed directly against its parent"
        return self._found(
            plan, steps, candidates, verdict, f"{name}: {words}: {direct.why}", direct.effect, direct.folder
        )

    def _found(
        self,
        plan: BisectPlan,
        steps: tuple[BisectStep, ...],
        candidates: tuple[str, ...],
        verdict: Verdict,
        text: str,
        own: MeasuredEffect | None = None,
        folder: str = "",
    ) -> BisectOutcome:
        sentence = f"{verdict.value}: {text}"
        return BisectOutcome(verdict, sentence, plan.good, plan.bad, plan.whole, steps, candidates, own, folder)
