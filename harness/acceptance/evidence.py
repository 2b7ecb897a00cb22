"""The evidence of each line of the case study's checklist, measured elsewhere, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.result import Frames
from harness.model.spec import Verdict
from harness.model.suites import SuiteRun

Operations = tuple[str, ...]
CheckOutcome = tuple[bool, str]
"""Does a line pass, and the figure that says so."""


@dataclass(frozen=True)
class Absent:
    """Evidence that is missing."""

    why: str
    verdict: Verdict = Verdict.INCONCLUSIVE
    """GUEST_FAILED when the kernel is why it is missing: that is a failure, not a gap."""
    source: str = ""
    """A file in the run's folder that says more."""


@dataclass(frozen=True)
class BuildEvidence:
    """The kernel's images, built again by each compiler with every warning an error."""

    compilers: tuple[str, ...]
    complaints: tuple[str, ...] = ()
    """First lines of the compilers' complaints."""
    source: str = ""


@dataclass(frozen=True)
class Roulette:
    """The kernel drawing for a long time, unpinned, as the host saw it."""

    seconds: float
    """Between the first frame counted and the last."""
    frames: int
    fps: float
    probed: bool
    """It said that its driver's probe had succeeded."""
    path: str
    """The drawing path that it named; empty when it named none."""
    preempt: str
    """Its preemption counter, as it named it."""
    fallback: str = ""
    """Why it did not use the device that it was given; empty when it did."""
    findings: tuple[str, ...] = ()
    """Everything else that was wrong with the run."""
    source: str = ""


@dataclass(frozen=True)
class EventCounts:
    """A short run whose every frame was recorded."""

    presented: int
    """Frames that the host saw from the first recorded one on."""
    records: int
    gaps: int
    """Frame numbers missing between records."""
    lost: int
    """Records that the guest dropped."""
    fences: float
    """Means over the frames, as the next two."""
    spins: float
    completions: float
    completions_range: tuple[int, int]
    """The fewest and the most of any frame."""
    most_fences_a_completion: float
    findings: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class FrameRateChange:
    """What the optimised strategy does to the frame rate, timed side by side with the spinning one."""

    change: float
    """Optimised / spinning - 1, and its 95 % interval."""
    low: float
    high: float
    launches: int
    source: str = ""


@dataclass(frozen=True)
class PictureEvidence:
    """Pictures compared pixel by pixel."""

    frames: Frames
    bad_share_max: float
    """Upper bound of the share of bad frames, at 95 %."""
    source: str = ""


@dataclass(frozen=True)
class DiskLoad:
    """The roulette beside a load on the disk."""

    requests: int
    timeouts: int
    mib: float
    seconds: float
    findings: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class InputEvidence:
    """Keys pressed at random moments, each until the flush of the frame that shows it; times in ms."""

    pressed: int
    shown: int
    """Keys seen in a recorded frame."""
    late: int
    """Keys that were in the queue when a frame began, and that only a later one shows."""
    median: float
    tail: float
    """At 95 % of the keys, as the next one."""
    clock_error: float
    """To within how much the times are known."""
    monitor: float
    """What QEMU's monitor took to hand a key on, the median: no part of the times."""
    findings: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class RingCode:
    """Operations at every labelled place of the kernel that ran, by the point's name, in order of address."""

    arch: str
    strategy: str
    sha256: str
    places: tuple[tuple[str, Operations], ...]
    differences: tuple[str, ...] = ()
    """From what the strategy claims."""
    source: str = ""


@dataclass(frozen=True)
class ApprovedEvidence:
    """The approved kernel, booted again."""

    label: str
    sha256: str
    fps: float
    frames: Frames
    findings: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class DeviceEvidence:
    """Everything that depends on the device."""

    device: str
    """``virgl`` or ``2d``."""
    path: str
    """The drawing path that a kernel must name there."""
    suites: SuiteRun | Absent
    roulette: Roulette | Absent
    pictures: PictureEvidence | Absent
    optimised: EventCounts | Absent
    spinning: EventCounts | Absent
    change: FrameRateChange | Absent
    disk: DiskLoad | Absent
    input: InputEvidence | Absent
    approved: ApprovedEvidence | Absent


@dataclass(frozen=True)
class Evidence:
    """One whole acceptance."""

    built: BuildEvidence | Absent
    race: SuiteRun | Absent
    """The suites that need time to be instructions."""
    ring: RingCode | Absent
    devices: tuple[DeviceEvidence, ...]
    draws_whole: bool = True
    """DRAW=full: transfer and flush once a frame."""
