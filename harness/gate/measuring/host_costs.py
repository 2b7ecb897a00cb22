"""Time that counted things take on this host, learned from the window, in which the guest says how long it drew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.core.counts.costs import fit
from harness.model.record import Costs, CountedFrames

if TYPE_CHECKING:
    from harness.gate.measuring.window import Window

UNDISTURBED = 0.25
"""Quantile of the drawing times: later ones may have met a preemption."""
FEWEST_FRAMES = 24


def fitted_costs(counted: CountedFrames | None, window: Window | None) -> Costs:
    """Coefficients for this host; the usual ones where there is nothing to learn them from.

    Parameters
    ----------
    counted, window
        Of one kernel.
    """
    if counted is None or window is None or len(window.serial.records) < FEWEST_FRAMES:
        return Costs()
    columns = window.serial.records.columns
    if "render_ns" not in columns or "draw" not in counted.parts:
        return Costs()
    drawing_ns = float(np.quantile(columns["render_ns"], UNDISTURBED))
    return fit([(counted.parts["draw"], drawing_ns)])
