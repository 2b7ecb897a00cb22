"""The workers as a dispatcher knows them: which may be used, which rest, and why others are not used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.cluster.placement import Slot, rest_s, share_of
from harness.cluster.protocol import OTHER_VERSION, PROTOCOL, HostFacts, LiveHost

TROUBLES_MAX = 3
"""A worker that gives back this many jobs is not used again."""
CLOCK_S = 60.0
"""A clock that is wrong by more is worth a notice."""
REFUSED_S = 15.0
"""How long to wait for another worker where all that are there were refused."""


@dataclass
class WorkerRow:
    """One worker."""

    slot: Slot
    name: str
    """Its host and process, for people."""
    held: frozenset[str]
    aside: str = ""
    """Why it is not used."""
    ticket: int | None = None
    """The call that it runs."""
    knows_bundle: bool = False
    ready_at: float = 0.0
    """Until then it rests."""
    troubles: int = 0
    noises: list[float] = field(default_factory=list)
    share: float = 1.0
    """The share of its capacity that it gets, by its noise."""
    jobs_done: int = 0
    offset_s: float = 0.0


class Roster:
    """All workers that were seen."""

    def __init__(
        self, version: str, retry_s: float, usual_noise: Mapping[str, float], note: Callable[[str], None]
    ) -> None:
        self.version = version
        self.retry_s = retry_s
        self.usual_noise = usual_noise
        self.note = note
        self.rows: dict[str, WorkerRow] = {}
        self._names: dict[str, str] = {}
        self._idle: set[str] = set()
        """Addresses of usable workers without a call, so that a free one is found without looking at all."""
        self._fingerprints: dict[str, int] | None = None

    def see(self, live: Sequence[LiveHost]) -> list[str]:
        """Take in who is there now; returns the addresses of those that have gone."""
        addresses = {host.address for host in live}
        gone = [address for address in self.rows if address not in addresses]
        for address in gone:
            del self.rows[address]
            self._forget(address)
        for host in live:
            row = self.rows.get(host.address)
            if row is None:
                row = self.rows[host.address] = self._row(host)
                self._fingerprints = None
                if not row.aside:
                    self._idle.add(host.address)
            elif host.facts is not None:
                row.held = frozenset(host.facts.held)
        return gone

    def _row(self, host: LiveHost) -> WorkerRow:
        facts = host.facts
        if facts is None:
            row = WorkerRow(Slot(host.address, frozenset(), frozenset()), host.address, frozenset())
            row.aside = "it is not a worker of this harness ('make worker' starts one)"
        else:
            slot = Slot(host.address, frozenset(facts.offers), frozenset(facts.fingerprints))
            row = WorkerRow(slot, f"{facts.host} (process {facts.pid})", frozenset(facts.held))
            row.aside = self._refusal(facts)
            row.offset_s = host.offset_s
            if abs(host.offset_s) > CLOCK_S:
                way = "fast" if host.offset_s > 0 else "slow"
                self.note(
                    f"the clock of {facts.host} is {abs(host.offset_s) / 60:.0f} min {way}: times are this host's"
                )
        self._names[host.address] = row.name
        if row.aside:
            self.note(f"{row.name} is not used: {row.aside}")
        return row

    def _refusal(self, facts: HostFacts) -> str:
        if (facts.protocol, facts.version) != (PROTOCOL, self.version):
            return f"it has version {facts.version} of the harness, this is {self.version}: update it there"
        if not facts.offers:
            return "it offers nothing: 'make doctor' there says why"
        return ""

    def _forget(self, address: str) -> None:
        self._idle.discard(address)
        self._fingerprints = None

    def clear(self) -> None:
        """Forget all workers: they come again by themselves."""
        self.rows.clear()
        self._idle.clear()
        self._fingerprints = None

    def occupy(self, row: WorkerRow, ticket: int) -> None:
        """A worker has a call."""
        row.ticket = ticket
        self._idle.discard(row.slot.address)

    def vacate(self, row: WorkerRow) -> None:
        """A worker has none any more."""
        row.ticket = None
        if not row.aside:
            self._idle.add(row.slot.address)

    def name(self, address: str) -> str:
        """What a worker is called, also after it has gone."""
        return self._names.get(address, address)

    def usable(self) -> list[WorkerRow]:
        """Workers that may be given jobs, now or later."""
        return [row for row in self.rows.values() if not row.aside]

    def free(self, now: float) -> list[WorkerRow]:
        """Workers that can start a job now."""
        return [row for address in self._idle if (row := self.rows[address]).ready_at <= now]

    def fingerprints(self) -> dict[str, int]:
        """How many usable workers have each fingerprint."""
        if self._fingerprints is None:
            self._fingerprints = {}
            for row in self.usable():
                for label in row.slot.fingerprints:
                    self._fingerprints[label] = self._fingerprints.get(label, 0) + 1
        return self._fingerprints

    def all_refused(self, waited_s: float) -> bool:
        """Whether workers are there and none may be used."""
        return bool(self.rows) and waited_s > REFUSED_S and not self.usable()

    def why(self) -> str:
        """Why none is used."""
        reasons = [f"{row.name}: {row.aside}" for row in self.rows.values() if row.aside]
        return "; ".join(reasons[:3]) or "none is there; 'make worker CLUSTER=…' starts one on another host"

    def trouble(self, row: WorkerRow, what: str, now: float) -> None:
        """A worker gave a job back: it rests, and after some times it is not used any more."""
        row.troubles += 1
        row.ready_at = now + (self.retry_s if what != "bundle damaged" else 0.0)
        if what == OTHER_VERSION or row.troubles >= TROUBLES_MAX:
            row.aside = what
            self._forget(row.slot.address)
            self.note(f"{row.name} is not used any more: {what}")
        else:
            self.note(f"{row.name}: {what}")

    def done(self, row: WorkerRow, seconds: float, noise: float | None, now: float) -> None:
        """A worker has finished a job; one that has become noisy rests."""
        row.jobs_done += 1
        row.troubles = 0
        if noise is not None:
            row.noises.append(noise)
        usual = [self.usual_noise[label] for label in row.slot.fingerprints if label in self.usual_noise]
        row.share = share_of(min(usual, default=None), row.noises)
        if row.share < 1:
            row.ready_at = now + rest_s(row.share, seconds)
            self.note(f"{row.name} is noisier than it was: it gets {row.share:.2f} of its jobs")
