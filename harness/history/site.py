"""The history as a static site: an overview by cell, and a page a series with a plot that zooms.

Everything is a plain file that opens from disk: no server, no network, each page complete in itself. Pages are rendered
from the views below, which hold nothing but what is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2
from markupsafe import Markup

from harness.core.wording import amount
from harness.history.series import CREEP, NEW, RATIO
from harness.model.spec import UsageError, Verdict
from harness.platform.files.atomic import whole_folder
from harness.platform.files.bounded import read_bounded
from harness.report.render import TEMPLATES, environment, source_policy
from harness.report.words import label_of, when_words

_SPARK_WIDTH, _SPARK_HEIGHT = 160, 28
SPARK_RUNS = 90
TITLE = "performance history"
"""The overview's title. A folder whose index has it may be replaced."""
SHOWN_RUNS, OPEN_RUNS = 40, 10
"""Runs in the table of a series, the newest first, and those of them that are not folded."""


@dataclass(frozen=True)
class FindingView:
    """One finding."""

    number: int
    status: str
    kind: str
    worse: bool | None
    size: str
    """It in words: of a frame rate, the change of frame time."""
    cell: str
    headline: str
    details: str
    series_id: int
    before: int
    """Positions in the series: the last run before the change, …"""
    at: int
    after: int
    """… and the first one after it."""
    before_folder: str
    after_folder: str
    """Results folders with a report, relative to the results; empty where there is none."""
    reason: str = ""
    cause: tuple[str, int, bool | None] = ("", 0, None)
    """Cell, run and direction: what moved in the same run of the same cell has one cause."""
    also: tuple["FindingView", ...] = ()
    """Other metrics that the same cause moved."""

    @property
    def tone(self) -> str:
        """CSS class."""
        if self.status != NEW or self.worse is None:
            return "muted"
        return "bad" if self.worse else "good"

    @property
    def symbol(self) -> str:
        return {True: "▼", False: "▲", None: "◆"}[self.worse]


@dataclass(frozen=True)
class RunView:
    """One run behind a point."""

    started: str
    commit: str
    verdict: str
    host: int
    """Index into the series' hosts."""
    folder: str
    """Results folder with a report; empty where there is none."""


@dataclass(frozen=True)
class SeriesView:
    """One series with everything on its page."""

    id: int
    cell: str
    metric: str
    scope: str
    context: str
    unit: str
    better: str
    """``higher``, ``lower`` or ``neither``."""
    values: Sequence[float]
    lows: Sequence[float]
    """NaN where a point has no interval."""
    highs: Sequence[float]
    runs: Sequence[RunView]
    hosts: Sequence[str]
    findings: Sequence[FindingView]

    @property
    def page(self) -> str:
        return f"series/{self.id}.html"


@dataclass(frozen=True)
class SeriesLink:
    """A series as the overview names it."""

    id: int
    metric: str
    scope: str
    context: str
    newest: float
    count: int


@dataclass(frozen=True)
class CellView:
    """One cell of the overview."""

    label: str
    verdict: Verdict
    sentence: str
    started: str
    folder: str
    spark: Sequence[float]
    """Newest values of its leading series, oldest first."""
    spark_label: str
    marks: Sequence[tuple[int, bool | None]]
    """Positions in ``spark`` where something changed, and whether for the worse."""
    last_change: FindingView | None
    series: Sequence[SeriesLink]


@dataclass(frozen=True)
class SiteView:
    """The overview."""

    written: str
    runs: int
    cells: Sequence[CellView]
    open: Sequence[FindingView]
    """Findings that need somebody."""
    settled: Sequence[FindingView]
    """Findings that are acknowledged or fixed, or for the better."""


_SCOPE_RANK = {"ratio": 0, "exact": 1}


def by_cause(findings: Sequence[FindingView], scopes: Mapping[int, str]) -> list[FindingView]:
    """Findings with those of the same cause folded into the one that says most, in the order given.

    Parameters
    ----------
    scopes
        Scope of each series, by its number: a ratio says more than a count, a count more than an absolute figure.
    """
    causes: dict[tuple[str, int, bool | None, str], list[FindingView]] = {}
    for one in findings:
        causes.setdefault((*one.cause, one.status), []).append(one)
    led = []
    for group in causes.values():
        ranked = sorted(group, key=lambda one: _SCOPE_RANK.get(scopes.get(one.series_id, ""), 2))
        led.append(replace(ranked[0], also=tuple(ranked[1:])))
    return led


