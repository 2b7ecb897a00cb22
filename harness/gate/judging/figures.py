"""How each metric is computed from what a session measured, for one side of the comparison. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.core.arrays import F64
from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.core.counts.costs import Prediction, predict
from harness.core.timing.animation import Animation, TooFewSteps, animation, overruns
from harness.core.timing.instruments import capture_cost, record_cost
from harness.core.timing.pacing import FEW_FRAMES, Pacing, TooFewFrames, frame_pacing
from harness.core.timing.percentiles import percentile
from harness.core.timing.sources import COMMANDS, FRAMES
from harness.gate.judging.pace_gate import missed_share
from harness.gate.measuring.latency import Latency, clock_error_ms
from harness.gate.measuring.modes import Modes
from harness.gate.measuring.timing import Timing
from harness.gate.measuring.window import Window
from harness.model.metric import Metric
from harness.model.record import ExactRecord, ObserverOverhead, PartCounts
from harness.model.refusals_record import RefusalsRecord

if TYPE_CHECKING:
    from harness.gate.measured import Measured


@dataclass(frozen=True)
class ArmFigures:
    """One arm of a session. Every figure is a :class:`Metric` without a unit, which the metric's row adds."""

    measured: Measured
    role: str

    @property
    def window(self) -> Window | None:
        """The measured window, which only the candidate has."""
        return self.measured.of(Window) if self.role == CANDIDATE else None

    @property
    def timing(self) -> Timing | None:
        """The comparison; None where it came to no launch."""
        timing = self.measured.of(Timing)
        return timing if timing is not None and timing.launches else None

    @cached_property
    def _pacings(self) -> tuple[Pacing, ...]:
        """All launches, then the window: the first that holds a figure gives it."""
        series: list[F64] = []
        if self.timing is not None:
            series.append(self.timing.frame_ms(self.role))
        if self.window is not None:
            series.append(self.window.frame_ms)
        found = []
        for frame_ms in series:
            try:
                found.append(frame_pacing(frame_ms))
            except TooFewFrames:
                continue
        return tuple(found)

    def paced(self, name: str) -> Metric | None:
        """A field of the pacing that every series of frames has."""
        for pacing in self._pacings:
            return Metric(float(getattr(pacing, name)), "", "trace", n=pacing.frames)
        return None

    def tail(self, name: str) -> Metric | None:
        """A field of the pacing that only long series have."""
        for pacing in self._pacings:
            if pacing.tails_known:
                return Metric(float(getattr(pacing, name)), "", "trace", n=pacing.frames)
        return None

    @property
    def few_frames(self) -> str:
        """Why the tails are not known, in words; empty where they are, or where there is no frame rate at all."""
        if not self._pacings or self.tail("p95_ms") is not None:
            return ""
        return f"{max(one.frames for one in self._pacings)} frame times are too few for it, {FEW_FRAMES} are needed"

    def window_fps(self) -> Metric | None:
        """Frame rate of the window."""
        if self.window is None:
            return None
        try:
            pacing = frame_pacing(self.window.frame_ms)
        except TooFewFrames:
            return None
        return Metric(pacing.mean_fps, "", "trace", n=pacing.frames)

    def rate(self, source: str) -> Metric | None:
        """Frame rate by ``screendump`` or ``guest``."""
        rate = getattr(self.window.sources, source) if self.window is not None else None
        if rate is None or not np.isfinite(rate.fps):
            return None
        return Metric(float(rate.fps), "", source, n=rate.frames)

    def boot_ms(self) -> Metric | None:
        """From the start of QEMU to the first flush."""
        if self.timing is not None:
            return Metric(self.timing.boot_ms(self.role), "", "trace", n=len(self.timing.launches))
        return Metric(self.window.boot_ms, "", "trace", n=1) if self.window is not None else None

    def counted(self, counter: str) -> Metric | None:
        """A counter of the guest, a frame, unless the kernel counts nothing."""
        switches = self.measured.order.candidate.switches
        if self.window is None or (switches is not None and switches.get("COUNTERS") == "none"):
            return None
        serial, frames = self.window.serial, self.window.presented.shown
        if counter in serial.counters and frames:
            return Metric(serial.counters[counter] / frames, "", "guest", n=frames)
        count = serial.per_frame(counter) if len(serial.records) else None
        return None if count is None else Metric(count, "", "guest", n=serial.counted_frames)

    def commands(self) -> Metric | None:
        """Transfers and flushes a recorded frame, by the trace, where the records' frames could be found in it."""
        counts = {count.what: count for count in self.window.sources.counts} if self.window is not None else {}
        commands, frames = counts.get(COMMANDS), counts.get(FRAMES)
        if commands is None or frames is None or not frames.host:
            return None
        return Metric(commands.host / frames.host, "", "trace", n=frames.host)

    def total(self, name: str) -> Metric | None:
        """A counter of the whole run."""
        serial = self.window.serial if self.window is not None else None
        if serial is None or not len(serial.records) and name not in serial.counters:
            return None
        total = serial.total(name)
        return None if total is None else Metric(float(total), "", "guest", n=max(len(serial.records), 1))

    def instructions(self) -> Metric | None:
        """Instructions a frame under ``-icount``."""
        exact = self.measured.of(ExactRecord)
        count = exact.arms.get(self.role) if exact is not None else None
        return Metric(count.mean, "", "icount", n=len(count.frames)) if count is not None else None

    def part(self, name: str) -> Metric | None:
        """Instructions that one part of a frame executes."""
        exact = self.measured.of(ExactRecord)
        counted = exact.counted.get(self.role) if exact is not None else None
        if counted is None:
            return None
        part = counted.parts.get(name, PartCounts())
        return Metric(part.instructions, "", "plugin", n=counted.frames)

    def predicted_ms(self) -> Metric | None:
        """A frame's time by counts; the candidate's is the measured one, from which the reference's follows."""
        found = prediction(self.measured)
        return Metric(found.frame_ms[self.role], "", "plugin", n=1) if found is not None else None

    def event_cost(self) -> Metric | None:
        """Cost of the trace's events."""
        overhead = self.measured.of(ObserverOverhead) if self.role == CANDIDATE else None
        return overhead.share if overhead is not None else None

    def record_cost(self) -> Metric | None:
        """Cost of the records kept in memory."""
        if self.window is None or not len(self.window.frame_ms):
            return None
        record_ns = self.window.serial.total("record_ns")
        if not record_ns:
            return None
        share = record_cost(record_ns, float(np.mean(self.window.frame_ms)))
        return Metric(float(share), "", "guest", n=len(self.window.frame_ms))

    def capture_cost(self) -> Metric | None:
        """Cost of the pictures at the window's two ends."""
        if self.window is None:
            return None
        captures = [(one.asked_ns, one.answered_ns) for one in self.window.observed.sightings]
        cost = capture_cost(self.window.presented.time_ns, captures)
        return None if cost is None else Metric(float(cost), "", "trace", n=len(captures))

    def animation(self) -> Animation | None:
        """The window as a viewer saw it, frame by frame; None where frames carry no numbers."""
        numbered = self.window.sources.numbered if self.window is not None else None
        if numbered is None:
            return None
        try:
            return animation(numbered.shown_ns, numbered.frame, self.measured.order.pace_hz)
        except TooFewSteps:
            return None

    def animation_error(self, per_cent: float) -> Metric | None:
        """A percentile of the animation error of a paced run: of all launches, else of the window."""
        pace_hz = self.measured.order.pace_hz
        if not pace_hz:
            return None
        if self.timing is not None:
            error_ms = self.timing.frame_ms(self.role) - 1000 / pace_hz
            launches = len(self.timing.launches)
            return Metric(float(np.percentile(np.abs(error_ms), per_cent)), "", "trace", n=launches)
        seen = self.animation()
        if seen is not None:
            return Metric(seen.percentile_ms(per_cent), "", "trace", n=1)
        if self.window is None or not len(self.window.frame_ms) or self.measured.order.candidate.target is None:
            return None
        error_ms = np.abs(self.window.frame_ms - 1000 / pace_hz)
        return Metric(float(np.percentile(error_ms, per_cent)), "", "trace", n=1)

    def pace_missed(self) -> Metric | None:
        """The share of a target's declared deadlines at which no new frame came."""
        pace_hz = self.measured.order.pace_hz
        if self.window is None or not pace_hz or self.measured.order.candidate.target is None:
            return None
        return Metric(missed_share(self.window.frame_ms, pace_hz), "", "trace", n=len(self.window.frame_ms))

    def host_wait(self) -> Metric | None:
        """The share of a target's window that a thread of QEMU waited for a core of the host."""
        if self.window is None or self.window.observed.host_wait is None:
            return None
        return Metric(self.window.observed.host_wait, "", "host", n=1)

    def deadlines(self, name: str) -> Metric | None:
        """``repeats`` or ``drops`` of a paced window."""
        seen = self.animation() if self.measured.order.pace_hz else None
        return Metric(float(getattr(seen, name)), "", "trace", n=len(seen.error_ms)) if seen is not None else None

    @property
    def latency(self) -> Latency | None:
        """The run with keys, which only the candidate has; None where no key came to a frame."""
        found = self.measured.of(Latency) if self.role == CANDIDATE else None
        return found if found is not None and found.record.shown else None

    def input_ms(self, part: str, per_cent: float) -> Metric | None:
        """A percentile of the time from a key to the flush, or of one part of it, with its interval."""
        if self.latency is None:
            return None
        found = percentile(self.latency.parts_ms(part), per_cent)
        return Metric(found.value, "", "trace", found.low, found.high, found.n)

    def input_clock_error(self) -> Metric | None:
        """To within how much times are known, at 95 % of the keys."""
        if self.latency is None:
            return None
        error_ms = clock_error_ms(self.latency.record.shown)
        return Metric(error_ms or 0.0, "", "host", n=len(self.latency.record.shown))

    def input_late(self) -> Metric | None:
        """Keys that a frame should have shown, and a later one did."""
        if self.latency is None:
            return None
        shown = self.latency.record.shown
        return Metric(float(sum(one.late_frames > 0 for one in shown)), "", "trace", n=len(shown))

    def input_dropped(self) -> Metric | None:
        """Keys for which the guest's queue had no room."""
        return None if self.latency is None else Metric(float(self.latency.record.dropped), "", "trace", n=1)

    def refusals(self) -> Metric | None:
        """Malformed commands that the device answered."""
        found = self._refused()
        return None if found is None else Metric(float(len(found.answers)), "", "guest", n=len(found.answers))

    def wrong_refusals(self) -> Metric | None:
        """Malformed commands that were answered wrongly, or whose error the driver did not report."""
        found = self._refused()
        return None if found is None else Metric(float(len(found.wrong)), "", "guest", n=len(found.answers))

    def _refused(self) -> RefusalsRecord | None:
        found = self.measured.of(RefusalsRecord) if self.role == CANDIDATE else None
        return found if found is not None and found.answers else None

    def mode_gap(self) -> Metric | None:
        """The longest that no frame was shown because the mode changed."""
        found = self.measured.of(Modes) if self.role == CANDIDATE else None
        if found is None or not found.record.changes:
            return None
        gaps_ns = [one.gap_ns for one in found.record.changes]
        return Metric(max(gaps_ns) / 1e6, "", "trace", n=len(gaps_ns))

    def overruns(self) -> Metric | None:
        """Frames of a paced window whose work was longer than a period, by the guest's records."""
        pace_hz = self.measured.order.pace_hz
        if self.window is None or not pace_hz or not len(self.window.serial.records):
            return None
        records = self.window.serial.records
        return Metric(float(len(overruns(records.columns, 1000 / pace_hz))), "", "guest", n=len(records))


def prediction(measured: Measured) -> Prediction | None:
    """The counts of both arms, compared; None where an arm was not counted or the candidate shows no frame time."""
    exact, window = measured.of(ExactRecord), measured.of(Window)
    if exact is None or window is None or not len(window.frame_ms):
        return None
    ours, theirs = exact.counted.get(CANDIDATE), exact.counted.get(REFERENCE)
    if ours is None or theirs is None:
        return None
    return predict(ours, theirs, exact.costs, float(np.median(window.frame_ms)))
