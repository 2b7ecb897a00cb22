"""Frame pacing: how evenly frames came, in published figures.

- mean FPS: n * 1000 / sum(t), t the frame times in ms (CapFrameX ``GetFpsMetricValue``, average).
- percentiles of the frame time: linear interpolation (Hyndman and Fan 1996, definition 7).
- 1 % low: 1000 / mean(t >= p99(t)) (CapFrameX "1% low average"; MangoHud's figure of that name is the percentile).
- stutter share: sum of t over frames with t > 2.5 * rolling median of 19 frames, divided by sum(t) (CapFrameX
  ``GetStutteringTimePercentage``, which has a moving average where this has a median, so that a long frame does not
  raise its own bar).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from harness.core.arrays import F64

STUTTER_FACTOR = 2.5
STUTTER_WINDOW = 19
FEW_FRAMES = 100
"""With fewer frames the 99th percentile is simply the longest frame."""


class TooFewFrames(ValueError):
    """There are too few frame times."""


@dataclass(frozen=True)
class Pacing:
    """Frame pacing of one window; times in ms."""

    frames: int
    mean_fps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    low_1pct_fps: float
    stutter_share: float

    @property
    def tails_known(self) -> bool:
        """Enough frames for a 99th percentile."""
        return self.frames >= FEW_FRAMES


def frame_pacing(frame_ms: F64) -> Pacing:
    """Frame pacing of a series of frame times.

    Parameters
    ----------
    frame_ms : ndarray, shape (n,), ms
        Frame times in order, warm-up taken off.

    Raises
    ------
    TooFewFrames
        With fewer than two frame times, or when they are not positive and finite.
    """
    times = np.asarray(frame_ms, np.float64)
    if len(times) < 2:
        raise TooFewFrames(f"{len(times)} frame times")
    if not np.all(np.isfinite(times)) or times.min() < 0 or times.sum() <= 0:
        raise TooFewFrames("frame times that are negative, not finite or all zero")
    p50, p95, p99 = (float(value) for value in np.percentile(times, (50, 95, 99)))
    long = times > STUTTER_FACTOR * rolling_median(times, STUTTER_WINDOW)
    return Pacing(
        frames=len(times),
        mean_fps=len(times) * 1000 / float(times.sum()),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=float(times.max()),
        low_1pct_fps=1000 / float(times[times >= p99].mean()),
        stutter_share=float(times[long].sum() / times.sum()),
    )


def rolling_median(values: F64, window: int) -> F64:
    """Median of a centred window, narrower at both ends, shape (n,)."""
    half = window // 2
    padded = np.concatenate([np.full(half, np.nan), values, np.full(half, np.nan)])
    median: F64 = np.nanmedian(sliding_window_view(padded, 2 * half + 1), axis=1)
    return median
