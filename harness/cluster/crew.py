"""The hosts of a cluster as a crew that runs jobs: the bundle is made, the engine opened, every job dispatched."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cluster.blobs import BlobStore
from harness.cluster.bundle import harness_version, make_bundle
from harness.cluster.dispatch import Cargo, Dispatcher, Patience
from harness.cluster.faults import need_package
from harness.cluster.live import LivePage
from harness.cluster.protocol import Engine
from harness.model.errors import StoreError
from harness.model.job import JobEnd, Wish
from harness.model.result import ResultError
from harness.model.spec import Switches
from harness.platform.files.store import load_result

_JUDGED = "fps_trace"
"""The metric whose interval says how noisy a host is."""

OpenEngine = Callable[[], AbstractContextManager[Engine]]


@dataclass(frozen=True)
class Provisions:
    """What goes into the bundle besides the sources."""

    kernels: tuple[Switches, ...]
    commits: tuple[str, ...] = ()
    """Where approved kernels come from."""


class ClusterCrew:
    """Runs jobs on the hosts of an engine."""

    def __init__(
        self,
        open_engine: OpenEngine,
        provisions: Provisions,
        folder: Path,
        results: Path,
        usual_noise: Mapping[str, float] | None = None,
        say: Callable[[str], None] = lambda text: None,
        patience: Patience = Patience(),
    ) -> None:
        self.open_engine = open_engine
        self.provisions = provisions
        self.folder = folder
        self.results = results
        self.usual_noise = usual_noise or {}
        self.say = say
        self.patience = patience
        self.notices: list[str] = []
        self.page = LivePage(results, "nightly")

    def run(self, wishes: Sequence[Wish], left_s: float = math.inf) -> Iterator[JobEnd]:
        """Run jobs; raises as :meth:`Dispatcher.run`."""
        if not wishes:
            return
        self.say("cluster: making the bundle")
        store = BlobStore(self.folder / "blobs")
        bundle = make_bundle(self.provisions.kernels, self.provisions.commits, store)
        cargo = Cargo(bundle, store, harness_version())
        bundled = [replace(wish, job=replace(wish.job, bundle=bundle.digest)) for wish in wishes]
        with self.open_engine() as engine:
            dispatcher = Dispatcher(
                engine,
                cargo,
                self.results,
                self.patience,
                usual_noise=self.usual_noise,
                noise_of=noise_of,
                watch=self.page.show,
            )
            dispatcher.notices = self.notices
            self.say(f"cluster: see {self.page.path}")
            try:
                yield from dispatcher.run(bundled, left_s)
            finally:
                self.page.end(dispatcher)


def noise_of(folder: Path) -> float | None:
    """Half the width of the interval of a result's change of frame rate; None where it compared nothing."""
    try:
        result = load_result(folder)
    except (StoreError, ResultError):
        return None
    for gate in result.gates:
        if gate.metric == _JUDGED and gate.low is not None and gate.high is not None:
            return (gate.high - gate.low) / 2
    return None


def engine_opener(where: str, insecure: bool, workers: int, folder: Path, say: Callable[[str], None]) -> OpenEngine:
    """What opens the engine that ``CLUSTER`` names.

    Raises
    ------
    UsageError
        When Dask is not installed, the address is invalid, or a certificate is missing.
    """
    need_package()
    from harness.cluster.address import LOCAL, parse_address, security_for
    from harness.cluster.offers import pairs_here

    if where == LOCAL:
        from harness.cluster.local import local_engine

        return lambda: local_engine(workers or pairs_here(), folder / "workers", os.environ, say)
    address = parse_address(where, insecure)
    security_for(address, "client")

    @contextmanager
    def remote() -> Iterator[Engine]:
        from harness.cluster.dask_engine import DaskEngine

        engine = DaskEngine(address)
        try:
            yield engine
        finally:
            engine.close()

    return remote
