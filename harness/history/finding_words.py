"""Findings in words: what moved, by how much, where, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.core.wording import signed_percent, span
from harness.history.series import STEP, Finding, SeriesKey
from harness.history.store import RunRow
from harness.report.words import label_of


def commit_range(finding: Finding, runs: Mapping[int, RunRow]) -> str:
    """``near commit X..Y``, from the runs on either side."""
    before, after = (runs.get(seq) for seq in (finding.before_seq, finding.after_seq))
    first, last = (run.commit[:12] if run is not None and run.commit else "unknown" for run in (before, after))
    return f"at commit {last}, which both runs measured" if first == last else f"near commit {first}..{last}"


def finding_headline(finding: Finding, key: SeriesKey, runs: Mapping[int, RunRow]) -> str:
    """The change, its size and its place, without the cell."""
    direction = {True: "worse", False: "better", None: "changed"}[finding.worse]
    kind = "in one step" if finding.kind == STEP else "creeping"
    host = f" on {finding.host} only" if finding.host else ""
    where = commit_range(finding, runs)
    return f"{label_of(key.metric)} ({key.scope}) {direction} {kind}{host}: {change_words(finding, key)}, {where}"


def change_words(finding: Finding, key: SeriesKey) -> str:
    """The size of a change; of a frame rate, that of frame time: + is slower."""
    return _change_words(key.metric, finding.change, 2)


def _change_words(metric: str, change: float, digits: int = 1) -> str:
    """``frame time +3.1 %`` of a frame rate that fell by 3 %, ``+0.4 %`` of anything else."""
    if not _is_rate(metric):
        return signed_percent(change, digits)
    return f"frame time {signed_percent(_of_time(change), digits)}"


def _companion_words(name: str, change: float) -> str:
    """One that moved with it, of ``metric (scope)``."""
    metric = name.partition(" (")[0]
    return _change_words(metric, change) if _is_rate(metric) else f"{label_of(metric)} {signed_percent(change)}"


def _is_rate(metric: str) -> bool:
    return metric.startswith("fps")


def _of_time(change: float) -> float:
    """A change of a rate as one of time."""
    return 1 / (1 + change) - 1 if change > -1 else math.inf


def finding_details(finding: Finding, key: SeriesKey) -> str:
    """How sure it is, what moved with it, and what speaks against it."""
    low, high = finding.low, finding.high
    if _is_rate(key.metric):
        low, high = _of_time(high), _of_time(low)
    parts = [f"95 % interval {span(low, high, 2)}, {_p_words(finding.p)}"]
    if finding.companions:
        moved = [_companion_words(name, change) for name, change in finding.companions[:3]]
        parts.append(f"with it moved {', '.join(moved)}")
    if finding.note:
        parts.append(finding.note)
    return "; ".join(parts)


def _p_words(p: float) -> str:
    return f"p {p:.1g}" if p >= 1e-9 else "p below 1e-9"


def finding_sentence(finding: Finding, key: SeriesKey, runs: Mapping[int, RunRow]) -> str:
    """One finding in one sentence."""
    return f"{key.cell}: {finding_headline(finding, key, runs)}; {finding_details(finding, key)}"
