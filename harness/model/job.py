"""A job is a value: one call of the harness that any host can make, and what came back of it.

The same cell gives the same job, and the same job has the same random_state and so the same plan, wherever it runs.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.model import codec

PAIR = "pairs"
"""What every measuring job needs: two cores of one host, which no other job has meanwhile."""


@dataclass(frozen=True)
class Job:
    """One call of the harness, with all that decides its outcome."""

    purpose: str
    """What it belongs to: the same call for another night is another job."""
    label: str
    """Its name for people; of a nightly run, the cell's."""
    words: tuple[str, ...]
    """The command line after ``python3 -m harness``, with budget and random_state; of a suite, after ``ci/test``."""
    commit: str
    limit_s: float
    """It is ended after this time."""
    needs: tuple[str, ...] = (PAIR,)
    """``pairs``, ``arch:aarch64``, ``gl``, ``kvm``: what the host must offer."""
    bundle: str = ""
    """SHA-256 of the bundle that it runs from."""
    suite: bool = False
    """It runs ``ci/test``, in a tree that is a checkout; what comes back is the suites' logs."""

    @property
    def command(self) -> str:
        """What its results are named after."""
        return "test" if self.suite else self.words[0]

    @functools.cached_property
    def text(self) -> str:
        """Its JSON form, as it travels: equal jobs have equal texts."""
        return codec.to_json(self, indent=None, sort_keys=True)

    @functools.cached_property
    def id(self) -> str:
        """SHA-256 of its JSON form, shortened."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Wish:
    """A job and what is known of it beforehand, which does not change its outcome."""

    job: Job
    expected_s: float
    series_host: str = ""
    """Label of the fingerprint that its series has so far; empty for a new one."""


@dataclass(frozen=True)
class JobEnd:
    """How a job ended."""

    job: Job
    exit_code: int
    folder: str
    """Path of its results folder here; empty when it left none."""
    said: tuple[str, ...]
    """Its last lines."""
    seconds: float
    host: str
    """Where it ran; empty when it ran nowhere."""


class JobCrew(Protocol):
    """What runs jobs: each ends once, in any order."""

    notices: list[str]
    """What people should know of it."""

    def run(
        self, wishes: Sequence[Wish], left_s: float = math.inf, files: Mapping[str, Path] | None = None
    ) -> Iterator[JobEnd]:
        """Run jobs; those for which the time does not suffice are left out, the least informative first.

        Parameters
        ----------
        files
            What the jobs need besides the sources, by its path from the top of the tree.
        """

    def width(self) -> int:
        """How many jobs can run at the same time."""
