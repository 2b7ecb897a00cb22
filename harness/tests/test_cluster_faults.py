"""Every fault of a cluster, planted: no job is lost, and none counts twice."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster.dispatch import Dispatcher
from harness.cluster.faults import ClusterError
from harness.model.job import PAIR, JobEnd
from harness.tests.cluster_parts import (
    HOST_A,
    HOST_B,
    QUICK,
    VERSION,
    FakeEngine,
    forget_results,
    job,
    small_cargo,
    wishes,
)

LABELS = [f"cell {number}" for number in range(12)]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    yield FakeEngine(tmp_path / "workers")


def dispatcher(engine: FakeEngine, tmp_path: Path) -> Dispatcher:
    return Dispatcher(
        engine, small_cargo(tmp_path), tmp_path / "results", QUICK, clock=engine.clock, sleep=engine.sleep
    )


def all_of(engine: FakeEngine, tmp_path: Path, *more: str, left_s: float = math.inf) -> tuple[list[JobEnd], Dispatcher]:
    """Run twelve jobs, with these words for the fourth."""
    found = dispatcher(engine, tmp_path)
    jobs = [job(label, *(more if label == LABELS[3] else ())) for label in LABELS]
    return list(found.run(wishes(jobs, found.cargo), left_s)), found


def counted_once(ends: list[JobEnd], tmp_path: Path, bad: tuple[str, ...] = ()) -> None:
    """Every job ended once, well unless it is named, and every result folder belongs to one of them."""
    assert sorted(end.job.label for end in ends) == sorted(LABELS)
    assert [end.job.label for end in ends if end.exit_code] == list(bad)
    folders = sorted(str(path) for path in (tmp_path / "results").iterdir())
    assert folders == sorted(end.folder for end in ends if end.folder) and len(folders) == len(LABELS) - len(bad)


def test_without_a_fault_every_job_ends_once_with_its_result(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("one"), engine.add("two")
    ends, found = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)
    assert {end.host for end in ends} and found.notices == [] and engine.now == pytest.approx(6, abs=1)


@pytest.mark.parametrize("random_state", range(20))
@pytest.mark.slow
def test_a_killed_worker_costs_the_job_that_it_ran_nothing(
    engine: FakeEngine, tmp_path: Path, random_state: int
) -> None:
    engine.add("one"), engine.add("two")
    engine.at(random.Random(random_state).uniform(0.1, 5.0), lambda: engine.kill("two"))
    ends, found = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)
    assert any("two (process" in text and "was lost while it ran cell" in text for text in found.notices)


@pytest.mark.parametrize("random_state", range(20))
@pytest.mark.slow
def test_a_host_that_comes_back_does_not_count_twice(engine: FakeEngine, tmp_path: Path, random_state: int) -> None:
    engine.add("one"), engine.add("two", run_s=3.0)
    begin = random.Random(random_state).uniform(0.1, 4.0)
    engine.at(begin, lambda: setattr(engine.workers["two"], "silent", True))
    engine.at(begin + 2.5, lambda: setattr(engine.workers["two"], "silent", False))
    ends, _ = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)


def test_a_worker_that_goes_out_of_sight_again_and_again_was_not_ended_by_its_job(
    engine: FakeEngine, tmp_path: Path
) -> None:
    """A scheduler that restarts forgets its workers for a while: a long job outlasts any number of that."""
    engine.add("one", run_s=40.0)
    for begin in range(2, 32, 5):
        engine.at(begin, lambda: setattr(engine.workers["one"], "silent", True))
        engine.at(begin + 2.5, lambda: setattr(engine.workers["one"], "silent", False))
    found = dispatcher(engine, tmp_path)
    (end,) = found.run(wishes([job("cell")], found.cargo))
    assert end.exit_code == 0 and any("was lost while it ran cell: it is gone" in text for text in found.notices)


def test_a_second_result_of_one_job_is_named_and_dropped(engine: FakeEngine, tmp_path: Path) -> None:
    slow = engine.add("slow", run_s=3.0)
    engine.at(4.0, lambda: setattr(slow, "silent", True))
    engine.at(4.1, lambda: engine.join("quick", run_s=0.4))
    ends, found = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)
    assert any("a second result came from" in text for text in found.notices), found.notices


@pytest.mark.parametrize("random_state", range(20))
@pytest.mark.slow
def test_a_restarted_scheduler_costs_nothing(engine: FakeEngine, tmp_path: Path, random_state: int) -> None:
    engine.add("one"), engine.add("two")
    engine.reconnects_after = 3
    engine.at(random.Random(random_state).uniform(0.1, 5.0), lambda: setattr(engine, "lost", True))
    ends, found = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)
    assert any("the scheduler fake://scheduler has gone" in text for text in found.notices)


def test_a_scheduler_that_stays_away_ends_the_run_and_says_how_to_go_on(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("one")
    engine.reconnects_after = 10_000
    engine.at(3.5, lambda: setattr(engine, "lost", True))
    with pytest.raises(ClusterError, match="has not come back within 50 s: . jobs are done; the same command goes on"):
        all_of(engine, tmp_path)


def test_a_job_that_kills_its_workers_is_set_aside_and_named(engine: FakeEngine, tmp_path: Path) -> None:
    for name in "abcd":
        engine.add(name)
    ends, _ = all_of(engine, tmp_path, "die")
    counted_once(ends, tmp_path, bad=(LABELS[3],))
    [bad] = [end for end in ends if end.exit_code]
    assert bad.exit_code == 5 and "set aside: 3 workers ended while they ran it" in bad.said[0]
    assert len(engine.workers) == 1


@pytest.mark.parametrize("random_state", range(20))
@pytest.mark.slow
def test_a_full_disk_sends_the_job_elsewhere(engine: FakeEngine, tmp_path: Path, random_state: int) -> None:
    engine.add("one")
    full = engine.add("full")
    engine.at(random.Random(random_state).uniform(0, 3), lambda: setattr(full.place, "room_bytes", 1 << 60))
    ends, found = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)
    assert any("full (process" in text and "disk full" in text for text in found.notices)


def test_a_run_that_ends_for_a_full_disk_is_no_result(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("one"), engine.add("two")
    found = dispatcher(engine, tmp_path)
    with pytest.raises(ClusterError, match="no worker can be used: .*disk full"):
        list(found.run(wishes([job("cell", "full")], found.cargo)))


@pytest.mark.parametrize("what", ["blob", "tree", "list"])
@pytest.mark.parametrize("random_state", range(7))
@pytest.mark.slow
def test_a_damaged_bundle_is_never_run(engine: FakeEngine, tmp_path: Path, what: str, random_state: int) -> None:
    engine.add("one"), engine.add("two")
    patterns = {"blob": "two/blobs/*/*", "tree": "two/trees/*/README", "list": "two/bundles/*.json"}

    def damage() -> None:
        for path in (tmp_path / "workers").glob(patterns[what]):
            path.chmod(0o644)
            path.write_bytes(b"something else")

    engine.at(random.Random(random_state).uniform(1.1, 4), damage)
    ends, _ = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)


@pytest.mark.parametrize("how", ["another byte", "cut short"])
def test_a_result_that_changed_on_its_way_is_asked_for_again(engine: FakeEngine, tmp_path: Path, how: str) -> None:
    engine.add("one")
    engine.spoil = {"another byte": lambda parcel: parcel[:-1] + b"x", "cut short": lambda parcel: parcel[:-9]}[how]
    ends, found = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)
    assert any("and is another" in text for text in found.notices)


def test_a_worker_of_another_version_is_refused_and_named(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("old", version="v0"), engine.add("new")
    ends, found = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)
    assert {end.host for end in ends} == {engine.workers["new"].place.host}
    assert any(
        "old (process" in text and f"version v0 of the harness, this is {VERSION}" in text for text in found.notices
    )
    assert not list((tmp_path / "workers" / "old" / "trees").iterdir())


def test_workers_of_other_versions_alone_end_the_run(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("old", version="v0")
    with pytest.raises(ClusterError, match="no worker can be used: old .*update it there"):
        all_of(engine, tmp_path)


def test_a_worker_itself_refuses_a_dispatcher_of_another_version(engine: FakeEngine, tmp_path: Path) -> None:
    cargo = small_cargo(tmp_path)
    worker = engine.add("one")
    [wish] = wishes([job("cell")], cargo)
    from harness.model import codec

    answer = worker.place.do(codec.to_json(wish.job), cargo.bundle.digest, cargo.bundle.text, "v9")
    assert answer.trouble == "other version" and not answer.parcel


def test_a_wrong_clock_is_named_and_changes_no_order(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("one"), engine.add("two", offset_s=-420.0)
    ends, found = all_of(engine, tmp_path)
    counted_once(ends, tmp_path)
    assert any("the clock of two is 7 min slow" in text for text in found.notices)
    assert [Path(end.folder).name[:8] for end in ends] == [Path(ends[0].folder).name[:8]] * len(ends)


def test_a_run_goes_on_after_its_dispatcher_died_and_measures_nothing_twice(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("one"), engine.add("two")
    first = dispatcher(engine, tmp_path)
    plan = wishes([job(label) for label in LABELS], first.cargo)
    ended = []
    for end in first.run(plan):
        ended.append(end)
        if len(ended) == 5:
            break
    for worker in engine.workers.values():  # what ran goes on and is kept
        for _, _, call, arguments in worker.calls:
            if call == "do_job":
                worker.place.do(*arguments)
        worker.calls = []
    done = {end.job.label for end in ended}
    second = dispatcher(engine, tmp_path)
    ended += second.run([wish for wish in plan if wish.job.label not in done])
    counted_once(ended, tmp_path)
    runs = list((tmp_path / "workers").glob("*/results/ran-*"))
    assert len(runs) == len(LABELS), "a result that a worker still had was measured again"


def test_what_no_worker_offers_is_named(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("one")
    found = dispatcher(engine, tmp_path)
    jobs = [job("plain"), job("with gl", needs=(PAIR, "gl"))]
    ends = {end.job.label: end for end in found.run(wishes(jobs, found.cargo))}
    assert ends["plain"].exit_code == 0
    assert ends["with gl"].exit_code == 5 and "no worker offers gl" in ends["with gl"].said[0]


def test_no_worker_at_all_ends_the_run(engine: FakeEngine, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no worker can be used: none is there; 'make worker CLUSTER=…' starts one"):
        all_of(engine, tmp_path)


def test_when_time_runs_out_the_least_informative_are_left(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("one"), engine.add("two")
    ends, found = all_of(engine, tmp_path, left_s=4.1)
    assert sorted(end.job.label for end in ends) == sorted(LABELS[: len(ends)]) and 6 <= len(ends) <= 8
    assert [one.wish.job.label for one in found.dropped] == LABELS[len(ends) :]


def test_a_series_goes_back_to_its_host(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("one", fingerprints=(HOST_A,)), engine.add("two", fingerprints=(HOST_B,), run_s=0.5)
    found = dispatcher(engine, tmp_path)
    plan = wishes([job(label) for label in LABELS[:6]], found.cargo, series_host=HOST_A)
    plan += wishes([job(label) for label in LABELS[6:]], found.cargo, series_host=HOST_B)
    list(found.run(plan))
    ran = {
        name: {text.rpartition('"label":"')[2].partition('"')[0] for text in _jobs(tmp_path / "workers" / name)}
        for name in ("one", "two")
    }
    assert ran == {"one": set(LABELS[:6]), "two": set(LABELS[6:])}


def _jobs(place: Path) -> list[str]:
    return [f'"label":"{path.name.split("-")[1]}"' for path in (place / "results").glob("ran-*")]


def test_forgotten_results_are_measured_again(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add("one")
    all_of(engine, tmp_path)
    forget_results(tmp_path / "workers")
    assert not engine.workers["one"].place.facts().held
