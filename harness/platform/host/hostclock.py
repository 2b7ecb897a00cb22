"""Whether the host's wall clock, by which QEMU and the harness stamp events, ran evenly during a run."""

from __future__ import annotations

import time

STEP_MAX_NS = 2_000_000
"""More than two clocks can differ by when the host preempts between their reads."""
SLEW_MAX = 1e-3
"""Twice the largest rate at which ntpd slews (500 ppm), a fifth of the bound on the guest's clock."""
_STEADY = getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC)
"""Raw, because a slew bends CLOCK_MONOTONIC as well."""
_READS = 5


class ClockWatch:
    """Begins when it is made."""

    def __init__(self) -> None:
        self._wall_ns, self._steady_ns = _read_ns()

    def problem(self) -> str:
        """Irregularities of the clock since then; empty when it ran evenly."""
        wall_ns, steady_ns = _read_ns()
        return clock_problem(wall_ns - self._wall_ns, steady_ns - self._steady_ns)


def clock_problem(wall_ns: int, steady_ns: int) -> str:
    """Compare how long a run took by the wall clock and by one that nothing adjusts."""
    apart_ns = wall_ns - steady_ns
    if abs(apart_ns) <= STEP_MAX_NS + SLEW_MAX * steady_ns:
        return ""
    return (
        f"the host clock was set or slewed by {apart_ns / 1e6:+.1f} ms within {steady_ns / 1e9:.1f} s: "
        "times of this run cannot be compared; run it again when the clock is steady"
    )


def _read_ns() -> tuple[int, int]:
    """Both clocks at one moment: of several pairs of reads, the closest."""
    reads = []
    for _ in range(_READS):
        before_ns = time.clock_gettime_ns(_STEADY)
        wall_ns = time.time_ns()
        after_ns = time.clock_gettime_ns(_STEADY)
        reads.append((after_ns - before_ns, wall_ns, (before_ns + after_ns) // 2))
    _, wall_ns, steady_ns = min(reads)
    return wall_ns, steady_ns
