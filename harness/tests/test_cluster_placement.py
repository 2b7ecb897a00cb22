"""Where a job goes, as a table: pure functions of jobs, hosts and time."""

from __future__ import annotations

import math

import pytest

from harness.cluster.placement import (
    LEAST_SHARE,
    Slot,
    Waiting,
    WaitingList,
    crowded_fingerprints,
    fits,
    rest_s,
    share_of,
)
from harness.model.job import PAIR, Job, Wish

A, B = "host a", "host b"


def waiting(rank: int, series_host: str = "", needs: tuple[str, ...] = (PAIR,), expected_s: float = 10.0) -> Waiting:
    job = Job("night", f"cell {rank}", ("perf",), "c0ffee", 60.0, needs)
    return Waiting(rank, job.id, Wish(job, expected_s, series_host))


def slot(fingerprint: str = A, *offers: str) -> Slot:
    return Slot(f"tcp://{fingerprint}", frozenset((PAIR, *offers)), frozenset((fingerprint,)))


def filled(*jobs: Waiting) -> WaitingList:
    found = WaitingList()
    for one in jobs:
        found.add(one)
    return found


def ranks(jobs: WaitingList, where: Slot, fingerprints: tuple[str, ...], crowded: tuple[str, ...] = ()) -> list[int]:
    """What a worker takes, one after the other."""
    taken = []
    while (one := jobs.take(where, fingerprints, crowded)) is not None:
        taken.append(one.rank)
    return taken


def test_the_most_informative_job_comes_first_whatever_the_order_of_arrival() -> None:
    jobs = filled(waiting(3), waiting(0), waiting(2, A), waiting(1, A))
    assert ranks(jobs, slot(), (A,)) == [0, 1, 2, 3] and len(jobs) == 0


@pytest.mark.parametrize(
    ("present", "crowded", "taken"),
    [
        ((A, B), (), [0, 2]),  # b's series waits for b
        ((A,), (), [0, 1, 2]),  # there is no b
        ((A, B), (B,), [0, 1, 2]),  # b could not finish in time
    ],
)
def test_a_series_waits_for_its_host_while_that_can_finish(
    present: tuple[str, ...], crowded: tuple[str, ...], taken: list[int]
) -> None:
    jobs = filled(waiting(0, A), waiting(1, B), waiting(2))
    assert ranks(jobs, slot(A), present, crowded) == taken


def test_a_job_goes_only_where_all_that_it_needs_is_offered() -> None:
    jobs = filled(waiting(0, needs=(PAIR, "gl")), waiting(1, needs=(PAIR, "arch:riscv64")), waiting(2))
    assert ranks(jobs, slot(A, "arch:riscv64"), (A,)) == [1, 2]
    assert [one.rank for one in jobs.take_impossible([slot(A).offers])] == [0] and len(jobs) == 0


def test_hosts_are_crowded_when_their_series_take_longer_than_there_is_time() -> None:
    jobs = filled(*(waiting(rank, B) for rank in range(6)), waiting(9, A), waiting(10))
    assert crowded_fingerprints(jobs.backlog_s, {A: 1, B: 2}, 31.0) == frozenset()
    assert crowded_fingerprints(jobs.backlog_s, {A: 1, B: 2}, 29.0) == {B}
    jobs.take(slot(B), (A, B))
    assert jobs.backlog_s[B] == 50.0


def test_a_returned_job_has_its_old_place() -> None:
    jobs = filled(*(waiting(rank) for rank in range(4)))
    first = jobs.take(slot(), (A,))
    assert first is not None and first.rank == 0
    jobs.add(first)
    assert ranks(jobs, slot(), (A,)) == [0, 1, 2, 3]


def test_a_job_is_found_by_its_id_and_all_are_taken_in_order() -> None:
    jobs = filled(waiting(1, A), waiting(0), waiting(2, B))
    wanted = waiting(2, B)
    assert jobs.take_job(wanted.job_id) == wanted and jobs.take_job(wanted.job_id) is None
    assert [one.rank for one in jobs.clear()] == [0, 1] and len(jobs) == 0


def test_time_left_decides_whether_a_job_fits() -> None:
    assert fits(waiting(0).wish, math.inf) and fits(waiting(0).wish, 10.0) and not fits(waiting(0).wish, 9.9)


@pytest.mark.parametrize(
    ("usual", "now", "share"),
    [
        (0.01, (0.01, 0.01, 0.01), 1.0),
        (0.01, (0.014, 0.015, 0.013), 1.0),
        (0.01, (0.02, 0.02, 0.5), 0.5),
        (0.01, (0.9, 0.9, 0.9), LEAST_SHARE),
        (0.01, (0.9, 0.9), 1.0),  # two runs say little
        (0.01, (0.9, 0.9, 0.01, 0.01, 0.01), 1.0),  # it is well again
        (None, (0.9, 0.9, 0.9), 1.0),
        (0.01, (math.inf, math.inf, math.inf), 1.0),
    ],
)
def test_a_host_noisier_than_its_own_past_gets_less(usual: float | None, now: tuple[float, ...], share: float) -> None:
    assert share_of(usual, now) == pytest.approx(share)


@pytest.mark.parametrize(("share", "rest"), [(1.0, 0.0), (0.5, 60.0), (0.25, 180.0)])
def test_a_worker_that_rests_is_busy_for_its_share_of_the_time(share: float, rest: float) -> None:
    assert rest_s(share, 60.0) == pytest.approx(rest)
    assert 60.0 / (60.0 + rest) == pytest.approx(share)
