"""The suites in shards: the same ones every time, each test in one of them, and their counts summed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cluster import suites
from harness.cluster.blobs import BlobStore
from harness.cluster.bundle import Provisions, make_bundle, unpack
from harness.cluster.suites import FUZZ_RUNS, SuiteShard, shard_end, shard_jobs, suite_shards
from harness.cluster.workplace import run_in_tree
from harness.model.cluster_request import ClusterRequest
from harness.model.job import Job, JobEnd
from harness.model.spec import ROOT
from harness.platform.kernels.build import git
from harness.tests.test_bisect import Repository
from harness.tests.test_suite_runner import runner

__all__ = ["runner"]

FILES = sorted((ROOT / "harness" / "tests").glob("test_*.py"))
EVERY = ("check", "native", "guest", "own-gate", "harness")


def test_every_test_file_is_in_one_shard_and_shards_do_not_change() -> None:
    shards = suite_shards("full", EVERY, FILES, "K")
    assert shards == suite_shards("full", EVERY, list(reversed(FILES)), "K")
    names = [name for one in shards if one.label.startswith("harness") for name in one.words[1][2:].split(",")]
    assert sorted(names) == [path.stem.removeprefix("test_") for path in FILES]
    assert [one.words for one in shards[:4]] == [("full", f"T={name}") for name in EVERY[:4]]
    assert len({wish.job.id for wish in shard_jobs(shards, "p")}) == len(shards)
    assert all("K=K" in one.words for one in shards[4:])


def test_shards_have_about_the_same_size() -> None:
    groups = [
        sum((ROOT / "harness/tests" / f"test_{name}.py").stat().st_size for name in one.words[0][2:].split(","))
        for one in suite_shards("", ("harness",), FILES)
    ]
    assert max(groups) < 3 * min(groups), groups


def test_fuzzers_share_their_inputs_and_begin_at_different_places() -> None:
    shards = suite_shards("", ("fuzz",), FILES, fuzz_runs=10 * FUZZ_RUNS)
    assert [one.words for one in shards] == [("T=fuzz", f"RUNS={FUZZ_RUNS}", f"SEED={n}") for n in range(1, 11)]


def test_what_starts_machines_goes_where_machines_run() -> None:
    needs = {wish.job.label: wish.job.needs for wish in shard_jobs(suite_shards("full", EVERY, FILES[:1]), "p")}
    assert needs["check"] == needs["native"] == ("pairs",)
    assert {"arch:aarch64", "arch:riscv64", "arch:x86_64"} < set(needs["guest"]) == set(needs["own-gate"])
    assert [one.boots for one in suite_shards("quick", ("harness",), FILES[:1])] == [False]


@pytest.mark.parametrize(
    ("said", "code", "counts"),
    [
        (("12 passed, 0 failed",), 0, (12, 0)),
        (("1 passed, 0 failed", "12 passed, 3 failed"), 1, (12, 3)),
        (("12 passed, 0 failed", "Segmentation fault"), 1, (12, 1)),
        (("usage: K=x: no test has such a name, or all are left out here (exit 2)",), 2, (0, 0)),
        (("set aside: 3 workers ended while they ran it",), 5, (0, 1)),
        ((), 0, (0, 1)),
    ],
)
def test_no_shard_is_green_by_accident(said: tuple[str, ...], code: int, counts: tuple[int, int]) -> None:
    end = shard_end(JobEnd(Job("p", "x", ("T=x",), "", 1.0, suite=True), code, "", said, 1.0, "a"))
    assert (end.passed, end.failed) == counts


def test_the_counts_of_all_shards_are_summed(
    runner: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = [suites.ShardEnd(f"shard {n}", n, n // 2, "a host", 1.0, "", ("E  x",)) for n in range(3)]
    asked = []

    def run_shards(request: ClusterRequest, shards: list[SuiteShard], *_: object) -> list[suites.ShardEnd]:
        asked.append((request, shards))
        return ends

    monkeypatch.setattr(suites, "run_shards", run_shards)
    assert runner.main(["full", "T=gates,native", "CLUSTER=local", "WORKERS=3"]) == 1  # type: ignore[attr-defined]
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 1 failed"
    [(request, shards)] = asked
    assert (request.where, request.workers) == ("local", 3)
    assert [one.words for one in shards] == [("full", "T=native"), ("full", "T=gates")]


@pytest.mark.parametrize(
    "words",
    [
        ["WORKERS=2"],
        ["RUNS=5"],
        ["T=fuzz", "RUNS=0"],
        ["T=fuzz", "SEED=x"],
        ["CLUSTER=local", "WORKERS=-1"],
        ["CLUSTER="],
    ],
)
def test_words_without_meaning_are_refused(runner: object, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        runner.main(words)  # type: ignore[attr-defined]
    assert ended.value.code == 2


@pytest.mark.parametrize("where", ["here", "tcp://elsewhere:8786", "tls://:1"])
def test_a_cluster_that_cannot_be_used_is_a_usage_error(
    runner: object, where: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(suites, "SHARDS_DIR", tmp_path / "shards")
    with pytest.raises(SystemExit) as ended:
        runner.main([f"CLUSTER={where}", "T=gates"])  # type: ignore[attr-defined]
    assert ended.value.code == 2 and capsys.readouterr().out.startswith("usage: CLUSTER=")


def test_a_shard_runs_in_a_tree_that_git_knows(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    script = "import subprocess, sys\nprint(subprocess.run(['git', 'log', '--format=%s'], stdout=-1).stdout.decode())\n"
    (repository.path / "ci").mkdir()
    (repository.path / "ci" / "test").write_text(script + "print('3 passed, 0 failed')")
    repository.commit("first", "speed=1")
    repository.commit("second", "speed=2")
    (repository.path / "kernel.txt").write_text("changed since")
    store = BlobStore(tmp_path / "blobs")
    bundle = make_bundle(Provisions(history=True), store, {}, repository.path)
    assert bundle == make_bundle(Provisions(history=True), store, {}, repository.path), "two bundles of one tree differ"
    tree = unpack(bundle, store, tmp_path / "trees")
    shard = Job("p", "a shard", ("T=setup",), "", 120.0, bundle=bundle.digest, suite=True)
    for _ in range(2):
        ran = run_in_tree(shard, tree, tmp_path / "results")
        assert ran.said[:2] == ("second", "first") and shard_end(JobEnd(shard, 0, "", ran.said, 1.0, "a")).passed == 3
        assert git("rev-parse", "HEAD", cwd=tree) == repository.git("rev-parse", "HEAD")
        assert git("diff", "--name-only", cwd=tree) == "kernel.txt", "the tree is not as it was"
