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
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.benchmarks import Figure, Measure
from harness.cluster.dispatch import KILLS_MAX, Cargo, Dispatcher, Patience
from harness.cluster.faults import need_package
from harness.model.errors import HarnessError
from harness.model.job import Wish
from harness.model.spec import ROOT, UsageError

if TYPE_CHECKING:
    from harness.cluster.local import LocalEngine

PATIENCE = Patience(look_s=0.2, wait_s=0.1)
CELLS, CELL_S, WORKERS = 40, 2.0, 4
"""Cells a thirtieth as long as real ones, which only sleep: what is seen is the cluster, not this host's cores."""
SIMULATED_WORKERS, SIMULATED_CELLS, FINGERPRINTS = 1000, 100_000, 20
KILLS = FAULTS = 20
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

    rng, kills, ended = random.Random(1), 0, Counter[str]()
    with _engine(folder, WORKERS) as engine:
        found = _dispatcher(engine, folder)
        wishes = rehearsed_wishes(8 * KILLS, 0.2, found.cargo)
        for end in found.run(wishes):
            ended[end.job.label] += 1 if end.exit_code == 0 else 100
            if ended.total() % 7 == 0 and kills < KILLS:
                kills += 1
                os.killpg(rng.choice(list(engine.workers.children.values())).pid, signal.SIGKILL)
    wrong = sum(ended[wish.job.label] != 1 for wish in wishes)
    return [
        Figure("workers killed in the middle", kills, "", KILLS, exactly=True),
        Figure("cells lost, failed or counted twice by that", wrong, "", 0),
    ]


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
        outage = _Outage(folder, groups, WORKERS + FAULTS)
        wishes = outage.wishes(found.cargo)
        found.watch = outage.watch
        try:
            ends = list(found.run(wishes))
        finally:
            outage.signal_all(signal.SIGCONT)
    ended = Counter(end.job.label for end in ends)
    wrong = sum(ended[wish.job.label] != 1 for wish in wishes) + sum(end.exit_code != 0 for end in ends)
    lost = sum("was lost while it ran" in text for text in found.notices)
    return [
        Figure("hosts that fell silent in the middle of a cell", lost, "", FAULTS, exactly=True),
        Figure("second results of one cell named and left out", _second_results(found), "", FAULTS, exactly=True),
        Figure("cells lost, failed or counted twice by that", wrong, "", 0),
    ]


class _Outage:
    """Stops process groups while each runs a cell, and lets them go on when others have run these cells."""

    def __init__(self, folder: Path, groups: list[int], cells: int) -> None:
        self.groups = groups
        self.cells = cells
        self.go, self.back = folder / "outage-has-begun", folder / "outage-is-over"
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
            self.signal_all(signal.SIGSTOP)
            self.go.touch()
        elif self.stopped and not self.resumed and len(found.ended) == self.cells:
            self.resumed = True
            self.signal_all(signal.SIGCONT)
        elif self.resumed and _second_results(found) == len(self.groups):
            self.back.touch()

    def signal_all(self, number: int) -> None:
        """Send a signal to every group."""
        for group in self.groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)


def _second_results(found: Dispatcher) -> int:
    return sum("a second result came from" in text for text in found.notices)


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


FIGURES: tuple[Measure, ...] = (_shared, _killed, _deadly, _outdated, _silent, _simulated)
