"""What each deliberate fault makes ``make perf`` answer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.benchmarks import Figure, Measure
from harness.model.spec import KERNEL_DIR, ROOT

LIMIT_S = 240.0
SENTENCE_MOST = 90
WORDS: Mapping[str, tuple[str, ...]] = {
    "blk_corrupt": ("OPTS=blk=8",),
    "blk_timeout": ("OPTS=blk=8",),
    "no_virgl": ("VIRGL=1",),
}
"""What a fault needs besides its switch."""
_LINE = re.compile(r"^ \*   FAULT ([a-z_]+): [a-z]+ (\d) ", re.MULTILINE)


def _faults(folder: Path) -> list[Figure]:
    """what each fault makes make perf answer"""
    table = (KERNEL_DIR / "fault" / "fault.h").read_text(encoding="utf-8")
    found = []
    for name, code in _LINE.findall(table):
        command = [sys.executable, "-m", "harness", "perf", "--json", f"FAULT={name}", *WORDS.get(name, ())]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        said = json.loads(done.stdout)["sentence"] if done.stdout.startswith("{") else done.stderr.strip()
        what = f"FAULT={name}: {said[:SENTENCE_MOST]}"
        found.append(Figure(what, done.returncode, "", int(code), exactly=True))
    return found


FIGURES: tuple[Measure, ...] = (_faults,)
