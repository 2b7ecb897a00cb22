"""Dask's distributed as the engine: it carries calls to workers, finds out which are there, and encrypts the way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import distributed
from distributed.scheduler import KilledWorker

from harness.cluster import workplace
from harness.cluster.address import SchedulerAddress, security_for
from harness.cluster.faults import ClusterError, EngineLost
from harness.cluster.protocol import DIED, FACTS, EngineEvent, HostFacts, LiveHost
from harness.model import codec
from harness.model.codec import CodecError

CONNECT_S = 10.0
SILENT_S = 60.0
"""A worker whose heartbeats stop for this long counts as gone, long before its connection breaks."""
_QUIET = ("distributed", "tornado", "asyncio", "bokeh")
"""Loggers, each with all below it: Dask gives some of those a level of their own."""


def silence() -> None:
    """Dask reports in its log what this harness says in its own words."""
    for name in (*_QUIET, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in _QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL)


class _PromptClient(distributed.Client):  # type: ignore[misc]
    """A client with a deadline for the whole of its start.

    From 2023 on Dask has none for the greeting, and would wait for ever on another program.
    """

    async def _start(self, *words: Any, **named: Any) -> Any:
        try:
            return await asyncio.wait_for(super()._start(*words, **named), 2 * CONNECT_S)
        except TimeoutError:
            await self._close(fast=True)
            raise


class DaskEngine:
    """A connection to a scheduler.

    Raises
    ------
    ClusterError
        When no scheduler answers there, or one of another Dask version.
    """

    def __init__(self, address: SchedulerAddress, clock: Callable[[], float] = time.monotonic) -> None:
        silence()
        self.address = address
        self.clock = clock
        self._security = security_for(address, "client")
        self._heard: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._futures: dict[int, Any] = {}
        self._beats: dict[str, tuple[float, float]] = {}
        """By worker: its last heartbeat by the scheduler's clock, and when that was first seen by ours."""
        self._client: Any = None
        self.dashboard = ""
        self.expected = 0
        self._connect()

    def _connect(self) -> None:
        try:
            with warnings.catch_warnings():
                # Differing versions are reported below, in one line.
                warnings.simplefilter("ignore")
                self._client = _PromptClient(
                    self.address.url,
                    security=self._security,
                    timeout=CONNECT_S,
                    set_as_default=False,
                    heartbeat_interval="5s",
                )
                versions = self._client.get_versions()
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            self.close()
            raise ClusterError(_no_answer(self.address, error)) from error
        theirs, ours = (str(versions[side]["packages"]["distributed"]) for side in ("scheduler", "client"))
        if theirs != ours:
            self.close()
            raise ClusterError(
                f"the scheduler {self.address.url} has Dask {theirs}, this host has {ours}: use one version"
            )
        port = self._client.scheduler_info().get("services", {}).get("dashboard")
        self.dashboard = f"http://{self.address.host}:{port}/status" if port else ""

    def hosts(self) -> tuple[LiveHost, ...]:
        """Workers whose heart beats."""
        with self._speaking():
            workers = self._client.sync(self._client.scheduler.identity, callback_timeout=CONNECT_S)["workers"]
        now = self.clock()
        found = []
        for address, told in workers.items():
            beat, since = self._beats.get(address, (None, now))
            if beat != told["last_seen"]:
                since = now
            self._beats[address] = told["last_seen"], since
            if now - since <= SILENT_S:
                facts, offset_s = _facts(told)
                found.append(LiveHost(address, facts, offset_s))
        self._beats = {address: beat for address, beat in self._beats.items() if address in workers}
        return tuple(found)

    def start(self, ticket: int, address: str, call: str, arguments: tuple[Any, ...]) -> None:
        """Call a function on one worker."""
        with self._speaking(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # blobs are large on purpose
            future = self._client.submit(
                getattr(workplace, call),
                *arguments,
                key=f"{call}-{ticket}-{id(self)}",
                workers=[address],
                allow_other_workers=False,
                pure=False,
                retries=0,
            )
        self._futures[ticket] = future
        future.add_done_callback(lambda done: self._heard.put((ticket, done)))

    def events(self, wait_s: float) -> list[EngineEvent]:
        """Answers and losses, in the order in which they came."""
        found: list[EngineEvent] = []
        with contextlib.suppress(queue.Empty):
            found += self._event(*self._heard.get(timeout=wait_s))
            while True:
                found += self._event(*self._heard.get_nowait())
        if not found and self._client.status not in ("running", "connecting"):
            raise EngineLost(f"the scheduler {self.address.url} has gone")
        return found

    def _event(self, ticket: int, future: Any) -> list[EngineEvent]:
        if self._futures.pop(ticket, None) is None:
            return []
        status = future.status
        if status == "finished":
            try:
                with self._speaking():
                    return [EngineEvent(ticket, future.result(timeout=CONNECT_S * 3))]
            except EngineLost as error:
                return [EngineEvent(ticket, None, error.message)]
        if status == "cancelled" or self._client.status != "running":
            raise EngineLost(f"the scheduler {self.address.url} has gone")
        failure = future.exception(timeout=CONNECT_S)
        if isinstance(failure, KilledWorker):
            return [EngineEvent(ticket, None, DIED)]
        return [EngineEvent(ticket, None, f"{type(failure).__name__}: {str(failure)[:200]}")]

    def forget(self, ticket: int) -> None:
        """Release an answer that is not needed."""
        future = self._futures.pop(ticket, None)
        if future is not None:
            future.release()

    def reconnect(self) -> bool:
        """A new connection in the place of the lost one."""
        self.close()
        self._heard = queue.SimpleQueue()
        self._futures.clear()
        self._beats.clear()
        try:
            self._connect()
        except ClusterError:
            return False
        return True

    def close(self) -> None:
        """Let go of the scheduler."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):  # a connection that is broken anyway
                client.close(timeout=2)
            client.status = "closed"  # else its end waits once more for a scheduler that does not answer

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[None]:
        """Whatever breaks on the way is a lost scheduler."""
        if self._client is None:
            raise EngineLost(f"the scheduler {self.address.url} has gone")
        try:
            yield
        except (OSError, TimeoutError, RuntimeError, distributed.CancelledError, AttributeError) as error:
            raise EngineLost(f"the scheduler {self.address.url} has gone ({type(error).__name__})") from error


def _no_answer(address: SchedulerAddress, error: Exception) -> str:
    """Why a scheduler cannot be used, in one line."""
    text = " ".join(str(error).split())
    if address.encrypted and ("certificate" in text.lower() or "ssl" in text.lower()):
        return f"the scheduler {address.url} and this host do not trust each other's certificates: {text[:200]}"
    return f"no scheduler answers at {address.url} within {CONNECT_S:g} s: {text[:200]}"


def _facts(told: dict[str, Any]) -> tuple[HostFacts | None, float]:
    """What a worker tells of itself, and how wrong its clock is."""
    try:
        plain = codec.parse_object(told.get("metrics", {}).get(FACTS, ""))
        facts = codec.from_plain(HostFacts, plain)
    except CodecError:
        return None, 0.0
    # A heartbeat is a few seconds old, which does not mean that its clock is wrong.
    return facts, facts.time_s - time.time()
