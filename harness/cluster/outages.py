"""Faults of a cluster, planted on purpose: a connection that is cut, a scheduler that is killed, workers whose disk is
full or whose clock is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from harness.cluster.bundle import Bundle
from harness.cluster.protocol import HostFacts
from harness.cluster.workplace import Workplace
from harness.platform.processes.child import end_child, start_child

T = TypeVar("T")
CLOCK_VARIABLE = "REHEARSAL_CLOCK_S"
"""How wrong the clock of a rehearsed worker is."""
DISK_VARIABLE = "REHEARSAL_DISK"
"""``small``: its folder is a file system of its own, which is full from its first job on."""
DISK_BYTES = 1 << 20
_ANSWER_S = 10.0
_START_S = 60.0


class Proxy:
    """Hands on what workers and a scheduler of this host say to each other, until it is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = True
        self._ways: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._ask(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *error: object) -> None:
        self._ask(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ANSWER_S)
        self._loop.close()

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        self._ask(self._cut())

    def restore(self) -> None:
        """Take new connections again."""
        self._open = True

    def _ask(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(_ANSWER_S)

    async def _cut(self) -> None:
        self._open = False
        for way in self._ways:
            way.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=_ANSWER_S / 2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._ways |= {writer, back}
        await asyncio.gather(_hand_on(reader, back), _hand_on(there, writer))
        self._ways -= {writer, back}


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until either side ends it."""
    with contextlib.suppress(OSError):
        while said := await reader.read(1 << 16):
            writer.write(said)
            await writer.drain()
    writer.close()


class WrongClock(Workplace):
    """A worker that has another time than the scheduler's host."""

    offset_s = 0.0

    def facts(self) -> HostFacts:
        """What the worker tells of itself, by its clock."""
        found = super().facts()
        return replace(found, time_s=found.time_s + self.offset_s)


class FullDisk(Workplace):
    """A worker whose disk has no room once it is to run a job."""

    def _bundle(self, digest: str, text: str) -> Bundle | None:
        with contextlib.suppress(OSError), open(self.folder / "ballast", "ab", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * 4096)
        return super()._bundle(digest, text)


def on_small_disk(folder: Path, module: str) -> None:
    """Start this worker again, its folder a small file system of its own; returns only in the worker so started."""
    if os.environ.get(DISK_VARIABLE) != "small":
        return
    os.environ[DISK_VARIABLE] = "mounted"
    inside = f'mount -t tmpfs -o size={DISK_BYTES} none "$0" && exec "$@"'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside, str(folder)]
    os.execvp(words[0], [*words, sys.executable, "-m", module, *sys.argv[1:]])


class MortalScheduler:
    """A scheduler in a process of its own, which can be killed and started again at the same address."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"tcp://127.0.0.1:{self.port}"
        self.restarts = 0
        self._process = self._started()

    def __enter__(self) -> "MortalScheduler":
        return self

    def __exit__(self, *error: object) -> None:
        end_child(self._process)

    def restart(self) -> None:
        """Kill it, and start another."""
        end_child(self._process)
        self.restarts += 1
        self._process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        words = ["--host", "tcp://127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        process = start_child(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            time.sleep(0.1)
        return process
