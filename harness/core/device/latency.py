"""From a key to the frame that shows it, on the host's clock. Pure.

QEMU stamps the event, the device's use of the event queue and the flush, all in one process by one clock. The guest
says which is the newest input that a frame shows, and when it began and ended drawing; its clock is aligned with the
host's by cause and effect (:mod:`harness.core.timing.align`). Inputs are numbered by the keys pressed, on either side.

- queue: from QEMU's event to the first buffer that the device used of the event queue.
- wait: from there to the start of the first frame that shows the input.
- draw: to the end of that frame's drawing; device: to its last flush.
- sent: from the harness's request to the event, the monitor's own delay: measured of each key, no part of the rest.
- error: the event happened no later than the device used the queue; the guest's times are aligned to within a bound.
- late: the input was in the queue when a frame began, which does not show it. That it was there is certain once the
  monitor has answered; when the frame began is known to within the error of the clocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.core.arrays import I64, Mask
from harness.core.device.trace import KEY_EVENT, PUBLISH, QUEUE_FULL, Trace
from harness.core.guest.records import FrameRecords
from harness.core.timing.align import TRACE_RESOLUTION_NS, Alignment
from harness.core.timing.sources import Numbered, Sources, gpu_queue
from harness.model.latency_record import SentKey, ShownInput

COLUMNS = ("frame", "t_ns", "render_ns", "input", "input_code")
CLOCK_GOAL_NS = 1_000_000
"""At 95 % of the inputs their times must be known to within this."""
_PROBLEMS_TOLD = 3


@dataclass(frozen=True)
class InputLatency:
    """What became of the keys of one run."""

    shown: tuple[ShownInput, ...]
    dropped: int = 0
    unseen: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Keys:
    """Keys as QEMU saw them go by, each of shape (n,), those that the device dropped left out."""

    sent: tuple[SentKey, ...]
    event_ns: I64
    queued_ns: I64


@dataclass(frozen=True)
class _Frames:
    """Recorded frames, each of shape (n,): numbers, host times of their parts, and the newest input of each."""

    number: I64
    begun_ns: I64
    drawn_ns: I64
    shown_ns: I64
    """-1 where the trace does not tell."""
    input: I64
    code: I64
    error_ns: int


def input_latency(trace: Trace, sources: Sources, records: FrameRecords, sent: tuple[SentKey, ...]) -> InputLatency:
    """What became of each key.

    Parameters
    ----------
    trace : Trace
        With key, queue and GPU events.
    sources : Sources
        Of the same run, reconciled.
    records : FrameRecords
        With ``input=`` and ``input_code=``.
    sent : tuple of SentKey
        In order.
    """
    keys, dropped, lost = _keys(trace, sent)
    if lost:
        return InputLatency((), problems=(lost,))
    missing = [name for name in COLUMNS if records.column(name) is None]
    if missing or sources.alignment is None or sources.numbered is None:
        why = f"records lack {' '.join(missing)}" if missing else "the guest's frames could not be matched with flushes"
        return InputLatency((), dropped, problems=(why,))
    frames = _frames(records, sources.alignment, sources.numbered)
    shown = [one for at in range(len(keys.sent)) if (one := _way(at, keys, frames)) is not None]
    problems = [*_wrong_codes(keys, frames), *_never_shown(keys, frames)]
    return InputLatency(tuple(shown), dropped, len(keys.sent) - len(shown), tuple(problems[:_PROBLEMS_TOLD]))


def _keys(trace: Trace, sent: tuple[SentKey, ...]) -> tuple[_Keys, int, str]:
    """The keys that the device took, how many it dropped, and what contradicts."""
    events = trace.of(KEY_EVENT)
    pressed = events.args["down"] == 1 if "down" in events.args else np.zeros(0, bool)
    time_ns, offset = events.time_ns[: len(pressed)][pressed], events.offset[: len(pressed)][pressed]
    nothing = _Keys((), np.zeros(0, np.int64), np.zeros(0, np.int64))
    if len(time_ns) != len(sent):
        return nothing, 0, f"{len(sent)} keys were sent, QEMU saw {len(time_ns)}"
    until = np.append(offset[1:], np.iinfo(np.int64).max)
    full = trace.of(QUEUE_FULL).offset
    refused = np.searchsorted(full, until) > np.searchsorted(full, offset)
    used = _event_queue(trace)
    first = np.searchsorted(used[1], offset)
    kept: Mask = ~refused & (first < len(used[1]))
    kept &= np.append(used[1], np.iinfo(np.int64).max)[first] < until
    if int(np.count_nonzero(~refused & ~kept)):
        return nothing, 0, f"{np.count_nonzero(~refused & ~kept)} keys never came into the guest's queue"
    which = np.flatnonzero(kept)
    apart = [at for at in which if not _inside(sent[at], int(time_ns[at]))]
    if apart:
        return nothing, 0, f"QEMU stamped key {apart[0] + 1} outside of the command that pressed it: two clocks"
    taken = _Keys(tuple(sent[at] for at in which), time_ns[which], used[0][first[which]])
    return taken, int(np.count_nonzero(refused)), ""


def _inside(sent: SentKey, event_ns: int) -> bool:
    """Whether QEMU's stamp lies between request and answer, which the same clock stamps."""
    return sent.asked_ns - TRACE_RESOLUTION_NS <= event_ns <= sent.answered_ns


