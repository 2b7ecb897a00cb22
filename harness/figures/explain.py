"""What explaining takes, and whether planted causes are found with their size."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from harness.analyze.ablation import Changes, Worth, label
from harness.drive.build import build_kernel
from harness.drive.pin import probe_rights
from harness.figures import Figure, Measure
from harness.lanes.ablation import Bench, ablate
from harness.lanes.timing import choose_protocol
from harness.spec import ROOT, Machine, Switches

WHOLE_S, QUICK_S = 360.0, 60.0
PLANTED_S = 40.0


def _whole(folder: Path) -> list[Figure]:
    """the whole of explain"""
    return [Figure("make explain", _seconds([]), "s", WHOLE_S)]


def _quick(folder: Path) -> list[Figure]:
    """explain QUICK=1"""
    return [Figure("make explain QUICK=1", _seconds(["QUICK=1"]), "s", QUICK_S)]


def _seconds(words: list[str]) -> float:
    begun = time.monotonic()
    command = [sys.executable, "-m", "harness", "explain", *words]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=3 * WHOLE_S)
    return time.monotonic() - begun


def _planted(folder: Path) -> list[Figure]:
    """switches with a known effect, taken out"""
    base = build_kernel(Switches().but(LOG="frame", FILL="pixel"))
    changes: list[Changes] = [(("LOG", "deferred"),), (("FILL", "fast"),), (("PREEMPT", "global"),)]
    bench = Bench(Machine(vcpus=1, maxcpus=2), choose_protocol(probe_rights()), pairs=0)
    found = ablate(base, changes, bench, folder / "planted", PLANTED_S, lambda text: None)
    worths = {label(effect.changes): effect.worth for effect in found.effects}
    right = [Worth.FASTER, Worth.FASTER, Worth.NOISE]
    hits = sum(worths.get(label(one)) is worth for one, worth in zip(changes, right))
    return [Figure("planted switches told as faster, faster, noise", hits, "of 3", 3, at_most=False)]


FIGURES: tuple[Measure, ...] = (_whole, _quick, _planted)
