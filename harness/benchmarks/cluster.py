"""Jobs on several hosts: what a cluster costs a cell, what four workers gain, what a thousand take to direct."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.benchmarks import Figure, Measure
from harness.cluster.dispatch import KILLS_MAX, Cargo, Dispatcher, Patience
from harness.cluster.faults import need_package
from harness.cluster.protocol import DISK_FULL
from harness.model.errors import HarnessError
from harness.model.job import JobEnd, Wish
from harness.model.spec import ROOT, UsageError
from harness.platform.files.scratch import scratch_folder

if TYPE_CHECKING:
    from harness.cluster.local import LocalEngine

PATIENCE = Patience(look_s=0.2, wait_s=0.1)
CELLS, CELL_S, WORKERS = 40, 2.0, 4
"""Cells a thirtieth as long as real ones, which only sleep: what is seen is the cluster, not this host's cores."""
SIMULATED_WORKERS, SIMULATED_CELLS, FINGERPRINTS = 1000, 100_000, 20
KILLS = FAULTS = 20
WRONG_S = 600.0
READY_S = 120.0


@contextlib.contextmanager
def _engine(folder: Path, workers: int) -> "Iterator[LocalEngine]":
    """Real workers of fake cells on loopback, all of them ready."""
    try:
        need_package()
    except UsageError as error:
        raise HarnessError(str(error)) from error
    from harness.cluster.local import local_engine
    from harness.cluster.rehearsal import MODULE

    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with local_engine(workers, folder / f"workers-{workers}", environment, lambda text: None, MODULE) as engine:
        _wait_for(engine, workers)
        yield engine


def _wait_for(engine: "LocalEngine", workers: int) -> None:
    deadline = time.monotonic() + READY_S
    while len(engine.hosts()) < workers:
        if time.monotonic() > deadline:
            raise HarnessError(f"{workers} workers were not ready after {READY_S:g} s")
        time.sleep(0.1)


def _dispatcher(engine: "LocalEngine", folder: Path) -> Dispatcher:
    from harness.cluster.rehearsal import rehearsed_cargo

    return Dispatcher(engine, rehearsed_cargo(folder), folder / "results", PATIENCE)


def _shared(folder: Path) -> list[Figure]:
    """fake cells on real workers of loopback"""
    from harness.cluster.rehearsal import rehearsed_wishes

    figures = []
    for workers in (1, WORKERS):
        with _engine(folder, workers) as engine:
            found = _dispatcher(engine, folder)
            begun = time.monotonic()
            cells = CELLS if workers > 1 else CELLS // WORKERS
            spent_s = sum(end.seconds for end in found.run(rehearsed_wishes(cells, CELL_S, found.cargo)))
            wall_s = time.monotonic() - begun
        if workers == 1:
            figures.append(Figure("a cluster's overhead of a cell", (wall_s - spent_s) / cells, "s", 0.5))
        else:
            what = f"{workers} workers on {CELLS} cells of {CELL_S:g} s against one after the other"
            figures.append(Figure(what, spent_s / wall_s, "×", 3.6, at_most=False))
    return figures


def _killed(folder: Path) -> list[Figure]:
    """workers that are killed while they run"""
    from harness.cluster.rehearsal import rehearsed_wishes

    rng, kills, ends = random.Random(1), 0, []
    with _engine(folder, WORKERS) as engine:
        found = _dispatcher(engine, folder)
        wishes = rehearsed_wishes(8 * KILLS, 0.2, found.cargo)
        for end in found.run(wishes):
            ends.append(end)
            if len(ends) % 7 == 0 and kills < KILLS:
                kills += 1
                os.killpg(rng.choice(list(engine.workers.children.values())).pid, signal.SIGKILL)
    return [Figure("workers killed in the middle", kills, "", KILLS, exactly=True), _wrong(wishes, ends)]


