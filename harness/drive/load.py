"""A competing load: processes that do nothing but use up the processor, for as long as somebody looks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from harness.drive.errors import HarnessError


@contextmanager
def competing_load(processes: int) -> Iterator[None]:
    """Run this many busy loops; they end with the harness, however it ends."""
    with ExitStack() as stack:
        for _ in range(processes):
            try:
                busy = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", "while :; do :; done"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                raise HarnessError(f"the competing load cannot be started: {error}") from error
            stack.callback(busy.wait)
            stack.callback(busy.kill)
        yield
