"""Everything that ``explain`` found about one kernel, and its sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.counts.functions import FunctionChange, function_words
from harness.core.wording import percent, signed_percent, span
from harness.explain.attribution import OTHER, FrameAccount
from harness.explain.case_report import EventsPerFrame, Replay
from harness.explain.effects import Ablation, Effect, Worth, label
from harness.explain.growth import PartChange, grown

PARTS = "parts"
PARTS_SAID = 3
SWITCHES = "switches"
CASE = "case study"
REGRESSION = "regression"


@dataclass(frozen=True)
class Regression:
    """A run of the gate that failed, and which switches would undo the regression."""

    run: str
    said: str
    """The gate's sentence."""
    slower: float | None
    """Change of frame time, candidate against reference; None when another gate failed than that of frame rate."""
    restored: Ablation | None = None
    """From the candidate, each switch that it sets differently back to what the reference has."""
    not_restored: str = ""
    """Why no switch was tried."""
    parts: tuple[PartChange, ...] = ()
    """The change of each part of the frame, the largest first."""
    functions: tuple[FunctionChange, ...] = ()
    """Functions whose instruction counts differ, the largest difference first."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The findings, a line each."""
        size = self.said
        if self.slower is not None:
            longer = "longer" if self.slower > 0 else "shorter"
            size = f"frames take {percent(abs(self.slower))} {longer} than the reference's"
        lines = (f"{self.run}: {size}", self._part_words(), self._function_words(), self._switch_words())
        return tuple(line for line in lines if line)

    def _function_words(self) -> str:
        """Empty where no function's count differs, as when the same code runs slower."""
        words = function_words(self.functions)
        more = f" and {len(self.functions) - 3} more" if len(self.functions) > 3 else ""
        return f"instructions a frame: {words}{more}" if words else ""

    def _part_words(self) -> str:
        if not self.parts:
            return ""
        most = grown(self.parts)
        if most is None:
            return "no part of the frame surely grew"
        total = sum(part.change_ms for part in self.parts)
        share = f", {percent(min(most.change_ms / total, 1), 0)} of what the frame grew" if total > 0 else ""
        return f"{most.words}{share}"

    def _switch_words(self) -> str:
        if self.restored is None or not (self.restored.effects or self.restored.unmeasured):
            if not self.not_restored:
                return "no build switch differs: the change is in the source"
            return f"no switch would give it back: {self.not_restored}"
        faster = [effect for effect in self.restored.effects if effect.worth is Worth.FASTER]
        if not faster:
            names = [label(one.changes) for one in self.restored.effects]
            names += [f"{label(one.changes)} ({one.why})" for one in self.restored.unmeasured]
            return f"no switch gives it back: tried {', '.join(names)}"
        best = min(faster, key=lambda effect: effect.change)
        sure = f"{span(best.low, best.high)} of its frame time"
        return f"{label(best.changes)} gives {self._share(best)} back ({signed_percent(best.change)}, {sure})"

    def _share(self, effect: Effect) -> str:
        """The share of the loss that a change recovers."""
        lost = 1 - 1 / (1 + self.slower) if self.slower is not None and self.slower > 0 else 0.0
        share = -effect.change / lost if lost else math.nan
        if math.isnan(share):
            return "time"
        return "all of it" if share > 0.9 else f"{percent(share, 0)} of it"


@dataclass(frozen=True)
class Explanation:
    """What was found; a section that is None or empty has its reason in ``missing``."""

    subject: str
    """The kernel: a named combination, or its switches."""
    counts: EventsPerFrame | None = None
    account: FrameAccount | None = None
    ablation: Ablation | None = None
    replays: tuple[Replay, ...] = ()
    regression: Regression | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    """By section: why it is not there."""
    incomplete: tuple[str, ...] = ()
    """What was asked for and not measured, and the budget that would do."""
    notices: tuple[str, ...] = ()

    @property
    def frame_ms(self) -> float | None:
        """Mean frame time while measured beside other kernels."""
        if self.ablation is None or not math.isfinite(self.ablation.frame_ms):
            return None
        return self.ablation.frame_ms

    @property
    def answered(self) -> bool:
        """Whether anything was found."""
        return self.regression is not None or self.account is not None or bool(self.ablation and self.ablation.effects)

    @property
    def sentence(self) -> str:
        """The answer in short."""
        if self.regression is not None:
            return "; ".join([*self.regression.lines, *filter(None, [self._incomplete_words()])])
        said = [self._frame_words(), self._switch_words(), self._incomplete_words()]
        return ". ".join(part for part in said if part) or f"{self.subject}: nothing could be measured"

    def _incomplete_words(self) -> str:
        return f"Not measured: {', '.join(self.incomplete)}" if self.incomplete else ""

    def _frame_words(self) -> str:
        length_ms = self.frame_ms or (self.account.mean_ms if self.account else None)
        if not length_ms:
            return ""
        said = f"A frame of {self.subject} takes {length_ms:.2f} ms"
        if self.account is None:
            return said
        names = [name for name in self.account.parts if name != OTHER]
        shares = sorted(((self.account.share(name), name) for name in names), reverse=True)
        return f"{said}: " + ", ".join(f"{percent(share, 0)} {name}" for share, name in shares[:PARTS_SAID])

    def _switch_words(self) -> str:
        if self.ablation is None or not self.ablation.effects:
            return ""
        effects = self.ablation.effects
        sure = [effect for effect in effects if effect.worth is not Worth.NOISE]
        noise = len(effects) - len(sure)
        rest = f"{noise} of {len(effects)} changes {'is' if noise == 1 else 'are'} noise"
        if not sure:
            return f"No switch changed alone stands out: {rest}"
        return f"{_dearest(sure[0])}; {rest}"


def _dearest(effect: Effect) -> str:
    size = f"{percent(abs(effect.change), 0)} {'longer' if effect.change > 0 else 'shorter'}"
    return f"{label(effect.changes)} is worth most: frames {size}"