def _deadly(folder: Path) -> list[Figure]:
    """cells that kill every worker that runs them"""
    from harness.cluster.rehearsal import rehearsed_wishes

    with _engine(folder, WORKERS) as engine:
        engine.workers.restarts_max = KILLS_MAX * FAULTS
        found = _dispatcher(engine, folder)
        wishes = rehearsed_wishes(3 * FAULTS, 0.1, found.cargo)
        wishes[::3] = [
            replace(wish, job=replace(wish.job, words=("perf", "SLEEP=0.1", "DIE=1"))) for wish in wishes[::3]
        ]
        deadly = {wish.job.label for wish in wishes[::3]}
        ends = list(found.run(wishes))
    aside = {end.job.label for end in ends if end.exit_code == 5 and f"{KILLS_MAX} workers ended" in end.said[0]}
    ended = Counter(end.job.label for end in ends)
    failed = {end.job.label for end in ends if end.exit_code}
    wrong = sum(ended[wish.job.label] != 1 for wish in wishes) + len(failed - deadly)
    return [
        Figure(f"cells set aside after they killed {KILLS_MAX} workers", len(aside & deadly), "", FAULTS, exactly=True),
        Figure("cells lost, failed or counted twice by that", wrong, "", 0),
    ]


def _outdated(folder: Path) -> list[Figure]:
    """workers of another version of the harness"""
    from harness.cluster.rehearsal import MODULE, VERSION_VARIABLE, rehearsed_wishes

    with _engine(folder, 1) as engine:
        from harness.cluster.local import LocalWorkers

        environment = os.environ | {"PYTHONPATH": str(ROOT), VERSION_VARIABLE: "another"}
        others = LocalWorkers(engine.address, FAULTS, folder / "others", environment, MODULE)
        try:
            _wait_for(engine, 1 + FAULTS)
            found = _dispatcher(engine, folder)
            ended = Counter(end.job.label for end in found.run(rehearsed_wishes(FAULTS, 0.1, found.cargo)))
            rows = list(found.roster.rows.values())
        finally:
            others.close()
    refused = sum("version another of the harness" in row.aside and row.jobs_done == 0 for row in rows)
    return [
        Figure("workers of another version refused", refused, "", FAULTS, exactly=True),
        Figure("cells that ended once beside them", sum(n == 1 for n in ended.values()), "", FAULTS, exactly=True),
    ]


def _silent(folder: Path) -> list[Figure]:
    """hosts that fall silent, and come back with a result that another has given meanwhile"""
    with _engine(folder, WORKERS + FAULTS) as engine:
        found = _dispatcher(engine, folder)
        groups = [child.pid for child in list(engine.workers.children.values())[:FAULTS]]
        stop, resume = (partial(_signal_all, groups, number) for number in (signal.SIGSTOP, signal.SIGCONT))
        outage = _Outage(folder, WORKERS + FAULTS, stop, resume, lambda found: _second_results(found) == FAULTS)
        wishes = outage.wishes(found.cargo)
        found.watch = outage.watch
        try:
            ends = list(found.run(wishes))
        finally:
            outage.end()
    lost = sum("was lost while it ran" in text for text in found.notices)
    return [
        Figure("hosts that fell silent in the middle of a cell", lost, "", FAULTS, exactly=True),
        Figure("second results of one cell named and left out", _second_results(found), "", FAULTS, exactly=True),
        _wrong(wishes, ends),
    ]


class _Outage:
    """Begins when every worker runs a cell, and ends when others have run these cells."""

    def __init__(
        self,
        folder: Path,
        cells: int,
        begin: Callable[[], None],
        end: Callable[[], None],
        over: Callable[[Dispatcher], bool],
    ) -> None:
        self.cells = cells
        self.begin, self.end, self.over = begin, end, over
        self.go, self.back = folder / f"{id(self)}-has-begun", folder / f"{id(self)}-is-over"
        self.stopped = self.resumed = False

    def wishes(self, cargo: Cargo) -> list[Wish]:
        """A cell a worker that none ends before the outage, and one that ends after the last second result."""
        from harness.cluster.rehearsal import rehearsed_wishes

        files = [self.go] * self.cells + [self.back]
        return [
            replace(wish, job=replace(wish.job, words=("perf", f"UNTIL={file}")))
            for wish, file in zip(rehearsed_wishes(len(files), 4.0, cargo), files)
        ]

    def watch(self, found: Dispatcher) -> None:
        """Called at every look of the dispatcher."""
        if not self.stopped and sum(bool(row.held) for row in found.roster.rows.values()) == self.cells:
            self.stopped = True
            self.begin()
            self.go.touch()
        elif self.stopped and not self.resumed and len(found.ended) == self.cells:
            self.resumed = True
            self.end()
        elif self.resumed and self.over(found):
            self.back.touch()


