"""The life of findings: each change of the history is found once, then followed.

Fresh drifts are matched with the findings that are known, by series, direction and runs. A match is brought up to
date. Others are new, unless they undo an open finding: that one is then fixed. A finding that the
drifts no longer show is withdrawn, unless somebody had acknowledged it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.core.arrays import I64
from harness.core.wording import signed_percent
from harness.history.drift import Drift
from harness.history.series import ABSOLUTE, ACKNOWLEDGED, CREEP, FIXED, NEW, WITHDRAWN, Finding, SeriesKey

_NEAR_RUNS = 3
"""How far a change may move as more runs come in and still be the same one."""


@dataclass(frozen=True)
class FollowedFindings:
    """Findings of one series after an analysis."""

    changed: tuple[Finding, ...]
    """Those that have to be stored: new ones have no number yet."""
    unchanged: tuple[Finding, ...]

    @property
    def all(self) -> tuple[Finding, ...]:
        return tuple(sorted((*self.changed, *self.unchanged), key=lambda finding: finding.at_seq))


def follow(
    known: Sequence[Finding],
    drifts: Sequence[Drift],
    seq: I64,
    newest_seq: int,
    smallest: float,
    forget_before: int = 0,
) -> FollowedFindings:
    """Bring the findings of one series up to date.

    Parameters
    ----------
    known
        Findings of the series, as stored.
    drifts
        What the analysis found in it now, in order.
    seq
        Run numbers of the series, rising.
    newest_seq
        The newest run of the whole history, for findings that are new.
    smallest
        Relative change below which two levels are the same.
    forget_before
        Runs before this one may have been pruned: findings there are left as they are.
    """
    waiting = list(known)
    pairs: list[tuple[Finding | None, Finding]] = []
    for drift in drifts:
        match = _best_match(drift, waiting, seq)
        if match is not None:
            waiting.remove(match)
        fixed = _taken_back(drift, [finding for _, finding in pairs], seq, smallest)
        if fixed is not None:
            original, finding = pairs[fixed]
            reason = finding.reason or "the level from before came back"
            pairs[fixed] = original, replace(finding, status=FIXED, fixed_seq=drift.at_seq, reason=reason)
        if match is not None:
            pairs.append((match, _updated(match, drift, newest_seq)))
        elif fixed is None:
            pairs.append((None, _new(drift, newest_seq)))
    for finding in waiting:
        gone = finding.status == NEW and finding.before_seq >= forget_before
        reason = "later runs do not support it"
        pairs.append((finding, replace(finding, status=WITHDRAWN, reason=reason) if gone else finding))
    return FollowedFindings(
        tuple(finding for original, finding in pairs if finding != original),
        tuple(finding for original, finding in pairs if finding == original),
    )


def _position(seq: I64, run: int) -> int:
    """Index of a run of the series, or of the next one after it."""
    return int(np.searchsorted(seq, run))


def _best_match(drift: Drift, known: Sequence[Finding], seq: I64) -> Finding | None:
    """The finding that this drift is, if any: same direction, overlapping runs; of the same hosts, then the nearest."""
    begin, end = _position(seq, drift.before_seq), _position(seq, drift.after_seq)
    at = _position(seq, drift.at_seq)
    best, distance = None, (False, 0)
    for finding in known:
        if (finding.change > 0) != (drift.change > 0):
            continue
        theirs = _position(seq, finding.before_seq), _position(seq, finding.after_seq)
        reach = _NEAR_RUNS if drift.kind == finding.kind else 0
        if theirs[0] - reach >= end or begin >= theirs[1] + reach:
            continue
        away = (finding.host != drift.host, abs(_position(seq, finding.at_seq) - at))
        if best is None or away < distance:
            best, distance = finding, away
    return best


def _updated(finding: Finding, drift: Drift, newest_seq: int) -> Finding:
    """A known finding with the figures of today.

    One that was withdrawn, or outgrew its acknowledgement, is new again; whether it is fixed is asked afresh.
    """
    updated = replace(
        finding,
        kind=drift.kind,
        before_seq=drift.before_seq,
        at_seq=drift.at_seq,
        after_seq=drift.after_seq,
        change=drift.change,
        low=drift.low,
        high=drift.high,
        p=drift.p,
        level_before=drift.level_before,
        note=drift.note,
        companions=drift.companions,
        host=drift.host,
    )
    if finding.status == WITHDRAWN:
        return replace(updated, status=NEW, reason="", found_seq=newest_seq)
    if finding.status == FIXED:
        return replace(updated, status=ACKNOWLEDGED if finding.accepted else NEW)
    if finding.status == ACKNOWLEDGED and _outgrown(finding, drift):
        reason = f"acknowledged at {signed_percent(finding.accepted)} ({finding.reason}), grown since"
        return replace(updated, status=NEW, reason=reason, found_seq=newest_seq)
    return updated


def _outgrown(finding: Finding, drift: Drift) -> bool:
    """Whether a creep surely exceeds what was accepted by half."""
    if drift.kind != CREEP or finding.accepted == 0:
        return False
    nearest = drift.low if drift.change > 0 else drift.high
    return abs(nearest) > 1.5 * abs(finding.accepted) and (nearest > 0) == (finding.accepted > 0)


def _taken_back(drift: Drift, earlier: Sequence[Finding], seq: I64, smallest: float) -> int | None:
    """Index of the latest finding whose change this drift undoes: the level from before it is within reach again."""
    for index in reversed(range(len(earlier))):
        finding = earlier[index]
        if finding.status not in (NEW, ACKNOWLEDGED) or finding.worse is False or finding.host != drift.host:
            continue
        if (finding.change > 0) == (drift.change > 0) or finding.at_seq >= drift.at_seq:
            continue
        reach = max(smallest, abs(finding.change) / 4)
        if finding.fixed_seq is not None:
            away = abs(_position(seq, finding.fixed_seq) - _position(seq, drift.at_seq))
            reach *= 2 if away <= _NEAR_RUNS else 1  # a fixed finding is not opened again by a small difference
        if abs(drift.level_after - finding.level_before) <= reach:
            return index
    return None


def _new(drift: Drift, newest_seq: int) -> Finding:
    return Finding(
        series_id=drift.series_id,
        kind=drift.kind,
        status=NEW,
        before_seq=drift.before_seq,
        at_seq=drift.at_seq,
        after_seq=drift.after_seq,
        found_seq=newest_seq,
        change=drift.change,
        low=drift.low,
        high=drift.high,
        p=drift.p,
        worse=drift.worse,
        level_before=drift.level_before,
        note=drift.note,
        companions=drift.companions,
        host=drift.host,
    )


def acknowledged(finding: Finding, reason: str) -> Finding:
    """A finding that somebody accepts, at its present size."""
    return replace(finding, status=ACKNOWLEDGED, reason=reason, accepted=finding.change)


def alarming(finding: Finding, key: SeriesKey) -> bool:
    """Whether a finding fails a nightly run: open, for the worse, and caused by the code rather than a machine."""
    return finding.open and bool(finding.worse) and key.scope != ABSOLUTE and not finding.note
