"""Aligning the guest's clock with the host's, with a bound that rests on cause and effect.

Every frame brackets the offset between the clocks: the device's first trace event of a frame comes after the guest's
notification, its last one before the guest took the last completion. Over many frames, the tightest brackets leave a
thin channel through which a line (offset and drift) must pass; its middle is the estimate, its width the error. (F.
Cristian, Distributed Computing 3, 1989, for one exchange; here for a line over all of them, by linear programming.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from harness.core.arrays import F64, I64

TRACE_RESOLUTION_NS = 1000
"""The trace rounds its time stamps down to whole microseconds."""
_CHUNK = 12
"""Frames after which the offset is corrected while following the drift."""
_VOTERS = 24
"""Few enough that a drift of 1 % keeps their votes within the window."""
_CANDIDATES = 16
_SAME_SHARE = 0.02
"""Shares of unmatched frames that differ by less than this count as equal; then jitter decides."""
_VOTE_WINDOW = 0.07
"""How near offsets must be to count as one, as a share of a frame."""
_SLACK_NS = 300_000
"""How far the first guess at the offset may be off: about a device's answering time."""
_KEPT_BRACKETS = 200
_NOT_CLOCKS_NS = 2_000_000
"""Brackets that miss each other by more than this do not belong to a pair of clocks."""


class Unalignable(Exception):
    """No line fits: the events do not belong together, or a clock does not run evenly."""


@dataclass(frozen=True)
class Brackets:
    """The same frames as guest and host report them; all arrays of shape (frames,), int64, ns.

    ``rang`` and ``took`` are guest times of the first notification and of the last completion taken; ``first`` and
    ``last`` host times of the device's first and last trace event of that frame.
    """

    rang: I64
    took: I64
    first: I64
    last: I64


@dataclass(frozen=True)
class Alignment:
    """host time = guest time + offset_ns + drift * (guest time - origin_ns), to within error_ns."""

    origin_ns: int
    offset_ns: int
    drift: float
    error_ns: float
    """Half the width of the channel at its wider end."""
    drift_error: float
    frames: int

    def to_host(self, guest_ns: I64) -> I64:
        """Host times of guest times, shape (n,)."""
        since = (guest_ns - self.origin_ns).astype(np.float64)
        host: I64 = guest_ns + self.offset_ns + np.rint(self.drift * since).astype(np.int64)
        return host


def match_frames(rang: I64, took: I64, host_ns: I64) -> I64:
    """Index of the host's flush of each guest frame, shape (frames,), -1 where there is none.

    All differences between the guest's middle frames and all flushes vote on the offset. An evenly paced run gives
    about as many votes to several offsets a period apart; the jitter that both sides share decides between them.

    Parameters
    ----------
    rang, took : ndarray, shape (frames,), ns
        Guest times between which the flush must have happened.
    host_ns : ndarray, shape (flushes,), ns
        Host times of flushes, rising.

    Raises
    ------
    Unalignable
        When either side is empty.
    """
    if not len(took) or not len(host_ns):
        raise Unalignable("one side saw no frames")
    if max(abs(int(times.max()) - int(times.min())) for times in (rang, took, host_ns)) > 1 << 60:
        raise Unalignable("invalid timestamps: further apart than 2^60 ns")
    period = float(np.median(np.diff(took))) if len(took) > 1 else 0.0
    slack = int(min(max(2 * _VOTE_WINDOW * period, 2000), _SLACK_NS))
    best: tuple[float, float, I64] | None = None
    for offset in _candidate_offsets(took, host_ns):
        found = _follow(rang, took, host_ns, offset, slack)
        missed = round(float(np.mean(found < 0)) / _SAME_SHARE)
        score = (missed, _shared_jitter(took, host_ns, found))
        if best is None or score < best[:2]:
            best = (*score, found)
    assert best is not None
    return best[2]


