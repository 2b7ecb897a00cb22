"""The cost of instruments other than the trace in a window in which they were used, as shares of its time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.core.arrays import I64


def capture_cost(shown_ns: I64, captures: Sequence[tuple[int, int]]) -> float | None:
    """Extra time of frames during which pictures were taken, over the median frame, as a share of the window.

    Parameters
    ----------
    shown_ns : ndarray, shape (n,)
        Host times of the frames' flushes, rising.
    captures : sequence of (int, int)
        Host times between which each picture was taken.

    Returns
    -------
    float or None
        Share of the window; None with fewer than three frames or no capture among them.
    """
    if len(shown_ns) < 3 or not captures:
        return None
    intervals = np.diff(shown_ns)
    touched = np.zeros(len(intervals), bool)
    for begin, end in captures:
        touched |= (shown_ns[:-1] < end) & (shown_ns[1:] > begin)
    if not touched.any():
        return None
    usual = float(np.median(intervals))
    return float((intervals[touched] - usual).sum()) / float(shown_ns[-1] - shown_ns[0])


def record_cost(record_ns: int, frame_ms: float) -> float:
    """The cost of keeping records, by the guest's own measurement, as a share of the frame.

    Parameters
    ----------
    record_ns : int
        ``record_ns`` of the ``[PERF SUMMARY]``: counting and recording, a frame.
    """
    return record_ns / (frame_ms * 1e6)
