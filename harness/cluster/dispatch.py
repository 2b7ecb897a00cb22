"""Runs jobs on whatever workers an engine has, until each has ended once, whatever happens to workers meanwhile.

A worker has one job at a time, so that when it dies it is known which job it ran. A job whose worker has gone is given
out again; the first good result of a job counts, and no other.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.cluster.blobs import BlobStore
from harness.cluster.bundle import Bundle
from harness.cluster.faults import ClusterError, EngineLost, ParcelDamaged
from harness.cluster.parcel import place
from harness.cluster.placement import Waiting, WaitingList, crowded_fingerprints, fits
from harness.cluster.protocol import DAMAGED, DIED, GONE, Engine, EngineEvent, JobAnswer
from harness.cluster.roster import Roster, WorkerRow
from harness.model.job import JobEnd, Wish
from harness.model.spec import Verdict
from harness.platform.files.job_note import JobNote

KILLS_MAX = 3
"""A job that lost this many workers is set aside."""
CHUNK_BYTES = 8 << 20
"""Blobs are sent in messages of about this size."""


@dataclass(frozen=True)
class Patience:
    """How long a dispatcher waits for what may come back."""

    look_s: float = 1.0
    """Between two checks of the workers."""
    wait_s: float = 0.5
    """For the next answer."""
    workers_s: float = 300.0
    """For the first worker, or for one to come back."""
    needs_s: float = 60.0
    """For a worker that offers what a job needs."""
    engine_s: float = 300.0
    """For the scheduler to answer again."""
    retry_s: float = 60.0
    """Before a worker whose disk was full is tried again."""


@dataclass(frozen=True)
class Cargo:
    """What jobs run from."""

    bundle: Bundle
    store: BlobStore
    version: str
    """Version of the harness."""


@dataclass
class Ticket:
    """One call that is under way."""

    waiting: Waiting
    address: str
    begun: float
    suspected: bool = False
    """Its worker seems to have gone, and the job was given out again; the answer may still come."""
    blobs: list[str] = field(default_factory=list)
    """What is still to be sent before the job can run."""


@dataclass(frozen=True)
class Loss:
    """A worker that was lost while it ran a job."""

    host: str
    may_return: bool
    """It was out of sight; otherwise the call itself failed there."""


NoiseOf = Callable[[Path], float | None]
"""The noise of a finished result, as a share; None where it says nothing of it."""


class Dispatcher:
    """One set of jobs on one engine."""

    _numbers = itertools.count(1)
    """Shared by all dispatchers: one engine serves several, and an answer to one is never counted by another."""

    def __init__(
        self,
        engine: Engine,
        cargo: Cargo,
        results: Path,
        patience: Patience = Patience(),
        usual_noise: Mapping[str, float] | None = None,
        noise_of: NoiseOf = lambda folder: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        watch: "Callable[[Dispatcher], None]" = lambda dispatcher: None,
    ) -> None:
        self.engine = engine
        self.cargo = cargo
        self.results = results
        self.patience = patience
        self.noise_of = noise_of
        self.clock = clock
        self.sleep = sleep
        self.watch = watch
        """Gets the state of the run at every check, for the live page."""
        self.notices: list[str] = []
        self.roster = Roster(cargo.version, patience.retry_s, usual_noise or {}, self._note)
        self.waiting = WaitingList()
        self.tickets: dict[int, Ticket] = {}
        self.killed: dict[str, list[Loss]] = {}
        """By job: the workers that were lost while it ran, without those that came back."""
        self.ended: dict[str, JobEnd] = {}
        self.dropped: list[Waiting] = []
        self._looked = -math.inf
        self._begun = self._seen = clock()

    def run(self, wishes: Sequence[Wish], left_s: float = math.inf) -> Iterator[JobEnd]:
        """Run jobs, most informative first; those for which there was no time are in ``dropped`` afterwards.

        Raises
        ------
        ClusterError
            When the scheduler or the last worker has gone and does not come back.
        StoreError
            When a result cannot be written here.
        """
        self._begun = self._seen = self.clock()
        for rank, wish in enumerate(wishes):
            self.waiting.add(Waiting(rank, wish.job.id, wish))
        total = len(self.waiting)
        while len(self.ended) + len(self.dropped) < total:
            try:
                yield from self._look()
                self._hand_out(left_s)
                if len(self.ended) + len(self.dropped) >= total:
                    return
                for event in self.engine.events(self.patience.wait_s):
                    yield from self._hear(event)
            except EngineLost as error:
                self._recover(error)

    def _note(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)

    def _look(self) -> Iterator[JobEnd]:
        """See which workers there are now; what was lost with the others is given out again."""
        now = self.clock()
        if now - self._looked < self.patience.look_s:
            return
        self._looked = now
        self.watch(self)
        gone = self.roster.see(self.engine.hosts())
        self._acquit()
        for address in gone:
            for ticket in list(self.tickets.values()):
                if ticket.address == address and not ticket.suspected:
                    ticket.suspected = True
                    yield from self._lose(ticket, GONE)
        usable = self.roster.usable()
        if usable:
            self._seen = now
            if now - self._begun > self.patience.needs_s:
                for waiting in self.waiting.take_impossible(row.slot.offers for row in usable):
                    lacking = sorted(set(waiting.wish.job.needs) - set().union(*(row.slot.offers for row in usable)))
                    words = ", ".join(lacking) or "all of it together"
                    yield self._end_badly(waiting, f"no worker offers {words}: 'make doctor' there says why")
        elif now - self._seen > self.patience.workers_s or self.roster.all_refused(now - self._begun):
            raise ClusterError(f"no worker can be used: {self.roster.why()}")

    def _hand_out(self, left_s: float) -> None:
        if not self.waiting:
            return
        now = self.clock()
        remaining_s = left_s - (now - self._begun)
        fingerprints = self.roster.fingerprints()
        crowded: frozenset[str] = frozenset()
        if math.isfinite(remaining_s):
            crowded = crowded_fingerprints(self.waiting.backlog_s, fingerprints, remaining_s)
        free = self.roster.free(now)
        for row in free:
            if row.held and (held := self._held_by(row)) is not None:
                self._start(Ticket(held, row.slot.address, now))
        fruitless: set[tuple[frozenset[str], frozenset[str]]] = set()
        for row in free:
            alike = row.slot.offers, row.slot.fingerprints
            if row.ticket is not None or alike in fruitless:
                continue
            waiting = self.waiting.take(row.slot, fingerprints, crowded)
            if waiting is None:
                fruitless.add(alike)
            elif fits(waiting.wish, remaining_s):
                self._start(Ticket(waiting, row.slot.address, now))
            else:
                self.dropped += [waiting, *self.waiting.clear()]
                return

    def _held_by(self, row: WorkerRow) -> Waiting | None:
        """A job whose result this worker has already, or will have by itself."""
        for job_id in row.held & self.waiting.ids:
            return self.waiting.take_job(job_id)
        return None

    def _start(self, ticket: Ticket) -> None:
        row = self.roster.rows[ticket.address]
        number = next(self._numbers)
        self.tickets[number] = ticket
        self.roster.occupy(row, number)
        if ticket.blobs:
            self.engine.start(number, ticket.address, "receive_blobs", (self._chunk(ticket),))
        else:
            text = "" if row.knows_bundle else self.cargo.bundle.text
            row.knows_bundle = True
            arguments = ticket.waiting.wish.job.text, self.cargo.bundle.digest, text, self.cargo.version
            self.engine.start(number, ticket.address, "do_job", arguments)

    def _chunk(self, ticket: Ticket) -> Any:
        blobs: dict[str, bytes] = {}
        while ticket.blobs and sum(map(len, blobs.values())) < CHUNK_BYTES:
            digest = ticket.blobs.pop()
            blobs[digest] = self.cargo.store.get(digest)
        return blobs

    def _hear(self, event: EngineEvent) -> Iterator[JobEnd]:
        ticket = self.tickets.pop(event.ticket, None)
        if ticket is None:
            return
        row = self.roster.rows.get(ticket.address)
        if row is not None and row.ticket == event.ticket:
            self.roster.vacate(row)
        if event.lost:
            if not ticket.suspected:
                yield from self._lose(ticket, event.lost)
            return
        if isinstance(event.value, str):
            answer = JobAnswer(ticket.waiting.job_id, 5, (), 0.0, "", b"", "", trouble=event.value)
        else:
            answer = JobAnswer(**event.value)
        yield from self._judge(ticket, row, answer, sent=isinstance(event.value, str))

    def _judge(self, ticket: Ticket, row: WorkerRow | None, answer: JobAnswer, sent: bool) -> Iterator[JobEnd]:
        """What an answer means: go on sending, give the job out again, or its end."""
        if answer.trouble:
            if row is not None:
                row.knows_bundle = False
                self.roster.trouble(row, answer.trouble, self.clock())
            self._again(ticket)
        elif sent or answer.missing:
            self._send(ticket, row, answer.missing)
        else:
            yield from self._finish(ticket, row, answer)

    def _send(self, ticket: Ticket, row: WorkerRow | None, missing: Sequence[str]) -> None:
        """Send what a worker lacks, and then the job again."""
        if row is None or row.ticket is not None or ticket.suspected:
            self._again(ticket)
            return
        if self.cargo.bundle.digest in missing:
            row.knows_bundle = False
        ticket.blobs += [digest for digest in missing if digest != self.cargo.bundle.digest]
        self._start(ticket)

    def _finish(self, ticket: Ticket, row: WorkerRow | None, answer: JobAnswer) -> Iterator[JobEnd]:
        job_id, job = ticket.waiting.job_id, ticket.waiting.wish.job
        if job_id in self.ended:
            self._note(f"{job.label}: a second result came from {answer.host}; the first counts")
            return
        folder = ""
        if answer.parcel:
            note = JobNote(job_id, job.label, job.purpose, answer.host, answer.seconds)
            try:
                folder = str(place(answer.parcel, answer.sha256, note, self.results, job.command))
            except ParcelDamaged as error:
                self._note(error.message)
                if row is not None:
                    self.roster.trouble(row, DAMAGED, self.clock())
                self._again(ticket)
                return
        self.waiting.take_job(job_id)  # given out again, and not started yet
        if row is not None:
            noise = self.noise_of(Path(folder)) if folder else None
            self.roster.done(row, answer.seconds, noise, self.clock())
        self.ended[job_id] = JobEnd(job, answer.exit_code, folder, answer.said, answer.seconds, answer.host)
        yield self.ended[job_id]

    def _again(self, ticket: Ticket) -> None:
        """Give a job out again, unless it has ended or was given out meanwhile."""
        job_id = ticket.waiting.job_id
        elsewhere = any(one.waiting.job_id == job_id and not one.suspected for one in self.tickets.values())
        if job_id not in self.ended and job_id not in self.waiting.ids and not elsewhere:
            self.waiting.add(Waiting(ticket.waiting.rank, job_id, ticket.waiting.wish))

    def _acquit(self) -> None:
        """A process that is there again was not ended by its job: the connection or the scheduler had gone."""
        there = {row.name for row in self.roster.rows.values()}
        for losses in self.killed.values():
            losses[:] = [loss for loss in losses if not loss.may_return or loss.host not in there]

    def _lose(self, ticket: Ticket, why: str) -> Iterator[JobEnd]:
        """A worker has gone while it ran a job."""
        job_id = ticket.waiting.job_id
        host = self.roster.name(ticket.address)
        self._note(f"{host} was lost while it ran {ticket.waiting.wish.job.label}: {why}")
        losses = self.killed.setdefault(job_id, [])
        losses.append(Loss(host, why in (DIED, GONE)))
        if len(losses) < KILLS_MAX:
            self._again(ticket)
        elif job_id not in self.ended:
            self.waiting.take_job(job_id)
            names = ", ".join(loss.host for loss in losses)
            why = f"set aside: {len(losses)} workers ended while they ran it: {names}"
            yield self._end_badly(ticket.waiting, why)

    def _end_badly(self, waiting: Waiting, why: str) -> JobEnd:
        end = JobEnd(waiting.wish.job, Verdict.HARNESS_FAILED.exit_code, "", (why,), 0.0, "")
        self.ended[waiting.job_id] = end
        return end

    def _recover(self, error: EngineLost) -> None:
        """The scheduler has gone: what is under way is given out again later; workers keep their results."""
        self._note(f"{error.message}; its jobs went on when it was back")
        deadline, pause_s = self.clock() + self.patience.engine_s, 0.5
        while not self.engine.reconnect():
            if self.clock() > deadline:
                raise ClusterError(
                    f"{error.message} and has not come back within {self.patience.engine_s:g} s: "
                    f"{len(self.ended)} jobs are done; the same command goes on from there"
                )
            self.sleep(pause_s)
            pause_s = min(pause_s * 2, 15.0)
        tickets, self.tickets = list(self.tickets.values()), {}
        self.roster.clear()
        for ticket in tickets:
            self._again(ticket)
        self._looked, self._seen = -math.inf, self.clock()
