"""Git worktrees and ``git bisect run``: the repository's own checkout is never touched."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from harness.model.errors import BuildError, HarnessError
from harness.model.spec import ROOT, UsageError, Verdict
from harness.platform.files.scratch import scratch_folder
from harness.platform.kernels.build import git
from harness.platform.processes.child import ChildError, clean_environment, run_child

_ONLY_SKIPPED = 2
"""Exit code of ``git bisect run`` when only skipped commits are left."""


class BisectError(HarnessError):
    """A bisection that cannot go on."""


class NothingToFindError(BisectError):
    """The two ends do not differ enough to look for a commit between them."""

    verdict = Verdict.INCONCLUSIVE


def commit_of(repository: Path, revision: str) -> str:
    """The full name of the commit that a revision means.

    Raises
    ------
    UsageError
        When there is none.
    """
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", cwd=repository)
    except BuildError as error:
        raise UsageError(f"{revision}: no such revision in {repository}") from error


def commit_range(repository: Path, good: str, bad: str) -> tuple[str, str]:
    """Both ends as commits, after a check that git can search between them.

    Raises
    ------
    UsageError
        No repository, a shallow clone, unknown revisions, or a bad end that does not descend from the good one.
    """
    if not repository.is_dir():
        raise UsageError(f"{repository}: no such folder")
    try:
        shallow = git("rev-parse", "--is-shallow-repository", cwd=repository)
    except BuildError as error:
        raise UsageError(f"{repository}: {error.message}") from error
    if shallow == "true":
        raise UsageError(f"{repository}: this clone is shallow: run 'git fetch --unshallow' in it first")
    ends = commit_of(repository, good), commit_of(repository, bad)
    if ends[0] == ends[1]:
        raise UsageError(f"GOOD={good} and BAD={bad} are the same commit")
    try:
        git("merge-base", "--is-ancestor", *ends, cwd=repository)
    except BuildError as error:
        raise UsageError(f"BAD={bad} does not descend from GOOD={good}: there is no history between them") from error
    return ends


def commits_between(repository: Path, good: str, bad: str) -> int:
    """How many commits git may have to search: those reachable from BAD and not from GOOD."""
    return int(git("rev-list", "--count", f"{good}..{bad}", cwd=repository))


def history_between(repository: Path, good: str, bad: str) -> list[list[str]]:
    """Commits reachable from BAD and not from GOOD, each with its parents; parents before children."""
    said = git("rev-list", "--topo-order", "--reverse", "--parents", f"{good}..{bad}", cwd=repository)
    return [line.split() for line in said.splitlines()]


class Worktree:
    """A detached checkout beside the repository's own; as a context manager it is removed at the end."""

    def __init__(self, repository: Path, path: Path, commit: str) -> None:
        self.repository = repository
        self.path = path
        self._commit = commit

    def __enter__(self) -> "Worktree":
        git("worktree", "add", "--quiet", "--detach", str(self.path), self._commit, cwd=self.repository)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(BuildError):
            git("worktree", "remove", "--force", str(self.path), cwd=self.repository)
        with contextlib.suppress(BuildError):
            git("worktree", "prune", cwd=self.repository)

    def checkout(self, commit: str) -> None:
        """Check out a commit, and remove everything that a build left."""
        git("checkout", "--quiet", "--force", "--detach", commit, cwd=self.path)
        clean(self.path)

    def bisect(self, good: str, bad: str, judge: Sequence[str], limit_s: float) -> tuple[str, ...]:
        """Let git find the first bad commit.

        Parameters
        ----------
        judge
            A command that ends with 0 for good, 1 for bad, 125 for neither, and 255 to give up; runs in the worktree.

        Returns
        -------
        tuple of str
            The first bad commit; or all that it may be, when only skipped ones are left.

        Raises
        ------
        BisectError
            When git or the judge gave up.
        """
        git("bisect", "start", bad, good, cwd=self.path)
        try:
            status, said = _run(["git", "bisect", "run", *judge], self.path, limit_s)
            if status not in (0, _ONLY_SKIPPED):
                raise BisectError(f"git bisect run ended with {status}: {' | '.join(said[-3:])}")
            if status == 0:
                return (git("rev-parse", "refs/bisect/bad", cwd=self.path),)
            known = git("for-each-ref", "--format=%(refname)", "refs/bisect/good-*", cwd=self.path).split()
            return tuple(git("rev-list", "refs/bisect/bad", "--not", *known, cwd=self.path).split())
        finally:
            with contextlib.suppress(BuildError):
                git("bisect", "reset", "HEAD", cwd=self.path)


def clean(tree: Path) -> None:
    """Remove every untracked file, ignored ones included: a stale object would put another commit's code into the
    kernel."""
    git("clean", "-ffdxq", cwd=tree)


def parents_of(repository: Path, commit: str) -> tuple[str, ...]:
    """The parents of a commit, the first one first."""
    return tuple(git("rev-list", "--parents", "-n", "1", commit, cwd=repository).split()[1:])


def subject_of(repository: Path, commit: str) -> str:
    """The first line of a commit's message."""
    return git("show", "--no-patch", "--format=%s", commit, cwd=repository)


def run_build(command: str, tree: Path, limit_s: float) -> None:
    """Run somebody's build command in a checkout.

    Raises
    ------
    BuildError
        When it fails or takes too long; with its last lines.
    """
    status, said = _run(["sh", "-c", command], tree, limit_s)
    if status:
        raise BuildError(f"'{command}' ended with status {status}: {' | '.join(said[-3:])}")


def _run(command: Sequence[str], folder: Path, limit_s: float) -> tuple[int, list[str]]:
    """Run a command; whatever ends the wait also ends all processes that it started."""
    try:
        with scratch_folder("build") as scratch:
            environment = clean_environment(scratch=scratch) | {"PYTHONPATH": str(ROOT)}
            done = run_child(command, limit_s=limit_s, environment=environment, cwd=folder, merged=True)
    except ChildError as error:
        raise BuildError(error.message) from error
    return done.status, done.text.splitlines()
