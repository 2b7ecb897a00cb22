"""Animation error, displayed time and deadlines: what a viewer sees of a run whose frames are numbered. Pure.

- animation error of a frame: the step shown less the step simulated. The step shown is the time between its flush and
  the flush before; the step simulated is how far the animation moved (PresentMon 2, ``MsAnimationError``: display
  change less simulation change). The simulation of a paced run moves by one period for each frame number. The
  simulation of an unpaced run has no clock: each frame shown is one step, so that only a number that is skipped or
  shown again is an error.
- displayed time of a frame: from its flush to the next frame's.
- repeats: deadlines, one a period, at which no new frame had come.
- drops: frame numbers that were replaced before a deadline showed them, or never flushed.
- overrun of a frame: its work beyond one period; the part of the frame that exceeded its own median most is late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import F64, I64, U64

PARTS = {"draw": "render_ns", "submit": "submit_ns", "notify": "notify_ns", "device": "wait_ns", "log": "log_ns"}
"""Parts of a frame's work, each with its column in the guest's records; what is left of a period is idle."""


@dataclass(frozen=True)
class Overrun:
    """One frame whose work took longer than a period."""

    frame: int
    late_ms: float
    """Beyond the period."""
    part: str
    """A name of :data:`PARTS`: which part exceeded its median most."""
    excess_ms: float
    """By how much."""


@dataclass(frozen=True)
class Animation:
    """One series of frames as a viewer sees it; times in ms."""

    error_ms: F64
    """Signed, + is shown late, shape (n - 1,)."""
    displayed_ms: F64
    """For all frames except the last, shape (n - 1,)."""
    period_ms: float | None
    """None of an unpaced run."""
    repeats: int = 0
    drops: int = 0

    def percentile_ms(self, per_cent: float) -> float:
        """Percentile of the error's size, by linear interpolation."""
        return float(np.percentile(np.abs(self.error_ms), per_cent))


class TooFewSteps(ValueError):
    """Fewer than two frames have no step between them."""


def animation(shown_ns: I64, numbers: I64 | None = None, pace_hz: float | None = None) -> Animation:
    """Animation error of a series of frames.

    Parameters
    ----------
    shown_ns : ndarray, shape (n,)
        When each frame was flushed, rising, running time.
    numbers : ndarray, shape (n,), optional
        The number of each frame; without it each frame is one further.
    pace_hz : float, optional
        The pace that the run was asked to keep.

    Raises
    ------
    TooFewSteps
        With fewer than two frames.
    ValueError
        When the times do not rise, or the two arrays differ in length.
    """
    if len(shown_ns) < 2:
        raise TooFewSteps(f"{len(shown_ns)} frames")
    shown_ms = np.diff(shown_ns) / 1e6
    if shown_ms.min() <= 0:
        raise ValueError("flush times do not rise")
    if numbers is not None and len(numbers) != len(shown_ns):
        raise ValueError(f"{len(numbers)} frame numbers of {len(shown_ns)} frames")
    moved = np.diff(numbers) if numbers is not None else np.ones(len(shown_ms), np.int64)
    if pace_hz is None or pace_hz <= 0:
        # One step of the unpaced simulation is one frame: errors are whole frames of the usual length.
        return Animation((1.0 - moved) * float(np.median(shown_ms)), shown_ms, None, 0, _skipped(moved))
    period_ms = 1000 / pace_hz
    repeats, replaced = _deadlines(shown_ns, period_ms)
    return Animation(shown_ms - moved * period_ms, shown_ms, period_ms, repeats, replaced + _skipped(moved))


def _skipped(moved: I64) -> int:
    return int(np.sum(np.maximum(moved - 1, 0)))


def _deadlines(shown_ns: I64, period_ms: float) -> tuple[int, int]:
    """Deadlines without a new frame, and frames replaced before their deadline.

    Deadlines lie one period apart, half a period after the phase at which frames come on average (the circular mean):
    a frame on time is in the middle between two, whatever the phase of the first one.
    """
    turns = (shown_ns - shown_ns[0]) / 1e6 / period_ms
    phase = float(np.angle(np.mean(np.exp(2j * np.pi * turns)))) / (2 * np.pi)
    slots = np.floor(turns - phase + 0.5).astype(np.int64)
    _, frames = np.unique(slots, return_counts=True)
    return int(slots[-1] - slots[0]) + 1 - len(frames), int(np.sum(frames - 1))


def overruns(columns: Mapping[str, U64], period_ms: float) -> tuple[Overrun, ...]:
    """Frames of a paced run whose work was longer than the period, by the guest's own records, in order.

    Parameters
    ----------
    columns
        ``frame`` and those of :data:`PARTS`, each of shape (n,), ns. Nothing without ``frame`` or any part.
    """
    parts = {part: columns[key].astype(np.float64) / 1e6 for part, key in PARTS.items() if key in columns}
    if not parts or "frame" not in columns:
        return ()
    work = np.sum(list(parts.values()), axis=0)
    excess = {part: spent - np.median(spent) for part, spent in parts.items()}
    found = []
    for at in np.flatnonzero(work > period_ms):
        part = max(excess, key=lambda name: float(excess[name][at]))
        frame, late = int(columns["frame"][at]), float(work[at] - period_ms)
        found.append(Overrun(frame, late, part, float(excess[part][at])))
    return tuple(found)


def overrun_words(found: tuple[Overrun, ...], frames: int) -> str:
    """``3 of 120 frames were late: 2 by draw (up to 5.1 ms), 1 by device (up to 0.4 ms)``; empty without any."""
    if not found:
        return ""
    by_part: dict[str, list[Overrun]] = {}
    for one in found:
        by_part.setdefault(one.part, []).append(one)
    most = sorted(by_part.items(), key=lambda item: -len(item[1]))
    parts = ", ".join(f"{len(late)} by {part} (up to {max(one.late_ms for one in late):.1f} ms)" for part, late in most)
    return f"{len(found)} of {frames} frames missed their deadline: {parts}"
