"""Rules about the commands that a driver gives: how many, of what, in which order, and whether it reads the answers."""

from __future__ import annotations

import numpy as np

from harness.core.arrays import I64, Mask
from harness.core.device.gpu_rings import TRANSFER_COMMAND
from harness.core.device.trace import CURSOR_UPDATE, FLUSH, SET_SCANOUT, TRANSFER_2D, Events
from harness.explain.manners.facts import DriverFacts, median_of
from harness.explain.manners.manner import DriverManner, not_looked

NOTIFIES_MANY = 1.5
"""Notifications a frame from which on it is worth to put commands together."""
FLUSH_TOO_LARGE = 4.0
"""Flushed pixels for each one that changed."""
IN_VAIN = 0.1
"""Share of transfers that the next one made useless."""

MUCH_CLOSER = 4
FOREVER_NS = 1 << 62


def round_trips(facts: DriverFacts) -> DriverManner:
    """Commands and notifications a frame."""
    rule = "round trips"
    if not facts.frames_traced or not len(facts.notify_ns):
        return not_looked(rule, "no frame, or no notification, was traced")
    commands, notifies = facts.a_frame(len(facts.commands)), facts.a_frame(len(facts.notify_ns))
    figures = f"{commands:.1f} commands and {notifies:.1f} notifications a frame"
    if notifies < NOTIFIES_MANY:
        return DriverManner(rule, figures)
    advice = (
        f"Put the {commands:.0f} commands of a frame into the ring together and notify once: "
        "each notification leaves the guest, and each wait costs a round trip"
    )
    return DriverManner(rule, figures, advice)


def flush_area(facts: DriverFacts) -> DriverManner:
    """Flushes of much more than what changed."""
    rule = "flushed area"
    flushes = facts.trace.of(FLUSH)
    if not {"w", "h"} <= flushes.args.keys() or not facts.frames_traced:
        return not_looked(rule, "no flush was traced")
    each_px = flushes.args["w"] * flushes.args["h"]
    frame_px = facts.a_frame(float(each_px.sum()))
    changed_px, source = _changed_px(facts, each_px)
    if not changed_px:
        return DriverManner(rule, f"{frame_px:,.0f} pixels are flushed a frame; what changes is not known")
    figures = f"{frame_px:,.0f} pixels are flushed a frame, {changed_px:,.0f} {source}"
    if frame_px < FLUSH_TOO_LARGE * changed_px:
        return DriverManner(rule, figures)
    advice = (
        f"Transfer and flush the rectangle that changed: {frame_px / changed_px:.0f} times as many pixels are flushed"
    )
    return DriverManner(rule, figures, advice)


def _changed_px(facts: DriverFacts, each_px: I64) -> tuple[float, str]:
    """How many pixels change in a frame, and how that is known: by its transfers in the rings, or by pictures."""
    transferred: list[int] = []
    for sample in facts.control:
        boxes = [
            one.rectangle
            for one in sample.commands
            if one.type == TRANSFER_COMMAND and one.rectangle and not one.refused
        ]
        transferred += [width * height for _, _, width, height in boxes]
    by_transfers = median_of(np.array(transferred, np.int64)) * facts.a_frame(len(accepted_transfers(facts)))
    if transferred and by_transfers * FLUSH_TOO_LARGE <= facts.a_frame(float(each_px.sum())):
        return by_transfers, "are transferred"
    largest = int(np.max(facts.changed_px)) if facts.changed_px else 0
    if largest:
        return float(largest), "change, by pictures of frames next to each other"
    return (by_transfers, "are transferred") if transferred else (0.0, "")


def unflushed(facts: DriverFacts) -> DriverManner:
    """Transfers of a resource on the screen that no flush follows before the next batch transfers it again."""
    rule = "unflushed transfers"
    transfers = accepted_transfers(facts)
    if "res" not in transfers.args or not len(transfers):
        return not_looked(rule, "no transfer was traced")
    shown = np.unique(facts.trace.of(SET_SCANOUT).args.get("res", np.zeros(0, np.int64)))
    total, lost = 0, 0
    for resource in shown[shown != 0] if len(shown) else np.unique(transfers.args["res"]):
        mine = transfers.offset[transfers.args["res"] == resource]
        if len(mine):
            total += len(mine)
            lost += _in_vain(mine, facts, int(resource))
    figures = f"{lost} of {total} transfers reached no flush before the next batch of transfers"
    if not total or lost <= IN_VAIN * total:
        return DriverManner(rule, figures)
    advice = "Flush what was transferred, or do not transfer it: a transfer without a flush costs and shows nothing"
    return DriverManner(rule, figures, advice)


