"""What dispatcher and worker say to each other, as plain values: no class of ours travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

PROTOCOL = 1
FACTS = "harness"
"""Under this name a worker tells of itself, at each heartbeat."""

DAMAGED = "bundle damaged"
DISK_FULL = "disk full"
OTHER_VERSION = "other version"
TROUBLES = (DAMAGED, DISK_FULL, OTHER_VERSION)
"""Why a worker gives a job back; the job is not at fault."""


@dataclass(frozen=True)
class HostFacts:
    """What a worker tells of itself."""

    protocol: int
    version: str
    """Version of the harness there."""
    host: str
    pid: int
    offers: tuple[str, ...]
    """``pairs``, ``arch:x86_64``, ``gl``, ``kvm``."""
    fingerprints: tuple[str, ...]
    """Labels of the fingerprints that its results have."""
    held: tuple[str, ...]
    """Ids of jobs that it runs or whose results it still has."""
    free_bytes: int
    time_s: float
    """Its clock."""
    interpreter: str = ""
    """Its Python and Dask."""


@dataclass(frozen=True)
class JobAnswer:
    """What a worker gives back for a job."""

    job: str
    """Its id."""
    exit_code: int
    said: tuple[str, ...]
    seconds: float
    host: str
    parcel: bytes
    """Its packed result folder; empty when it left none."""
    sha256: str
    trouble: str = ""
    """One of ``TROUBLES``: then the job has not run."""
    missing: tuple[str, ...] = ()
    """Blobs to be sent first: then the job has not run."""


@dataclass(frozen=True)
class LiveHost:
    """One worker as the engine sees it now."""

    address: str
    facts: HostFacts | None
    """None when it tells nothing of itself that is understood."""
    offset_s: float = 0.0
    """Its clock against ours."""


DIED = "it died"
GONE = "it is gone"
"""Why a call brought nothing where the engine no longer sees its worker."""


@dataclass(frozen=True)
class EngineEvent:
    """Something that came back from the engine."""

    ticket: int
    value: Any
    """What the call returned."""
    lost: str = ""
    """Why nothing came back: the worker or the scheduler has gone."""


class Engine(Protocol):
    """What carries calls to workers: Dask, or a test's own."""

    dashboard: str
    """Address of the engine's own page; empty without one."""
    expected: int
    """How many workers it started itself; 0 where others start them."""

    def hosts(self) -> tuple[LiveHost, ...]:
        """Workers that are there now; raises EngineLost."""

    def start(self, ticket: int, address: str, call: str, arguments: tuple[Any, ...]) -> None:
        """Call a function of :mod:`harness.cluster.workplace` on one worker; raises EngineLost."""

    def events(self, wait_s: float) -> list[EngineEvent]:
        """What came back; waits for the first one at most this long. Raises EngineLost."""

    def forget(self, ticket: int) -> None:
        """Its answer is not wanted any more."""

    def reconnect(self) -> bool:
        """Try once to reach the scheduler again; False when it does not answer."""

    def close(self) -> None:
        """Give up the connection."""
