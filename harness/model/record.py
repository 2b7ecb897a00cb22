"""A session's measurements as they are kept: the one tree that measuring, saving, judging again and explaining share.

Each stage that ran has a record of its own class. What the sources said lies beside it in the run's folder.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from harness.model import codec
from harness.model.lease import Lease as Lease
from harness.model.metric import Metric
from harness.model.spec import Device, RunParams, Verdict
from harness.model.target_record import TargetRecord

R = TypeVar("R", bound="StageRecord")


class Cause(enum.Enum):
    """The subject of an incident. Incidents are reported in this order, a cause before its consequences."""

    DEVICE = "device"
    """The device refused what the guest asked."""
    GUEST = "guest"
    """The guest says, or shows by its end, that it failed."""
    PICTURE = "picture"
    """What was or was not on the screen."""
    SOURCES = "sources"
    """Sources contradict each other, or the guest's log itself."""
    INSTRUMENT = "instrument"
    """QEMU or the host did not work as an instrument must."""

    @property
    def rank(self) -> int:
        return list(Cause).index(self)


@dataclass(frozen=True)
class Incident:
    """Something that went wrong outside any metric, with what it means for the verdict."""

    verdict: Verdict
    text: str
    cause: Cause = Cause.GUEST


class StageRecord:
    """The record of a stage. A subclass names its stage: ``class Observed(StageRecord, stage="window")``."""

    stage: ClassVar[str] = ""
    _kinds: ClassVar[dict[str, type[StageRecord]]] = {}

    def __init_subclass__(cls, stage: str) -> None:
        cls.stage = stage
        StageRecord._kinds[stage] = cls

    @classmethod
    def member(cls, stage: str) -> type[StageRecord]:
        """The class that holds what a stage kept, for the codec."""
        return cls._kinds.get(stage, UnreadRecord)


@dataclass(frozen=True)
class UnreadRecord(StageRecord, stage=""):
    """The record of a stage whose class is not loaded, in its plain form."""

    plain: Any


codec.plain_class(UnreadRecord, lambda one: one.plain, UnreadRecord)


@dataclass(frozen=True)
class Ending:
    """How a QEMU ended."""

    clean: bool
    """The guest powered off unasked, with a success status."""
    reason: str


@dataclass(frozen=True)
class Sighting:
    """A frame number read from a screendump.

    The picture was taken between ``asked_ns`` and ``answered_ns``, host time since the epoch.
    """

    frame: int
    asked_ns: int
    answered_ns: int


@dataclass(frozen=True)
class Observed(StageRecord, stage="window"):
    """The host's notes while the guest ran; with the serial log and the trace, all that a replay needs."""

    ending: Ending
    launched_ns: int
    """Host time since the epoch."""
    sightings: tuple[Sighting, ...]
    qemu_version: str
    command: tuple[str, ...]
    clock: str = ""
    """Irregularities of the host's clock meanwhile."""
    begins_ns: int = 0
    """Host time since the epoch, from which on frames count; 0 for all."""
    ends_ns: int = 0
    """Until when; 0 for all."""
    host_wait: float | None = None
    """Share of the window that a thread of QEMU waited for a core, the most of any; None where it was not asked."""


@dataclass(frozen=True)
class PicturesRecord(StageRecord, stage="pictures"):
    """The verification window; ``pictures/captures.json`` holds each capture."""

    sentence: str
    film: tuple[str, ...] = ()
    """Small captures in order, relative to the run's folder."""
    captured_per_s: float = 0.0


@dataclass(frozen=True)
class ObserverOverhead(StageRecord, stage="overhead"):
    """Observer overhead."""

    share: Metric
    """Share of frame time."""


EXACT_PARTS = ("draw_insns", "submit_insns", "complete_insns")
"""Counts that are exactly the same in every run. Poll iterations are not, because the device completes in real time."""


