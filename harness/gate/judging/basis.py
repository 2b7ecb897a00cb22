"""Everything that a verdict is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.comparison.statistics import Decision
from harness.core.counts.costs import Prediction
from harness.gate.judging.metrics import RULES, Rule
from harness.gate.judging.still import StillScreen
from harness.gate.judging.tails import Tail
from harness.model.record import Costs, CountedFrames, Incident
from harness.model.result import Arm, Frames, Metric
from harness.model.spec import BUILT_IN, Capabilities


@dataclass(frozen=True)
class Basis:
    """Everything that a verdict is made from."""

    candidate: Arm | None
    reference: Arm | None = None
    decision: Decision | None = None
    tails: tuple[Tail, ...] = ()
    frames: Frames | None = None
    incidents: tuple[Incident, ...] = ()
    capabilities: Capabilities = BUILT_IN
    rules: tuple[Rule, ...] = RULES
    not_measured: Mapping[str, str] = field(default_factory=dict)
    """Metrics that were not asked for, with the reason: not applicable."""
    left_out: tuple[str, ...] = ()
    """Stages that were not asked for."""
    paced: bool = False
    """The run was asked to keep a pace."""
    stored_fps: Mapping[str, float] = field(default_factory=dict)
    """``{"fps_window": …}`` as stored with the baseline."""
    same_host: bool = False
    """``stored_fps`` was measured on a host with this fingerprint."""
    no_reference: str = ""
    """Why there is nothing to compare with."""
    other_compiler: str = ""
    """In words, where another compiler built the reference: it may be the cause of a regression."""
    same_kernel: str = ""
    """In words, when both arms are one kernel: no comparison was needed."""
    noise: str = ""
    """Why the host was too noisy to decide, if known."""
    grown: str = ""
    """Functions that execute more, in words."""
    first: bool = False
    """A target that was never approved: floor, pictures and panics judge it, and it may pass by them."""

    still: StillScreen | None = None
    """The candidate's screen stands still, and may."""
    stood_still: str = ""
    """Why the reference has no frame times, in words."""
    few_frames: str = ""
    """Why the tails of the frame times are not known, in words."""
    counted: Mapping[str, CountedFrames] = field(default_factory=dict)
    """By role: what each part of a frame makes QEMU do."""
    prediction: Prediction | None = None
    """The frame time that these counts predict."""
    costs: Costs = Costs()
    by_counts: bool = True
    """Equal counts pass a comparison that the clock left undecided, within its bound."""

    def tail(self, metric: str) -> Tail | None:
        """The comparison of a further metric over the launches."""
        return next((tail for tail in self.tails if tail.metric == metric), None)


@dataclass(frozen=True)
class Figures:
    """Input of a gate kind for one metric."""

    basis: Basis
    arm: Arm
    candidate: Metric
    reference: Metric | None = None
