"""From the history to its findings: every series analysed, every finding brought up to date and stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.core.wording import signed_percent, span
from harness.history.drift import Drift, DriftSettings, SeriesData, find_drifts
from harness.history.finding_store import load_findings, store_findings
from harness.history.findings import acknowledged, alarming, follow
from harness.history.series import FIXED, STEP, WITHDRAWN, Finding, SeriesKey
from harness.history.store import History, RunRow, StoredSeries
from harness.model.spec import UsageError


@dataclass(frozen=True)
class Survey:
    """The history at a glance."""

    runs: Mapping[int, RunRow]
    """By number, oldest first."""
    keys: Mapping[int, SeriesKey]
    series: Mapping[int, StoredSeries]
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


def survey(history: History, settings: DriftSettings = DriftSettings()) -> Survey:
    """Analyse everything and store what changed."""
    before = read(history)
    hosts = {host: number for number, host in enumerate(sorted({run.host for run in before.runs.values()}))}
    data = [_data(series, before.runs, hosts) for series in before.series.values() if len(series.value)]
    known: dict[int, list[Finding]] = {}
    for finding in before.findings:
        known.setdefault(finding.series_id, []).append(finding)
    drifts: dict[int, list[Drift]] = {}
    for drift in find_drifts(data, settings):
        drifts.setdefault(drift.series_id, []).append(drift)
    oldest = {series.id: int(series.seq[0]) for series in data}
    changed: list[Finding] = []
    kept: list[Finding] = []
    for series in data:
        smallest = settings.smallest[series.key.scope]
        found = drifts.get(series.id, [])
        followed = follow(
            known.pop(series.id, []), found, series.seq, before.newest_seq, smallest, forget_before=oldest[series.id]
        )
        changed += followed.changed
        kept += followed.unchanged
    kept += [finding for rest in known.values() for finding in rest]
    stored = store_findings(history, changed) if changed else []
    findings = sorted((*kept, *stored), key=lambda finding: (finding.series_id, finding.at_seq))
    return Survey(before.runs, before.keys, before.series, tuple(findings))


def read(history: History) -> Survey:
    """Everything as it is stored, without a new analysis."""
    keys = history.series_keys()
    return Survey(
        {run.seq: run for run in history.runs()},
        keys,
        {number: history.series(number, key) for number, key in keys.items()},
        tuple(load_findings(history)),
    )


def _data(series: StoredSeries, runs: Mapping[int, RunRow], hosts: Mapping[str, int]) -> SeriesData:
    host = np.array([hosts[runs[seq].host] for seq in series.seq.tolist()], np.int64)
    return SeriesData(series.id, series.key, series.seq, series.value, host)


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


def commit_range(finding: Finding, runs: Mapping[int, RunRow]) -> str:
    """``near commit X..Y``, from the runs on either side."""
    before, after = (runs.get(seq) for seq in (finding.before_seq, finding.after_seq))
    first, last = (run.commit[:12] if run is not None and run.commit else "unknown" for run in (before, after))
    return f"at commit {last}, which both runs measured" if first == last else f"near commit {first}..{last}"


def finding_headline(finding: Finding, key: SeriesKey, runs: Mapping[int, RunRow]) -> str:
    """The change, its size and its place, without the cell."""
    direction = {True: "worse", False: "better", None: "changed"}[finding.worse]
    kind = "in one step" if finding.kind == STEP else "creeping"
    change = signed_percent(finding.change, 2)
    return f"{key.metric} ({key.scope}) {direction} {kind} by {change}, {commit_range(finding, runs)}"


def finding_details(finding: Finding) -> str:
    """How sure it is, what moved with it, and what speaks against it."""
    parts = [f"95 % interval {span(finding.low, finding.high, 2)}, {_p_words(finding.p)}"]
    if finding.companions:
        parts.append(
            "with it moved " + ", ".join(f"{name} {signed_percent(change)}" for name, change in finding.companions[:3])
        )
    if finding.note:
        parts.append(finding.note)
    return "; ".join(parts)


def _p_words(p: float) -> str:
    return f"p {p:.1g}" if p >= 1e-9 else "p below 1e-9"


def finding_sentence(finding: Finding, key: SeriesKey, runs: Mapping[int, RunRow]) -> str:
    """One finding in one sentence."""
    return f"{key.cell}: {finding_headline(finding, key, runs)}; {finding_details(finding)}"


def require(survey_of: Survey) -> None:
    """Refuse an empty history.

    Raises
    ------
    UsageError
        When there is no run.
    """
    if not survey_of.runs:
        raise UsageError("the history is empty: run 'make nightly' first, or 'make history import FILE=…'")
