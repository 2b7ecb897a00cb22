"""Three sources of the same run, reconciled: the host's trace, screendumps, and the guest's own records.

Agreement is exact for counts and within stated bounds for rates; everything beyond is a *disagreement* that says who
said what. All times are running time: spans during which the machine stood still are taken out beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.core.arrays import I64
from harness.core.device.frametimes import Presented
from harness.core.device.trace import FILL, FLUSH, NOTIFY, POP, PUBLISH, TRANSFERS, Events, Trace
from harness.core.guest.records import FrameRecords
from harness.core.timing.align import Alignment, Brackets, Unalignable, align, match_frames
from harness.core.wording import signed_percent
from harness.model.record import Sighting as Sighting

DRIFT_BOUND = 0.005
"""Guest clocks are calibrated to about 0.1 %: a larger difference is one of rate, not of clocks."""
ALIGNMENT_GOAL_NS = 50_000
_FEWEST_MATCHED = 0.8
"""Share of the guest's frames that must coincide with a flush before the clocks count as matched at all."""
FRAMES, COMMANDS = "frames", "commands"
"""Kinds of counted events: frames, and the transfers and flushes that show them."""
_LOOSE = 0.2
"""Alignment error, as a share of a frame, from which on frames can be mistaken for their neighbours."""


@dataclass(frozen=True)
class SourceRate:
    """Frames a second according to one source, with the bound within which it must agree with the trace."""

    fps: float
    frames: int
    bound: float
    """Relative."""


@dataclass(frozen=True)
class Count:
    """One thing counted by both sides over the recorded frames."""

    what: str
    guest: int
    host: int


@dataclass(frozen=True)
class Numbered:
    """Frames of the trace with their numbers, each of shape (n,)."""

    frame: I64
    shown_ns: I64
    """When each was flushed, running time."""


@dataclass(frozen=True)
class Sources:
    """The figures of all sources, and their contradictions."""

    trace: SourceRate | None
    """Over the frames that the guest recorded, where it did."""
    screendump: SourceRate | None
    guest: SourceRate | None
    alignment: Alignment | None
    counts: tuple[Count, ...] = ()
    disagreements: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    numbered: Numbered | None = None
    """Frames whose number the guest's records tell; None where clocks could not be matched."""

    @property
    def agree(self) -> bool:
        return not self.disagreements

    @property
    def problem(self) -> str | None:
        """The named failure, in one sentence."""
        if self.agree:
            return None
        return f"sources disagree: {'; '.join(self.disagreements)}"


@dataclass
class _Findings:
    """Collected on the way."""

    counts: list[Count] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def reconcile(
    trace: Trace, presented: Presented, records: FrameRecords | None, sightings: Sequence[Sighting] = ()
) -> Sources:
    """Reconcile all sources of one timing window.

    Parameters
    ----------
    trace : Trace
        Of the window, in running time; a little more at both ends does no harm.
    presented : Presented
        The frames made from that trace, warm-up included.
    records : FrameRecords or None
        The guest's records; None when it keeps none.
    sightings : sequence of Sighting
        Screendumps at the ends of the window, in order.
    """
    findings = _Findings()
    times = presented.time_ns
    rate = _rate(times, 0.0) if len(times) > 1 else None
    guest, alignment, numbered = None, None, None
    if records is not None and len(records):
        guest, alignment, matched = _guest(trace, presented, records, findings)
        flushed = matched[matched >= 0]
        if len(flushed) > 1:
            rate = _rate(times[flushed[0] : flushed[-1] + 1], 0.0)
        numbers = records.column("frame")
        if numbers is not None and len(matched) == len(numbers):
            numbered = Numbered(numbers[matched >= 0].astype(np.int64), times[flushed])
    seen = _screendumps(times, sightings, findings) if len(sightings) > 1 else None
    if presented.unflushed:
        findings.disagreements.append(
            f"the guest transferred {presented.unflushed} frames that it never flushed, of {len(times)} flushed"
        )
    return Sources(
        rate,
        seen,
        guest,
        alignment,
        tuple(findings.counts),
        tuple(findings.disagreements),
        tuple(findings.notices),
        numbered,
    )


