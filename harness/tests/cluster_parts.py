"""Parts for tests of clusters: an engine without a network, with faults that are planted, and workers of fake jobs."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.cluster.blobs import BlobStore
from harness.cluster.bundle import Bundle, BundleFile
from harness.cluster.dispatch import Cargo, Patience
from harness.cluster.faults import EngineLost
from harness.cluster.protocol import EngineEvent, LiveHost
from harness.cluster.workplace import Workplace
from harness.model.job import PAIR, Job, JobEnd, Wish
from harness.model.result import Arm, Gate, Host, Metric, QemuSetup, Result
from harness.model.spec import Switches, Verdict
from harness.platform.files.store import RunFolder
from harness.platform.processes.pipeline import HarnessRun

VERSION = "v1"
HOST_A, HOST_B = "a CPU, 2 cores, QEMU 7.2.22, tcg", "b CPU, 8 cores, QEMU 7.2.22, tcg"
QUICK = Patience(look_s=0.0, wait_s=0.0, workers_s=50.0, needs_s=5.0, engine_s=50.0, retry_s=2.0)
"""For an engine whose time is its own."""
REAL = Patience(look_s=0.1, wait_s=0.1, workers_s=40.0, needs_s=20.0, engine_s=60.0, retry_s=0.5)


def fake_result(label: str, switches: Switches = Switches(), width: float = 0.004) -> Result:
    """A result as the gate leaves one, of a job that measured nothing."""
    metrics = {"fps_trace": Metric(300.0, "frames/s", "trace"), "timeouts": Metric(0.0, "waits", "guest")}
    gate = Gate("fps_trace", "ratio", Verdict.PASS, "", value=300.0, change=0.0, low=-width, high=width)
    return Result(
        "perf",
        Verdict.PASS,
        f"pass: {label}",
        "2026-03-01T03:00:00+00:00",
        1.0,
        host=Host("a CPU", 2, "6.1", "Debian"),
        qemu=QemuSetup("7.2.22", "tcg", 1, "multi", ""),
        source={"git": "a" * 40, "dirty": False},
        compiler="gcc 12",
        arms={"candidate": Arm(switches.everything(), "0" * 64, metrics)},
        gates=(gate,),
    )


def fake_runner(job: Job, tree: Path, results: Path) -> HarnessRun:
    """Runs a job whose words say what it does: ``sleep=0.1``, ``die``, ``full``, ``fail``."""
    if not (tree / "README").is_file():
        return HarnessRun(5, None, ("the bundle was not unpacked",))
    words = dict(word.partition("=")[::2] for word in job.words[1:])
    time.sleep(float(words.get("sleep", "0")))
    if "die" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    if "full" in words:
        return HarnessRun(5, None, ("harness-failed: No space left on device",))
    if "fail" in words:
        return HarnessRun(3, None, ("the guest hangs",))
    ran = Path(os.environ.get("FAKE_RUNS", results.parent)) / f"ran-{job.label}-{time.time_ns()}"
    ran.parent.mkdir(parents=True, exist_ok=True)
    ran.touch()
    results.mkdir(parents=True, exist_ok=True)
    return HarnessRun(0, RunFolder("perf", results).commit(fake_result(job.label)), ("pass",))


def job(label: str, *words: str, needs: tuple[str, ...] = (PAIR,), bundle: str = "") -> Job:
    """A fake job."""
    return Job("a night", label, ("perf", *words), "c0ffee", 60.0, needs, bundle)


def wishes(jobs: Sequence[Job], cargo: Cargo, expected_s: float = 1.0, series_host: str = "") -> list[Wish]:
    """Jobs in order, from a bundle."""
    return [Wish(replace(one, bundle=cargo.bundle.digest), expected_s, series_host) for one in jobs]


def small_cargo(folder: Path, version: str = VERSION) -> Cargo:
    """A bundle of two files."""
    store = BlobStore(folder / "store")
    files = tuple(
        BundleFile(name, store.add(content), False)
        for name, content in (("README", b"read me"), ("kernel/x.c", b"int x;"))
    )
    return Cargo(Bundle(files), store, version)


@dataclass
class FakeWorker:
    """A worker of the fake engine."""

    place: Workplace
    run_s: float = 1.0
    offset_s: float = 0.0
    silent: bool = False
    """It is gone, and what it runs goes on."""
    calls: list[tuple[float, int, str, tuple[Any, ...]]] = field(default_factory=list)
    """What it runs: when that is done, its ticket, and the call."""


class FakeEngine:
    """Workers without a network, in a time of its own."""

    dashboard = ""
    expected = 0

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 0.0
        self.workers: dict[str, FakeWorker] = {}
        self.lost = False
        self.reconnects_after = 0
        self.plan: list[tuple[float, Callable[[], None]]] = []
        """Faults: when, and what."""
        self.losses: list[EngineEvent] = []
        self.spoil: Callable[[bytes], bytes] | None = None
        """What becomes of the next parcel on its way."""

    def add(
        self,
        name: str,
        offers: tuple[str, ...] = (PAIR,),
        fingerprints: tuple[str, ...] = (HOST_A,),
        version: str = VERSION,
        **more: Any,
    ) -> FakeWorker:
        """A worker joins."""
        place = Workplace(self.root / name, offers, fingerprints, fake_runner, version, room_bytes=0)
        self.workers[name] = FakeWorker(place, **more)
        return self.workers[name]

    def join(self, name: str, **more: Any) -> None:
        """A worker joins, as a fault that is planted."""
        self.add(name, **more)

    def kill(self, name: str) -> None:
        """A worker dies with what it runs."""
        worker = self.workers.pop(name)
        self.losses += [EngineEvent(ticket, None, "it died") for _, ticket, _, _ in worker.calls]

    def at(self, when: float, fault: Callable[[], None]) -> None:
        """Plant a fault."""
        self.plan.append((when, fault))

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def _speak(self) -> None:
        if self.lost:
            raise EngineLost("the scheduler fake://scheduler has gone")

    def hosts(self) -> tuple[LiveHost, ...]:
        self._speak()
        found = []
        for name, worker in self.workers.items():
            if not worker.silent:
                facts = replace(worker.place.facts(), host=name)
                running = tuple(call[3][0] for call in worker.calls if call[2] == "do_job")
                held = (*facts.held, *(_id_of(text) for text in running))
                found.append(LiveHost(name, replace(facts, held=held), worker.offset_s))
        return tuple(found)

    def start(self, ticket: int, address: str, call: str, arguments: tuple[Any, ...]) -> None:
        self._speak()
        worker = self.workers.get(address)
        if worker is None:
            self.losses.append(EngineEvent(ticket, None, "it is not there"))
            return
        after = worker.calls[-1][0] if worker.calls else self.now
        worker.calls.append((after + (worker.run_s if call == "do_job" else 0.0), ticket, call, arguments))

    def events(self, wait_s: float) -> list[EngineEvent]:
        self._speak()
        due = [when for when, _ in self.plan] + [call[0] for w in self.workers.values() for call in w.calls]
        if not self.losses:
            self.now = max(self.now, min(due, default=self.now + 1.0))
        for when, fault in [one for one in self.plan if one[0] <= self.now]:
            self.plan.remove((when, fault))
            fault()
        self._speak()
        found, self.losses = self.losses, []
        for name in list(self.workers):
            found += self._answers(name)
        if not found:
            self.now += 0.25
        return found

    def _answers(self, name: str) -> list[EngineEvent]:
        worker, found = self.workers[name], []
        for done in [call for call in worker.calls if call[0] <= self.now]:
            worker.calls.remove(done)
            _, ticket, call, arguments = done
            if call == "receive_blobs":
                found.append(EngineEvent(ticket, worker.place.receive(*arguments)))
                continue
            if '"die"' in arguments[0]:
                self.workers.pop(name)
                return [*found, EngineEvent(ticket, None, "it died")]
            answer = worker.place.do(*arguments)
            if self.spoil is not None and answer.parcel:
                answer, self.spoil = replace(answer, parcel=self.spoil(answer.parcel)), None
            found.append(EngineEvent(ticket, asdict(answer)))
        return found

    def forget(self, ticket: int) -> None:
        """Nothing to release."""

    def reconnect(self) -> bool:
        self.reconnects_after -= 1
        self.lost = self.reconnects_after > 0
        for worker in self.workers.values():
            worker.calls = []
        return not self.lost

    def close(self) -> None:
        """Nothing to close."""


def _id_of(text: str) -> str:
    from harness.model import codec

    return codec.from_json(Job, text).id


class ScatteredCrew:
    """Runs jobs at once in this process, the last first, as if each worker had its own host."""

    def __init__(self, run: Callable[[Job, Mapping[str, Path]], HarnessRun], workers: int = 3) -> None:
        self.run_job = run
        self.workers = workers
        self.notices: list[str] = []
        self.jobs: list[Job] = []
        self.rounds: list[list[Wish]] = []

    def width(self) -> int:
        return self.workers

    def run(
        self, wishes: Sequence[Wish], left_s: float = math.inf, files: Mapping[str, Path] | None = None
    ) -> Iterator[JobEnd]:
        self.rounds.append(list(wishes))
        for number, wish in reversed(list(enumerate(wishes))):
            self.jobs.append(wish.job)
            ran = self.run_job(wish.job, files or {})
            folder = str(ran.folder) if ran.folder else ""
            yield JobEnd(wish.job, ran.exit_code, folder, ran.said, 1.0, f"host {number % self.workers}")


def forget_results(root: Path) -> None:
    """Let workers forget what they keep."""
    for folder in root.glob("*/kept"):
        shutil.rmtree(folder)
        folder.mkdir()


def main() -> int:
    """``worker CLUSTER=… PLACE=…`` as the real one, with fake jobs."""
    from harness.cluster.address import parse_address
    from harness.cluster.worker import serve

    words = dict(word.split("=", 1) for word in sys.argv[2:])
    signal.signal(signal.SIGTERM, _interrupted)
    folder = Path(words["PLACE"])
    version = os.environ.get("FAKE_VERSION", VERSION)
    offers = tuple(os.environ.get("FAKE_OFFERS", PAIR).split(","))
    place = Workplace(folder, offers, (HOST_A,), fake_runner, version, room_bytes=0)
    try:
        serve(parse_address(words["CLUSTER"], False), place, folder.name, lambda text: print(text, flush=True))
    except KeyboardInterrupt:
        pass
    return 0


def _interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
