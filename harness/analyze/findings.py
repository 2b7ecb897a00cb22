"""The life of findings: each change of the history is found once, then followed.

Fresh drifts are matched with the findings that are known, by series, direction and runs. What matches is brought up to
date; what does not is new, unless it takes back a finding that was open: that one is then fixed. A finding that the
drifts no longer show is withdrawn, unless somebody had acknowledged it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.analyze.drift import Drift
from harness.series import ABSOLUTE, ACKNOWLEDGED, CREEP, FIXED, NEW, WITHDRAWN, Finding, SeriesKey

I64 = npt.NDArray[np.int64]

_NEAR_RUNS = 3
"""How far a change may seem to move, as more runs come in, and still be the same one."""


@dataclass(frozen=True)
class Followed:
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
) -> Followed:
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
    current: list[Finding] = []
    originals = {id(finding): finding for finding in known}
    result: list[tuple[Finding | None, Finding]] = []
    for drift in drifts:
        match = _best_match(drift, waiting, seq)
        if match is not None:
            waiting.remove(match)
            updated = _updated(match, drift, newest_seq)
            result.append((originals[id(match)], updated))
            current.append(updated)
            continue
        if any(_is_fix_of(drift, finding, seq) for finding in known):
            continue
        fixes = next((f for f in reversed(current) if _takes_back(drift, f, smallest)), None)
        if fixes is not None:
            index = next(i for i, (_, finding) in enumerate(result) if finding is fixes)
            reason = fixes.reason or "the level from before came back"
            fixed = replace(fixes, status=FIXED, fixed_seq=drift.at_seq, reason=reason)
            result[index] = (result[index][0], fixed)
            current[current.index(fixes)] = fixed
            continue
        new = _new(drift, newest_seq)
        result.append((None, new))
        current.append(new)
    for finding in waiting:
        if finding.status == NEW and finding.before_seq >= forget_before:
            result.append((finding, replace(finding, status=WITHDRAWN, reason="later runs do not support it")))
        else:
            result.append((finding, finding))
    return Followed(
        tuple(finding for original, finding in result if finding != original),
        tuple(finding for original, finding in result if finding == original),
    )


def _position(seq: I64, run: int) -> int:
    """Index of a run of the series, or of the next one after it."""
    return int(np.searchsorted(seq, run))


def _best_match(drift: Drift, known: Sequence[Finding], seq: I64) -> Finding | None:
    """The finding that this drift is, if any: same direction, overlapping runs, nearest."""
    begin, end = _position(seq, drift.before_seq), _position(seq, drift.after_seq)
    at = _position(seq, drift.at_seq)
    best, distance = None, 0
    for finding in known:
        if (finding.change > 0) != (drift.change > 0):
            continue
        theirs = _position(seq, finding.before_seq), _position(seq, finding.after_seq)
        reach = _NEAR_RUNS if drift.kind == finding.kind else 0
        if theirs[0] - reach >= end or begin >= theirs[1] + reach:
            continue
        away = abs(_position(seq, finding.at_seq) - at)
        if best is None or away < distance:
            best, distance = finding, away
    return best


def _updated(finding: Finding, drift: Drift, newest_seq: int) -> Finding:
    """A known finding with the figures of today; one that was withdrawn or outgrew its acknowledgement is new again."""
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
    )
    if finding.status == WITHDRAWN:
        return replace(updated, status=NEW, reason="", found_seq=newest_seq)
    if finding.status == ACKNOWLEDGED and _outgrown(finding, drift):
        reason = f"acknowledged at {finding.accepted:+.1%} ({finding.reason}), grown since"
        return replace(updated, status=NEW, reason=reason, found_seq=newest_seq)
    return updated


def _outgrown(finding: Finding, drift: Drift) -> bool:
    """A creep is surely half as large again as what was accepted."""
    if drift.kind != CREEP or finding.accepted == 0:
        return False
    nearest = drift.low if drift.change > 0 else drift.high
    return abs(nearest) > 1.5 * abs(finding.accepted) and (nearest > 0) == (finding.accepted > 0)


def _is_fix_of(drift: Drift, finding: Finding, seq: I64) -> bool:
    """This drift is what fixed a finding, as was seen before."""
    if finding.status != FIXED or finding.fixed_seq is None or (finding.change > 0) == (drift.change > 0):
        return False
    fixed = _position(seq, finding.fixed_seq)
    begin, end = _position(seq, drift.before_seq), _position(seq, drift.after_seq)
    return begin - _NEAR_RUNS <= fixed <= end + _NEAR_RUNS


def _takes_back(drift: Drift, finding: Finding, smallest: float) -> bool:
    """A change that ends within reach of the level from before a finding undoes it."""
    if finding.status not in (NEW, ACKNOWLEDGED) or finding.worse is False:
        return False
    if (finding.change > 0) == (drift.change > 0) or finding.at_seq >= drift.at_seq:
        return False
    spread = abs(drift.high - drift.low) / 2 + abs(finding.high - finding.low) / 2
    return abs(drift.level_after - finding.level_before) <= max(smallest, spread)


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
    )


def acknowledged(finding: Finding, reason: str) -> Finding:
    """A finding that somebody accepts, at its present size."""
    return replace(finding, status=ACKNOWLEDGED, reason=reason, accepted=finding.change)


def alarming(finding: Finding, key: SeriesKey) -> bool:
    """Whether a finding fails a night: open, for the worse, and of the code rather than of a machine."""
    return finding.open and bool(finding.worse) and key.scope != ABSOLUTE and not finding.note