def _rate(times: I64, bound: float) -> SourceRate:
    span = float(times[-1] - times[0])
    return SourceRate((len(times) - 1) * 1e9 / span if span > 0 else float("nan"), len(times), bound)


def _guest(
    trace: Trace, presented: Presented, records: FrameRecords, findings: _Findings
) -> tuple[SourceRate | None, Alignment | None, I64]:
    """The guest's word against the trace: its rate, its clock, and which presented frame each record is of, else -1."""
    nothing = np.zeros(0, np.int64)
    spans = _guest_spans(records)
    if spans is None:
        findings.notices.append("records carry no t_ns=: the guest's times cannot be compared")
        return None, None, nothing
    rang, took, started, exact = spans
    rate = _rate(started, DRIFT_BOUND) if len(started) > 1 else None
    try:
        if np.any(np.diff(started) <= 0):
            raise Unalignable("its frame times do not rise")
        answered = _answered(trace, presented.time_ns)
        matched = match_frames(rang, took, answered)
        pairs = np.flatnonzero(matched >= 0)
        if len(pairs) < _FEWEST_MATCHED * len(started):
            raise Unalignable(f"only {len(pairs)} of {len(started)} frames were flushed when the guest says")
        alignment = align(_brackets(trace, presented.time_ns, answered, matched[pairs], rang[pairs], took[pairs]))
        loose = alignment.error_ns > _LOOSE * float(np.median(np.diff(started)))
    except Unalignable as reason:
        claimed = f"{len(started)} frames" + (f" at {rate.fps:.1f} frames/s" if rate else "")
        shown = _rate(presented.time_ns, 0.0).fps if len(presented.time_ns) > 1 else 0.0
        findings.disagreements.append(
            f"the guest claims {claimed}, the trace shows {len(presented.time_ns)} at {shown:.1f} frames/s, and their "
            f"times do not fit together ({reason})"
        )
        return rate, None, nothing
    if abs(alignment.drift) - alignment.drift_error > DRIFT_BOUND:
        findings.disagreements.append(
            f"the guest's clock says {rate.fps if rate else 0:.2f} frames/s, the host's "
            f"{(rate.fps if rate else 0) / (1 + alignment.drift):.2f}: "
            f"they run {signed_percent(alignment.drift, 2)} apart"
        )
    if alignment.error_ns > ALIGNMENT_GOAL_NS:
        findings.notices.append(f"clocks are aligned to {alignment.error_ns / 1000:.0f} us only")
    if loose:
        why = "the host was too busy" if exact else "the records do not say when a frame reached the device"
        findings.notices.append(f"counts not compared frame by frame: {why}")
    else:
        # A frame may pause between its spans unseen; its flush is over when the next frame begins, at the latest.
        until = np.maximum(np.append(started[1:], took[-1]), took)
        _count(trace, presented, records, alignment, (rang, until), findings)
    return rate, alignment, matched


def _guest_spans(records: FrameRecords) -> tuple[I64, I64, I64, bool] | None:
    """Guest times of notification, last completion and start of each frame, shape (n,); are the first two exact?

    None without ``t_ns``. Without the spans inside a frame, all is only known to happen before the next frame's start.
    """
    started = records.column("t_ns")
    if started is None or np.any(started >> np.uint64(62)):
        return None
    begin = started.astype(np.int64)
    parts = [records.column(key) for key in ("render_ns", "submit_ns", "notify_ns", "wait_ns")]
    if any(part is None or np.any(part >> np.uint64(40)) for part in parts):
        if len(begin) < 2:
            return None
        return begin, np.append(begin[1:], begin[-1] + int(np.max(np.diff(begin)))), begin, False
    render, submit, notify, wait = (part.astype(np.int64) for part in parts if part is not None)
    return begin + render, begin + render + submit + notify + wait, begin, True


