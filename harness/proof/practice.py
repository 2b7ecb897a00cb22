"""Practice beside theory: the driver's own ring code against a device on another CPU of this host, and litmus7.

Only the kick check is run so: of all the outcomes it is the one that an x86 host can show.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.model.spec import KERNEL_DIR
from harness.platform.files.scratch import scratch_folder
from harness.platform.processes.child import ChildError, clean_environment, run_child
from harness.proof.export import ExportedTest
from harness.proof.herd import observations

TCG = (
    "Under QEMU's TCG on an x86 host a guest's loads and stores are the host's, which lets a load overtake an earlier "
    "store and nothing else: the lost kick can be seen there, and no other outcome, whatever the guest's architecture."
)
RACE_MS = 400
BUILD_S, RACE_S, LITMUS7_S = 60.0, 20.0, 120.0
_SIZE, _RUNS = "5000", "20"
_LOST = re.compile(r"^# result BARRIER=(\w+): (\d+) notifications lost in (\d+) requests", re.MULTILINE)


@dataclass(frozen=True)
class Practice:
    """One strategy's ring on this host."""

    strategy: str
    requests: int = 0
    lost: int = 0
    why: str = ""
    """Why nothing was run."""

    @property
    def words(self) -> str:
        if self.why:
            return self.why
        return f"{1e6 * self.lost / self.requests:,.0f} ({self.lost:,} of {self.requests:,})" if self.requests else "–"


@dataclass(frozen=True)
class PracticeFound:
    """What this host showed."""

    races: tuple[Practice, ...] = ()
    litmus7: tuple[str, ...] = ()


def race(strategy: str, folder: Path) -> Practice:
    """Run one strategy's ring for a moment: the driver's own code, and a thread that serves as QEMU's device does."""
    if (os.cpu_count() or 1) < 2:
        return Practice(strategy, why="needs two CPUs")
    try:
        command = ["make", "-s", "-C", str(KERNEL_DIR), f"hostrace-{strategy}", f"OUT={folder}"]
        with scratch_folder("race") as scratch:
            if run_child(command, limit_s=BUILD_S, environment=clean_environment(scratch=scratch)).status:
                return Practice(strategy, why="not run: it does not build")
        done = run_child([str(folder / f"kick-race-{strategy}"), str(RACE_MS)], limit_s=RACE_S)
    except ChildError as error:
        return Practice(strategy, why=f"not run: {error.message}")
    found = _LOST.search(done.text)
    if found is None:
        return Practice(strategy, why="not run: it said nothing")
    return Practice(strategy, int(found[3]), int(found[2]))


def races(strategies: Sequence[str], folder: Path, progress: Callable[[str], None]) -> tuple[Practice, ...]:
    """Every strategy, one after the other."""
    found = []
    for strategy in strategies:
        progress(f"proof: {strategy} on this host's CPUs")
        found.append(race(strategy, folder))
    return tuple(found)


def litmus7_says(tests: Iterable[ExportedTest], folder: Path) -> tuple[str, ...]:
    """What litmus7 saw of kick checks on this host, a line each; empty where it is not installed."""
    program, arch = shutil.which("litmus7"), platform.machine()
    chosen = {one.body: one for one in tests if one.name.startswith(f"{arch}_") and "_kick_check_" in one.name}
    if program is None or not chosen:
        return ()
    files = [str(folder / f"{one.name}.litmus") for one in chosen.values()]
    try:
        with scratch_folder("litmus") as scratch:
            words = [program, "-s", _SIZE, "-r", _RUNS, *files]
            done = run_child(words, limit_s=LITMUS7_S, environment=clean_environment(scratch=scratch))
    except ChildError as error:
        return (f"litmus7: {error.message}",)
    seen = observations(done.text)
    return tuple(
        f"{one.name}: {'not run' if one.name not in seen else 'seen' if seen[one.name] else 'not seen'}; "
        f"here {'allowed' if one.allowed else 'forbidden'}"
        for one in chosen.values()
    )
