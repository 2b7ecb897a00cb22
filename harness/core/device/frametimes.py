"""From flush events to frames: which flushes showed a new frame, when, and which of them belong to the measurement.

A frame is a flush that the device answered OK, on the resource that the scanout shows, of a change that was transferred
to that resource before. A flush that follows no transfer shows nothing new. Where the scene carries a stamp, every
frame changes the stamp's rows, so a flush that covers the top stamp starts a frame and those up to the next such flush
complete it: one frame a stamp number, however many rectangles. Without a stamp, partial flushes that come closer
together than frames do are one frame, and so are rectangles that tile the screen, from one to its next turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.core.arrays import F64, I64, Mask
from harness.core.device.frame_groups import (
    FrameRule,
    Rows,
    group_by_flip,
    group_by_gap,
    group_by_picture,
    group_by_stamp,
    group_by_time,
    strips,
)
from harness.core.device.scanouts import ShownEvents, refused_flushes, scanouts_of, shown_on
from harness.core.device.trace import FLUSH, TRANSFER_2D, TRANSFERS_3D, Events, Trace
from harness.model.target import FrameBy

_BATCH = 5
"""Frames a batch in warm-up detection."""


@dataclass(frozen=True)
class Presented:
    """Frames as the host saw them.

    ``time_ns`` is when the last flush of a frame reached the device, host time since the epoch, shape (n,).
    """

    time_ns: I64
    flushes: int = 0
    refused: int = 0
    """Flushes that the device answered with an error."""
    empty: int = 0
    """Flushes that showed nothing new: the same rectangle again, with no transfer since."""
    unflushed: int = 0
    """Transfers that no flush followed before the next frame's first transfer."""
    partial: int = 0
    """Frames made of several flushes."""
    incomplete: int = 0
    """Frames whose flushes left out a stamp."""

    shown: int = 0
    """Frames of the whole trace, where ``time_ns`` holds those of a window."""

    def within(self, begins_ns: int, ends_ns: int) -> "Presented":
        """The frames of a window, in host time since the epoch; 0 means no bound."""
        inside = (self.time_ns >= begins_ns) & ((self.time_ns <= ends_ns) if ends_ns else True)
        return replace(self, time_ns=self.time_ns[inside], shown=len(self.time_ns))

    @property
    def intervals_ms(self) -> F64:
        """Frame times, shape (n - 1,)."""
        return np.diff(self.time_ns) / 1e6


def stamp_rows(trace: Trace) -> tuple[Rows, ...]:
    """Where a kernel with stamps has them: at the top and the bottom of all that it flushes. Empty without flushes."""
    flushes = trace.of(FLUSH)
    accepted = ~refused_flushes(flushes, trace.refusals)
    if not accepted.any() or "h" not in flushes.args:
        return ()
    height = int((flushes.args["y"] + flushes.args["h"])[accepted].max())
    return strips(height)


def presented_frames(trace: Trace, stamps: Sequence[Rows] = (), rule: FrameRule = FrameRule()) -> Presented:
    """Frames that the trace shows.

    Parameters
    ----------
    trace : Trace
        Flush, transfer and scanout events.
    stamps : sequence of Rows
        Where each frame carries its number, top first; empty when the kernel has no stamp.
    rule : FrameRule
        What a frame is, where there are no stamps.
    """
    flushes = trace.of(FLUSH)
    refused = int(np.count_nonzero(refused_flushes(flushes, trace.refusals)))
    shown = shown_on(trace, rule.head, rule.by is FrameBy.FLIP)
    events = shown.events
    fresh = _fresh(events, trace, rule.head)
    # A flip to what the head has shown before, unchanged since, is nothing new.
    accepted = shown.accepted & (~shown.flip | fresh)
    repeats = _repeats(events, accepted, fresh)
    incomplete = 0
    if stamps and "y" in events.args:
        first, last, incomplete = group_by_stamp(events, accepted, fresh, stamps)
    else:
        first, last = _grouped(shown, accepted, fresh, repeats, rule)
    unflushed = 0
    transfers = _transfers_of(trace, shown.resources)
    if len(transfers) and len(last):
        unflushed = _unflushed(transfers, events.offset[accepted])
    return Presented(
        events.time_ns[last],
        flushes=len(flushes),
        refused=refused,
        empty=int(np.count_nonzero(repeats)),
        unflushed=unflushed,
        partial=int(np.count_nonzero(last > first)),
        incomplete=incomplete,
    )


def _grouped(shown: ShownEvents, accepted: Mask, fresh: Mask, repeats: Mask, rule: FrameRule) -> tuple[I64, I64]:
    """First and last event of each frame, by the rule."""
    if rule.by is FrameBy.FLIP:
        return group_by_flip(shown.flip, shown.accepted)
    if rule.by is FrameBy.PICTURE and "w" in shown.events.args:
        return group_by_picture(shown.events, accepted, fresh, shown.full_px)
    if rule.gap_ns:
        return group_by_gap(shown.events, accepted & ~repeats, rule.gap_ns)
    return group_by_time(shown.events, accepted & ~repeats, fresh, shown.full_px)


