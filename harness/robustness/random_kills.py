"""Commands under a real QEMU, ended at any moment: nothing stays behind, and the next run works."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import IO

from harness.platform.processes.child import end_child
from harness.robustness.checkout import LIMIT_S, Checkout
from harness.robustness.killpoints import KILL, Ended
from harness.robustness.what_lasts import results_problems

COMMANDS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("perf", "STAGES=window"), 8.0),
    (("perf", "STAGES=window,pictures", "PICTURES=40"), 12.0),
    (("perf", "STAGES=exact"), 10.0),
    (("perf", "STAGES=timing", "BUDGET=20"), 20.0),
    (("ab", "A=LOG=none", "B=LOG=frame", "STAGES=window"), 12.0),
    (("explain", "QUICK=1"), 20.0),
    (("boot", "BOOT_LOG_TIMEOUT=3"), 5.0),
    (("boot", "VIDEO=xvfb", "BOOT_LOG_TIMEOUT=3"), 6.0),
    (("suites", "ARCH=x86_64"), 5.0),
)
"""What is ended, and the time within which that happens."""
COMPILING: tuple[tuple[tuple[str, ...], float], ...] = (
    (("build", "CC=gcc"), 3.0),
    (("suites", "ARCH=x86_64"), 6.0),
    (("perf", "STAGES=window,pictures"), 8.0),
)
"""The same, with nothing built before: what is met there is mostly compilers."""
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
GONE_S = 15.0
ENDED = (-signal.SIGKILL, 5)
SAID_S = 1.0
"""A command that has said its verdict hears no signal any more, and is gone within this time."""


def kill_at_random(checkout: Checkout, number: int, random_state: int = 1) -> list[str]:
    """End one command at a random moment, then run another one; what was wrong."""
    rng = random.Random(f"{random_state}-{number}")
    words, within_s = chosen = rng.choice(COMMANDS + COMPILING)
    if chosen in COMPILING:
        shutil.rmtree(checkout.root / "build", ignore_errors=True)
    how, after_s = _heard(rng.choice(SIGNALS)), rng.uniform(0, within_s)
    with tempfile.TemporaryFile() as said:
        begun = time.monotonic()
        child = checkout.start(words, said)
        try:
            while child.poll() is None and time.monotonic() < begun + after_s:
                time.sleep(0.01)
            early = child.poll() is not None
            if not early:
                early = b"verdict: " in _so_far(said)
                os.kill(child.pid, how)
            told_s = time.monotonic()
            status = child.wait(LIMIT_S)
            took_s = time.monotonic() - told_s
        finally:
            end_child(child)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    early = early or took_s < SAID_S and f"(exit {status})" in text.rstrip().rpartition("verdict: ")[2]
    found = [] if early or status in ENDED else [f"status {status}"]
    found += _left(checkout) + (["a traceback"] if "Traceback" in text else [])
    case = f"{number}: {' '.join(words)}, {how.name} after {after_s:.2f} s"
    return [f"{case}: {one}" for one in found + _next(checkout)]


def _so_far(said: IO[bytes]) -> bytes:
    """What a command has said; where it writes next stays as it is, for both have one place in the file."""
    return os.pread(said.fileno(), os.fstat(said.fileno()).st_size, 0)


def _heard(how: signal.Signals) -> signal.Signals:
    """The signal, or SIGTERM where this process was told to ignore it (nohup): what it starts ignores it, too."""
    return signal.SIGTERM if signal.getsignal(how) is signal.SIG_IGN else how


def _left(checkout: Checkout) -> list[str]:
    """Processes that outlive the command."""
    deadline = time.monotonic() + GONE_S
    while checkout.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    return [f"process {number} is left: {line[:100]}" for number, line in checkout.processes().items()]


def _next(checkout: Checkout) -> list[str]:
    """What is wrong with the results and the next run."""
    done = checkout.run("boot", "BOOT_LOG_TIMEOUT=5")
    found = [] if done.status in (0, 4) else [f"the next run: status {done.status}: {done.text[-200:]}"]
    found += results_problems(checkout.root, Ended("", KILL, done.status, done.text))
    return found + [f"{path.name} is left where temporary files go" for path in checkout.scratch.iterdir()]


def prepare(root: Path) -> Checkout:
    """A copy that is built, so that most kills meet more than compilers."""
    checkout = Checkout(root)
    checkout.run("build")
    return checkout
