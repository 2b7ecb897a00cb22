"""How much of a calibration's budget its launches may take, and how many sessions can be drawn in the rest."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from harness.gate.calibration.places import CALCULATED
from harness.gate.calibration.power import synthetic
from harness.gate.calibration.simulate import normal

_PROBED = 30
_FIXED, _DRAWN, _SERIES = 400, 2, 8
"""Drawing eight series takes as long as this many made-up sessions, and as these for each draw; a bit less, in fact."""
DRAWS_LEAST = 20


@dataclass(frozen=True)
class DrawingTime:
    """What drawing sessions takes on this host."""

    session_s: float
    """One made-up session."""
    series: int

    def seconds(self, draws: int) -> float:
        """Seconds for this many draws."""
        return self.session_s * self.series / _SERIES * (_FIXED + _DRAWN * draws)

    def within(self, left_s: float, draws: int) -> int:
        """As many draws, or as fit into the time that is left."""
        fit = (left_s / (self.session_s * self.series / _SERIES) - _FIXED) / _DRAWN
        return min(draws, max(int(fit), DRAWS_LEAST))


def drawing_time(effects: int) -> DrawingTime:
    """Measured on a few made-up sessions; ``effects`` are those that are planted."""
    begun = time.monotonic()
    synthetic("", normal(0.025), _PROBED, np.random.default_rng(0))
    return DrawingTime((time.monotonic() - begun) / _PROBED, 1 + len(CALCULATED) + effects)
