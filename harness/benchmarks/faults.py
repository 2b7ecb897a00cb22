"""What each deliberate fault makes ``make perf`` answer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.benchmarks import Figure, Measure
from harness.model.faults import fault_table
from harness.model.spec import ROOT
from harness.platform.processes.child import run_child

LIMIT_S = 240.0
SENTENCE_MOST = 90
WORDS: Mapping[str, tuple[str, ...]] = {
    "": (),
    "blk=": ("OPTS=blk=8",),
    "VIRGL=1": ("VIRGL=1",),
    "CURSOR=hw": ("CURSOR=hw",),
    "DRAW=gpu": ("DRAW=gpu", "VIRGL=1"),
    "HEADS=2": ("HEADS=2",),
    "modes": ("MODE=800x600,640x480", "STAGES=window,modes"),
    "pixels": (),
    "latency": ("STAGES=window,latency", "BUDGET=180"),
}
"""What a fault needs besides its switch, as settings."""


def _faults(folder: Path) -> list[Figure]:
    """what each fault makes make perf answer"""
    found = []
    for name, fault in fault_table().items():
        command = [sys.executable, "-m", "harness", "perf", "--json", f"FAULT={name}", *WORDS[fault.needs]]
        done = run_child(command, cwd=ROOT, limit_s=LIMIT_S, environment=os.environ)
        said = json.loads(done.text)["sentence"] if done.text.startswith("{") else " | ".join(done.errors)
        what = f"FAULT={name}: {said[:SENTENCE_MOST]}"
        found.append(Figure(what, done.status, "", fault.code, exactly=True))
    return found


FIGURES: tuple[Measure, ...] = (_faults,)