def _transfers_of(trace: Trace, resources: Sequence[int]) -> I64:
    """Places in the log where something was transferred to what a head shows; cursors and the like are not frames."""
    plain = trace.of(TRANSFER_2D)
    mine = np.ones(len(plain), bool)
    if resources and "res" in plain.args:
        mine = np.isin(plain.args["res"], resources)
    return np.sort(np.concatenate([plain.offset[mine], *(trace.of(kind).offset for kind in TRANSFERS_3D)]))


def _fresh(flushes: Events, trace: Trace, head: int) -> Mask:
    """Which flushes follow a transfer to their resource, made since its last flush, shape (n,); all without transfers.

    Commands of a 3D context name no resource: any of them may have changed what is flushed next.
    """
    plain = trace.of(TRANSFER_2D)
    if not len(trace.transfers):
        return np.ones(len(flushes), bool)
    rendered = np.sort(np.concatenate([trace.of(kind).offset for kind in TRANSFERS_3D]))
    fresh = np.diff(np.searchsorted(rendered, flushes.offset), prepend=0) > 0
    if "res" not in flushes.args or "res" not in plain.args:
        return fresh | (np.diff(np.searchsorted(plain.offset, flushes.offset), prepend=0) > 0)
    scanouts = scanouts_of(trace, head)
    fresh |= np.isin(flushes.args["res"], scanouts.res[scanouts.blob])
    for resource in np.unique(flushes.args["res"]):
        mine = np.flatnonzero(flushes.args["res"] == resource)
        offsets = plain.offset[plain.args["res"] == resource]
        fresh[mine] |= np.diff(np.searchsorted(offsets, flushes.offset[mine]), prepend=0) > 0
    return fresh


def _repeats(flushes: Events, accepted: Mask, fresh: Mask) -> Mask:
    """Flushes of a rectangle that was flushed before and not transferred since, shape (n,)."""
    repeats = np.zeros(len(flushes), bool)
    batch = np.cumsum(fresh)
    names = [name for name in ("res", "x", "y", "w", "h") if name in flushes.args]
    rectangles = np.stack([batch, *(flushes.args[name] for name in names)], axis=1)
    seen: set[bytes] = set()
    for index in np.flatnonzero(accepted & np.isin(batch, batch[~fresh])):
        rectangle = rectangles[index].tobytes()
        repeats[index] = rectangle in seen
        seen.add(rectangle)
    return repeats


def _unflushed(transfers: I64, flush_offsets: I64) -> int:
    """Batches of transfers without a flush before the next batch.

    A frame is as many transfers as usually stand between two flushes; more before one flush are frames that
    were never shown.
    """
    counts = np.diff(np.searchsorted(transfers, flush_offsets), prepend=0)
    counts = counts[1:][counts[1:] > 0]
    if not len(counts):
        return 0
    usual = int(np.median(counts))
    return int(np.sum(counts[counts >= 2 * usual] // usual - 1)) if usual else 0


@dataclass(frozen=True)
class WarmUp:
    """How much of the beginning was left out, and whether the rest is steady."""

    frames: int
    settled: bool
    """False when the rule would cut more than a quarter: a steady state may be missing."""


def warm_up(frame_ms: F64) -> WarmUp:
    """Detect the initial transient from the data.

    Medians of five frames are compared with those of the run's second half: the warm-up lasts until two of three in a
    row lie within three robust standard deviations (1.4826 MAD) of their median. Single long frames do not move a
    median, so they do not prolong the warm-up and cannot hide in it.

    Parameters
    ----------
    frame_ms : ndarray, shape (n,)
        Frame times in the order of presentation.
    """
    batches = len(frame_ms) // _BATCH
    if batches < 8:
        return WarmUp(0, len(frame_ms) >= _BATCH)
    medians = np.median(frame_ms[: batches * _BATCH].reshape(batches, _BATCH), axis=1)
    steady = medians[batches // 2 :]
    centre = np.median(steady)
    reach = 3 * 1.4826 * np.median(np.abs(steady - centre)) + 1e-9 * centre
    inside = (np.abs(medians - centre) <= reach).astype(np.int64)
    arrived = np.flatnonzero(inside[:-2] + inside[1:-1] + inside[2:] >= 2)
    first = int(arrived[0]) if len(arrived) else batches
    cut = first + int(np.argmax(inside[first : first + 3])) if len(arrived) else batches // 2
    return WarmUp(cut * _BATCH, cut * 4 <= batches)
