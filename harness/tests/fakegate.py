"""Stands for ``harness ab``: compares "kernels" that state their speed, with an interval as wide as they say.

A kernel is a text: ``speed=100 spread=0.004``; ``crash`` stands for one that does not run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from harness.model.result import Gate, Result
from harness.model.spec import ROOT, Verdict
from harness.platform.files.store import RunFolder


def main() -> int:
    words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    texts = [(ROOT / words[name]).read_text(encoding="utf-8") for name in "AB"]
    if any("broken-host" in text for text in texts):
        sys.stdout.write("harness-failed: QEMU is missing\nverdict: harness-failed (exit 5)\n")
        return Verdict.HARNESS_FAILED.exit_code
    verdict = Verdict.GUEST_FAILED
    gates: tuple[Gate, ...] = ()
    if not any("crash" in text for text in texts):
        gates = (_gate(texts, float(words["SMALLEST"])),)
        verdict = gates[0].verdict or Verdict.PASS
    result = Result("ab", verdict, f"{verdict.value}: compared", "2026", 1.0, gates=gates)
    folder = RunFolder("ab", Path(tempfile.gettempdir()) / "results").commit(result)
    sys.stdout.write(f"report: {folder / 'report.html'}\n")
    return verdict.exit_code


def _gate(texts: list[str], smallest: float) -> Gate:
    fields = [dict(field.split("=") for field in text.split() if "=" in field) for text in texts]
    change = float(fields[1]["speed"]) / float(fields[0]["speed"]) - 1
    spread = max(float(one.get("spread", 0.004)) for one in fields)
    unchanged = abs(change) + spread < smallest
    changed = abs(change) >= smallest and abs(change) > spread
    verdict = Verdict.PASS if unchanged or changed else Verdict.INCONCLUSIVE
    return Gate("fps_trace", "ratio", verdict, "", change=change, low=change - spread, high=change + spread)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
