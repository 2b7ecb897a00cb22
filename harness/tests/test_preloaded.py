"""What tests start from a process with the libraries loaded is what ``python3 -m harness`` is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from harness.robustness.preloaded import run_preloaded
from harness.tests.programs import run_started


@pytest.mark.parametrize(
    "words", [("perf", "FAULT=flip"), ("analyze", "/nowhere"), ("perf", "--json", "KERNEL=/nowhere"), ("help", "perf")]
)
@pytest.mark.slow
def test_both_say_and_return_the_same(tmp_path: Path, words: tuple[str, ...]) -> None:
    environment = {"PATH": "/nonexistent", "HARNESS_RESULTS": str(tmp_path / "results")}
    found = []
    for number, run in enumerate((run_started, run_preloaded)):
        folder = tmp_path / str(number)
        folder.mkdir()
        code = run(words, environment, folder, 60)
        found.append((code, (folder / "out").read_text(), (folder / "error").read_text()))
    assert found[0] == found[1] and found[0][1]


@pytest.mark.slow
def test_one_that_does_not_end_is_killed_and_the_next_one_runs(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HARNESS_RESULTS": str(tmp_path / "results")}
    with pytest.raises(subprocess.TimeoutExpired):
        run_preloaded(("perf", "--help"), environment, tmp_path, 0.0)
    assert run_preloaded(("perf", "FAULT=flip"), environment, tmp_path, 60) == 2
    assert "usage: FAULT=flip" in (tmp_path / "out").read_text()


@pytest.mark.slow
def test_a_server_that_was_killed_is_started_again(tmp_path: Path) -> None:
    environment = {"PATH": "/nonexistent", "HARNESS_RESULTS": str(tmp_path / "results")}
    run_preloaded(("help",), environment, tmp_path, 60)
    for one in psutil.Process().children():
        if "harness.robustness.preloaded" in one.cmdline():
            one.kill()
            psutil.wait_procs([one], 20)
    assert run_preloaded(("perf", "FAULT=flip"), environment, tmp_path, 60) == 2
