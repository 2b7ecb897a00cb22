"""What QEMU's box adds to the start of a machine, in processor time, which other work on the host hardly changes."""

from __future__ import annotations

import os
import resource
import statistics
from pathlib import Path

from harness.model.errors import HarnessError
from harness.platform.machine.sandbox import Layer, Visible, best_layer, layer_words
from harness.platform.processes.child import run_child

STARTS = 100
_READABLE = ("/usr", "/bin", "/lib", "/lib64", "/proc")


def box_cost_ms(folder: Path, starts: int = STARTS) -> float:
    """Median processor time of a start in the best layer here, beyond one without a box; taken in turns."""
    readable = tuple(name for name in _READABLE if os.path.exists(name))
    visible = Visible(readable, ("/dev/null", str(folder)), folder, folder)
    spent: dict[Layer, list[float]] = {best_layer(): [], Layer.NONE: []}
    for _ in range(starts):
        for layer, times in spent.items():
            times.append(_start_ms(layer_words(layer, visible)))
    return statistics.median(spent[best_layer()]) - statistics.median(spent[Layer.NONE])


def _start_ms(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_child([*words, "true"], limit_s=20)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.status:
        raise HarnessError(f"a box does not start: {done.errors[:2]}")
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
