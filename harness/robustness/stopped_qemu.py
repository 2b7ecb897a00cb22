"""A host that stops QEMU for a while, or ends it, at any point of a run: that is never the guest's failure."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time

from harness.model.spec import Verdict
from harness.platform.processes.child import end_child
from harness.robustness.checkout import LIMIT_S, Checkout

POINTS = 20
STOP_S = 0.5
WORDS = ("perf", "STAGES=window,pictures", "PICTURES=120")
FIRST_S, EACH_S = 60.0, 0.15
"""How long a machine may take to appear; the time between two points."""
_HOWS = (signal.SIGSTOP, signal.SIGTERM, signal.SIGSTOP, signal.SIGHUP)


def stop_at(checkout: Checkout, point: int) -> list[str]:
    """Disturb the first or a later QEMU of a run at one of the points; what was wrong."""
    how = _HOWS[point % len(_HOWS)]
    with tempfile.TemporaryFile() as said:
        child = checkout.start(WORDS, said)
        try:
            deadline = time.monotonic() + FIRST_S
            while not checkout.processes("qemu") and child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(point * EACH_S)
            hit = _disturb(checkout, how)
            status = child.wait(LIMIT_S)
        finally:
            end_child(child)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    checkout.forget()
    case = f"point {point}, {how.name}"
    if not hit:
        return [f"{case}: no machine ran"]
    blamed = status == Verdict.GUEST_FAILED.exit_code or status not in (4, 5)
    return [f"{case}: status {status}: {text[-300:]}"] if blamed else []


def _disturb(checkout: Checkout, how: signal.Signals) -> bool:
    """Whether there was a machine to disturb; between two machines, wait for the next."""
    deadline = time.monotonic() + FIRST_S
    while time.monotonic() < deadline:
        for number in checkout.processes("qemu"):
            try:
                os.kill(number, how)
                if how is signal.SIGSTOP:
                    time.sleep(STOP_S)
                    with contextlib.suppress(ProcessLookupError):  # the run was over meanwhile
                        os.kill(number, signal.SIGCONT)
            except ProcessLookupError:
                continue
            return True
        time.sleep(0.005)
    return False