def _candidate_offsets(took: I64, host_ns: I64) -> list[int]:
    """Offsets, host minus guest, worth trying: those that most frames vote for, and those of equal counts."""
    start = max(0, (len(took) - _VOTERS) // 2)
    voters = took[start : start + _VOTERS]
    window = max(int(_VOTE_WINDOW * float(np.median(np.diff(took)))), 1000) if len(took) > 1 else 1000
    differences = np.sort((host_ns[None, :] - voters[:, None]).ravel())
    # The densest windows, wherever they start: bins would split a peak that falls on an edge.
    votes = np.searchsorted(differences, differences + window, side="right") - np.arange(len(differences))
    most = int(votes.max())
    found = []
    for _ in range(_CANDIDATES):
        peak = int(np.argmax(votes))
        if votes[peak] < 0.6 * most:
            break
        found.append(int(np.median(differences[peak : peak + int(votes[peak])])))
        votes[np.abs(differences - differences[peak]) < 3 * window] = 0
    # On a loaded host, delays exceed frames and votes scatter; the counts of frames still agree.
    spare = len(host_ns) - len(took)
    for shift in range(max(0, spare - _CANDIDATES), spare + 1):
        apart = host_ns[start + shift : start + shift + len(voters)] - voters
        # An answer is taken after it was given, so the largest offset is nearest if each pair is of one frame.
        found += [int(np.median(apart)), int(apart.max())]
    return found


def _shared_jitter(guest_ns: I64, host_ns: I64, found: I64) -> float:
    """Mismatch of matched events, ns a matched frame; less is better."""
    pairs = np.flatnonzero(found >= 0)
    if len(pairs) < 3:
        return float("inf")
    steps = np.diff(guest_ns[pairs]) - np.diff(host_ns[found[pairs]])
    return float(np.median(np.abs(steps - np.median(steps))))


def quantile_of_few(values: I64, share: float) -> float:
    """What ``np.percentile`` answers, to the bit, for a handful of values: its set-up takes twenty times as long."""
    ordered = sorted(values.tolist())
    at = (len(ordered) - 1) * share
    below = int(at)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    between = at - below
    result: float = low + (high - low) * between if between < 0.5 else high - (high - low) * (1 - between)
    return result


def _follow(rang: I64, took: I64, host_ns: I64, offset_ns: int, slack_ns: int) -> I64:
    """Match with a first offset, following the drift outwards from the middle, a few frames at a time.

    A frame is matched with the last flush between its notification and its completion. The frames matched so far bound
    the offset from both sides, and it moves no further than they make it.
    """
    found = np.full(len(took), -1, np.int64)
    middle = len(took) // 2
    for starts in (range(middle, len(took), _CHUNK), range(middle - _CHUNK, -_CHUNK, -_CHUNK)):
        offset = offset_ns
        for start in starts:
            chunk = slice(max(start, 0), start + _CHUNK)
            early = np.searchsorted(host_ns, rang[chunk] + offset - slack_ns)
            late = np.searchsorted(host_ns, took[chunk] + offset + slack_ns, side="right") - 1
            some = late >= early
            found[chunk] = np.where(some, late, -1)
            if some.any():
                flushed = host_ns[late[some]]
                low = quantile_of_few(flushed - took[chunk][some], 0.9)
                high = quantile_of_few(flushed - rang[chunk][some], 0.1)
                offset = int(min(max(offset, low), high)) if low <= high else int((low + high) / 2)
    _, first_uses = np.unique(found, return_index=True)
    once = np.zeros(len(found), bool)
    once[first_uses] = True
    return np.where(once, found, -1)


def align(brackets: Brackets) -> Alignment:
    """Fit offset and drift through the brackets of matched frames.

    Raises
    ------
    Unalignable
        When no line comes within 2 ms of all brackets, or there are fewer than three.
    """
    if len(brackets.rang) < 3:
        raise Unalignable(f"{len(brackets.rang)} frames seen by both sides are too few")
    origin = int(brackets.rang[0])
    base = int(brackets.first[0] - brackets.rang[0])
    low_at, low = (brackets.took - origin).astype(np.float64), (brackets.last - brackets.took - base).astype(np.float64)
    high_at = (brackets.rang - origin).astype(np.float64)
    high = (brackets.first - brackets.rang - base + TRACE_RESOLUTION_NS).astype(np.float64)
    low_at, low = _tightest(low_at, low, largest=True)
    high_at, high = _tightest(high_at, high, largest=False)
    span = max(float(low_at.max()), 1.0)
    rows = np.concatenate(
        [np.stack([-np.ones_like(low), -low_at / span], 1), np.stack([np.ones_like(high), high_at / span], 1)]
    )
    limits = np.concatenate([-low, high])
    scale = 1000.0
    best = linprog([0, 0, -1], np.column_stack([rows, np.ones(len(rows))]), limits / scale, bounds=[(None, None)] * 3)
    if not best.success:
        raise Unalignable(f"no line fits: {best.message}")
    margin = float(best.x[2]) * scale
    if margin < -_NOT_CLOCKS_NS:
        raise Unalignable(f"cause and effect are {-margin / 1e6:.3f} ms apart however the clocks are set")
    slack = max(0.0, -margin) + 1e-6 * scale
    start, end, tilt = (
        _range(rows, (limits + slack) / scale, np.array(direction)) * scale
        for direction in ((1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    )
    return Alignment(
        origin,
        base + int(round(best.x[0] * scale)),
        float(best.x[1]) * scale / span,
        max(start, end) / 2 + max(0.0, -margin),
        (tilt / 2 + 2 * max(0.0, -margin)) / span,
        len(brackets.rang),
    )


def _tightest(at: F64, values: F64, largest: bool) -> tuple[F64, F64]:
    """The tightest bracket of each of some hundred stretches."""
    groups = np.array_split(np.arange(len(values)), min(_KEPT_BRACKETS, len(values)))
    pick = np.argmax if largest else np.argmin
    kept = np.array([group[int(pick(values[group]))] for group in groups])
    return at[kept], values[kept]


def _range(rows: F64, limits: F64, direction: F64) -> float:
    """Width of the feasible set along a direction."""
    ends = []
    for sign in (1.0, -1.0):
        found = linprog(sign * direction, rows, limits, bounds=[(None, None)] * 2)
        if not found.success:
            return float("inf")
        ends.append(float(direction @ found.x))
    return abs(ends[0] - ends[1])
