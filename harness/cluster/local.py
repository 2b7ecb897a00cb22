"""A cluster on this host alone: a scheduler on loopback and a worker a pair of cores, ended with this process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import distributed

from harness.cluster.address import SchedulerAddress, parse_address
from harness.cluster.dask_engine import DaskEngine, silence
from harness.cluster.protocol import LiveHost
from harness.model.spec import ROOT
from harness.platform.processes.child import end_child, start_child, stop_child

RESTARTS_MAX = 20
"""Workers that died are started again at most this often, all together."""


class LocalWorkers:
    """Worker processes of this host; those that die are started again."""

    def __init__(
        self,
        address: SchedulerAddress,
        count: int,
        folder: Path,
        environment: Mapping[str, str],
        module: str = "harness",
    ) -> None:
        self.address = address
        self.module = module
        self.folder = folder
        self.environment = environment
        self.restarts = 0
        self.restarts_max = RESTARTS_MAX
        self.children: dict[int, subprocess.Popen[bytes]] = {}
        for number in range(count):
            self._start(number)

    def _start(self, number: int) -> None:
        words = [sys.executable, "-m", self.module, "worker", f"CLUSTER={self.address.url}"]
        place = self.folder / f"worker-{number}"
        place.mkdir(parents=True, exist_ok=True)
        with open(place / "log", "ab") as log:
            self.children[number] = start_child(
                [*words, f"PLACE={place}"], stdout=log, stderr=log, environment=self.environment, cwd=ROOT
            )

    def keep(self) -> None:
        """Start those again that have died."""
        for number, child in list(self.children.items()):
            if child.poll() is not None and self.restarts < self.restarts_max:
                self.restarts += 1
                end_child(child)
                self._start(number)

    def close(self) -> None:
        """End them all, and what they run."""
        for child in self.children.values():
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        for child in self.children.values():
            stop_child(child)


class LocalEngine(DaskEngine):
    """The engine of this host's own cluster."""

    def __init__(self, address: SchedulerAddress, workers: LocalWorkers) -> None:
        super().__init__(address)
        self.workers = workers
        self.expected = len(workers.children)

    def hosts(self) -> tuple[LiveHost, ...]:
        """Workers whose heart beats; the dead are started again."""
        self.workers.keep()
        return super().hosts()


@contextlib.contextmanager
def local_engine(
    count: int,
    folder: Path,
    environment: Mapping[str, str],
    say: Callable[[str], None],
    module: str = "harness",
) -> Iterator[LocalEngine]:
    """A context with a scheduler and this many workers on this host.

    Parameters
    ----------
    folder
        Where the workers keep what they need, and their logs.
    environment
        Of the workers.
    module
        What is run as a worker, by tests.
    """
    silence()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=0, host="127.0.0.1", scheduler_port=0, dashboard_address=None, silence_logs=50
        )
    try:
        address = parse_address(cluster.scheduler_address, insecure=False)
        say(f"cluster: a scheduler and {count} workers on this host")
        workers = LocalWorkers(address, count, folder, environment, module)
        try:
            engine = LocalEngine(address, workers)
            try:
                yield engine
            finally:
                engine.close()
        finally:
            workers.close()
    finally:
        cluster.close(timeout=5)
