"""Histories made up night by night, with planted changes: for tests of what shows them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.history.series import ABSOLUTE, EXACT, RATIO, HistoryRun, SeriesPoint

HOST = "a CPU, 2 cores, QEMU 7.2.22, tcg"


@dataclass(frozen=True)
class Planted:
    """A change of one cell: from this night on, frames take this share longer."""

    cell: str
    night: int
    slower: float


def nights(cells: Sequence[str], count: int, planted: Sequence[Planted], random_state: int = 1) -> Iterator[HistoryRun]:
    """Every run of this many nights, in order; the noise of a ratio is 0.4 %, of a frame rate 4 %."""
    rng = np.random.default_rng(random_state)
    for night in range(count):
        for cell in cells:
            slower = math.prod(1 + one.slower for one in planted if one.cell == cell and one.night <= night)
            ratio = math.exp(rng.normal(0, 0.004)) / slower
            fps = 420.0 / slower * math.exp(rng.normal(0, 0.04))
            yield HistoryRun(
                run_id=f"night-{night}-{cell}",
                cell=cell,
                started=f"2026-{1 + night // 28:02d}-{1 + night % 28:02d}T03:00:00+00:00",
                verdict="pass" if rng.random() > 0.03 else "inconclusive",
                sentence=f"pass: {fps:.4g} frames/s, unchanged",
                commit=hashlib.sha1(str(night).encode()).hexdigest(),
                dirty=False,
                host=HOST,
                compiler="gcc 12.2",
                folder=f"night-{night}",
                seconds=61.0,
                points=(
                    SeriesPoint("fps_trace", RATIO, "since kernel 50da7b433f0a", ratio, ratio * 0.994, ratio * 1.006),
                    SeriesPoint("fps_trace", ABSOLUTE, HOST, fps),
                    SeriesPoint("instructions_per_frame", EXACT, "gcc 12.2", float(round(2_240_984 * slower))),
                    SeriesPoint("spins_per_frame", ABSOLUTE, HOST, float(rng.normal(270, 15))),
                ),
            )