@dataclass(frozen=True)
class ExactCount:
    """Guest instructions of one arm, counted under ``-icount``."""

    frames: tuple[int, ...]
    parts: Mapping[str, tuple[int, ...]]
    """By part (``draw_insns`` …, ``poll_insns`` besides), one count a frame."""

    @property
    def per_frame(self) -> tuple[int, ...]:
        """The exactly reproducible sum, one a frame."""
        return tuple(sum(self.parts[part][i] for part in EXACT_PARTS) for i in range(len(self.frames)))

    @property
    def mean(self) -> float:
        """Instructions a frame."""
        return sum(self.per_frame) / len(self.frames)


@dataclass(frozen=True)
class PartCounts:
    """QEMU's work for one part of a frame, on average; counted from outside the guest."""

    instructions: float = 0.0
    accesses: float = 0.0
    """Accesses to memory."""
    blocks: float = 0.0
    """Translation blocks entered."""
    helpers: float = 0.0
    """Calls from translated code into QEMU's own: indirect jumps, divisions, flags, spin hints."""
    bytes: float = 0.0
    """Read and written."""
    exits: float = 0.0
    """Accesses of devices."""
    notifications: float = 0.0
    """Notifications of virtqueues."""


@dataclass(frozen=True)
class CountedFrames:
    """Counts of one arm's frames, part by part."""

    frames: int
    parts: Mapping[str, PartCounts]
    """By part, as in :data:`harness.core.counts.frame_counts.PARTS`."""
    transferred_bytes: float = 0.0
    """Pixels of the picture that the device shows, per frame."""


@dataclass(frozen=True)
class Costs:
    """Time that each counted thing takes on one host, in ns."""

    access_ns: float = 0.9
    instruction_ns: float = 0.2
    block_ns: float = 1.2
    helper_ns: float = 4.0
    exit_ns: float = 2000.0
    fitted: int = 0
    """Measurements that these were fitted to; 0 for the usual ones."""


@dataclass(frozen=True)
class FunctionChange:
    """One function's instructions a frame."""

    name: str
    reference: float
    candidate: float

    @property
    def words(self) -> str:
        """``wheel_draw +12,345 (+8.1 %)``."""
        change = self.candidate - self.reference
        if not self.reference:
            return f"{self.name} is new with {self.candidate:,.0f}"
        if not self.candidate:
            return f"{self.name} is gone with {self.reference:,.0f}"
        return f"{self.name} {change:+,.0f} ({100 * change / self.reference:+.1f} %)"


@dataclass(frozen=True)
class ExactRecord(StageRecord, stage="exact"):
    """Instructions a frame, and what else is counted exactly."""

    arms: Mapping[str, ExactCount]
    """By role."""
    functions: tuple[FunctionChange, ...] = ()
    """Where a candidate executes more, the largest difference first."""
    counted: Mapping[str, CountedFrames] = field(default_factory=dict)
    """By role: what each part of a frame makes QEMU do."""
    costs: Costs = Costs()
    """Time that it takes on this host."""


@dataclass(frozen=True)
class Slice:
    """A stretch of one machine's life, on one core, in one role."""

    slot: int
    """Position in time; machines that ran at once share a slot."""
    core: int
    role: str
    """``candidate`` or ``reference``."""
    median_ns: float
    """Median frame time."""
    n: int
    """Frames that the median was made from."""


