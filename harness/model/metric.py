"""One figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure. ``low`` and ``high`` bound a 95 % interval, or are None; ``n`` counts what it was made from."""

    value: float
    unit: str
    source: str
    """``trace``, ``screendump``, ``guest`` (the guest's own word), ``icount`` or ``host``."""
    low: float | None = None
    high: float | None = None
    n: int = 0
