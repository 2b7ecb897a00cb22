"""Which job goes where: pure, so that a table of jobs and hosts can be tried without either.

Jobs wait in the order of what they tell, the most informative first. A job of a series goes back to a host with the
fingerprint that the series has, because its absolute figures mean nothing elsewhere; it goes elsewhere when there is no
such host, or when those hosts could not finish what waits for them in time. When the time does not suffice for the job
that is next, it and all that tell less are dropped. A host that has become noisier than its own past rests between
jobs, so that it gets fewer.
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.model.job import Wish

QUIET_ENOUGH = 1.5
"""A host that is noisier than usual by less than this factor counts as unchanged."""
LEAST_SHARE = 0.25
"""The least share of the work that a noisy host gets, so that its recovery can be seen."""
JUDGED_RUNS = 3
"""Runs by which a host's present noise is known."""


@dataclass(frozen=True)
class Slot:
    """A worker that is free."""

    address: str
    offers: frozenset[str]
    fingerprints: frozenset[str]


@dataclass(frozen=True)
class Waiting:
    """A job that waits, and where it stands."""

    rank: int
    job_id: str
    wish: Wish

    @property
    def kind(self) -> tuple[frozenset[str], str]:
        """Jobs of one kind can run on the same hosts."""
        return frozenset(self.wish.job.needs), self.wish.series_host


@dataclass
class WaitingList:
    """Jobs that wait, by kind, each kind in order. Taking one costs as much as there are kinds, however many wait."""

    kinds: dict[tuple[frozenset[str], str], deque[Waiting]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    backlog_s: dict[str, float] = field(default_factory=dict)
    """By fingerprint: how long the jobs of its series will take, one after the other."""

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, waiting: Waiting) -> None:
        """Put a job where it belongs by its rank."""
        queue = self.kinds.setdefault(waiting.kind, deque())
        if not queue or queue[-1].rank < waiting.rank:
            queue.append(waiting)
        else:
            queue.insert(bisect.bisect(queue, waiting.rank, key=lambda one: one.rank), waiting)
        self._count(waiting, 1)

    def take(self, slot: Slot, fingerprints: Collection[str], crowded: Collection[str] = ()) -> Waiting | None:
        """The job that this worker is to run now.

        Parameters
        ----------
        fingerprints
            All that present workers have.
        crowded
            Fingerprints whose workers cannot finish in time what waits for them.
        """
        fitting = [
            queue
            for (needs, series_host), queue in self.kinds.items()
            if queue and needs <= slot.offers and _welcome(series_host, slot, fingerprints, crowded)
        ]
        if not fitting:
            return None
        found = min(fitting, key=lambda queue: queue[0].rank).popleft()
        self._count(found, -1)
        return found

    def take_job(self, job_id: str) -> Waiting | None:
        """One job by its id, for a worker that has its result already."""
        if job_id not in self.ids:
            return None
        for queue in self.kinds.values():
            for index, one in enumerate(queue):
                if one.job_id == job_id:
                    del queue[index]
                    self._count(one, -1)
                    return one
        return None

    def clear(self) -> list[Waiting]:
        """Take all, in order."""
        found = sorted((one for queue in self.kinds.values() for one in queue), key=lambda one: one.rank)
        self.kinds.clear()
        self.ids.clear()
        self.backlog_s.clear()
        return found

    def take_impossible(self, offers: Iterable[frozenset[str]]) -> list[Waiting]:
        """Take those that no worker with such offers can run."""
        known = list(offers)
        found: list[Waiting] = []
        for (needs, _), queue in self.kinds.items():
            if queue and not any(needs <= one for one in known):
                found += queue
                queue.clear()
        for one in found:
            self._count(one, -1)
        return sorted(found, key=lambda one: one.rank)

    def _count(self, waiting: Waiting, sign: int) -> None:
        host = waiting.wish.series_host
        self.backlog_s[host] = self.backlog_s.get(host, 0.0) + sign * waiting.wish.expected_s
        if sign > 0:
            self.ids.add(waiting.job_id)
        else:
            self.ids.discard(waiting.job_id)


def _welcome(series_host: str, slot: Slot, fingerprints: Collection[str], crowded: Collection[str]) -> bool:
    if not series_host or series_host in slot.fingerprints:
        return True
    return series_host not in fingerprints or series_host in crowded


def crowded_fingerprints(backlog_s: Mapping[str, float], workers: Mapping[str, int], left_s: float) -> frozenset[str]:
    """Fingerprints whose workers cannot finish in time what waits for them.

    Parameters
    ----------
    workers
        How many workers have a fingerprint.
    """
    return frozenset(name for name, total in backlog_s.items() if workers.get(name) and total / workers[name] > left_s)


def fits(wish: Wish, left_s: float) -> bool:
    """Whether there is time for a job."""
    return wish.expected_s <= left_s


def share_of(usual: float | None, now: Sequence[float]) -> float:
    """The share of its capacity that a host is given: 1 unless it has become noisier than its own past.

    Parameters
    ----------
    usual
        Its noise so far; None when nothing is known.
    now
        The noise of its latest runs.
    """
    if usual is None or usual <= 0 or len(now) < JUDGED_RUNS:
        return 1.0
    times = statistics.median(now[-JUDGED_RUNS:]) / usual
    if not math.isfinite(times) or times <= QUIET_ENOUGH:
        return 1.0
    return max(LEAST_SHARE, 1 / times)


def rest_s(share: float, ran_s: float) -> float:
    """How long a worker rests after a job, so that it is busy for its share of the time."""
    return (1 / share - 1) * ran_s