def _answered(trace: Trace, shown_ns: I64) -> I64:
    """When the last flush of each frame was answered, where that was traced, else when it came; shape (n,).

    Under OpenGL the one may be many milliseconds after the other.
    """
    published = np.sort(gpu_queue(trace, PUBLISH).time_ns)
    if not len(published):
        return shown_ns
    at = np.searchsorted(published, shown_ns)
    answer = published[np.minimum(at, len(published) - 1)]
    following = np.append(shown_ns[1:], np.iinfo(np.int64).max)
    answered: I64 = np.where((at < len(published)) & (answer <= following), answer, shown_ns)
    return answered


def _brackets(trace: Trace, shown_ns: I64, answered_ns: I64, matched: I64, rang: I64, took: I64) -> Brackets:
    """Host times of the device's first and last event of matched frames.

    First is the first transfer after the frame before, last the publication of the answer to the flush, where traced.
    Frames with more or fewer transfers than usual are left out: whose transfers these were is not known.
    """
    transfers = np.sort(trace.transfers.time_ns)
    flush_ns = shown_ns[matched]
    first, last = flush_ns.copy(), answered_ns[matched]
    usual = np.ones(len(flush_ns), bool)
    if len(transfers):
        earlier = np.where(matched > 0, shown_ns[np.maximum(matched - 1, 0)], -1)
        begin = np.searchsorted(transfers, earlier, side="right")
        count = np.searchsorted(transfers, flush_ns, side="right") - begin
        usual = (count == np.median(count)) & (count > 0) & (matched > 0)
        first = np.where(usual, transfers[np.minimum(begin, len(transfers) - 1)], flush_ns)
    return Brackets(rang[usual], took[usual], first[usual], last[usual])


def gpu_queue(trace: Trace, kind: str) -> Events:
    """Virtqueue events of the GPU's control queue: the queue whose pops come right before GPU commands."""
    events, pops = trace.of(kind), trace.of(POP)
    commands = np.sort(np.concatenate([trace.of(name).offset for name in (FLUSH, *TRANSFERS)]))
    if "vq" not in events.args:
        return Events(np.zeros(0, np.int64), np.zeros(0, np.int64))
    if "vq" in pops.args and len(commands):
        at = np.searchsorted(pops.offset, commands) - 1
        queues = pops.args["vq"][at[at >= 0]]
    else:
        at = np.searchsorted(events.offset, commands)
        queues = events.args["vq"][at[at < len(events)]]
    if not len(queues):
        return Events(np.zeros(0, np.int64), np.zeros(0, np.int64))
    names, votes = np.unique(queues, return_counts=True)
    chosen = events.args["vq"] == names[int(np.argmax(votes))]
    return Events(events.time_ns[chosen], events.offset[chosen])


def _count(
    trace: Trace,
    presented: Presented,
    records: FrameRecords,
    alignment: Alignment,
    spans: tuple[I64, I64],
    findings: _Findings,
) -> None:
    """Counts over the recorded frames: each must have been flushed once, and each completion published once."""
    slack = int(alignment.error_ns) + 1000
    starts, ends = alignment.to_host(spans[0]) - slack, alignment.to_host(spans[1]) + slack
    ends[-1] = max(int(ends[-1]), _end_of_last(trace, presented.time_ns, int(starts[-1])))
    inside = np.searchsorted(presented.time_ns, ends, side="right") - np.searchsorted(presented.time_ns, starts)
    window = (int(starts[0]), int(ends[-1]))
    host = _between(presented.time_ns, window)
    findings.counts.append(Count(FRAMES, len(records), host))
    unseen = np.flatnonzero(inside == 0)
    if len(unseen):
        frames = records.column("frame")
        which = f", the first being frame {int(frames[unseen[0]])}" if frames is not None else ""
        findings.disagreements.append(
            f"the guest claims {len(records)} frames, the trace shows {host} answered flushes in that time: "
            f"{len(unseen)} frames were never shown{which}"
        )
    elif host > len(records):
        findings.disagreements.append(f"the guest claims {len(records)} frames, the trace shows {host}")
    _count_numbers(records, host, findings)
    timeouts = records.column("timeouts")
    if timeouts is not None and timeouts.any():
        findings.notices.append("completions not compared: waits gave up, so that answers came later")
        return
    filled = gpu_queue(trace, FILL)
    completions = int(records.columns["completions"].sum(dtype=object))
    commands_ns = np.concatenate([trace.transfers.time_ns, trace.of(FLUSH).time_ns])
    findings.counts.append(Count(COMMANDS, completions, _between(commands_ns, window)))
    if len(filled):
        published = _between(filled.time_ns, window)
        findings.counts.append(Count("completions", completions, published))
        if completions != published:
            findings.disagreements.append(
                f"the guest counts {completions} completions, the device published {published}"
            )
    _count_notifies(trace, records, window, findings)


