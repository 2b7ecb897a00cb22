"""The small line of a metric's past on a run's page: of runs like this one, in their order, and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.model.metric import Metric
from harness.model.result import Arm, Host, Result, result_to_json
from harness.model.spec import Verdict
from harness.report.past import past_values, sparkline
from harness.report.render import page
from harness.report.run_view import view_of

HOST = Host("one CPU", 2, "6.1", "Debian 12")


def result(day: int, fps: float, switches: dict[str, str] | None = None) -> Result:
    arm = Arm(switches or {"ARCH": "x86_64"}, "a" * 64, {"fps_trace": Metric(fps, "frames/s", "trace")})
    started = f"2026-01-{day:02d}T00:00:00+00:00"
    return Result("perf", Verdict.PASS, "pass: it is", started, 1.0, host=HOST, arms={"candidate": arm})


def kept(root: Path, run: Result) -> Path:
    folder = root / f"{run.started[:10].replace('-', '')}T000000Z-perf"
    folder.mkdir()
    (folder / "result.json").write_text(result_to_json(run), encoding="utf-8")
    return folder


def test_runs_like_this_one_are_found_in_their_order(tmp_path: Path) -> None:
    for day, fps in ((1, 100.0), (3, 300.0), (2, 200.0), (9, 900.0)):
        kept(tmp_path, result(day, fps))
    kept(tmp_path, result(4, 4.0, {"ARCH": "riscv64"}))
    kept(tmp_path, dataclasses.replace(result(5, 5.0), host=dataclasses.replace(HOST, cpu="another")))
    (tmp_path / "20260106T000000Z-perf").mkdir()
    (tmp_path / "20260106T000000Z-perf" / "result.json").write_text("{", encoding="utf-8")
    now = result(8, 400.0)
    assert past_values(now, kept(tmp_path, now)) == [100.0, 200.0, 300.0, 400.0], "later and other runs have no part"
    assert past_values(dataclasses.replace(now, command="ab"), tmp_path / "x") == []


def test_two_runs_show_no_course_and_three_do(tmp_path: Path) -> None:
    assert sparkline([1.0, 2.0]) is None
    found = sparkline([100.0, 90.0, 95.0])
    assert found is not None and found.words.endswith("3 runs like this one: 90 to 100 frames/s, now 95")
    flat = sparkline([5.0, 5.0, 5.0])
    assert flat is not None and "nan" not in flat.svg


def test_the_line_stands_on_the_first_screen_of_the_page(tmp_path: Path) -> None:
    for day in (1, 2):
        kept(tmp_path, result(day, 100.0 * day))
    now = result(3, 300.0)
    text = page(view_of(now, kept(tmp_path, now)))
    assert 'class="spark"' in text and text.index('class="spark"') < text.index("<details>")
