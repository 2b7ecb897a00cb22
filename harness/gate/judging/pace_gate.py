"""Whether a kernel keeps the pace that its target declares: its frame rate, and the deadlines at which no frame came.

A host that has no core for the guest makes it late: then nothing is decided.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.core.arrays import F64
from harness.core.wording import percent
from harness.model.result import Metric
from harness.model.spec import Verdict

RATE_SLACK = 0.03
"""How far the frame rate may lie from the pace: timers of milliseconds make 30.3 of 30."""
MISSED_MOST = 0.05
"""Share of deadlines that may pass without a frame."""
WAITED_MOST = 0.01
"""Share of the window that a thread of QEMU may have waited for a core, where a late guest is to be blamed."""


def missed_share(frame_ms: F64, pace_hz: float) -> float:
    """The share of a pace's deadlines at which no new frame came.

    Parameters
    ----------
    frame_ms
        Frame times, shape (n,).
    """
    periods = np.maximum(np.rint(frame_ms * pace_hz / 1000), 1)
    return float((periods.sum() - len(periods)) / periods.sum()) if len(periods) else 0.0


def pace_verdict(fps: Metric, metrics: Mapping[str, Metric], pace_hz: float) -> tuple[Verdict, str]:
    """The verdict of a paced run, in words."""
    missed = metrics["pace_missed"].value if "pace_missed" in metrics else 0.0
    waited = metrics["host_wait"].value if "host_wait" in metrics else 0.0
    words = f"{fps.value:.4g} frames/s, {percent(missed)} of deadlines missed"
    off = fps.value / pace_hz - 1
    if abs(off) <= RATE_SLACK and missed <= MISSED_MOST:
        return Verdict.PASS, f"keeps its pace of {pace_hz:g}: {words}"
    bounds = f"up to {percent(RATE_SLACK, 0)} off and {percent(MISSED_MOST, 0)} missed are allowed"
    if off <= RATE_SLACK and waited > WAITED_MOST:
        late = f"QEMU waited for a core of the host {percent(waited)} of the window"
        return Verdict.INCONCLUSIVE, f"cannot tell whether it keeps its pace of {pace_hz:g}: {words}, but {late}"
    return Verdict.REGRESSION, f"does not keep its pace of {pace_hz:g}: {words} ({bounds})"
