"""Which flushes and flips show something on one head, by the scanouts that the guest sets.

A head shows one resource, or a part of it, at a time. A flush of that resource shows what was transferred; so does
setting the scanout to another resource, which is a page flip. Everything else reaches no screen of this head: cursors,
resources in preparation, other heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import I64, Mask
from harness.core.device.trace import (
    FLUSH,
    SET_SCANOUT,
    SET_SCANOUT_BLOB,
    TRANSFER_2D,
    TRANSFERS_3D,
    Events,
    Refusal,
    Trace,
)

RECTANGLE = ("res", "x", "y", "w", "h")
_REFUSED_FLUSH = ("error", "ctrl 0x104,")
"""VIRTIO_GPU_CMD_RESOURCE_FLUSH in what QEMU's GL device says (VIRTIO 1.2 §5.7.6.7)."""


@dataclass(frozen=True)
class Scanouts:
    """One head, one row for each time that its scanout was set, in the order of the log; shapes (n,)."""

    time_ns: I64
    offset: I64
    res: I64
    """0 switches it off."""
    rectangle: I64
    """Shape (n, 4): x0, y0, x1, y1 of the resource, half open, in pixels."""
    blob: Mask
    """The resource is the guest's own memory: no transfer is needed."""
    begun: int = -1
    """Where in the log any head's scanout was set first; -1 when none was."""

    def at(self, offsets: I64) -> I64:
        """The row that holds at each place of the log, -1 before the first; shape of ``offsets``."""
        found: I64 = np.searchsorted(self.offset, offsets, side="right") - 1
        return found


@dataclass(frozen=True)
class ShownEvents:
    """Flushes and flips that one head shows, in the order of the log; shapes (n,)."""

    events: Events
    flip: Mask
    accepted: Mask
    """The device answered without error."""
    full_px: I64
    """Pixels of the scanout at that time; 0 where it is not known."""
    resources: tuple[int, ...]
    """Resources that the head showed at some time; empty where no scanout was traced."""


def scanouts_of(trace: Trace, head: int) -> Scanouts:
    """The scanouts of one head."""
    parts = [(trace.of(SET_SCANOUT), False), (trace.of(SET_SCANOUT_BLOB), True)]
    parts = [(events, blob) for events, blob in parts if len(events) and {"res", "w", "h"} <= events.args.keys()]
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Scanouts(nothing, nothing, nothing, np.zeros((0, 4), np.int64), np.zeros(0, bool))
    zeros = [np.zeros(len(events), np.int64) for events, _ in parts]
    columns = {
        name: np.concatenate([events.args.get(name, zero) for (events, _), zero in zip(parts, zeros)])
        for name in ("id", *RECTANGLE)
    }
    offset = np.concatenate([events.offset for events, _ in parts])
    time_ns = np.concatenate([events.time_ns for events, _ in parts])
    blob = np.concatenate([np.full(len(events), flag) for events, flag in parts])
    order = np.argsort(offset, kind="stable")
    mine = order[columns["id"][order] == head]
    x, y = columns["x"][mine], columns["y"][mine]
    rectangle = np.stack([x, y, x + columns["w"][mine], y + columns["h"][mine]], axis=1)
    return Scanouts(time_ns[mine], offset[mine], columns["res"][mine], rectangle, blob[mine], int(offset.min()))


