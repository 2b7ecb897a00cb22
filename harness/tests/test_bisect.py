"""Bisection: on scratch repositories with planted culprits, through the real git, with a comparison that is made up."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.bisect.comparing import Recipe
from harness.bisect.culprit import BisectMark, MeasuredEffect, confirmed, side_of, threshold
from harness.bisect.search import Bisection, BisectOutcome
from harness.bisect.worktree import BisectError, NothingToFindError
from harness.commands.bisect import main
from harness.front.words import parse
from harness.model.errors import BuildError
from harness.model.spec import ROOT, UsageError, Verdict
from harness.platform.kernels.build import checkout_revision, git
from harness.tests.fuzz import FULL
from harness.tests.printer import RecordingPrinter

BUILD = "test ! -e broken && cp kernel.txt kernel.elf"


class Repository:
    """A repository whose kernel states its speed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "A Developer")
        self.git("config", "user.email", "developer@example.org")

    def git(self, *words: str) -> str:
        return git(*words, cwd=self.path)

    def commit(self, subject: str, kernel: str, broken: bool = False, **files: str) -> str:
        (self.path / "kernel.txt").write_text(kernel + "\n")
        for name, content in files.items():
            (self.path / name).write_text(content)
        marker = self.path / "broken"
        if broken:
            marker.write_text("x")
        else:
            marker.unlink(missing_ok=True)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def line_of(self, kernels: Sequence[str], broken: Sequence[int] = ()) -> list[str]:
        """One commit a kernel; each is another, as it says its number."""
        return [self.commit(f"commit {n}", f"{text} n={n}", n in broken) for n, text in enumerate(kernels)]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return Repository(tmp_path / "repository")


def bisect(repository: Repository, good: str, bad: str, image: str = "kernel.elf") -> BisectOutcome:
    folder = repository.path.parent / "bisection"
    folder.mkdir(exist_ok=True)
    head = repository.git("rev-parse", "HEAD")
    recipe = Recipe(build=BUILD, image=image, gate="harness.tests.fakegate")
    try:
        return Bisection(repository.path, recipe, folder, lambda text: None).run(good, bad)
    finally:
        assert not (folder / "tree").exists()
        assert len(repository.git("worktree", "list").splitlines()) == 1
        assert repository.git("rev-parse", "HEAD") == head and not repository.git("status", "--porcelain")


def speeds(culprit: int, count: int = 31, slower: float = 0.05) -> list[str]:
    return [f"speed={100 if n < culprit else 100 * (1 - slower)}" for n in range(count)]


@pytest.mark.slow
def test_the_commit_of_a_planted_regression_is_found_and_confirmed(repository: Repository) -> None:
    kernels = speeds(20)
    kernels[15] = "crash"
    commits = repository.line_of(kernels, broken=[7, 16])
    found = bisect(repository, commits[0], commits[-1])
    assert found.candidates == (commits[20],) and found.verdict is Verdict.PASS
    assert found.own is not None and found.own.low < -0.05 < found.own.high
    assert (Path(found.folder) / "result.json").is_file()
    sides = {step.commit: step.side for step in found.steps}
    assert sides[commits[15]] == "skip" and 4 <= len(sides) <= 9
    assert all(side == "skip" or side == ("bad" if commits.index(c) >= 20 else "good") for c, side in sides.items())
    assert '"commit 20": confirmed directly against its parent' in found.sentence


@pytest.mark.slow
def test_an_improvement_in_a_merge_is_named_as_one(repository: Repository) -> None:
    first = repository.commit("base", "speed=100 n=0")
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("side", "speed=100 n=0", side="1")
    repository.git("checkout", "-q", "main")
    repository.commit("main", "speed=100 n=1")
    repository.git("merge", "-q", "--no-commit", "--no-ff", "side")
    merge = repository.commit("Merge side", "speed=105 n=2")
    found = bisect(repository, first, repository.commit("after", "speed=105 n=3"))
    assert found.candidates == (merge,) and found.own is not None and found.own.low > 0
    assert f"the merge {merge[:12]}" in found.sentence and found.verdict is Verdict.PASS
    same = next(step for step in found.steps if "the same kernel" in step.why)
    assert same.side == "good" and not same.folder


@pytest.mark.slow
def test_a_culprit_among_commits_that_cannot_be_judged_stays_open(repository: Repository) -> None:
    kernels = speeds(3, 5)
    kernels[3] += " spread=0.2"
    commits = repository.line_of(kernels, broken=[2])
    found = bisect(repository, commits[0], commits[-1])
    assert found.verdict is Verdict.INCONCLUSIVE and set(found.candidates) == set(commits[2:])
    assert "one of 3 commits" in found.sentence and "2 could not be judged" in found.sentence
    assert any("does not build" in step.why for step in found.steps)


@pytest.mark.slow
def test_a_culprit_that_its_parent_does_not_confirm_is_not_proven(repository: Repository) -> None:
    creep = [f"speed={100 - number} spread=0.001" for number in range(6)]
    commits = repository.line_of(creep)
    found = bisect(repository, commits[0], commits[-1])
    assert found.candidates == (commits[3],) and found.verdict is Verdict.INCONCLUSIVE
    assert "not confirmed" in found.sentence


@pytest.mark.slow
def test_a_harness_that_fails_blames_no_commit(repository: Repository) -> None:
    kernels = speeds(2, 3)
    kernels[1] += " broken-host"
    commits = repository.line_of(kernels)
    with pytest.raises(BisectError, match="git bisect run ended with"):
        bisect(repository, commits[0], commits[-1])


