"""From the history to its findings: every series analysed, every finding brought up to date and stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.history.drift import Drift, DriftSettings, Movement, SeriesData, find_drifts
from harness.history.finding_store import load_findings, store_analysis, store_findings
from harness.history.findings import acknowledged, alarming, follow
from harness.history.pending import pending
from harness.history.series import FIXED, WITHDRAWN, Finding, SeriesKey
from harness.history.store import History, RunRow, SeriesTip, StoredSeries
from harness.model.spec import UsageError

ANALYSIS = 2
"""Raise this when the same points must give other findings: all series are then analysed again."""
WINDOW = 1000
"""Newest runs of a series that are analysed: a night's work does not grow with the years."""
MARGIN = 100
"""Runs at the old end of the window in which no finding is made or withdrawn."""
_KEPT = 64
"""Series that stay in memory."""


class SeriesOnDemand(Mapping[int, StoredSeries]):
    """Every series by its number, read when it is looked at."""

    def __init__(self, history: History, keys: Mapping[int, SeriesKey]) -> None:
        self._history = history
        self._keys = keys
        self._known: dict[int, StoredSeries] = {}

    def __getitem__(self, number: int) -> StoredSeries:
        if number not in self._known:
            if len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[number] = self._history.series(number, self._keys[number])
        return self._known[number]

    def __contains__(self, number: object) -> bool:
        return number in self._keys

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


@dataclass(frozen=True)
class Survey:
    """The history at a glance."""

    runs: Mapping[int, RunRow]
    """By number, oldest first."""
    keys: Mapping[int, SeriesKey]
    series: Mapping[int, StoredSeries]
    tips: Mapping[int, SeriesTip]
    findings: tuple[Finding, ...]
    """All of them, by series and then by time."""

    @property
    def newest_seq(self) -> int:
        return max(self.runs, default=0)

    def alarming(self) -> tuple[Finding, ...]:
        """Findings that fail a nightly run."""
        return tuple(finding for finding in self.findings if alarming(finding, self.keys[finding.series_id]))

    def fresh(self, since: int) -> tuple[Finding, ...]:
        """Findings that no analysis had shown before run ``since`` was added."""
        return tuple(f for f in self.findings if f.found_seq > since and f.status != WITHDRAWN)


def rule_of(settings: DriftSettings) -> str:
    """What findings depend on beside the points."""
    return f"{ANALYSIS} {sorted(settings.smallest.items())} {settings.weak_p} {settings.strong_p}"


def survey(history: History, settings: DriftSettings = DriftSettings()) -> Survey:
    """Analyse the newest runs of every series that has new ones, and store what changed.

    Other series keep their findings, and so does every series those that began before its newest ``WINDOW`` runs.
    """
    rule = rule_of(settings)
    todo = pending(history, rule)
    before = read(history)
    known: dict[int, list[Finding]] = {}
    for finding in before.findings:
        known.setdefault(finding.series_id, []).append(finding)
    hosts = {name: number for number, name in enumerate(sorted({run.host for run in before.runs.values()}))}
    newest = (history.series(number, key, WINDOW) for number, key in before.keys.items() if number in todo.series)
    data = [one for one in (_data(series, before.runs, hosts) for series in newest) if len(one.value)]
    changed: list[Finding] = []
    kept: list[Finding] = []
    for series, found in _drifts_of(data, settings, before):
        settled, open_ones, found = _within(series, known.pop(series.id, []), found, before.tips[series.id].count)
        smallest = settings.smallest[series.key.scope]
        followed = follow(open_ones, found, series.seq, before.newest_seq, smallest, int(series.seq[0]))
        changed += followed.changed
        kept += (*settled, *followed.unchanged)
    kept += [finding for rest in known.values() for finding in rest]
    stored = store_analysis(history, changed, todo.runs, rule)
    findings = sorted((*kept, *stored), key=lambda finding: (finding.series_id, finding.at_seq))
    return replace(before, findings=tuple(findings))


def _within(
    series: SeriesData, known: Sequence[Finding], found: Sequence[Drift], count: int
) -> tuple[list[Finding], list[Finding], list[Drift]]:
    """Findings from before the runs that were analysed, the others, and the drifts that are none of the former.

    Changes near the edge of what was analysed cannot be told apart from older ones, nor be shown again.
    """
    if count <= len(series.seq) or len(series.seq) <= MARGIN:
        return [], list(known), list(found)
    edge = int(series.seq[MARGIN])
    settled = [finding for finding in known if finding.before_seq < edge]
    inside = [
        drift
        for drift in found
        if drift.at_seq >= edge
        and not any(f.after_seq > drift.before_seq and (f.change > 0) == (drift.change > 0) for f in settled)
    ]
    return settled, [finding for finding in known if finding.before_seq >= edge], inside


def _drifts_of(
    data: Sequence[SeriesData], settings: DriftSettings, before: Survey
) -> Iterator[tuple[SeriesData, list[Drift]]]:
    """Series with everything that moved in each, beside what is known of the other series."""
    now = {one.id for one in data}
    beside = [
        Movement(f.series_id, before.keys[f.series_id], f.kind, f.before_seq, f.after_seq, f.change)
        for f in before.findings
        if f.series_id not in now and f.series_id in before.keys and f.status != WITHDRAWN
    ]
    drifts: dict[int, list[Drift]] = {}
    for drift in find_drifts(data, settings, beside):
        drifts.setdefault(drift.series_id, []).append(drift)
    for one in data:
        yield one, drifts.get(one.id, [])


def read(history: History) -> Survey:
    """Everything as it is stored, without a new analysis. The history must stay open while series are looked at."""
    keys = history.series_keys()
    runs = {run.seq: run for run in history.runs()}
    return Survey(runs, keys, SeriesOnDemand(history, keys), history.tips(), tuple(load_findings(history)))


def _data(series: StoredSeries, runs: Mapping[int, RunRow], numbers: Mapping[str, int]) -> SeriesData:
    """A series with the numbers of its hosts; a run that came after the runs were read waits for the next analysis."""
    read_then = np.array([seq in runs for seq in series.seq.tolist()], bool)
    seq, value = series.seq[read_then], series.value[read_then]
    hosts = [runs[one].host for one in seq.tolist()]
    named = {numbers[name]: name for name in set(hosts)}
    return SeriesData(series.id, series.key, seq, value, np.array([numbers[one] for one in hosts], np.int64), named)


def acknowledge(history: History, number: int, reason: str) -> Finding:
    """Accept a finding at its present size.

    Raises
    ------
    UsageError
        When there is no such finding, it needs none, or no reason is given.
    """
    finding = next((one for one in load_findings(history) if one.id == number), None)
    if finding is None:
        raise UsageError(f"finding {number}: there is none of that number; 'history findings' lists them")
    if finding.status in (FIXED, WITHDRAWN):
        raise UsageError(f"finding {number} is {finding.status}: there is nothing to acknowledge")
    if not reason.strip():
        raise UsageError('a reason is needed: history acknowledge FINDING=… REASON="…"')
    return store_findings(history, [acknowledged(finding, reason.strip())])[0]


def require(survey_of: Survey) -> None:
    """Refuse an empty history.

    Raises
    ------
    UsageError
        When there is no run.
    """
    if not survey_of.runs:
        raise UsageError("the history is empty: run 'make nightly' first, or 'make history import FILE=…'")
