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
    from harness.gate.judging.metrics import Rule
    from harness.gate.measuring.window import Window

FEWEST_FRAMES = 3
"""Frames of a window from which on there is a frame rate."""
QUIET_SHARE = 0.5
"""Share of a window, at its end, without a new frame, from which on the screen stands still."""

STEADY = ("floor", "pace")
"""Kinds of gates for which frames must not stop."""


@dataclass(frozen=True)
class StillScreen:
    """A window in which hardly anything new was shown, or nothing in its second half."""

    frames: int
    seconds: float
    quiet_s: float = 0.0
    """At the window's end, without a new frame."""

    @property
    def moved(self) -> bool:
        """Enough frames came before it stood still for a frame rate."""
        return self.frames >= FEWEST_FRAMES

    @property
    def words(self) -> str:
        if self.moved:
            return f"the screen stands still: no new frame in the last {self.quiet_s:.1f} s of the window"
        new = {0: "no new frame", 1: "1 new frame"}.get(self.frames, f"{self.frames} new frames")
        return f"the screen stands still: {new} in {self.seconds:.0f} s"

    @property
    def fps_most(self) -> float:
        """No higher frame rate shows so few frames."""
        return 1 / self.quiet_s if self.moved else (self.frames + 1) / self.seconds


def still_screen(window: Window | None, target: Target | None) -> StillScreen | None:
    """A target's screen that stood still and may; None where it moved, or must."""
    if window is None or target is None or target.pictures.static != OK or not window.presented.shown:
        return None
    times_ns, observed = window.presented.time_ns, window.observed
    begins_ns = observed.begins_ns or observed.launched_ns
    seconds = (observed.ends_ns - begins_ns) / 1e9
    quiet_s = (observed.ends_ns - (int(times_ns[-1]) if len(times_ns) else begins_ns)) / 1e9
    if seconds <= 0 or len(times_ns) >= FEWEST_FRAMES and quiet_s < QUIET_SHARE * seconds:
        return None
    return StillScreen(len(times_ns), seconds, quiet_s)


def may_wait(still: StillScreen | None, last_words: str, target: Target | None) -> tuple[str, ...]:
    """What the guest of a still screen said last: it may wait for what the target's file does not type."""
    if still is None or target is None or target.input or target.keys or not last_words:
        return ()
    types = 'input = [["pattern", "text\\n"]]'
    return (f"the guest's last line is {last_words!r}: if it waits there, {types} in {target.name}.toml types to it",)


def still_gate(rule: Rule, still: StillScreen) -> Gate:
    """The gate of a metric that a still screen lacks: a floor or a pace that was declared is not kept."""
    if rule.kind in STEADY and rule.limit is not None and still.fps_most < rule.limit:
        wanted = "is below the floor of" if rule.kind == "floor" else "does not keep the pace of"
        return Gate(
            rule.metric,
            rule.kind,
            Verdict.REGRESSION,
            f"{still.words}, which {wanted} {rule.limit:g}",
            limit=rule.limit,
        )
    if rule.kind in (*STEADY, "bound"):
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
