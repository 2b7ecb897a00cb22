"""What each deliberate fault makes ``make perf`` answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.benchmarks import Figure, Measure
from harness.model.faults import fault_table
from harness.model.spec import ROOT

LIMIT_S = 240.0
SENTENCE_MOST = 90
WORDS: Mapping[str, tuple[str, ...]] = {"": (), "blk=": ("OPTS=blk=8",), "VIRGL=1": ("VIRGL=1",)}
"""What a fault needs besides its switch, as settings."""


def _faults(folder: Path) -> list[Figure]:
    """what each fault makes make perf answer"""
    found = []
    for name, fault in fault_table().items():
        command = [sys.executable, "-m", "harness", "perf", "--json", f"FAULT={name}", *WORDS[fault.needs]]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        said = json.loads(done.stdout)["sentence"] if done.stdout.startswith("{") else done.stderr.strip()
        what = f"FAULT={name}: {said[:SENTENCE_MOST]}"
        found.append(Figure(what, done.returncode, "", fault.code, exactly=True))
    return found


FIGURES: tuple[Measure, ...] = (_faults,)
