"""Everything that ``explain`` found about one kernel, and the sentences that say it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.analyze.ablation import Ablation, Effect, Worth, label
from harness.analyze.seedreplay import Replay

PARTS = "parts"
SWITCHES = "switches"
SEED = "seed"
REGRESSION = "regression"


@dataclass(frozen=True)
class Explanation:
    """What was found; a section that is None or empty has its reason in ``missing``."""

    subject: str
    """The kernel: a named combination, or its switches."""
    ablation: Ablation | None = None
    replays: tuple[Replay, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """By section: why it is not there."""
    notices: tuple[str, ...] = ()

    @property
    def frame_ms(self) -> float | None:
        """Mean frame time while measured beside other kernels."""
        if self.ablation is None or not math.isfinite(self.ablation.frame_ms):
            return None
        return self.ablation.frame_ms

    @property
    def sentence(self) -> str:
        """The answer in short."""
        said = [self._frame_words(), self._switch_words()]
        return ". ".join(part for part in said if part) or f"{self.subject}: nothing could be measured"

    def _frame_words(self) -> str:
        return f"A frame of {self.subject} takes {self.frame_ms:.2f} ms" if self.frame_ms else ""

    def _switch_words(self) -> str:
        if self.ablation is None or not self.ablation.effects:
            return ""
        effects = self.ablation.effects
        sure = [effect for effect in effects if effect.worth is not Worth.NOISE]
        noise = len(effects) - len(sure)
        rest = f"{noise} of {len(effects)} changes {'is' if noise == 1 else 'are'} noise"
        if not sure:
            return f"No switch changed alone makes a difference: {rest}"
        return f"{_dearest(sure[0])}; {rest}"


def _dearest(effect: Effect) -> str:
    size = f"{abs(effect.change):.0%} {'longer' if effect.change > 0 else 'shorter'}"
    return f"Of the switches, {label(effect.changes)} is worth most: frames {size}"
