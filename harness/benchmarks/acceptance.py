"""How long the whole checklist takes."""

from __future__ import annotations

import time
from pathlib import Path

from harness.acceptance.measure import AcceptancePlan, accept
from harness.benchmarks import Figure, Measure
from harness.model.spec import Switches


def _acceptance(folder: Path) -> list[Figure]:
    """every line of the checklist, on both devices"""
    begun = time.monotonic()
    accept(AcceptancePlan(Switches()), folder, lambda text: None)
    return [Figure("make acceptance, kernels built", (time.monotonic() - begun) / 60, "min", 6)]


FIGURES: tuple[Measure, ...] = (_acceptance,)
