"""Two saved runs on one page."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from harness.commands.compare import main
from harness.gate.judging.rule_file import load_commit_url
from harness.model.result import Arm, Host, Metric, ReplayError, Result, result_to_json
from harness.model.spec import UsageError, Verdict
from harness.robustness.hostile import html_problems, markdown_problems
from harness.settings import Arguments
from harness.tests.test_report import result


class Kept:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, text: str) -> None:
        pass

    def table(self, title: str, header: object, rows: object) -> None:
        pass


def saved(folder: Path, name: str, made: Result) -> Path:
    run = folder / name
    run.mkdir()
    (run / "result.json").write_text(result_to_json(made), encoding="utf-8")
    (run / "report.html").write_text("<title>run</title>")
    np.savez_compressed(run / "timing.npz", **{"0-candidate": np.linspace(1, 2, 50), "0-reference": np.ones(50)})
    return run


def other() -> Result:
    metrics = {"fps_trace": Metric(404.0, "frames/s", "trace"), "spins_per_frame": Metric(5.0, "spins", "guest")}
    arms = {"candidate": Arm({"ARCH": "x86_64", "LOG": "frame"}, "e" * 64, metrics)}
    return dataclasses.replace(result(verdict=Verdict.PASS, host=Host("other", 4, "6", "Debian")), arms=arms)


def compared(folder: Path, *runs: Path) -> tuple[Verdict, str, str]:
    given = {"A": str(runs[0]), "B": str(runs[1]), "PAGE": str(folder / "made" / "page.html")}
    verdict = main(Arguments("compare", given), Kept())
    return verdict, (folder / "made" / "page.html").read_text(), (folder / "made" / "page.md").read_text()


def test_two_runs_stand_beside_each_other_and_nothing_is_judged(tmp_path: Path) -> None:
    runs = saved(tmp_path, "first", result()), saved(tmp_path, "second run", other())
    verdict, page, text = compared(tmp_path, *runs)
    assert verdict is Verdict.PASS and "second run (B) against first (A)" in page and "exit" not in text
    assert "+100.0 %" in page and "n/a" in page and 'class="plot"' in page
    assert "measured on different hosts" in page and "<strong>LOG</strong>" in page
    for link in re.findall(r'href="([^"]+)"', page):
        assert (tmp_path / "made" / link.replace("%20", " ")).is_file()
    assert html_problems(page) == [] and markdown_problems(text) == []
    assert 'class="verdict' not in page


def test_what_is_no_saved_run_is_refused_and_damage_is_named(tmp_path: Path) -> None:
    run = saved(tmp_path, "first", result())
    with pytest.raises(UsageError, match="no saved run"):
        compared(tmp_path, run, tmp_path / "nowhere")
    (run / "timing.npz").write_bytes(b"PK damaged")
    with pytest.raises(ReplayError, match="cannot be replayed: timing.npz is damaged"):
        compared(tmp_path, run, run)


def test_where_a_commit_is_shown_comes_from_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "perf.toml"
    config.write_text('[report]\ncommit_url = "https://example.org/{commit}"\n')
    assert load_commit_url(config) == "https://example.org/{commit}" and load_commit_url(None) == ""
    for wrong in ('[report]\ncommit_url = "javascript:{commit}"', '[report]\nurl = "https://x/{commit}"', "report = 1"):
        config.write_text(wrong)
        with pytest.raises(UsageError, match="commit_url"):
            load_commit_url(config)
