"""A competing load: processes that only use up the processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from harness.platform.processes.child import end_child, start_child


@contextmanager
def competing_load(processes: int) -> Iterator[None]:
    """Run this many busy loops; they end with the harness, however it ends."""
    with ExitStack() as stack:
        for _ in range(processes):
            busy = start_child(["sh", "-c", "while :; do :; done"])
            stack.callback(end_child, busy)
        yield
