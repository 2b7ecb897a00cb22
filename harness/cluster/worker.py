"""A worker: this process's main thread runs jobs, another thread speaks with the scheduler.

When the scheduler goes, the running job goes on and its result is kept; the worker looks for the scheduler until it is
back. It ends only on request.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import queue
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import distributed

from harness.cluster.address import SchedulerAddress, is_loopback, security_for
from harness.cluster.dask_engine import silence
from harness.cluster.protocol import FACTS
from harness.cluster.workplace import PLACE, Workplace
from harness.model import codec

PAUSE_S, PAUSE_MAX_S = 1.0, 30.0
"""Between two attempts to reach the scheduler: doubled each time."""
CONNECT_S = 20.0
SETTLED_S = 3.0
"""A connection that lasted this long was a good one: the next is tried at once."""
HEARTBEAT = "1s"


class MainThread(concurrent.futures.Executor):
    """Runs calls in the thread that calls :meth:`serve`: children die with the thread that started them."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._max_workers = 1  # Dask asks for it

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> "concurrent.futures.Future[Any]":
        """Queue a call."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(call(*arguments, **named))
            except Exception as error:
                future.set_exception(error)

        self._calls.put(run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Dask closes its executors with each connection; this one serves the next."""

    def serve(self) -> None:
        """Run calls until :meth:`stop`."""
        while (run := self._calls.get()) is not None:
            run()

    def stop(self) -> None:
        """Let :meth:`serve` return after the call that runs."""
        self._calls.put(None)


def serve(address: SchedulerAddress, place: Workplace, name: str, say: Callable[[str], None]) -> None:
    """Work for a scheduler until this process is interrupted."""
    silence()
    PLACE[:] = [place]
    security = security_for(address, "worker")
    executor = MainThread()
    ending = threading.Event()
    talker = threading.Thread(
        target=_talk, args=(address, place, name, security, executor, ending, say), name="scheduler", daemon=True
    )
    talker.start()
    try:
        executor.serve()
    finally:
        ending.set()
        talker.join(3)


def _talk(
    address: SchedulerAddress,
    place: Workplace,
    name: str,
    security: Any,
    executor: MainThread,
    ending: threading.Event,
    say: Callable[[str], None],
) -> None:
    """Stay connected to the scheduler, whatever happens to it."""
    pause_s, said = PAUSE_S, ""
    while not ending.is_set():
        why, lasted_s = asyncio.run(_connected(address, place, name, security, executor, ending, say))
        if lasted_s > SETTLED_S:
            pause_s = PAUSE_S
        if not ending.is_set() and why != said:
            say(f"worker: {why}; looking for it again")
            said = why
        ending.wait(pause_s)
        pause_s = min(2 * pause_s, PAUSE_MAX_S)


async def _connected(
    address: SchedulerAddress,
    place: Workplace,
    name: str,
    security: Any,
    executor: MainThread,
    ending: threading.Event,
    say: Callable[[str], None],
) -> tuple[str, float]:
    """One connection, from its beginning to its end; returns why it ended, and how long it lasted."""

    def facts(worker: object) -> str:
        return codec.to_json(place.facts(), indent=None)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        worker = distributed.Worker(
            address.url,
            nthreads=1,
            name=f"{name}-{os.getpid()}-{time.time_ns()}",
            host="127.0.0.1" if is_loopback(address.host) else None,
            executor=executor,
            security=security,
            metrics={FACTS: facts},
            heartbeat_interval=HEARTBEAT,
            local_directory=str(place.folder / "dask"),
            memory_limit=0,
            dashboard=False,
        )
    try:
        await asyncio.wait_for(worker, CONNECT_S)
    except Exception as error:  # whatever keeps it from registering, it is tried again
        with contextlib.suppress(Exception):
            await asyncio.wait_for(worker.close(executor_wait=False), 5)
        return f"the scheduler {address.url} does not answer ({type(error).__name__})", 0.0
    begun = time.monotonic()
    say(f"worker: ready at {address.url}, offers {' '.join(place.offers)}")
    while worker.status in (distributed.Status.running, distributed.Status.paused) and not ending.is_set():
        await asyncio.sleep(0.2)
    lasted_s = time.monotonic() - begun
    with contextlib.suppress(Exception):
        await asyncio.wait_for(worker.close(executor_wait=False), 5)
    return f"the scheduler {address.url} has gone", lasted_s
