"""A bisection on several hosts: each round compares as many commits as there are workers.

Kernels are built here, once each; a comparison is a job, so it is on one host from start to end. All comparisons go to
hosts like the one that measured the two ends, where there are any. The commit that is found is confirmed against its
parent by one more such job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.bisect.comparing import SLACK_S, Comparison, Recipe, comparison_of, comparison_words
from harness.bisect.culprit import BisectMark, side_of, threshold
from harness.bisect.search import Bisection, BisectPlan, BisectStep, build_commit, load_steps
from harness.bisect.sections import open_history
from harness.bisect.worktree import BisectError, Worktree, history_between
from harness.core import budget
from harness.model import codec
from harness.model.errors import BuildError, StoreError, ToolError
from harness.model.job import PAIR, Job, JobCrew, Wish
from harness.model.result import ResultError
from harness.platform.files.atomic import append_line
from harness.platform.files.store import load_result
from harness.platform.processes.pipeline import ran_as_job

_SHIPPED = Path("build") / "compared"
"""Where kernels lie in a tree that is shipped."""


class SharedBisection(Bisection):
    """One search whose comparisons a crew makes."""

    def __init__(
        self, repository: Path, recipe: Recipe, folder: Path, say: Callable[[str], None], crew: JobCrew
    ) -> None:
        super().__init__(repository, recipe, folder, say)
        self.crew = crew
        self.series_host = ""
        """Label of the host that compared the ends."""
        self.rounds = 0

    def _direct(self, reference: Path, candidate: Path, smallest: float) -> Comparison:
        name = f"{candidate.stem[:12]} against {reference.stem[:12]}"
        found = self._compare({name: (reference, candidate)}, self.recipe.direct_s, smallest)[name]
        return self._usable(found)

    def _search(self, tree: Worktree, plan: BisectPlan) -> tuple[str, ...]:
        history = open_history(history_between(self.repository, plan.good, plan.bad))
        width = self.crew.width()
        while questions := history.questions(width):
            self.rounds += 1
            self.say(f"round {self.rounds}: {len(questions)} of {len(history.candidates)} commits")
            steps = self._round(tree, plan, questions)
            for step in steps:
                line = codec.to_json(step, indent=None).encode().rstrip()
                append_line(self.folder / "steps.jsonl", line)
            history = history.answered({step.commit: BisectMark(step.side) for step in steps})
        return history.candidates

    def _round(self, tree: Worktree, plan: BisectPlan, commits: Sequence[str]) -> list[BisectStep]:
        """Judge several commits; each kernel is compared once."""
        steps: dict[str, BisectStep] = {}
        built: dict[str, tuple[Path, str]] = {}
        for commit in commits:
            tree.checkout(commit)
            try:
                built[commit] = build_commit(self.recipe, tree.path, self.folder / "kernels")
            except ToolError:
                raise
            except BuildError as error:
                steps[commit] = BisectStep(commit, BisectMark.SKIP.value, f"does not build: {error.message}")
        known = {
            plan.good_sha256: (BisectMark.GOOD, plan.good),
            plan.bad_sha256: (BisectMark.BAD, plan.bad),
        }
        for step in load_steps(self.folder):
            if step.sha256 and step.side != BisectMark.SKIP.value:
                known.setdefault(step.sha256, (BisectMark(step.side), step.commit))
        fresh: dict[str, str] = {}
        """By hash of its kernel: the commit that is compared."""
        for commit, (_, sha256) in built.items():
            if sha256 not in known:
                fresh.setdefault(sha256, commit)
        found = self._judged(plan, {commit: built[commit][0] for commit in fresh.values()})
        for commit, (_, sha256) in built.items():
            if sha256 in known:
                side, same = known[sha256]
                why = f"builds the same kernel as {same[:12]}"
                steps[commit] = BisectStep(commit, side.value, why, sha256)
            else:
                judged, first = found[fresh[sha256]], fresh[sha256]
                why = judged[1].why if commit == first else f"builds the same kernel as {first[:12]}"
                steps[commit] = BisectStep(commit, judged[0].value, why, sha256, judged[1].folder)
        return [steps[commit] for commit in commits]

    def _judged(self, plan: BisectPlan, kernels: Mapping[str, Path]) -> dict[str, tuple[BisectMark, Comparison]]:
        """Sides of kernels; those that stay open are compared once more, for twice as long."""
        good = next((self.folder / "kernels").glob(f"{plan.good_sha256[:16]}.*"))
        found: dict[str, tuple[BisectMark, Comparison]] = {
            commit: (BisectMark.SKIP, Comparison(None, budget.NO_TIME, "", False)) for commit in kernels
        }
        left = dict(kernels)
        for step_s in (self.recipe.step_s, 2 * self.recipe.step_s):
            if not left or not self.recipe.has_time(step_s):
                break
            pairs = {commit[:12]: (good, kernel) for commit, kernel in left.items()}
            compared = self._compare(pairs, step_s, threshold(plan.whole))
            for commit in list(left):
                one = compared[commit[:12]]
                if one.broken:
                    raise BisectError(f"{commit[:12]} could not be compared: {one.why}")
                side = BisectMark.SKIP if one.effect is None else side_of(one.effect, plan.whole)
                found[commit] = side, one
                if side is not BisectMark.SKIP or one.effect is None:
                    del left[commit]
        return found

    def _compare(
        self, pairs: Mapping[str, tuple[Path, Path]], budget_s: float, smallest: float
    ) -> dict[str, Comparison]:
        """Compare pairs of kernels, reference first, each on one host; by the names that they were given."""
        files: dict[str, Path] = {}
        wishes = []
        for name, (reference, candidate) in pairs.items():
            arms = [self._shipped(image, files) for image in (reference, candidate)]
            words = comparison_words(self.recipe, arms[0], arms[1], budget_s, smallest)
            purpose = f"bisect {self.folder.name} {self.rounds}"
            job = Job(purpose, name, words, "", budget_s + 2 * SLACK_S, (PAIR, f"arch:{self.recipe.arch}"))
            wishes.append(Wish(job, budget_s, self.series_host))
        found = {}
        for end in self.crew.run(wishes, files=files):
            found[end.job.label] = comparison_of(ran_as_job(end))
            self.say(f"{end.job.label} by {end.host}: {found[end.job.label].why}")
            self.series_host = self.series_host or _label_of(end.folder)
        return found

    def _shipped(self, image: Path, files: dict[str, Path]) -> str:
        """A kernel by its path in a shipped tree; what belongs to it is added to the files that travel."""
        parts = [path for path in image.parent.glob(f"{image.stem}*") if path.is_file()]
        files |= {str(_SHIPPED / path.name): path for path in parts}
        return str(_SHIPPED / image.name)


def _label_of(folder: str) -> str:
    """The host that measured a result, as series name it; empty where it does not say."""
    try:
        fingerprint = load_result(Path(folder)).fingerprint if folder else None
    except (StoreError, ResultError):
        return ""
    return fingerprint.label if fingerprint is not None else ""
