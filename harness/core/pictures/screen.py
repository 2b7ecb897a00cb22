"""The trace against the screen: what each flush showed, by the scanout that was set and the frame that was drawn.

A flush shows a rectangle of a resource. It reaches the screen when a scanout shows that resource, and shows a whole
frame when its rectangles cover whatever changed. Rectangles are x0, y0, x1, y1, half open, in pixels of the screen.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from harness.core.arrays import I64, DrawFrame, Mask
from harness.core.device.scanouts import refused_flushes
from harness.core.device.trace import FLUSH, SET_SCANOUT, SET_SCANOUT_BLOB, Events, Trace
from harness.core.wording import percent

Rectangle = tuple[int, int, int, int]

SIDE_MAX_PX = 8192
FRAMES_COMPARED = 40
"""Frames with partial flushes whose change is checked, spread evenly over the run."""
_WRONG_WAY_ROUND = 2.0
"""How many times longer from transfer to flush than from flush to transfer, where flushes come first."""


def screen_problems(trace: Trace, *, whole: bool) -> tuple[str, ...]:
    """Reasons why flushed frames do not reach the screen.

    Parameters
    ----------
    whole
        The kernel draws the whole screen, so that all of it must have been flushed at some time.
    """
    flushes = trace.of(FLUSH)
    scanouts = [trace.of(kind) for kind in (SET_SCANOUT, SET_SCANOUT_BLOB)]
    if not len(flushes) or not {"res", "x", "y", "w", "h"} <= flushes.args.keys():
        return ()
    problems: list[str] = []
    if not any(map(len, scanouts)):
        # Without a transfer in the trace, scanouts were not traced either.
        return (f"no scanout was ever set: {len(flushes)} flushes, none on the screen",) if len(trace.transfers) else ()
    accepted = ~refused_flushes(flushes, trace.refusals)
    shown = _shown(flushes, scanouts)
    problems += _unseen(flushes, accepted, shown)
    if whole and not problems:
        problems += _never_covered(flushes, accepted & shown.on_screen, shown.size_px)
    if flushed_before_transfer(trace):
        problems.append("each flush comes before the transfer of its frame: the screen shows the frame before")
    return tuple(problems)


class _Shown:
    """For each flush, whether a scanout showed its resource, and whether any scanout showed anything; shapes (n,)."""

    def __init__(self, on_screen: Mask, lit: Mask, begun: Mask, size_px: tuple[int, int]) -> None:
        self.on_screen = on_screen
        self.lit = lit
        self.begun = begun
        """Some scanout had been set before."""
        self.size_px = size_px
        """Width and height of what was shown last."""


def _shown(flushes: Events, kinds: Sequence[Events]) -> _Shown:
    on_screen, lit, begun = (np.zeros(len(flushes), bool) for _ in range(3))
    size_px = (0, 0)
    for scanouts in kinds:
        if not {"id", "res", "w", "h"} <= scanouts.args.keys():
            continue
        for screen in np.unique(scanouts.args["id"]):
            mine = scanouts.args["id"] == screen
            offsets, resources = scanouts.offset[mine], scanouts.args["res"][mine]
            before = np.searchsorted(offsets, flushes.offset)
            current = np.append(0, resources)[before]
            # A kernel with two buffers may flush the one that it shows next, right before it shows it.
            following = np.append(resources, 0)[before]
            next_flush = np.append(flushes.offset[1:], np.iinfo(np.int64).max)
            flips = np.append(offsets, np.iinfo(np.int64).max)[before] < next_flush
            wanted = flushes.args["res"]
            on_screen |= ((current == wanted) & (current != 0)) | (flips & (following == wanted) & (following != 0))
            lit |= current != 0
            begun |= before > 0
            sized = np.flatnonzero(mine & (scanouts.args["res"] != 0))
            if len(sized):
                size_px = (int(scanouts.args["w"][sized[-1]]), int(scanouts.args["h"][sized[-1]]))
    return _Shown(on_screen, lit, begun, size_px)


def _unseen(flushes: Events, accepted: Mask, shown: _Shown) -> list[str]:
    """Flushes that never reached the screen; those before the first scanout are preparations."""
    problems = []
    total = int(np.count_nonzero(accepted & shown.begun))
    dark = int(np.count_nonzero(accepted & shown.begun & ~shown.lit & ~shown.on_screen))
    if dark:
        problems.append(f"the scanout was off during {dark} of {total} flushes: nothing was on the screen")
    astray = np.flatnonzero(accepted & shown.lit & ~shown.on_screen)
    if len(astray):
        names = ", ".join(f"{int(res):#x}" for res in np.unique(flushes.args["res"][astray])[:3])
        problems.append(f"{len(astray)} of {total} flushes name resource {names}, which is not on the screen")
    return problems


def _rectangles(flushes: Events, chosen: I64) -> list[Rectangle]:
    x, y, w, h = (flushes.args[name][chosen] for name in "xywh")
    unique = np.unique(np.stack([x, y, x + w, y + h], axis=1), axis=0)
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in unique]


def _covered(rectangles: Sequence[Rectangle], size_px: tuple[int, int]) -> Mask:
    """Which pixels rectangles cover, shape (height, width)."""
    covered = np.zeros((size_px[1], size_px[0]), bool)
    for x0, y0, x1, y1 in rectangles:
        covered[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    return covered


def _never_covered(flushes: Events, chosen: Mask, size_px: tuple[int, int]) -> list[str]:
    """Whether flushes left out a part of the screen throughout."""
    if not chosen.any() or not 0 < max(size_px) <= SIDE_MAX_PX:
        return []
    left = ~_covered(_rectangles(flushes, np.flatnonzero(chosen)), size_px)
    if not left.any():
        return []
    rows, columns = np.flatnonzero(left.any(axis=1)), np.flatnonzero(left.any(axis=0))
    where = f"{columns[0]},{rows[0]} to {columns[-1]},{rows[-1]}"
    share = float(left.mean())
    return [f"no flush ever covers {where}, {percent(share, 0)} of the screen of {size_px[0]}x{size_px[1]}"]


def flushed_before_transfer(trace: Trace) -> bool:
    """Whether the guest flushes each frame first and transfers it then.

    In the order of the log the two alternate either way; such a guest begins with a flush, transfers right after each
    and then takes its time to draw.
    """
    flushes, transfers = trace.of(FLUSH), trace.transfers
    if len(flushes) < 8 or len(transfers) < 8 or flushes.offset[0] > transfers.offset[0]:
        return False
    after = np.searchsorted(transfers.offset, flushes.offset)
    to_transfer = transfers.time_ns[after[after < len(transfers)]] - flushes.time_ns[after < len(transfers)]
    after = np.searchsorted(flushes.offset, transfers.offset)
    to_flush = flushes.time_ns[after[after < len(flushes)]] - transfers.time_ns[after < len(flushes)]
    return float(np.median(to_flush)) > _WRONG_WAY_ROUND * float(np.median(to_transfer))


def changes_left_out(trace: Trace, first: int, draw: DrawFrame, size_px: tuple[int, int]) -> tuple[str, ...]:
    """Frames of which a flush left out pixels that changed, by the frames' own pictures.

    Parameters
    ----------
    first
        Number of the first frame that was flushed; each begins with a flush that reaches the top row.
    draw
        The picture of a frame number.
    size_px
        Width and height of the screen.
    """
    flushes = trace.of(FLUSH)
    if not {"x", "y", "w", "h"} <= flushes.args.keys():
        return ()
    starts = np.flatnonzero(flushes.args["y"] == 0)
    groups = [
        _rectangles(flushes, np.arange(start, end))
        for start, end in zip(starts, np.append(starts[1:], len(flushes)), strict=True)
    ]
    # The last one may have been cut off when the machine was ended.
    partial = [at for at in range(1, len(groups) - 1) if not _is_whole(groups[at], size_px)]
    chosen = partial[:: max(1, len(partial) // FRAMES_COMPARED)]
    found = [one for one in (_left_out(first + at, groups[at], draw, size_px) for at in chosen) if one]
    more = f" (and {len(found) - 1} more of {len(chosen)} looked at)" if len(found) > 1 else ""
    return (found[0] + more,) if found else ()


def _is_whole(rectangles: Sequence[Rectangle], size_px: tuple[int, int]) -> bool:
    return any(x0 <= 0 and y0 <= 0 and x1 >= size_px[0] and y1 >= size_px[1] for x0, y0, x1, y1 in rectangles)


def _left_out(frame: int, rectangles: Sequence[Rectangle], draw: DrawFrame, size_px: tuple[int, int]) -> str:
    changed = np.asarray(cv2.absdiff(draw(frame), draw(frame - 1))).max(axis=2) > 0
    lost = changed & ~_covered(rectangles, size_px)
    if not lost.any():
        return ""
    rows, columns = np.flatnonzero(lost.any(axis=1)), np.flatnonzero(lost.any(axis=0))
    where = f"{columns[0]},{rows[0]} to {columns[-1]},{rows[-1]}"
    return f"the flush of frame {frame} leaves out {int(np.count_nonzero(lost))} pixels that changed, within {where}"