@pytest.mark.slow
def test_ends_that_do_not_surely_differ_are_inconclusive(repository: Repository) -> None:
    commits = repository.line_of(["speed=100", "speed=96 spread=0.05"])
    with pytest.raises(NothingToFindError, match="not surely slower or faster") as raised:
        bisect(repository, commits[0], commits[-1])
    assert raised.value.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("nonsense", "HEAD", "nonsense: no such revision"),
        ("HEAD", "HEAD", "the same commit"),
        ("HEAD", "HEAD~1", "does not descend"),
        ("HEAD~1", "HEAD", "build the same kernel"),
    ],
)
@pytest.mark.slow
def test_what_cannot_be_bisected_is_said(repository: Repository, good: str, bad: str, says: str) -> None:
    repository.commit("base", "speed=100")
    repository.commit("docs", "speed=100", readme="1")
    with pytest.raises(UsageError, match=says):
        bisect(repository, good, bad)


def test_a_shallow_clone_is_refused(repository: Repository) -> None:
    repository.line_of(speeds(2, 5))
    clone = repository.path.parent / "clone"
    subprocess.run(
        ["git", "clone", "-q", "--depth", "3", f"file://{repository.path}", str(clone)], check=True, timeout=60
    )
    with pytest.raises(UsageError, match="this clone is shallow: run 'git fetch --unshallow'"):
        Bisection(clone, Recipe(build=BUILD, image="kernel.elf"), clone, print).run("HEAD~1", "HEAD")


@pytest.mark.slow
def test_an_end_that_does_not_build_ends_it(repository: Repository) -> None:
    commits = repository.line_of(speeds(1, 3), broken=[2])
    with pytest.raises(BuildError, match="ended with status"):
        bisect(repository, commits[0], commits[-1])
    with pytest.raises(BuildError, match="left no ../../kernel.elf"):
        bisect(repository, commits[0], commits[1], image="../../kernel.elf")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"GOOD": "a"}, "bisect needs BAD=HEAD"),
        ({"GOOD": "a", "BAD": "b", "BUILD": "make"}, "BUILD=make needs IMAGE"),
        ({"GOOD": "a", "BAD": "b", "REPO": "/"}, "REPO=/ needs BUILD"),
        (
            {"GOOD": "a", "BAD": "b", "BUILD": "make", "IMAGE": "k", "FILL": "pixel"},
            "FILL=pixel has no meaning beside BUILD",
        ),
        ({"GOOD": "a", "BAD": "b", "REPO": "/nowhere", "BUILD": "make", "IMAGE": "k"}, "no such folder"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    printer: RecordingPrinter, settings: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        main(parse(["bisect", *(f"{key}={value}" for key, value in settings.items())]), printer)


def test_sides_are_decided_by_the_middle_of_the_whole() -> None:
    slower, faster = MeasuredEffect(-0.05, -0.055, -0.045), MeasuredEffect(0.05, 0.045, 0.055)
    assert threshold(slower) == threshold(faster) == pytest.approx(0.0225)
    assert threshold(MeasuredEffect(-0.13, -0.21, -0.05)) == pytest.approx(0.0325)
    assert side_of(MeasuredEffect(-0.049, -0.055, -0.04), slower) is BisectMark.BAD
    assert side_of(MeasuredEffect(-0.001, -0.02, 0.01), slower) is BisectMark.GOOD
    assert side_of(MeasuredEffect(0.06, 0.05, 0.07), slower) is BisectMark.GOOD
    assert side_of(MeasuredEffect(-0.03, -0.05, -0.01, decided=False), slower) is BisectMark.SKIP
    assert side_of(MeasuredEffect(-0.04, -0.05, -0.03, decided=False), slower) is BisectMark.BAD
    assert side_of(MeasuredEffect(0.049, 0.04, 0.055), faster) is BisectMark.BAD
    assert side_of(MeasuredEffect(0.001, -0.01, 0.02, decided=False), faster) is BisectMark.GOOD
    assert confirmed(slower, slower) and not confirmed(faster, slower)
    assert not confirmed(MeasuredEffect(-0.05, -0.11, 0.01), slower)


@pytest.mark.skipif(not FULL, reason="a quarter of an hour of real comparisons: HARNESS_FULL=1")
def test_a_real_slow_down_among_thirty_commits_is_found(repository: Repository) -> None:
    tree, _ = checkout_revision("HEAD")
    subprocess.run(["cp", "-r", str(tree / "kernel"), str(repository.path)], check=True, timeout=60)
    (repository.path / ".gitignore").write_text("/build/\n/out/\n")
    params = repository.path / "kernel" / "run" / "params.c"
    assert ".slow = 10," in params.read_text()
    commits = []
    for number in range(31):
        if number == 17:
            params.write_text(params.read_text().replace(".slow = 10,", ".slow = 6,"))
        fault = "slow_draw" if number >= 17 else "none"
        plain = f"make --no-print-directory -C kernel ARCH=x86_64 FAULT={fault} OUT=../out all\n"
        (repository.path / "build.sh").write_text(plain)
        source = repository.path / "kernel" / "main.c"
        source.write_text(
            source.read_text() + f"\n__attribute__((used)) static const int main_note_{number} = {number};\n"
        )
        commits.append(repository.commit(f"commit {number}", str(number)))
    settings = {"GOOD": commits[0], "BAD": commits[-1], "REPO": str(repository.path), "BUDGET": "40"}
    settings |= {"BUILD": "sh build.sh", "IMAGE": "out/roulette.elf"}
    words = [f"{key}={value}" for key, value in settings.items()]
    command = ["/usr/bin/python3", "-m", "harness", "bisect", *words]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=3000)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'{commits[17][:12]} "commit 17": confirmed directly against its parent' in done.stdout