def sparkline(values: Sequence[float], marks: Sequence[tuple[int, bool | None]]) -> Markup:
    """A small picture of a series: its course, its changes, its newest value."""
    values = list(values)[-SPARK_RUNS:]
    if not values:
        return Markup("")
    low, high = min(values), max(values)
    span = high - low or 1.0
    across = (_SPARK_WIDTH - 8) / max(len(values) - 1, 1)
    spots = [(4 + i * across, 4 + (high - value) / span * (_SPARK_HEIGHT - 8)) for i, value in enumerate(values)]
    path = " ".join(f"{'M' if i == 0 else 'L'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(spots))
    parts = [f'<path class="course" d="{path}"/>']
    for position, worse in marks:
        x = spots[position][0]
        tone = {True: "bad", False: "good", None: "muted"}[worse]
        parts.append(f'<path class="mark {tone}" d="M{x:.1f} 1V{_SPARK_HEIGHT - 1}"/>')
    parts.append(f'<circle cx="{spots[-1][0]:.1f}" cy="{spots[-1][1]:.1f}" r="2.5"/>')
    size = f'width="{_SPARK_WIDTH}" height="{_SPARK_HEIGHT}" viewBox="0 0 {_SPARK_WIDTH} {_SPARK_HEIGHT}"'
    return Markup(f'<svg class="spark" {size} aria-hidden="true">{"".join(parts)}</svg>')


class Dashboard:
    """Renders pages of the site."""

    def __init__(self) -> None:
        self._environment = environment()
        self._environment.filters.update(label=label_of, when=when_words, amount=amount)
        self._environment.filters["zip_newest"] = lambda one, other, count: list(zip(one, other))[: -count - 1 : -1]
        self._environment.globals.update(open_runs=OPEN_RUNS, shown_runs=SHOWN_RUNS)
        # No bound needed: scripts of this tree.
        self._script = (TEMPLATES / "dashboard-plot.js").read_text(encoding="utf-8")
        self._policy = source_policy(self._script)

    def overview(self, site: SiteView) -> str:
        """``index.html``."""
        script = (TEMPLATES / "dashboard-filter.js").read_text(encoding="utf-8")
        return self._template("dashboard-overview.html.j2").render(
            title=TITLE,
            site=site,
            sparkline=sparkline,
            script=Markup(script),
            script_policy=source_policy(script),
        )

    def series_page(self, series: SeriesView) -> str:
        """``series/<id>.html``."""
        return self._template("dashboard-series.html.j2").render(
            title=f"{series.metric}: {series.cell}",
            series=series,
            data=_plot_data(series),
            script=Markup(self._script),
            script_policy=self._policy,
        )

    def _template(self, name: str) -> jinja2.Template:
        return self._environment.get_template(name)


def _plot_data(series: SeriesView) -> dict[str, object]:
    """Data of the plot, as compact JSON."""
    return {
        "unit": series.unit,
        "axis": _axis(series),
        "scope": series.scope,
        "hosts": list(series.hosts),
        "points": [
            [
                _figure(value),
                _figure(low),
                _figure(high),
                run.host,
                run.started,
                run.commit[:12],
                run.verdict,
                run.folder,
            ]
            for value, low, high, run in zip(series.values, series.lows, series.highs, series.runs)
        ],
        "findings": [
            [
                f.before,
                f.at,
                f.after,
                f"{f.symbol} {f.size}",
                f.tone,
                f"finding {f.number}, {f.status}",
                f.kind == CREEP,
            ]
            for f in series.findings
        ],
    }


def _axis(series: SeriesView) -> str:
    """What stands beside the plot's scale: the metric's name, and its unit where it has one."""
    if series.scope == RATIO:
        return f"{label_of(series.metric)}, candidate / reference"
    return ", ".join(word for word in (label_of(series.metric), series.unit) if word)


def _figure(value: float) -> float | None:
    return float(f"{value:.7g}") if math.isfinite(value) else None


def write_site(site: SiteView, series: Iterable[SeriesView], folder: Path) -> int:
    """Replace the whole site at once; returns how many pages it has.

    Raises
    ------
    UsageError
        When something else than a site is there, which would be gone.
    """
    _check_place(folder)
    dashboard = Dashboard()
    pages = 1
    with whole_folder(folder) as part:
        (part / "series").mkdir()
        (part / "index.html").write_text(dashboard.overview(site), encoding="utf-8")
        for one in series:
            (part / one.page).write_text(dashboard.series_page(one), encoding="utf-8")
            pages += 1
    return pages


def _check_place(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    names = {path.name for path in folder.iterdir()}
    index = folder / "index.html"
    ours = index.is_file() and f"<title>{TITLE}</title>".encode() in read_bounded(index)
    if names and not (ours and "series" in names):
        raise UsageError(f"{folder} holds something else than a site, which would be removed: name another folder")
    more = sorted(name for name in names - {"series"} if not name.endswith(".html"))
    if more:
        raise UsageError(f"{folder} holds {more[0]} beside a site, which would be removed: name another folder")