def accepted_transfers(facts: DriverFacts) -> Events:
    """Transfers that the device did not refuse: its message comes right after the event."""
    transfers = facts.trace.of(TRANSFER_2D)
    said = [one.offset for one in facts.trace.refusals if "transfer" in one.function]
    good = np.ones(len(transfers), bool)
    at = np.searchsorted(transfers.offset, np.array(said, np.int64)) - 1
    good[at[at >= 0]] = False
    args = {name: values[good] for name, values in transfers.args.items()}
    return Events(transfers.time_ns[good], transfers.offset[good], args)


def _in_vain(transfers: I64, facts: DriverFacts, resource: int) -> int:
    """Transfers of a batch that the next batch follows without a flush: batches end where all was answered."""
    flushes = facts.trace.of(FLUSH)
    mine = flushes.args["res"] == resource if "res" in flushes.args else np.ones(len(flushes), bool)
    flushed = np.searchsorted(flushes.offset[mine], transfers)
    batch = _batch_of(facts, transfers)
    last = np.flatnonzero(np.append(np.diff(batch) != 0, False))
    same_flush = flushed[last] == flushed[last + 1]
    return int(np.count_nonzero(same_flush))


def _batch_of(facts: DriverFacts, offsets: I64) -> I64:
    """The number of the notification that each place in the log follows."""
    notifies = facts.trace.of("virtio_queue_notify")
    found: I64 = np.searchsorted(notifies.offset, offsets)
    return found


def unread_errors(facts: DriverFacts) -> DriverManner:
    """Answers that were errors, after which the guest went on as if nothing had been."""
    rule = "unread errors"
    refusals = [one for one in facts.trace.refusals if one.by_virtio]
    by_ring = sum(command.refused for sample in facts.control for command in sample.commands)
    if not refusals and not by_ring:
        return DriverManner(rule, f"none of {len(facts.commands)} commands was answered with an error")
    first = refusals[0].offset if refusals else 0
    later = int(np.count_nonzero(facts.trace.of(FLUSH).offset > first))
    said = f": {refusals[0].words}" if refusals else ""
    figures = f"{max(len(refusals), by_ring)} answers were errors{said}; {later} flushes came after the first"
    if not later:
        return DriverManner(rule, figures)
    return DriverManner(
        rule, figures, "Read the type of every answer before its buffer is used again, and say what was refused"
    )


def cursor_order(facts: DriverFacts) -> DriverManner:
    """Cursors that are set before their picture has been transferred: two queues keep no order between them."""
    rule = "cursor order"
    updates = facts.trace.of(CURSOR_UPDATE)
    set_now = updates.args.get("move", np.ones(len(updates), np.int64)) == 0
    if not len(updates) or "res" not in updates.args or not (set_now & (updates.args["res"] != 0)).any():
        return DriverManner(rule, "no cursor was set")
    chosen = set_now & (updates.args["res"] != 0)
    early = _early_cursors(updates, chosen, facts.trace.of(TRANSFER_2D))
    total = int(np.count_nonzero(chosen))
    figures = f"{early} of {total} cursors were set before their picture was transferred"
    if not early:
        return DriverManner(rule, figures)
    return DriverManner(
        rule,
        figures,
        "Wait for the answer to the transfer on the control queue before the cursor queue names its resource",
    )


def _early_cursors(updates: Events, chosen: Mask, transfers: Events) -> int:
    """Cursors that a transfer of their picture follows, much closer than the one before them came."""
    early = 0
    for resource in np.unique(updates.args["res"][chosen]):
        mine = updates.time_ns[chosen & (updates.args["res"] == resource)]
        moved = transfers.time_ns[transfers.args["res"] == resource] if "res" in transfers.args else transfers.time_ns
        padded = np.concatenate([[-FOREVER_NS], moved, [FOREVER_NS]])
        at = np.searchsorted(moved, mine)
        since, until = mine - padded[at], padded[at + 1] - mine
        early += int(np.count_nonzero(until < since / MUCH_CLOSER))
    return early