def _event_queue(trace: Trace) -> tuple[I64, I64]:
    """Times and places in the log at which the device used buffers of another queue than the GPU's."""
    everything, gpu = trace.of(PUBLISH), gpu_queue(trace, PUBLISH)
    other = ~np.isin(everything.offset, gpu.offset)
    return everything.time_ns[other], everything.offset[other]


def _frames(records: FrameRecords, alignment: Alignment, numbered: Numbered) -> _Frames:
    number, began, drew, newest, code = (records.columns[name].astype(np.int64) for name in COLUMNS)
    flushed = dict(zip(numbered.frame.tolist(), numbered.shown_ns.tolist()))
    return _Frames(
        number,
        alignment.to_host(began),
        alignment.to_host(began + drew),
        np.array([flushed.get(one, -1) for one in number.tolist()], np.int64),
        newest,
        code,
        int(alignment.error_ns) + TRACE_RESOLUTION_NS,
    )


def _way(at: int, keys: _Keys, frames: _Frames) -> ShownInput | None:
    """One input's way; None where no recorded frame is known to be the first that shows it."""
    place = int(np.searchsorted(frames.input, at + 1))
    if place in (0, len(frames.input)) or frames.shown_ns[place] < 0:
        return None
    sent, event, queued = keys.sent[at], int(keys.event_ns[at]), max(int(keys.queued_ns[at]), int(keys.event_ns[at]))
    shown = max(int(frames.shown_ns[place]), queued)
    # The guest's times are aligned to within an error: an order that is certain stays one.
    begun = min(max(int(frames.begun_ns[place]), queued), shown)
    drawn = min(max(int(frames.drawn_ns[place]), begun), shown)
    certain = int(np.searchsorted(frames.begun_ns - frames.error_ns, sent.answered_ns, side="right"))
    return ShownInput(
        number=at + 1,
        frame=int(frames.number[place]),
        event_ns=event,
        queue_ns=queued - event,
        wait_ns=begun - queued,
        draw_ns=drawn - begun,
        device_ns=shown - drawn,
        sent_ns=event - sent.asked_ns,
        error_ns=max(queued - event + TRACE_RESOLUTION_NS, frames.error_ns),
        late_frames=max(place - certain, 0),
    )


def _wrong_codes(keys: _Keys, frames: _Frames) -> list[str]:
    """Inputs of which the guest names another key than the one that was pressed."""
    counted = int(frames.input.max(initial=0))
    if counted > len(keys.sent):
        return [f"the guest counts {counted} keys, of which it can have had {len(keys.sent)}"]
    found = []
    for place in np.flatnonzero(np.diff(frames.input, prepend=0) > 0):
        number, code = int(frames.input[place]), int(frames.code[place])
        if keys.sent[number - 1].code != code:
            found.append(f"input {number} was key {keys.sent[number - 1].code}, the guest says {code}")
    return found


def _never_shown(keys: _Keys, frames: _Frames) -> list[str]:
    """Keys that were in the queue well before the last frames began, and that none shows."""
    if len(frames.begun_ns) < 3:
        return []
    settled = int(frames.begun_ns[-3]) - frames.error_ns
    due = sum(one.answered_ns < settled for one in keys.sent)
    seen = int(frames.input[-1])
    return [f"{due - seen} of {due} keys are in no frame"] if seen < due else []
