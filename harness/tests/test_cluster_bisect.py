"""A bisection that several hosts share finds the commit that one host finds, in fewer rounds."""

from __future__ import annotations

import contextlib
import io
import math
import random
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.bisect.comparing import Recipe
from harness.bisect.culprit import BisectMark
from harness.bisect.search import BisectOutcome
from harness.bisect.sections import OpenHistory, open_history
from harness.bisect.shared import SharedBisection
from harness.bisect.worktree import BisectError
from harness.model.job import Job
from harness.model.spec import Verdict
from harness.platform.processes.pipeline import HarnessRun
from harness.tests import fakegate
from harness.tests.cluster_parts import ScatteredCrew
from harness.tests.test_bisect import BUILD, Repository, bisect, repository, speeds

__all__ = ["repository"]


def searched(history: OpenHistory, sides: Mapping[str, BisectMark], width: int) -> tuple[tuple[str, ...], int]:
    """Search to the end; candidates, and rounds."""
    rounds = 0
    while questions := history.questions(width):
        assert 1 <= len(set(questions)) == len(questions) <= width
        history = history.answered({name: sides[name] for name in questions})
        rounds += 1
        assert rounds <= 200, "a round told nothing"
    return history.candidates, rounds


@pytest.mark.parametrize("width", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("count", [1, 2, 3, 9, 64, 100])
def test_in_a_line_every_culprit_is_found_in_the_rounds_of_a_k_section(count: int, width: int) -> None:
    names = [f"c{number}" for number in range(count)]
    rows = [[name, f"c{number - 1}"] for number, name in enumerate(names)]
    for culprit in range(count):
        sides = {name: BisectMark.BAD if n >= culprit else BisectMark.GOOD for n, name in enumerate(names)}
        candidates, rounds = searched(open_history(rows), sides, width)
        assert candidates == (names[culprit],)
        assert rounds <= math.ceil(math.log(count, width + 1) + 1e-9) + 1


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("random_state", range(30))
def test_with_merges_and_skips_the_culprit_stays_among_the_candidates(random_state: int, width: int) -> None:
    rng = random.Random(random_state)
    count = rng.randint(2, 40)
    rows: list[list[str]] = []
    for number in range(count):
        parents = rng.sample(range(number), min(number, rng.choice([1, 1, 1, 2, 3])))
        rows.append([f"c{number}", *(f"c{parent}" for parent in parents), "outside"])
    rows.append(["tip", *(f"c{number}" for number in range(count))])
    history = open_history(rows)
    culprit = rng.choice(history.names)
    number = history.names.index(culprit)
    bad = {name for at, name in enumerate(history.names) if history.ancestors[at] >> number & 1}
    sides = {name: BisectMark.BAD if name in bad else BisectMark.GOOD for name in history.names}
    assert searched(history, sides, width)[0] == (culprit,)
    skipped = {name for name in sides if name != "tip" and rng.random() < 0.3}
    candidates, _ = searched(history, sides | dict.fromkeys(skipped, BisectMark.SKIP), width)
    assert culprit in candidates and set(candidates) - {candidates[0]} <= skipped | {culprit}


def gate(job: Job, files: Mapping[str, Path]) -> HarnessRun:
    """The made-up comparison of two kernels that travelled."""
    assert job.words[0] == "ab" and job.suite is False
    words = [f"{word[:2]}{files[word[2:]]}" if word[:2] in ("A=", "B=") else word for word in job.words]
    given, said = sys.argv, io.StringIO()
    sys.argv = ["gate", *words]
    try:
        with contextlib.redirect_stdout(said):
            code = fakegate.main()
    finally:
        sys.argv = given
    lines = said.getvalue().splitlines()
    found = [Path(line[len("report: ") :]).parent for line in lines if line.startswith("report: ")]
    return HarnessRun(code, found[0] if found else None, tuple(lines))


def shared(repository: Repository, good: str, bad: str, crew: ScatteredCrew) -> tuple[BisectOutcome, SharedBisection]:
    folder = repository.path.parent / "shared"
    folder.mkdir(exist_ok=True)
    recipe = Recipe(build=BUILD, image="kernel.elf", gate="nobody asks for it")
    search = SharedBisection(repository.path, recipe, folder, lambda text: None, crew)
    found = search.run(good, bad)
    assert not (folder / "tree").exists() and not (folder / "kernels").exists()
    return found, search


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.slow
def test_the_commit_is_that_of_a_bisection_on_one_host_and_confirmed(repository: Repository, workers: int) -> None:
    kernels = speeds(20)
    kernels[15] = "crash"
    commits = repository.line_of(kernels, broken=[7, 16])
    crew = ScatteredCrew(gate, workers)
    found, search = shared(repository, commits[0], commits[-1], crew)
    alone = bisect(repository, commits[0], commits[-1])
    assert found.candidates == alone.candidates == (commits[20],)
    assert (found.verdict, found.sentence) == (alone.verdict, alone.sentence) and found.verdict is Verdict.PASS
    assert search.rounds <= math.ceil(math.log(30, workers + 1)) + 2
    last = crew.rounds[-1]
    assert len(last) == 1, "the confirmation is one job, on one host"
    sides = {step.commit: step.side for step in found.steps}
    assert all(side == "skip" or side == ("bad" if commits.index(c) >= 20 else "good") for c, side in sides.items())
    assert len(sides) == len(found.steps), "a commit was judged twice"


@pytest.mark.slow
def test_kernels_that_are_equal_are_compared_once_in_a_round(repository: Repository) -> None:
    texts = ["speed=100 n=0", *["speed=100 n=1"] * 3, *["speed=90 n=2"] * 3]
    commits = [repository.commit(f"commit {number}", text, note=str(number)) for number, text in enumerate(texts)]
    crew = ScatteredCrew(gate, 6)
    found, _ = shared(repository, commits[0], commits[-1], crew)
    assert found.candidates == (commits[4],)
    measured = [step for step in found.steps if step.folder and "same kernel" not in step.why]
    assert len({step.sha256 for step in measured}) == len(measured) <= 1


@pytest.mark.slow
def test_commits_that_cannot_be_judged_stay_open(repository: Repository) -> None:
    kernels = speeds(3, 5)
    kernels[3] += " spread=0.2"
    commits = repository.line_of(kernels, broken=[2])
    found, _ = shared(repository, commits[0], commits[-1], ScatteredCrew(gate, 3))
    assert found.verdict is Verdict.INCONCLUSIVE and set(found.candidates) == set(commits[2:])
    assert "one of 3 commits" in found.sentence and "2 could not be judged" in found.sentence


def test_a_harness_that_fails_elsewhere_blames_no_commit(repository: Repository) -> None:
    kernels = speeds(2, 3)
    kernels[1] += " broken-host"
    commits = repository.line_of(kernels)
    with pytest.raises(BisectError, match="could not be compared"):
        shared(repository, commits[0], commits[-1], ScatteredCrew(gate, 2))
