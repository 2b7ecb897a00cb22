"""The promises about clusters: what counts as lost, when an outage begins and ends, and the faults that are planted."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from harness.benchmarks import cluster, measures, row_name
from harness.benchmarks.cluster import _Outage, _wrong
from harness.cluster.dispatch import Dispatcher
from harness.cluster.outages import CLOCK_VARIABLE, FullDisk, Proxy, WrongClock
from harness.cluster.protocol import DISK_FULL
from harness.cluster.rehearsal import VERSION, rehearsed_cargo, rehearsed_wishes, sleep_for
from harness.commands.bench import _chosen
from harness.model import codec
from harness.model.job import PAIR, JobEnd, Wish
from harness.model.spec import ROOT, UsageError
from harness.tests.conftest import Mounted


def end_of(wish: Wish, code: int = 0) -> JobEnd:
    return JobEnd(wish.job, code, "", (), 1.0, "host")


def test_a_cell_that_is_lost_failed_or_doubled_is_counted(tmp_path: Path) -> None:
    wishes = rehearsed_wishes(4, 0.1, rehearsed_cargo(tmp_path))
    ends = [end_of(wish) for wish in wishes]
    assert _wrong(wishes, ends).kept
    for wrong in (ends[1:], [*ends, ends[0]], [end_of(wishes[0], 5), *ends[1:]]):
        assert _wrong(wishes, wrong).value == 1 and not _wrong(wishes, wrong).kept


@dataclass
class Row:
    held: frozenset[str] = frozenset()


@dataclass
class Directed:
    """What an outage sees of a dispatcher."""

    rows: dict[str, Row]
    ended: list[str] = field(default_factory=list)

    @property
    def roster(self) -> "Directed":
        return self


def test_an_outage_begins_when_every_worker_runs_a_cell_and_ends_when_all_have_ended(tmp_path: Path) -> None:
    said: list[str] = []
    over = [False]
    outage = _Outage(tmp_path, 2, lambda: said.append("begin"), lambda: said.append("end"), lambda found: over[0])
    found = Directed({"a": Row(frozenset("1")), "b": Row()})
    dispatcher = cast(Dispatcher, found)
    outage.watch(dispatcher)
    assert not said and not outage.go.exists()
    found.rows["b"].held = frozenset("2")
    outage.watch(dispatcher)
    outage.watch(dispatcher)
    assert said == ["begin"] and outage.go.exists()
    found.ended += ["1", "2"]
    outage.watch(dispatcher)
    outage.watch(dispatcher)
    assert said == ["begin", "end"] and not outage.back.exists()
    over[0] = True
    outage.watch(dispatcher)
    assert outage.back.exists()


def test_rows_of_a_topic_are_chosen_by_name() -> None:
    assert _chosen("cluster.cut,gate") == ["cluster.cut", "gate"]
    assert measures(*"cluster.cut".split(".")) == (cluster._cut,) and len(measures("cluster")) > 8
    with pytest.raises(UsageError, match="of cluster choose from shared, killed"):
        _chosen("cluster.kiled")
    assert len({row_name(one) for one in measures("cluster")}) == len(measures("cluster"))


def test_a_cut_proxy_breaks_what_it_carries_and_takes_new_connections_once_restored() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo, args=(server, 2), daemon=True).start()
        with Proxy(server.getsockname()[1]) as way:
            with socket.create_connection(("127.0.0.1", way.port), 10) as first:
                first.sendall(b"one")
                assert first.recv(3) == b"one"
                way.cut()
                assert _broken(first)
            with socket.create_connection(("127.0.0.1", way.port), 10) as refused:
                assert _broken(refused)
            way.restore()
            with socket.create_connection(("127.0.0.1", way.port), 10) as second:
                second.sendall(b"two")
                assert second.recv(3) == b"two"


def _echo(server: socket.socket, connections: int) -> None:
    for _ in range(connections):
        with server.accept()[0] as taken:
            taken.sendall(taken.recv(3))
            _broken(taken)


def _broken(one: socket.socket) -> bool:
    one.settimeout(10)
    try:
        return one.recv(1) == b""
    except ConnectionError:
        return True


def test_a_clock_that_is_wrong_is_told(tmp_path: Path) -> None:
    place = WrongClock(tmp_path, (PAIR,), ("host",), sleep_for, VERSION, room_bytes=0)
    right = place.facts().time_s
    place.offset_s = -600.0
    assert -601 < place.facts().time_s - right < -590 and CLOCK_VARIABLE


FULL = """
import sys
from pathlib import Path
from harness.model import codec
from harness.tests.test_cluster_bench import full_disk_answer
print(full_disk_answer(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def full_disk_answer(folder: Path, other: Path) -> str:
    """What a worker says whose folder is on a small disk."""
    cargo = rehearsed_cargo(other)
    place = FullDisk(folder, (PAIR,), ("host",), sleep_for, VERSION, room_bytes=0)
    [wish] = rehearsed_wishes(1, 0.0, cargo)
    bundle = cargo.bundle
    return place.do(codec.to_json(wish.job), bundle.digest, bundle.text, VERSION).trouble


def test_a_disk_that_fills_up_is_a_trouble_of_the_worker(tmp_path: Path, mounted: Mounted) -> None:
    small, other = tmp_path / "small", tmp_path / "other"
    small.mkdir()
    command = [*mounted(small, "size=1m"), sys.executable, "-c", FULL, str(small), str(other)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True, cwd=ROOT, text=True)
    assert done.stdout.strip() == DISK_FULL


def test_dask_says_nothing_in_its_own_words() -> None:
    from harness.cluster.dask_engine import silence

    loud = [logging.getLogger(name) for name in ("distributed.scheduler", "distributed.http.proxy", "asyncio")]
    before = [one.level for one in loud]
    try:
        for one in loud:
            one.setLevel(logging.INFO)
        silence()
        assert not any(one.isEnabledFor(logging.ERROR) for one in loud)
    finally:
        for one, level in zip(loud, before):
            one.setLevel(level)