def _end_of_last(trace: Trace, shown_ns: I64, begun_ns: int) -> int:
    """When the first flush after this time was answered; 0 where there is none.

    No next frame tells how long the last one paused between its spans, so that its own flush must.
    """
    later = np.searchsorted(shown_ns, begun_ns)
    return int(_answered(trace, shown_ns)[later]) if later < len(shown_ns) else 0


def _count_numbers(records: FrameRecords, host: int, findings: _Findings) -> None:
    """The frame numbers of the records, which must have gone on by as many frames as were shown."""
    frames = records.column("frame")
    if frames is None:
        return
    numbered = int(frames[-1]) - int(frames[0]) + 1
    findings.counts.append(Count("frame numbers", numbered, host))
    if numbered != host and host == len(records):
        findings.disagreements.append(
            f"the guest numbers its frames {int(frames[0])} to {int(frames[-1])}, {numbered} of them, where the trace "
            f"shows {host}"
        )


def _count_notifies(trace: Trace, records: FrameRecords, window: tuple[int, int], findings: _Findings) -> None:
    """Notifications. QEMU may serve several at once, so it may see fewer than were sent, never more."""
    claimed, seen = records.column("notifies"), gpu_queue(trace, NOTIFY)
    if claimed is None or not len(seen):
        return
    rung, host = int(claimed.sum(dtype=object)), _between(seen.time_ns, window)
    findings.counts.append(Count("notifies", rung, host))
    if host > rung:
        findings.disagreements.append(f"the guest claims {rung} notifications, the device saw {host}")


def _between(times: I64, window: tuple[int, int]) -> int:
    return int(np.count_nonzero((times >= window[0]) & (times <= window[1])))


def _screendumps(times: I64, sightings: Sequence[Sighting], findings: _Findings) -> SourceRate | None:
    """Frame numbers in pictures against the number of flushes between them."""
    first, last = sightings[0], sightings[-1]
    span = last.answered_ns + last.asked_ns - first.answered_ns - first.asked_ns
    if span <= 0:
        findings.disagreements.append("screendumps whose times do not rise")
        return None
    fps = (last.frame - first.frame) * 2e9 / span
    unsure = (last.answered_ns - last.asked_ns + first.answered_ns - first.asked_ns) / 1e9
    # A picture is of some moment between question and answer, in which a guest may catch up by many frames.
    fewest = _between(times, (first.answered_ns, last.asked_ns))
    most = _between(times, (first.asked_ns, last.answered_ns))
    # It may show a transfer whose flush is still to come: one frame at either end.
    moved, allowed = last.frame - first.frame, 2
    if not fewest - allowed <= moved <= most + allowed:
        findings.disagreements.append(
            f"screendumps show {moved} frames drawn, the trace {fewest} to {most} flushed meanwhile"
        )
    bound = allowed + max(unsure * abs(fps), most - fewest)
    return SourceRate(fps, moved, bound / max(abs(moved), 1))
