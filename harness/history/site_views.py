"""What the pages of the site show, from a history and the results beside it."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.gate.judging.metrics import NEITHER, find_row
from harness.history.finding_words import change_words, finding_details, finding_headline
from harness.history.series import ABSOLUTE, NEW, RATIO, WITHDRAWN, Finding, SeriesKey
from harness.history.site import SPARK_RUNS, CellView, FindingView, RunView, SeriesLink, SeriesView, SiteView, by_cause
from harness.history.store import RunRow
from harness.history.survey import Survey
from harness.model.spec import Verdict

_LEADING = (("fps_trace", RATIO), ("instructions_per_frame", "exact"), ("fps_trace", ABSOLUTE))
"""What the overview shows of a cell: the first of these that it has."""


class _Shelf:
    """The results folders that have a report here."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._known: dict[str, bool] = {}

    def folder(self, run: RunRow | None) -> str:
        """The folder's name, or nothing where no report is behind it."""
        if run is None or not run.folder or "/" in run.folder:
            return ""
        if run.folder not in self._known:
            self._known[run.folder] = (self._results / run.folder / "report.html").is_file()
        return run.folder if self._known[run.folder] else ""


def series_views(look: Survey, results: Path) -> Iterator[SeriesView]:
    """Every series that has points, one at a time."""
    shelf = _Shelf(results)
    by_series = _findings_by_series(look, shelf)
    for series in (look.series[number] for number, tip in look.tips.items() if tip.count):
        rows = [look.runs[seq] for seq in series.seq.tolist()]
        hosts = list(dict.fromkeys(row.host for row in rows))
        runs = [RunView(r.started, r.commit, r.verdict, hosts.index(r.host), shelf.folder(r)) for r in rows]
        key = series.key
        metric = find_row(key.metric)
        yield SeriesView(
            id=series.id,
            cell=key.cell,
            metric=key.metric,
            scope=key.scope,
            context=key.context,
            unit="ratio" if key.scope == RATIO else metric.unit if metric else "",
            better=metric.better if metric else NEITHER,
            values=series.value.tolist(),
            lows=series.low.tolist(),
            highs=series.high.tolist(),
            runs=runs,
            hosts=hosts,
            findings=by_series.get(series.id, []),
        )


def _findings_by_series(look: Survey, shelf: _Shelf) -> dict[int, list[FindingView]]:
    views: dict[int, list[FindingView]] = {}
    for finding in look.findings:
        if finding.status != WITHDRAWN and finding.series_id in look.series:
            views.setdefault(finding.series_id, []).append(_finding_view(finding, look, shelf))
    return views


def _finding_view(finding: Finding, look: Survey, shelf: _Shelf) -> FindingView:
    seq, key = look.series[finding.series_id].seq, look.keys[finding.series_id]
    before, at, after = (int(seq.searchsorted(run)) for run in (finding.before_seq, finding.at_seq, finding.after_seq))
    return FindingView(
        number=finding.id or 0,
        status=finding.status,
        kind=finding.kind,
        worse=finding.worse,
        size=change_words(finding, key),
        cell=key.cell,
        headline=finding_headline(finding, key, look.runs),
        details=finding_details(finding, key),
        series_id=finding.series_id,
        before=before,
        at=at,
        after=after,
        before_folder=shelf.folder(look.runs.get(finding.before_seq)),
        after_folder=shelf.folder(look.runs.get(finding.after_seq)),
        reason=finding.reason,
        cause=(key.cell, finding.at_seq, finding.worse),
    )


def site_view(look: Survey, results: Path) -> SiteView:
    """The overview."""
    shelf = _Shelf(results)
    by_series = _findings_by_series(look, shelf)
    newest: dict[str, RunRow] = {run.cell: run for run in look.runs.values()}
    of_cell: dict[str, list[int]] = {}
    for number, key in look.keys.items():
        if look.tips[number].count:
            of_cell.setdefault(key.cell, []).append(number)
    cells = [
        _cell_view(run, look, of_cell.get(cell, []), by_series, shelf.folder(run))
        for cell, run in sorted(newest.items())
    ]
    views = [view for found in by_series.values() for view in found]
    waits: Callable[[FindingView], bool] = lambda view: view.status == NEW and view.worse is not False
    scopes = {number: key.scope for number, key in look.keys.items()}
    views = by_cause(sorted(views, key=lambda view: -view.number), scopes)
    return SiteView(
        written=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes"),
        runs=len(look.runs),
        cells=cells,
        open=[view for view in views if waits(view)],
        settled=[view for view in views if not waits(view)],
    )


def _cell_view(
    run: RunRow, look: Survey, mine: list[int], by_series: dict[int, list[FindingView]], folder: str
) -> CellView:
    keys = [look.keys[number] for number in mine]
    tips = [look.tips[number] for number in mine]
    links = [
        SeriesLink(number, key.metric, key.scope, key.context, tip.newest, tip.count)
        for number, key, tip in zip(mine, keys, tips)
    ]
    changes = [view for number in mine for view in by_series.get(number, [])]
    leading = _leading(keys)
    spark: list[float] = []
    marks: list[tuple[int, bool | None]] = []
    if leading is not None:
        series = look.series[mine[leading]]
        skipped = max(len(series.value) - SPARK_RUNS, 0)
        spark = [value for value in series.value[skipped:].tolist() if math.isfinite(value)]
        marks = [(v.at - skipped, v.worse) for v in by_series.get(series.id, []) if skipped <= v.at]
        changes = by_series.get(series.id, []) or changes
    return CellView(
        label=run.cell,
        verdict=Verdict(run.verdict),
        sentence=run.sentence,
        started=run.started,
        folder=folder,
        spark=spark,
        spark_label=f"{keys[leading].metric}, {keys[leading].scope}" if leading is not None else "",
        marks=marks,
        last_change=max(changes, key=lambda view: view.number) if changes else None,
        series=links,
    )


def _leading(keys: list[SeriesKey]) -> int | None:
    """Index of the series that stands for a cell; the newest context of the first metric that it has."""
    for metric, scope in _LEADING:
        found = [index for index, key in enumerate(keys) if (key.metric, key.scope) == (metric, scope)]
        if found:
            return found[-1]
    return None
