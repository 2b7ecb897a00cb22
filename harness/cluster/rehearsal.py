"""Clusters without measuring: workers of fake jobs, and Dask's own scheduler with simulated workers.

``python3 -m harness.cluster.rehearsal worker CLUSTER=… PLACE=…`` is a worker whose jobs only sleep. Its version can be
given, as that of a worker that was not updated.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from harness.cluster.address import parse_address
from harness.cluster.blobs import BlobStore
from harness.cluster.bundle import Bundle, BundleFile
from harness.cluster.dispatch import Cargo
from harness.cluster.faults import need_package
from harness.cluster.outages import CLOCK_VARIABLE, DISK_VARIABLE, FullDisk, WrongClock, on_small_disk
from harness.cluster.protocol import PROTOCOL, EngineEvent, HostFacts, JobAnswer, LiveHost
from harness.model.job import PAIR, Job, Wish
from harness.platform.processes.pipeline import HarnessRun

VERSION = "rehearsal"
MODULE = "harness.cluster.rehearsal"
VERSION_VARIABLE = "REHEARSAL_VERSION"
HELD_S = 300.0
"""A job that waits for a file fails after this long."""
_CLIENT = "client"


def rehearsed_cargo(folder: Path) -> Cargo:
    """A bundle of one file."""
    store = BlobStore(folder / "store")
    return Cargo(Bundle((BundleFile("README", store.add(b"nothing is measured"), False),)), store, VERSION)


def rehearsed_wishes(count: int, seconds: float, cargo: Cargo, series_hosts: Sequence[str] = ("",)) -> list[Wish]:
    """Jobs that take this long; their series belong to hosts in turn."""
    return [
        Wish(
            Job("rehearsal", f"cell {number}", ("perf", f"SLEEP={seconds:g}"), "", 60.0, (PAIR,), cargo.bundle.digest),
            seconds,
            series_hosts[number % len(series_hosts)],
        )
        for number in range(count)
    ]


def sleep_for(job: Job, tree: Path, results: Path) -> HarnessRun:
    """Runs a fake job: ``SLEEP=`` seconds, ``UNTIL=`` a file is there, ``DIE=`` kills its worker."""
    words = dict(word.partition("=")[::2] for word in job.words[1:])
    time.sleep(float(words.get("SLEEP", "0")))
    if "DIE" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    deadline = time.monotonic() + HELD_S
    while "UNTIL" in words and not Path(words["UNTIL"]).exists():
        if time.monotonic() > deadline:
            return HarnessRun(5, None, (f"{words['UNTIL']} is not there after {HELD_S:g} s",))
        time.sleep(0.1)
    return HarnessRun(0, None, ("pass",))


class SimulatedEngine:
    """Dask's scheduler, its own code and state, with workers that only exist in its tables.

    Each call is a task of the scheduler, assigned and finished as a real one; the workers' time is simulated.
    """

    dashboard = ""
    expected = 0

    def __init__(self, workers: int, fingerprints: int, jobs_s: Sequence[float]) -> None:
        need_package()
        self.now = 0.0
        self.jobs_s = jobs_s
        self._loop = asyncio.new_event_loop()
        self._due: list[tuple[float, int, str, str]] = []
        self._scheduler = self._loop.run_until_complete(self._made())
        self._hosts = tuple(
            LiveHost(self._add(number), _facts(number, f"host {number % fingerprints}")) for number in range(workers)
        )

    async def _made(self) -> Any:
        from distributed.scheduler import ClientState, Scheduler

        from harness.cluster.dask_engine import silence

        silence()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that its usual port is taken
            scheduler = Scheduler(dashboard=False, validate=False)
        scheduler.clients[_CLIENT] = ClientState(_CLIENT)
        scheduler.client_comms[_CLIENT] = _Nowhere()
        return scheduler

    def _add(self, number: int) -> str:
        from distributed.core import Status
        from distributed.scheduler import WorkerState

        scheduler, address = self._scheduler, f"tcp://10.0.{number // 250}.{number % 250}:40000"
        worker = WorkerState(
            address=address,
            status=Status.running,
            pid=number,
            name=f"worker {number}",
            nthreads=1,
            memory_limit=0,
            local_directory="",
            nanny="",
            server_id=f"server {number}",
            scheduler=scheduler,
        )
        scheduler.workers[address] = worker
        scheduler.running.add(worker)
        scheduler.stream_comms[address] = _Nowhere()
        scheduler.total_nthreads += 1
        scheduler.check_idle_saturated(worker)
        scheduler.extensions["stealing"].add_worker(scheduler=scheduler, worker=address)
        return address

    def clock(self) -> float:
        """The simulated time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += seconds

    def hosts(self) -> tuple[LiveHost, ...]:
        """All workers."""
        return self._hosts

    def start(self, ticket: int, address: str, call: str, arguments: tuple[Any, ...]) -> None:
        """Give the scheduler a task for one worker."""
        key = f"{call}-{ticket}"
        scheduler = self._scheduler
        task = scheduler.new_task(key, arguments, "released")
        task.worker_restrictions, task.priority = {address}, (0, ticket)
        scheduler.client_desires_keys(keys=[key], client=_CLIENT)
        scheduler.transitions({key: "waiting"}, stimulus_id=key)
        if task.state != "processing":
            raise AssertionError(f"{key} is {task.state}")
        heapq.heappush(self._due, (self.now + self.jobs_s[ticket % len(self.jobs_s)], ticket, key, address))

    def events(self, wait_s: float) -> list[EngineEvent]:
        """The next task that ends."""
        if not self._due:
            self.now += wait_s
            return []
        self.now, ticket, key, address = heapq.heappop(self._due)
        scheduler = self._scheduler
        # Newer schedulers number a task's runs.
        run = getattr(scheduler.tasks[key], "run_id", None)
        told = dict(nbytes=200, typename="dict", type=b"", metadata={}, run_id=run)
        scheduler.handle_task_finished(key=key, worker=address, stimulus_id=f"{key}-done", **told)
        scheduler.client_releases_keys(keys=[key], client=_CLIENT, stimulus_id=f"{key}-released")
        return [EngineEvent(ticket, asdict(JobAnswer("", 0, ("pass",), 1.0, address, b"", "")))]

    def forget(self, ticket: int) -> None:
        """Nothing to release."""

    def reconnect(self) -> bool:
        """It never goes."""
        return True

    def close(self) -> None:
        """End its loop."""
        self._loop.close()


class _Nowhere:
    """Where the scheduler's messages to workers and client go."""

    def send(self, *messages: object) -> None:
        """Drop them."""

    def closed(self) -> bool:
        """Never."""
        return False


def _facts(number: int, fingerprint: str) -> HostFacts:
    return HostFacts(PROTOCOL, VERSION, f"h{number}", number, (PAIR,), (fingerprint,), (), 1 << 40, 0.0)


def main() -> int:
    """A worker of fake jobs."""
    from harness.cluster.worker import serve

    words = dict(word.split("=", 1) for word in sys.argv[2:])
    signal.signal(signal.SIGTERM, _interrupted)
    folder = Path(words["PLACE"])
    on_small_disk(folder, MODULE)
    version = os.environ.get(VERSION_VARIABLE, VERSION)
    kind = FullDisk if DISK_VARIABLE in os.environ else WrongClock
    place = kind(folder, (PAIR,), ("host",), sleep_for, version, room_bytes=0)
    if isinstance(place, WrongClock):
        place.offset_s = float(os.environ.get(CLOCK_VARIABLE, "0"))
    try:
        serve(parse_address(words["CLUSTER"], False), place, folder.name, lambda text: None)
    except KeyboardInterrupt:
        pass
    return 0


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