def _signal_all(groups: list[int], number: int) -> None:
    """Send a signal to every group of processes."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)


def _second_results(found: Dispatcher) -> int:
    return sum("a second result came from" in text for text in found.notices)


@contextlib.contextmanager
def _others(engine: "LocalEngine", folder: Path, port: int = 0, wrong: str = "") -> Iterator[None]:
    """FAULTS more workers of this scheduler: behind another port, or with a variable that makes something wrong."""
    from harness.cluster.local import LocalWorkers
    from harness.cluster.rehearsal import MODULE

    address = replace(engine.address, port=port) if port else engine.address
    name, _, value = wrong.partition("=")
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({name: value} if wrong else {})
    ready = len(engine.hosts()) + FAULTS
    with scratch_folder("others", folder) as place:
        others = LocalWorkers(address, FAULTS, place, environment, MODULE)
        try:
            _wait_for(engine, ready)
            yield
        finally:
            others.close()


def _cut(folder: Path) -> list[Figure]:
    """connections that are cut in the middle of a cell, and come back"""
    from harness.cluster.outages import Proxy

    back = [0]

    def over(found: Dispatcher) -> bool:
        back[0] = len(found.roster.rows) - WORKERS
        return back[0] == FAULTS

    with _engine(folder, WORKERS) as engine, Proxy(engine.address.port) as way:
        with _others(engine, folder, way.port):
            found = _dispatcher(engine, folder)
            outage = _Outage(folder, WORKERS + FAULTS, way.cut, way.restore, over)
            wishes = outage.wishes(found.cargo)
            found.watch = outage.watch
            ends = list(found.run(wishes))
    lost = sum("was lost while it ran" in text for text in found.notices)
    return [
        Figure("connections cut in the middle of a cell", lost, "", FAULTS, exactly=True),
        Figure("workers that were back after that", back[0], "", FAULTS, exactly=True),
        _wrong(wishes, ends),
    ]


def _restarted(folder: Path) -> list[Figure]:
    """schedulers that are killed while cells run, and started again"""
    from harness.cluster.address import parse_address
    from harness.cluster.local import LocalEngine, LocalWorkers
    from harness.cluster.outages import MortalScheduler
    from harness.cluster.rehearsal import MODULE, rehearsed_wishes

    over = folder / "schedulers-are-over"
    with contextlib.ExitStack() as stack:
        scheduler = stack.enter_context(MortalScheduler())
        address = parse_address(scheduler.url, False)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        workers = LocalWorkers(address, WORKERS, folder / "workers-restarted", environment, MODULE)
        stack.callback(workers.close)
        engine = LocalEngine(address, workers)
        stack.callback(engine.close)
        _wait_for(engine, WORKERS)
        found = _dispatcher(engine, folder)

        def watch(found: Dispatcher) -> None:
            rows = found.roster.rows.values()
            if scheduler.restarts == FAULTS:
                over.touch()
            elif len(rows) == WORKERS and any(row.held for row in rows):
                scheduler.restart()

        found.watch = watch
        wishes = rehearsed_wishes(4 * FAULTS, 0.5, found.cargo)
        wishes[-1] = replace(wishes[-1], job=replace(wishes[-1].job, words=("perf", f"UNTIL={over}")))
        ends = list(found.run(wishes))
    return [
        Figure("schedulers killed while cells ran", scheduler.restarts, "", FAULTS, exactly=True),
        _wrong(wishes, ends),
    ]


def _full(folder: Path) -> list[Figure]:
    """workers whose disk is full"""
    from harness.cluster.outages import DISK_VARIABLE

    with _engine(folder, 1) as engine, _others(engine, folder, wrong=f"{DISK_VARIABLE}=small"):
        found, ends, wishes = _beside(engine, folder)
    aside = sum(row.aside == DISK_FULL for row in found.roster.rows.values())
    return [Figure("workers set aside whose disk is full", aside, "", FAULTS, exactly=True), _wrong(wishes, ends)]


def _misdated(folder: Path) -> list[Figure]:
    """workers whose clock is wrong by ten minutes"""
    from harness.cluster.outages import CLOCK_VARIABLE

    with _engine(folder, 1) as engine, _others(engine, folder, wrong=f"{CLOCK_VARIABLE}={-WRONG_S}"):
        found, ends, wishes = _beside(engine, folder)
    rows = list(found.roster.rows.values())
    seen = sum(abs(row.offset_s + WRONG_S) < WRONG_S / 10 and row.jobs_done > 0 for row in rows)
    named = any(f"{WRONG_S / 60:.0f} min slow" in text for text in found.notices)
    return [
        Figure("workers whose clock is seen to be wrong, and which work", seen, "", FAULTS, exactly=True),
        Figure("and it is named", named, "", 1, exactly=True),
        _wrong(wishes, ends),
    ]


def _beside(engine: "LocalEngine", folder: Path) -> tuple[Dispatcher, list[JobEnd], list[Wish]]:
    """Three cells for each worker with something wrong; each is tried often enough to be set aside."""
    from harness.cluster.rehearsal import rehearsed_wishes

    found = _dispatcher(engine, folder)
    found.roster.retry_s = 0.2
    wishes = rehearsed_wishes(3 * FAULTS, 0.5, found.cargo)
    return found, list(found.run(wishes)), wishes


def _wrong(wishes: Sequence[Wish], ends: Sequence[JobEnd]) -> Figure:
    """How many cells did not end once, and well."""
    ended = Counter(end.job.label for end in ends)
    wrong = sum(ended[wish.job.label] != 1 for wish in wishes) + sum(end.exit_code != 0 for end in ends)
    return Figure("cells lost, failed or counted twice by that", wrong, "", 0)


def _simulated(folder: Path) -> list[Figure]:
    """directing a thousand workers"""
    try:
        need_package()
    except UsageError as error:
        raise HarnessError(str(error)) from error
    # Another process, whose memory is the dispatcher's and the scheduler's alone.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_directed, (folder,))


def _directed(folder: Path) -> list[Figure]:
    from harness.cluster.rehearsal import SimulatedEngine, rehearsed_cargo, rehearsed_wishes

    # Made up: cells of 60 s that take 70 to 100 s, with a long tail as on a busy host.
    cells_s = np.random.default_rng(1).gamma(9.0, 9.0, 4096) + 20
    engine = SimulatedEngine(SIMULATED_WORKERS, FINGERPRINTS, [float(one) for one in cells_s])
    cargo = rehearsed_cargo(folder)
    series = ["", *(f"host {number}" for number in range(FINGERPRINTS))]
    wishes = rehearsed_wishes(SIMULATED_CELLS, 90.0, cargo, series)
    patience = Patience(look_s=60.0, wait_s=1.0)
    found = Dispatcher(engine, cargo, folder / "results", patience, clock=engine.clock, sleep=engine.sleep)
    begun = time.monotonic()
    done = sum(1 for _ in found.run(wishes))
    rate = done / (time.monotonic() - begun)
    engine.close()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    idle = 1 - done * float(cells_s.mean()) / (engine.now * SIMULATED_WORKERS)
    what = f"{SIMULATED_CELLS:,} cells on {SIMULATED_WORKERS:,} simulated workers of Dask's scheduler"
    return [
        Figure(what, rate, "cells/s", 1000, at_most=False),
        Figure("cells of those that ended", done, "", SIMULATED_CELLS, exactly=True),
        Figure("memory for that", peak_mb, "MB", 2048),
        Figure("share of the workers' time that was idle", idle, "", None),
    ]


FIGURES: tuple[Measure, ...] = (
    _shared,
    _killed,
    _deadly,
    _outdated,
    _silent,
    _cut,
    _restarted,
    _full,
    _misdated,
    _simulated,
)
