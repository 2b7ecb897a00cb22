"""Words for the kernel and its machine with which nothing can be measured: refused before a machine starts."""

from __future__ import annotations

import re
import shlex

from harness.model.spec import RunParams
from harness.settings import Arguments

PACE_MIN = 10
"""Frames a second. Of fewer, a window of two seconds holds too few to compare clocks by."""
WARM_UP_MOST_S = 5
"""The longest that frames before the measured ones may take at the pace that is asked for."""
MEMORY_MIN_MIB = 64
"""Enough for the built-in kernel in its largest mode."""
_BROUGHT = ("KERNEL", "ISO", "TARGET")
"""Kernels of others may do with less."""
_MEMORY = re.compile(r"(?:.*,)?(?:size=)?([0-9]{1,18})([bkmgtpe]?)(?:,.*)?", re.IGNORECASE)
_BYTES = {unit: 1 << 10 * power for power, unit in enumerate("bkmgtpe")}
_MEASURE = ("perf", "ab", "explain", "latency", "acceptance")


def unusable_words(arguments: Arguments) -> str:
    """What is wrong with OPTS for a command that measures; empty when nothing is."""
    if arguments.command not in _MEASURE or "OPTS" not in arguments.given:
        return ""
    params = arguments.run_params()
    return _pace(arguments.command, params) or _warm_up(params)


def too_little_memory(arguments: Arguments) -> str:
    """Memory of QEMU_ARGS in which the built-in kernel does not fit; 0 is QEMU's own default."""
    words = shlex.split(arguments.given.get("QEMU_ARGS", ""))
    if any(name in arguments.given for name in _BROUGHT):
        return ""
    for option, value in zip(words, words[1:]):
        found = _MEMORY.fullmatch(value) if option in ("-m", "--m") else None
        if found and 0 < int(found[1]) * _BYTES[found[2].lower() or "m"] < MEMORY_MIN_MIB * _BYTES["m"]:
            return f"QEMU_ARGS: -m {value}: the kernel needs {MEMORY_MIN_MIB} MiB or more"
    return ""


def _pace(command: str, params: RunParams) -> str:
    if params.pace is None or params.pace == 0 or params.pace >= PACE_MIN:
        return ""
    return (
        f"OPTS=pace={params.pace}: {command} measures {PACE_MIN} frames/s or more, or as fast as possible with pace=0"
    )


def _warm_up(params: RunParams) -> str:
    pace, frames = params.pace or 0, params.warmup or 0
    if not pace or frames <= WARM_UP_MOST_S * pace:
        return ""
    return f"OPTS=warmup={frames} takes {frames / pace:.0f} s at pace={pace}: at most {WARM_UP_MOST_S * pace}"
