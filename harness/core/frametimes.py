"""From flush events to frames: which flushes showed a new frame, when, and which of them belong to the measurement.

A frame is a flush that the device answered OK, on the resource that the scanout shows, of a change that was transferred
to that resource before. A flush that follows no transfer shows nothing new. Where the scene carries a stamp, every
frame changes the stamp's rows, so a flush that covers the top stamp starts a frame and those up to the next such flush
complete it: one frame a stamp number, however many rectangles. Without a stamp, partial flushes that come closer
together than frames do are one frame, and so are rectangles that tile the screen, from one to its next turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import F64, I64, Mask
from harness.core.stamp import STRIP_ROWS
from harness.core.trace import FLUSH, SET_SCANOUT, TRANSFER_2D, TRANSFERS_3D, Events, Refusal, Trace

_RESOURCE_FLUSH = ("error", "ctrl 0x104,")
"""VIRTIO_GPU_CMD_RESOURCE_FLUSH in what QEMU's GL device says (VIRTIO 1.2 §5.7.6.7)."""
_TILES_MAX = 64
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

    @property
    def intervals_ms(self) -> F64:
        """Frame times, shape (n - 1,)."""
        return np.diff(self.time_ns) / 1e6


@dataclass(frozen=True)
class Rows:
    """Rows of the picture, first inclusive, last exclusive."""

    first: int
    last: int


def stamp_rows(trace: Trace) -> tuple[Rows, ...]:
    """Where a kernel with stamps has them: at the top and the bottom of all that it flushes. Empty without flushes."""
    flushes = trace.of(FLUSH)
    accepted = ~refused_flushes(flushes, trace.refusals)
    if not accepted.any() or "h" not in flushes.args:
        return ()
    height = int((flushes.args["y"] + flushes.args["h"])[accepted].max())
    return Rows(0, STRIP_ROWS), Rows(height - STRIP_ROWS, height)


def presented_frames(trace: Trace, stamps: Sequence[Rows] = ()) -> Presented:
    """Frames that the trace shows.

    Parameters
    ----------
    trace : Trace
        Flush, transfer and scanout events.
    stamps : sequence of Rows
        Where each frame carries its number, top first; empty when the kernel has no stamp.
    """
    flushes = trace.of(FLUSH)
    accepted = ~refused_flushes(flushes, trace.refusals)
    transfers = trace.transfers
    fresh = _fresh(flushes, trace)
    unflushed = 0
    refused = int(np.count_nonzero(~accepted))
    accepted &= _on_screen(flushes, trace.of(SET_SCANOUT))
    repeats = _repeats(flushes, accepted, fresh)
    if stamps and "y" in flushes.args:
        first, last, incomplete = _group_by_stamp(flushes, accepted, fresh, stamps)
    else:
        first, last = _group_by_time(flushes, accepted & ~repeats, fresh, trace)
        incomplete = 0
    if len(transfers) and len(last):
        unflushed = _unflushed(transfers, flushes.offset[accepted])
    return Presented(
        flushes.time_ns[last],
        flushes=len(flushes),
        refused=refused,
        empty=int(np.count_nonzero(repeats)),
        unflushed=unflushed,
        partial=int(np.count_nonzero(last > first)),
        incomplete=incomplete,
    )


def _fresh(flushes: Events, trace: Trace) -> Mask:
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
    for resource in np.unique(flushes.args["res"]):
        mine = np.flatnonzero(flushes.args["res"] == resource)
        offsets = plain.offset[plain.args["res"] == resource]
        fresh[mine] |= np.diff(np.searchsorted(offsets, flushes.offset[mine]), prepend=0) > 0
    return fresh


def _on_screen(flushes: Events, scanouts: Events) -> Mask:
    """Which flushes are of the resource that a scanout shows at that time, shape (n,); all before the first is set."""
    shown = np.ones(len(flushes), bool)
    if not len(scanouts) or "res" not in scanouts.args or "res" not in flushes.args:
        return shown
    shown = flushes.offset < scanouts.offset[0]
    which = scanouts.args.get("id", np.zeros(len(scanouts), np.int64))
    for scanout in np.unique(which):
        offsets, resources = scanouts.offset[which == scanout], scanouts.args["res"][which == scanout]
        at = np.searchsorted(offsets, flushes.offset) - 1
        shown |= (at >= 0) & (resources[np.maximum(at, 0)] == flushes.args["res"])
    return shown


def refused_flushes(flushes: Events, refusals: Sequence[Refusal]) -> Mask:
    """Which flushes were answered with an error, shape (n,): the message follows the event."""
    refused = np.zeros(len(flushes), bool)
    for refusal in refusals:
        if "flush" not in refusal.function and not all(word in refusal.text for word in _RESOURCE_FLUSH):
            continue
        at = int(np.searchsorted(flushes.offset, refusal.offset)) - 1
        if at >= 0:
            refused[at] = True
    return refused