@dataclass(frozen=True)
class Launch:
    """One fresh pair of machines."""

    slices: tuple[Slice, ...]
    batch: int = 0
    """0 until an alarm was raised, 1 from then on."""
    layout: int = 0
    """The other order in which both kernels were linked; 0 for their own."""
    paired: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Further metrics of this launch, candidate and reference, in their own units."""
    undisturbed: float | None = None
    """Log frame time, candidate minus reference, by undisturbed frames of the same numbers; None where slices serve."""
    preempted: str = ""
    """Why slices do not serve: they are then never used, even where nothing else is known."""
    summed_by: str = ""
    """What ``undisturbed`` is."""
    checks: Mapping[str, float] = field(default_factory=dict)
    """By name: the same effect by figures that must not contradict ``undisturbed``."""


@dataclass(frozen=True)
class Plan:
    """What counts as a change, how much may be measured, and how often errors may happen.

    Relative sizes are ratios: 0.015 is 1.5 %.
    """

    smallest: float = 0.015
    """Smallest effect that matters: smaller ones are not reported as changes, larger ones not as unchanged."""
    aim: float | None = None
    """A smaller effect that matters too, where the noise allows to tell it from none."""
    allowance: float = 0.005
    """Offset between builds of the same source that more launches do not remove; a change must exceed it surely."""
    launches: int = 70
    """How many fit into the budget."""
    looks: int = 10
    trim: float = 0.1
    confidence: float = 0.95
    """Error share of the interval, over all analyses together."""
    alarm_alpha: float = 0.1
    """Two-sided error of each batch; a false finding needs both batches to err to the same side."""
    reserve: float = 0.2
    """Share of the budget kept free for a second batch: alarms are raised no later."""

    @property
    def fewest(self) -> int:
        """Launches before the first look, in either batch: eight, or fewer where two batches of eight would not fit."""
        return max(4, min(8, self.launches // 3))


@dataclass(frozen=True)
class LaunchLoad:
    """How the host disturbed a launch, by the worse of both machines; None for what cannot be read."""

    run_delay: float | None = None
    """Share of its time that a machine, ready to run, waited for a core because of others."""
    stolen: float | None = None
    """Share of the cores' time that a hypervisor gave to others."""
    on_core_ns: Mapping[str, float] = field(default_factory=dict)
    """By role: what the machine's threads really computed during ``window_ns``."""
    window_ns: tuple[int, int] = (0, 0)
    """Host time since the epoch, when measuring began and ended."""
    device_delay: float | None = None
    """Share of its time that QEMU's main loop, which is the device, waited for a core."""


@dataclass(frozen=True)
class HostLoad:
    """Condition of the host while a comparison ran; None for what cannot be read."""

    load_before: float | None = None
    """Processes that ran or wanted to, averaged over a minute."""
    load_after: float | None = None
    run_delay: float | None = None
    """Median over the launches."""
    stolen: float | None = None
    mhz: tuple[float, float] | None = None
    """Lowest and highest frequency seen."""


@dataclass(frozen=True)
class LaunchRecord:
    """A launch and what else was noted of it; ``timing.npz`` holds its frame times."""

    launch: Launch
    boot_ms: Mapping[str, float]
    """By role: from the start of QEMU to the first flush."""
    load: LaunchLoad = LaunchLoad()


@dataclass(frozen=True)
class TimingRecord(StageRecord, stage="timing"):
    """The comparison: every launch, and by which plan they were decided on."""

    protocol: str
    """How a launch was measured, in words."""
    seconds: float
    plan: Plan
    launches: tuple[LaunchRecord, ...]
    host: HostLoad = HostLoad()
    estimator: str = ""
    """By what a launch was summed up, and why, in words."""


@dataclass(frozen=True)
class JudgedBy:
    """The basis on which the session was judged."""

    baseline: str = ""
    """``arch/name``; empty where there was none."""
    same_host: bool = False
    """The baseline was measured on a host with this fingerprint."""
    no_reference: str = ""
    """Why there was nothing to compare with."""
    other_compiler: str = ""
    """In words, where another compiler built the reference."""
    by_counts: bool = True
    """Equal counts pass a comparison that the clock left undecided, within its bound."""


@dataclass(frozen=True)
class RunRecord:
    """One session of a candidate and, where there was one, its reference."""

    params: RunParams
    random_state: int = 1
    device: Device = Device.GPU_2D
    judged_by: JudgedBy = JudgedBy()
    skipped: Mapping[str, str] = field(default_factory=dict)
    """By stage: why it did not run."""
    incidents: tuple[Incident, ...] = ()
    """The incidents that stopped a stage."""
    lease: Lease | None = None
    """The cores that the comparison had."""
    target: TargetRecord | None = None
    """How a kernel of another project was run and judged."""
    stages: Mapping[str, StageRecord] = field(default_factory=dict)
    """By name: what each stage that ran keeps."""

    def of(self, kind: type[R]) -> R | None:
        """The record of a stage, found by its class; None when it did not run.

        Raises
        ------
        CodecError
            When it was read before the class was loaded, and is not of that class.
        """
        found = self.stages.get(kind.stage)
        if isinstance(found, UnreadRecord):
            return codec.from_plain(kind, found.plain)
        return found if isinstance(found, kind) else None
