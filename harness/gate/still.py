"""Screens that stand still, where a target allows it: no frame rate is expected of them, and none is made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.core.wording import amount
from harness.model.baseline import Baseline
from harness.model.result import Gate
from harness.model.spec import Verdict
from harness.model.target import OK, Target

if TYPE_CHECKING:
    from harness.gate.measuring.window import Window
    from harness.gate.metrics import Rule

FEWEST_FRAMES = 3
"""Frames of a window from which on there is a frame rate."""


@dataclass(frozen=True)
class StillScreen:
    """A window in which hardly anything new was shown."""

    frames: int
    seconds: float

    @property
    def words(self) -> str:
        new = {0: "no new frame", 1: "1 new frame"}.get(self.frames, f"{self.frames} new frames")
        return f"the screen stands still: {new} in {self.seconds:.0f} s"

    @property
    def fps_most(self) -> float:
        """No higher frame rate shows so few frames."""
        return (self.frames + 1) / self.seconds


def still_screen(window: Window | None, target: Target | None) -> StillScreen | None:
    """A target's screen that stood still and may; None where it moved, or must."""
    if window is None or target is None or target.pictures.static != OK or not window.presented.shown:
        return None
    frames, observed = len(window.presented.time_ns), window.observed
    seconds = (observed.ends_ns - (observed.begins_ns or observed.launched_ns)) / 1e9
    return StillScreen(frames, seconds) if frames < FEWEST_FRAMES and seconds > 0 else None


def still_gate(rule: Rule, still: StillScreen) -> Gate:
    """The gate of a metric that a still screen lacks: a floor or a pace that was declared is not kept."""
    if rule.kind in ("floor", "pace") and rule.limit is not None and still.fps_most < rule.limit:
        wanted = "is below the floor of" if rule.kind == "floor" else "does not keep the pace of"
        return Gate(
            rule.metric,
            rule.kind,
            Verdict.REGRESSION,
            f"{still.words}, which {wanted} {rule.limit:g}",
            limit=rule.limit,
        )
    if rule.kind in ("floor", "pace", "bound"):
        why = f"{still.words}: too few frames to judge; limits.window_s makes the window longer"
        return Gate(rule.metric, rule.kind, Verdict.INCONCLUSIVE, why)
    return Gate(rule.metric, rule.kind, None, f"not applicable: {still.words}")


def stood_still(target: Target | None, baseline: Baseline | None) -> str:
    """Why there is nothing to compare frame times with, in words; empty where the approved screen moved."""
    if target is None or baseline is None or "fps_window" in baseline.absolute:
        return ""
    return "the screen stood still when it was approved"


def stopped_gate(still: StillScreen, stored_fps: Mapping[str, float]) -> Gate:
    """Whether a screen that stands still did so when it was approved."""
    before = stored_fps.get("fps_window", 0.0)
    if before > still.fps_most:
        why = f"{still.words}, where the approved kernel showed {amount(before)} frames/s"
        return Gate("fps_window", "equal", Verdict.REGRESSION, why, reference=before)
    return Gate("fps_trace", "equal", None, f"not applicable: {still.words}")
