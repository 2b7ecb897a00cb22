"""The analysis of a history: of new runs only, of every host, and with the findings that a whole one would give."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from harness.history import schema
from harness.history.drift import DriftSettings
from harness.history.finding_store import store_analysis
from harness.history.finding_words import finding_sentence
from harness.history.jsonl import export_runs
from harness.history.pending import pending
from harness.history.series import RATIO, HistoryRun, SeriesKey, SeriesPoint
from harness.history.store import History, StoredSeries
from harness.history.survey import Survey, survey
from harness.robustness.history_samples import history_run
from harness.tests.databases import to_version_2

FIRST, SECOND = "a first CPU, 2 cores, QEMU 7.2.22, tcg", "a second CPU, 16 cores, QEMU 8.2.2, tcg"
pytestmark = pytest.mark.xdist_group("history_analysis")
"""One server of databases is enough."""
CONTEXT = "since kernel 0123"


def nights(cell: str, count: int, at: int, change: float, hosts: tuple[str, ...] = (FIRST,)) -> list[HistoryRun]:
    """Nights of a cell on hosts in turn; hosts differ by 3 %, and the code changes at a night."""
    rng = np.random.default_rng(len(cell) + count)
    found = []
    for night in range(count):
        host = night % len(hosts)
        value = math.exp(rng.normal(0, 0.003) + 0.03 * host + (change if night >= at else 0.0))
        point = SeriesPoint("fps_trace", RATIO, CONTEXT, value)
        run = history_run(night, cell, (point,))
        found.append(replace(run, run_id=f"{cell}-{night}", host=hosts[host]))
    return found


def said(look: Survey) -> list[str]:
    return [finding_sentence(finding, look.keys[finding.series_id], look.runs) for finding in look.findings]


@pytest.mark.slow
def test_only_series_with_new_runs_are_analysed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with History(url) as history:
        history.append_all([*nights("one", 40, 20, -0.03), *nights("two", 40, 40, 0.0)])
        first = survey(history)
        assert len(said(first)) == 1 and not pending(history, "another rule").runs
        read: list[int] = []
        whole = History.series

        def noted(self: History, number: int, key: SeriesKey, newest: int | None = None) -> StoredSeries:
            read.append(number)
            return whole(self, number, key, newest)

        monkeypatch.setattr(History, "series", noted)
        assert survey(history).findings == first.findings and read == []
        history.append(nights("two", 41, 41, 0.0)[-1])
        assert survey(history).findings == first.findings
        assert [first.keys[number].cell for number in read] == ["two"]


@pytest.mark.slow
def test_night_by_night_ends_with_the_findings_of_one_analysis(tmp_path: Path) -> None:
    runs = nights("one", 60, 30, -0.03, (FIRST, SECOND))
    with History(f"sqlite:///{tmp_path / 'nightly.db'}") as history:
        for run in runs:
            history.append(run)
            last = survey(history)
    with History(f"sqlite:///{tmp_path / 'whole.db'}") as history:
        history.append_all(runs)
        assert said(last) == said(survey(history)) != []


@pytest.mark.slow
def test_a_new_rule_analyses_everything_again(url: str) -> None:
    with History(url) as history:
        history.append_all(nights("one", 40, 20, -0.03))
        assert len(survey(history).findings) == 1
        coarse = DriftSettings(smallest={**DriftSettings().smallest, RATIO: 0.2})
        (finding,) = survey(history, coarse).findings
        assert finding.status == "withdrawn"


def test_a_run_that_arrives_while_others_are_analysed_is_not_forgotten(url: str) -> None:
    with History(url) as history:
        history.append(history_run(1))
        todo = pending(history, "rule")
        history.append(history_run(2))
        store_analysis(history, [], todo.runs, "rule")
        left = pending(history, "rule")
        assert [row.run_id for row in history.runs() if row.seq in left.runs] == ["2026-run-2"]
        assert len(left.series) == 1


def test_an_analysis_that_fails_leaves_its_runs_waiting(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with History(url) as history:
        history.append_all(nights("one", 40, 20, -0.03))

        def fail(*_: object) -> None:
            raise RuntimeError("the analysis was interrupted")

        monkeypatch.setattr("harness.history.finding_store.mark_analysed", fail)
        with pytest.raises(RuntimeError, match="interrupted"):
            survey(history)
        monkeypatch.undo()
        assert len(survey(history).findings) == 1


def test_hosts_are_rows_with_what_their_label_says(url: str) -> None:
    with History(url) as history:
        history.append_all(nights("one", 4, 4, 0.0, (FIRST, SECOND)))
        history.append(replace(history_run(9), host="a host"))
        with history.reading() as connection:
            rows = connection.execute(sa.select(schema.hosts).order_by(schema.hosts.c.label)).all()
        assert [tuple(row)[2:] for row in rows] == [
            ("a first CPU", 2, "7.2.22", "tcg"),
            (None, None, None, None),
            ("a second CPU", 16, "8.2.2", "tcg"),
        ]
        assert [row.host for row in history.runs()] == [FIRST, SECOND, FIRST, SECOND, "a host"]
        assert [(row.label, row.runs) for row in history.hosts()] == [("a host", 1), (SECOND, 2), (FIRST, 2)]


@pytest.mark.slow
def test_two_hosts_in_turn_are_one_series_and_one_that_differs_is_named(url: str) -> None:
    with History(url) as history:
        history.append_all(nights("same", 60, 30, -0.03, (FIRST, SECOND)))
        (sentence,) = said(survey(history))
        assert "worse in one step: frame time +2." in sentence and " only" not in sentence
    with History(url) as history:
        runs = nights("other", 60, 60, 0.0, (FIRST, SECOND))
        worse = [
            replace(run, points=(replace(run.points[0], value=(run.points[0].value or 0) * 0.96),))
            if run.host == SECOND and number >= 30
            else run
            for number, run in enumerate(runs)
        ]
        history.append_all(worse)
        (sentence,) = [sentence for sentence in said(survey(history)) if sentence.startswith("other")]
        assert f"on {SECOND} only" in sentence


@pytest.mark.slow
def test_a_history_of_version_2_keeps_runs_hosts_and_findings(url: str) -> None:
    runs = nights("one", 40, 20, -0.03, (FIRST, SECOND))
    with History(url) as history:
        history.append_all(runs)
        before, rows = survey(history), history.runs()
        with history.transaction() as connection:
            to_version_2(connection)
    with History(url) as history:
        assert history.runs() == rows and list(export_runs(history)) == runs
        assert history.tips() == before.tips and len(pending(history, "rule").runs) == 40
        after = survey(history)
        assert after.findings == before.findings
        assert not history.append(runs[0])


def test_tips_follow_points_and_pruning(url: str) -> None:
    with History(url) as history:
        points = (SeriesPoint("fps_trace", RATIO, CONTEXT, 1.5), SeriesPoint("frames", RATIO, CONTEXT, None))
        history.append(history_run(1, points=points))
        history.append(history_run(2, points=points[1:]))
        keys = history.series_keys()
        tips = {keys[number].metric: (tip.count, tip.newest) for number, tip in history.tips().items()}
        assert tips["fps_trace"] == (1, 1.5) and tips["frames"][0] == 0 and math.isnan(tips["frames"][1])


@pytest.mark.slow
def test_a_long_series_is_analysed_by_its_newest_runs_and_keeps_its_old_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window slides over a change: its finding stays, is found once, and a new one is found beside it."""
    monkeypatch.setattr("harness.history.survey.WINDOW", 60)
    monkeypatch.setattr("harness.history.survey.MARGIN", 12)
    runs = nights("one", 200, 40, -0.03)
    for number in range(150, 200):
        runs[number] = replace(runs[number], points=nights("one", 200, 40, -0.07)[number].points)
    with History(f"sqlite:///{tmp_path / 'history.db'}") as history:
        for begin in range(0, 200, 5):
            history.append_all(runs[begin : begin + 5])
            look = survey(history)
    places = [(finding.status, finding.kind, finding.at_seq) for finding in look.findings]
    assert [(status, kind) for status, kind, _ in places] == [("new", "step"), ("new", "step")]
    assert abs(places[0][2] - 41) <= 2 and abs(places[1][2] - 151) <= 2