def shown_on(trace: Trace, head: int, every_flip: bool = False) -> ShownEvents:
    """One head as the trace shows it. Flushes before any scanout is set count: the trace may have begun later.

    Parameters
    ----------
    every_flip
        Flips that a flush of the same picture follows, too.
    """
    flushes = trace.of(FLUSH)
    if not len(flushes):
        nothing = np.zeros(0, np.int64)
        flushes = Events(nothing, nothing, dict.fromkeys(RECTANGLE, nothing))
    accepted = ~refused_flushes(flushes, trace.refusals)
    scanouts = scanouts_of(trace, head)
    if scanouts.begun < 0 or not set(RECTANGLE) <= flushes.args.keys():
        full = np.zeros(len(flushes), np.int64)
        return ShownEvents(flushes, np.zeros(len(flushes), bool), accepted, full, ())
    at = scanouts.at(flushes.offset)
    before = flushes.offset < scanouts.begun
    here = (at >= 0) & (_picked(scanouts.res, at) == flushes.args["res"]) & (flushes.args["res"] != 0)
    boxes = _boxes(flushes)
    visible = _clipped(boxes, _picked(scanouts.rectangle, at))
    here &= (visible[:, 2] > visible[:, 0]) & (visible[:, 3] > visible[:, 1])
    boxes = np.where(here[:, None], visible, boxes)
    chosen = np.flatnonzero(here | before)
    flips = _flips(trace, scanouts, flushes, here, every_flip)
    offset = np.concatenate([flushes.offset[chosen], scanouts.offset[flips]])
    order = np.argsort(offset, kind="stable")
    merged = {
        "res": np.concatenate([flushes.args["res"][chosen], scanouts.res[flips]])[order],
        **_sides(np.concatenate([boxes[chosen], scanouts.rectangle[flips]])[order]),
    }
    time_ns = np.concatenate([flushes.time_ns[chosen], scanouts.time_ns[flips]])[order]
    flip = np.concatenate([np.zeros(len(chosen), bool), np.ones(len(flips), bool)])[order]
    answered = np.concatenate([accepted[chosen], np.ones(len(flips), bool)])[order]
    sizes = np.append(_areas(scanouts.rectangle), 0)
    full = sizes[scanouts.at(offset[order])]
    resources = tuple(int(one) for one in np.unique(scanouts.res) if one)
    return ShownEvents(Events(time_ns, offset[order], merged), flip, answered, full, resources)


def _picked(rows: I64, at: I64) -> I64:
    """Rows by number; the last for -1, which the caller leaves out."""
    return rows[at] if len(rows) else np.zeros((len(at), *rows.shape[1:]), np.int64)


def _boxes(flushes: Events) -> I64:
    x, y, w, h = (flushes.args[name] for name in "xywh")
    return np.stack([x, y, x + w, y + h], axis=1)


def _clipped(boxes: I64, rectangles: I64) -> I64:
    low = np.maximum(boxes[:, :2], rectangles[:, :2])
    return np.concatenate([low, np.minimum(boxes[:, 2:], rectangles[:, 2:])], axis=1)


def _sides(boxes: I64) -> dict[str, I64]:
    size: I64 = np.diff(boxes.reshape(-1, 2, 2), axis=1).reshape(-1, 2)
    return {"x": boxes[:, 0], "y": boxes[:, 1], "w": size[:, 0], "h": size[:, 1]}


def _areas(rectangles: I64) -> I64:
    sides = rectangles[:, 2:] - rectangles[:, :2]
    areas: I64 = np.prod(sides, axis=1)
    return areas


def _flips(trace: Trace, scanouts: Scanouts, flushes: Events, here: Mask, every: bool) -> I64:
    """Rows at which the head turned to another resource and so showed it.

    Where the flush of that resource follows at once, with no transfer to it in between, the flush shows the frame.
    """
    turns = (np.diff(scanouts.res, prepend=0) != 0) & (scanouts.res != 0)
    seen = flushes.offset[here]
    resources = flushes.args["res"][here]
    plain, rendered = trace.of(TRANSFER_2D), np.sort(np.concatenate([trace.of(one).offset for one in TRANSFERS_3D]))
    kept = []
    for row in np.flatnonzero(turns):
        offset, res = scanouts.offset[row], scanouts.res[row]
        following = int(np.searchsorted(seen, offset))
        if not every and following < len(seen) and resources[following] == res:
            until = seen[following]
            between = plain.offset[plain.args["res"] == res] if "res" in plain.args else plain.offset
            moved = np.searchsorted(between, [offset, until])
            drawn = np.searchsorted(rendered, [offset, until])
            nothing_new = moved[0] == moved[1] and drawn[0] == drawn[1]
            if nothing_new and (row + 1 == len(scanouts.offset) or until < scanouts.offset[row + 1]):
                continue
        kept.append(row)
    return np.array(kept, np.int64)


def refused_flushes(flushes: Events, refusals: Sequence[Refusal]) -> Mask:
    """Which flushes were answered with an error, shape (n,): the message follows the event."""
    refused = np.zeros(len(flushes), bool)
    for refusal in refusals:
        if "flush" not in refusal.function and not all(word in refusal.text for word in _REFUSED_FLUSH):
            continue
        at = int(np.searchsorted(flushes.offset, refusal.offset)) - 1
        if at >= 0:
            refused[at] = True
    return refused
