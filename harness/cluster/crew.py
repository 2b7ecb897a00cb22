"""The hosts of a cluster as a crew that runs jobs: the bundle is made, the engine opened, every job dispatched."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from harness.cluster.blobs import BlobStore
from harness.cluster.bundle import Provisions, harness_version, make_bundle
from harness.cluster.dispatch import Cargo, Dispatcher, Patience
from harness.cluster.faults import ClusterError, JobFailed, need_package
from harness.cluster.live import LivePage
from harness.cluster.protocol import Engine
from harness.model.cluster_request import ClusterRequest
from harness.model.errors import StoreError
from harness.model.job import JobEnd, Wish
from harness.model.result import Result, ResultError
from harness.model.spec import Verdict
from harness.platform.files.store import RESULTS_DIR, load_result

CLUSTER_DIR = RESULTS_DIR / ".cluster"
"""Blobs of bundles, and what local workers keep."""
_JUDGED = "fps_trace"
"""The metric whose interval says how noisy a host is."""

OpenEngine = Callable[[], AbstractContextManager[Engine]]


class ClusterCrew:
    """Runs jobs on the hosts of an engine. As a context, it keeps the engine from one set of jobs to the next."""

    def __init__(
        self,
        open_engine: OpenEngine,
        provisions: Provisions,
        folder: Path,
        results: Path,
        usual_noise: Mapping[str, float] | None = None,
        say: Callable[[str], None] = lambda text: None,
        patience: Patience = Patience(),
        title: str = "nightly",
    ) -> None:
        self.open_engine = open_engine
        self.provisions = provisions
        self.folder = folder
        self.results = results
        self.usual_noise = usual_noise or {}
        self.say = say
        self.patience = patience
        self.notices: list[str] = []
        self.page = LivePage(results, title)
        self._kept: Engine | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "ClusterCrew":
        self._kept = self._stack.enter_context(self.open_engine())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept = None
        self._stack.close()

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        if self._kept is not None:
            yield self._kept
            return
        with self.open_engine() as engine:
            yield engine

    def width(self) -> int:
        """How many workers can be used now; waits for the first, and until no more have come for a moment.

        Raises
        ------
        ClusterError
            When none comes.
        """
        version, begun, seen = harness_version(), time.monotonic(), 0
        with self._engine() as engine:
            while True:
                usable = sum(1 for host in engine.hosts() if host.facts is not None and host.facts.version == version)
                if usable and usable >= max(seen, engine.expected):
                    return usable
                seen = usable
                waited_s = time.monotonic() - begun
                if waited_s > (self.patience.needs_s if usable else self.patience.workers_s):
                    if usable:
                        return usable
                    raise ClusterError("no worker can be used: none of this version is there")
                time.sleep(self.patience.look_s)

    def run(
        self, wishes: Sequence[Wish], left_s: float = math.inf, files: Mapping[str, Path] | None = None
    ) -> Iterator[JobEnd]:
        """Run jobs; raises as :meth:`Dispatcher.run`."""
        if not wishes:
            return
        self.say("cluster: making the bundle")
        store = BlobStore(self.folder / "blobs")
        bundle = make_bundle(self.provisions, store, files or {})
        cargo = Cargo(bundle, store, harness_version())
        bundled = [replace(wish, job=replace(wish.job, bundle=bundle.digest)) for wish in wishes]
        with self._engine() as engine:
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


def crew_for(
    request: ClusterRequest,
    provisions: Provisions,
    title: str,
    say: Callable[[str], None],
    results: Path = RESULTS_DIR,
    usual_noise: Mapping[str, float] | None = None,
) -> ClusterCrew:
    """The hosts that a command line names; raises as :func:`engine_opener`."""
    opener = engine_opener(request.where, request.insecure, request.workers, CLUSTER_DIR, say)
    return ClusterCrew(opener, provisions, CLUSTER_DIR, results, usual_noise, say, title=title)


def result_of_job(end: JobEnd) -> Result:
    """What a job left.

    Raises
    ------
    JobFailed
        When it left no result; with its last words.
    """
    said = [line for line in end.said if not line.startswith(("verdict:", "next:", "report:"))]
    if not end.folder:
        verdict = next((one for one in Verdict if one.exit_code == end.exit_code), Verdict.HARNESS_FAILED)
        where = f" on {end.host}" if end.host else ""
        raise JobFailed(f"{end.job.label}{where}: {said[-1] if said else 'it said nothing'}", verdict)
    try:
        return load_result(Path(end.folder))
    except (StoreError, ResultError) as error:
        raise JobFailed(f"{end.job.label}: its result cannot be read: {error}", Verdict.HARNESS_FAILED) from error


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
