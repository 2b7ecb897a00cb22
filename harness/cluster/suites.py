"""The project's own suites in shards: each is a call of ``ci/test`` that ends with "N passed, N failed".

Shards follow from the files alone, so that every run has the same ones, whichever host takes them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cluster.bundle import Provisions
from harness.cluster.crew import crew_for
from harness.model.cluster_request import ClusterRequest
from harness.model.job import PAIR, Job, JobEnd, Wish
from harness.model.spec import ARCHES, ROOT

SHARD_FILES = 6
"""Test files of one shard: beside its tests, a shard takes the few seconds in which pytest starts."""
FUZZ_RUNS = 150_000
"""Inputs that a fuzzer tries in one shard, with a random state of its own."""
LIMIT_S, EXPECTED_S = 7200.0, 120.0
SHARDS_DIR = ROOT / "build" / "test" / "shards"
"""What comes back: the logs of every shard."""
_COUNTS = re.compile(r"(\d+) passed, (\d+) failed")
_NOTHING = "no test has such a name"
"""What ``ci/test`` says where a shard has no test of the kind that was asked for."""


@dataclass(frozen=True)
class SuiteShard:
    """One call of ``ci/test``."""

    label: str
    words: tuple[str, ...]
    boots: bool = True
    """Its tests start virtual machines."""


@dataclass(frozen=True)
class ShardEnd:
    """What a shard came to."""

    label: str
    passed: int
    failed: int
    host: str
    seconds: float
    folder: str
    said: tuple[str, ...]


def suite_shards(
    mode: str, suites: Sequence[str], files: Sequence[Path], name: str = "", fuzz_runs: int = FUZZ_RUNS
) -> list[SuiteShard]:
    """The shards of some suites.

    Parameters
    ----------
    mode
        ``full``, ``quick`` or nothing.
    files
        Test files of the suite ``harness``.
    name
        Part of the names of its tests; all without one.
    fuzz_runs
        Inputs of each fuzzer in the suite ``fuzz``, over all shards.
    """
    head = (mode,) if mode else ()
    found = [
        SuiteShard(suite, (*head, f"T={suite}"), suite in ("guest", "own-gate"))
        for suite in suites
        if suite not in ("harness", "fuzz")
    ]
    if "fuzz" in suites:
        shards = max(round(fuzz_runs / FUZZ_RUNS), 1)
        words = [("T=fuzz", f"RUNS={fuzz_runs // shards}", f"SEED={number + 1}") for number in range(shards)]
        found += [SuiteShard(f"fuzz {one[2]}", one, False) for one in words]
    if "harness" in suites:
        narrowed = (f"K={name}",) if name else ()
        for number, group in enumerate(_groups(files)):
            names = ",".join(path.stem.removeprefix("test_") for path in group)
            words_of = (*head, f"T={names}", *narrowed)
            found.append(SuiteShard(f"harness {number + 1}: {names}", words_of, mode != "quick"))
    return found


def _groups(files: Sequence[Path]) -> list[list[Path]]:
    """Files in groups of about the same size, for a long file has many tests."""
    count = -(-len(files) // SHARD_FILES)
    groups: list[list[Path]] = [[] for _ in range(count)]
    ordered = sorted(files, key=lambda path: (-path.stat().st_size, path.name))
    for number, path in enumerate(ordered):
        turn, place = divmod(number, count)
        groups[place if turn % 2 == 0 else count - 1 - place].append(path)
    return groups


def shard_jobs(shards: Sequence[SuiteShard], purpose: str) -> list[Wish]:
    """Shards as jobs."""
    arches = tuple(f"arch:{name}" for name in ARCHES)
    return [
        Wish(
            Job(purpose, one.label, one.words, "", LIMIT_S, (PAIR, *(arches if one.boots else ())), suite=True),
            EXPECTED_S,
        )
        for one in shards
    ]


def shard_end(end: JobEnd) -> ShardEnd:
    """What a shard came to: one that says no counts, or ends badly without a failure counted, is one failure."""
    counts = [match for line in end.said if (match := _COUNTS.search(line))]
    passed, failed = (int(counts[-1][1]), int(counts[-1][2])) if counts else (0, 0)
    nothing = not counts and end.exit_code == 2 and any(_NOTHING in line for line in end.said)
    if not failed and not nothing and (end.exit_code or not passed):
        failed = 1
    return ShardEnd(end.job.label, passed, failed, end.host, end.seconds, end.folder, end.said)


def run_shards(
    request: ClusterRequest, shards: Sequence[SuiteShard], purpose: str, say: Callable[[str], None]
) -> Iterator[ShardEnd]:
    """Run shards on the hosts of a cluster; raises as the crew does."""
    shutil.rmtree(SHARDS_DIR, ignore_errors=True)
    SHARDS_DIR.mkdir(parents=True)
    crew = crew_for(request, Provisions(history=True), "test", say, results=SHARDS_DIR)
    try:
        for end in crew.run(shard_jobs(shards, purpose)):
            yield shard_end(end)
    finally:
        for text in crew.notices:
            say(f"note: {text}")
