"""From what a head shows to frames: which flushes and flips belong together.

Each way returns the first and the last event of every frame, as numbers of rows of the events, shape (frames,) each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import I64, Mask
from harness.core.device.trace import Events
from harness.core.pictures.stamp import STRIP_ROWS
from harness.model.target import FrameBy

_TILES_MAX = 64
_SIDE_MAX_PX = 16384
_WHOLE = 0.8
"""Share of turns that go through all tiles of a screen that is always flushed whole."""
_OVER = 0.75
"""Share of flushes that lie over the one before, above which a run is not a frame ..."""
_RUN_LONG, _RUN_UNEVEN = 8.0, 0.4
"""... where runs are longer than this on average, or their spread is more than this share of it."""


@dataclass(frozen=True)
class FrameRule:
    """What a frame is; see :class:`harness.model.target.TargetFrame`."""

    by: FrameBy = FrameBy.FLUSH
    gap_ns: int = 0
    """Events that come closer together are one frame; 0 finds out."""
    head: int = 0


@dataclass(frozen=True)
class Rows:
    """Rows of the picture, first inclusive, last exclusive."""

    first: int
    last: int


def strips(height_px: int) -> tuple[Rows, Rows]:
    """Where a picture of this height carries its number."""
    return Rows(0, STRIP_ROWS), Rows(height_px - STRIP_ROWS, height_px)


def group_by_stamp(flushes: Events, accepted: Mask, fresh: Mask, stamps: Sequence[Rows]) -> tuple[I64, I64, int]:
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


def group_by_gap(events: Events, chosen: Mask, gap_ns: int) -> tuple[I64, I64]:
    """A frame begins with an event that comes later than ``gap_ns`` after the one before."""
    at = np.flatnonzero(chosen)
    starts = np.diff(events.time_ns[at], prepend=-gap_ns - 1) > gap_ns
    return _grouped(at, starts)


def group_by_flip(flip: Mask, chosen: Mask) -> tuple[I64, I64]:
    """A frame is a flip."""
    at = np.flatnonzero(flip & chosen)
    return at, at


def group_by_picture(events: Events, chosen: Mask, fresh: Mask, full_px: I64) -> tuple[I64, I64]:
    """A frame ends with the event whose rectangle, with those since the frame before, covers the whole picture."""
    first: list[int] = []
    last: list[int] = []
    size = (0, 0)
    covered = np.zeros((0, 0), bool)
    begun, new = -1, False
    for at in np.flatnonzero(chosen):
        x, y, w, h = (int(events.args[name][at]) for name in "xywh")
        new |= bool(fresh[at])
        whole = w * h >= full_px[at] > 0
        if not whole:
            wanted = (max(size[0], min(x + w, _SIDE_MAX_PX)), max(size[1], min(y + h, _SIDE_MAX_PX)))
            if wanted != size:
                grown = np.zeros((wanted[1], wanted[0]), bool)
                grown[: size[1], : size[0]] = covered
                size, covered = wanted, grown
            covered[max(y, 0) : y + h, max(x, 0) : x + w] = True
            begun = int(at) if begun < 0 else begun
            whole = np.count_nonzero(covered) >= full_px[at] > 0
        if whole and new:
            first.append(begun if begun >= 0 else int(at))
            last.append(int(at))
        if whole:
            covered[:], begun, new = False, -1, False
    return np.array(first, np.int64), np.array(last, np.int64)


def group_by_time(events: Events, chosen: Mask, fresh: Mask, full_px: I64) -> tuple[I64, I64]:
    """A frame begins with an event after a transfer, unless it is one of several partial flushes close together.

    Each mode of the screen is judged separately.
    """
    at = np.flatnonzero(chosen)
    if not len(at):
        return at, at
    starts = fresh[at]
    starts[0] = True
    if "w" in events.args:
        area = events.args["w"] * events.args["h"]
        full = np.where(full_px > 0, full_px, _largest(events, at))
        modes = np.flatnonzero(np.diff(full[at], prepend=-1))
        for begin, end in zip(modes, np.append(modes[1:], len(at))):
            part = at[begin:end]
            partial = area[part] < full[part]
            if len(part) > 2 and partial.any():
                starts[begin + 1 : end] &= _begins(events, part, partial, int(full[part[0]]))
    return _grouped(at, starts)


def _begins(events: Events, part: I64, partial: Mask, full_px: int) -> Mask:
    """Which events of one mode, its first aside, may begin a frame."""
    gaps = np.diff(events.time_ns[part])
    turns = _turns_of_tiles(events, part, full_px)
    if turns is not None and _are_whole(turns, events, part):
        # Whichever of its bands the host held up: the screen is whole once each was flushed.
        return np.asarray(~(partial[1:] & partial[:-1]) | turns[1:])
    apart = _gap_between_frames(gaps)
    if apart and _drawn_over(events, part, gaps > apart):
        apart = 0.0
    turns = None if apart else turns
    begins: Mask = ~(partial[1:] & partial[:-1]) | (gaps > apart if turns is None else turns[1:])
    return begins


def _drawn_over(events: Events, part: I64, ends: Mask) -> bool:
    """Whether runs of flushes, which end at these gaps, are frames on their own: the host's hiccups look like the gaps
    between frames.

    Within one frame rectangles do not overlap. Where nearly each lies over the one before, it is drawn again, in
    a frame of its own; unless the runs are short and alike, as those of a driver that restores what was below and
    draws again.
    """
    x, y, w, h = (events.args[name][part] for name in "xywh")
    over = (np.maximum(x[:-1], x[1:]) < np.minimum((x + w)[:-1], (x + w)[1:])) & (
        np.maximum(y[:-1], y[1:]) < np.minimum((y + h)[:-1], (y + h)[1:])
    )
    inside = ~ends
    if np.count_nonzero(over & inside) < _OVER * np.count_nonzero(inside) or not inside.any():
        return False
    runs = np.diff(np.flatnonzero(np.concatenate([[True], ends, [True]])))
    mean = float(np.mean(runs))
    return mean > _RUN_LONG or float(np.std(runs)) > _RUN_UNEVEN * mean


def _largest(events: Events, at: I64) -> int:
    """Pixels of the smallest picture that holds every rectangle."""
    across, down = (events.args["x"] + events.args["w"])[at], (events.args["y"] + events.args["h"])[at]
    return int(across.max() * down.max())


def _grouped(at: I64, starts: Mask) -> tuple[I64, I64]:
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(at)) - 1 if len(first) else first
    return at[first], at[last]


def _turns_of_tiles(flushes: Events, at: I64, full_px: int) -> Mask | None:
    """Which of these flushes begin a new turn through tiles of the screen, shape (len(at),); None if they are not
    tiles.

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


def _are_whole(turns: Mask, flushes: Events, at: I64) -> bool:
    """Whether nearly every turn goes through all of the tiles, and not through those alone that changed."""
    rectangles = np.stack([flushes.args[name][at] for name in ("x", "y", "w", "h")], axis=1)
    tiles = len(np.unique(rectangles, axis=0))
    sizes = np.diff(np.flatnonzero(turns))
    return tiles > 1 and len(sizes) > 0 and float(np.mean(sizes == tiles)) >= _WHOLE


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