def _group_by_stamp(flushes: Events, accepted: Mask, fresh: Mask, stamps: Sequence[Rows]) -> tuple[I64, I64, int]:
    """First and last flush of each frame, shape (frames,), and how many frames left out a stamp."""
    chosen = np.flatnonzero(accepted)
    top, bottom = flushes.args["y"][chosen], flushes.args["y"][chosen] + flushes.args["h"][chosen]
    covers = np.array([(top <= rows.first) & (bottom >= rows.last) for rows in stamps])
    starts = np.flatnonzero(covers[0])
    if not len(starts):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), 0
    ends = np.append(starts[1:], len(chosen)) - 1
    complete = np.logical_and.reduce([np.add.reduceat(row, starts) > 0 for row in covers])
    new = complete & (np.add.reduceat(fresh[chosen], starts) > 0)
    return chosen[starts][new], chosen[ends][new], int(np.count_nonzero(~complete))


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


def _group_by_time(flushes: Events, chosen: Mask, fresh: Mask, trace: Trace) -> tuple[I64, I64]:
    """First and last flush of each frame, shape (frames,).

    A frame begins with a flush after a transfer, unless it is one of several partial flushes close together.
    """
    at = np.flatnonzero(chosen)
    if not len(at):
        return at, at
    starts = fresh[at]
    starts[0] = True
    if "w" in flushes.args:
        scanouts = trace.of(SET_SCANOUT)
        area = flushes.args["w"][at] * flushes.args["h"][at]
        if len(scanouts) and "w" in scanouts.args:
            full = scanouts.args["w"][-1] * scanouts.args["h"][-1]
        else:
            full = (flushes.args["x"] + flushes.args["w"])[at].max() * (flushes.args["y"] + flushes.args["h"])[at].max()
        partial = area < full
        if len(at) > 2 and partial.any():
            gaps = np.diff(flushes.time_ns[at])
            apart = _gap_between_frames(gaps)
            turns = _turns_of_tiles(flushes, at, int(full)) if not apart else None
            starts[1:] &= ~(partial[1:] & partial[:-1]) | (gaps > apart if turns is None else turns[1:])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(at)) - 1
    return at[first], at[last]


def _turns_of_tiles(flushes: Events, at: I64, full_px: int) -> Mask | None:
    """Which of these flushes begin a new turn through tiles of the screen, shape (len(at),); None if they are no tiles.

    Tiles are few rectangles that come again and again, do not overlap, and together cover nearly all of the screen.
    """
    rectangles = np.stack([flushes.args[name][at] for name in ("x", "y", "w", "h")], axis=1)
    tiles, index = np.unique(rectangles, axis=0, return_inverse=True)
    if len(tiles) > _TILES_MAX or len(at) < 2 * len(tiles) or np.sum(tiles[:, 2] * tiles[:, 3]) < 0.9 * full_px:
        return None
    x0, y0, x1, y1 = tiles[:, 0], tiles[:, 1], tiles[:, 0] + tiles[:, 2], tiles[:, 1] + tiles[:, 3]
    beside = (x1[:, None] <= x0) | (x0[:, None] >= x1) | (y1[:, None] <= y0) | (y0[:, None] >= y1)
    if not np.all(beside | np.eye(len(tiles), dtype=bool)):
        return None
    turns = np.zeros(len(at), bool)
    seen: set[int] = set()
    for place, tile in enumerate(index.ravel().tolist()):
        if tile in seen:
            turns[place] = True
            seen = set()
        seen.add(tile)
    return turns


def _gap_between_frames(gaps_ns: I64) -> float:
    """The gap that best splits gaps inside a frame from gaps between frames; 0 when they are of one kind.

    Otsu's threshold on log gaps (N. Otsu, IEEE Trans. SMC 9, 1979), taken only when the classes are 5 times apart.
    """
    logs = np.sort(np.log(np.maximum(gaps_ns, 1)))
    count = np.arange(1, len(logs))
    low = np.cumsum(logs)[:-1] / count
    high = (logs.sum() - np.cumsum(logs)[:-1]) / (len(logs) - count)
    between = count * (len(logs) - count) * (high - low) ** 2
    best = int(np.argmax(between))
    if high[best] - low[best] < np.log(5):
        return 0.0
    return float(np.exp((logs[best] + logs[best + 1]) / 2))


def _unflushed(transfers: Events, flush_offsets: I64) -> int:
    """Batches of transfers without a flush before the next batch.

    A frame is as many transfers as usually stand between two flushes; more before one flush are frames that
    were never shown.
    """
    counts = np.diff(np.searchsorted(transfers.offset, flush_offsets), prepend=0)
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
    """False when the rule would cut more than a quarter: there may be no steady state at all."""


def warm_up(frame_ms: F64) -> WarmUp:
    """Detect the initial transient from the data.

    Medians of five frames are compared with those of the run's second half: the warm-up lasts until two of three in a
    row lie within three robust standard deviations (1.4826 MAD) of their median. Single long frames move no median, so
    they neither prolong the warm-up nor hide in it.

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
