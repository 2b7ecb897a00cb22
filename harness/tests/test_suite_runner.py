"""``ci/test``: what it runs, what it says while it runs, and what it counts."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.model.spec import ROOT


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("suite_runner", str(ROOT / "ci" / "test"))
    spec = importlib.util.spec_from_loader("suite_runner", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["suite_runner"] = module
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


@pytest.mark.parametrize(
    ("words", "names", "holds"),
    [
        ([], ["check", "native", "guest", "own-gate", "harness"], "not full"),
        (["full"], ["check", "native", "guest", "own-gate", "harness"], "-p"),
        (["quick"], ["harness"], "not qemu and not full and not slow"),
        (["T=native"], ["native"], "hosttest"),
        (["T=gates", "K=floor"], ["harness"], "harness/tests/test_gates.py"),
        (["K=floor"], ["harness"], "floor"),
        (["T=gates,check"], ["check", "harness"], "harness/tests/test_gates.py"),
    ],
)
def test_words_choose(runner: ModuleType, words: list[str], names: list[str], holds: str) -> None:
    suites = runner.chosen(words)
    assert [suite.name for suite in suites] == names
    assert holds in suites[-1].command


@pytest.mark.parametrize("word", ["T=nonesuch", "t=gates", "K", "T=", "fast", "T=../conftest"])
def test_other_words_are_refused(runner: ModuleType, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        runner.chosen([word])
    assert ended.value.code == 2 and capsys.readouterr().out.startswith("usage: ")


def test_a_typo_gets_the_nearest_name(runner: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    for word, near in (("T=gate", "T=gates"), ("T=natve", "T=native")):
        with pytest.raises(SystemExit):
            runner.chosen([word])
        assert f"{word}: no such tests; did you mean {near}?" in capsys.readouterr().out


def test_a_name_that_no_test_has_is_a_usage_error(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "print('=== no tests ran in 0.10s ===')"
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    monkeypatch.setattr(runner, "every", lambda *_: [runner.Suite("harness", (sys.executable, "-c", said))])
    with pytest.raises(SystemExit) as ended:
        runner.main(["K=nonesuch"])
    assert ended.value.code == 2 and "usage: K=nonesuch: no test has such a name" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("log", "status", "passed", "failed"),
    [
        ("=== 3 failed, 4 passed, 1 skipped in 5.00s ===", 1, 4, 3),
        ("=== 4 passed, 2 errors in 5.00s ===", 1, 4, 2),
        ("ok 1\n12 passed, 0 failed\n", 0, 12, 0),
        ("12 passed, 0 failed\nSegmentation fault", -11, 12, 1),
        ("", 0, 0, 1),
        ("no tests ran in 0.1s", 5, 0, 1),
    ],
)
def test_no_ending_is_green_by_accident(runner: ModuleType, log: str, status: int, passed: int, failed: int) -> None:
    counted = runner.count(log, status)
    assert (counted.passed, counted.failed) == (passed, failed)


def test_a_failure_is_said_at_once(runner: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    progress = runner.Progress("harness")
    for line in (
        "gw0 [123] / gw1 [123]\n",
        "[gw0] [ 10%] PASSED harness/tests/test_x.py::test_a \n",
        "[gw1] [ 20%] FAILED harness/tests/test_x.py::test_b[a b] \n",
        "[gw0] node down: Not properly terminated\n",
    ):
        runner.follow(line, progress)
    assert (progress.total, progress.done, progress.bad) == (123, 2, 1)
    assert capsys.readouterr().out.splitlines() == [
        "FAIL harness/tests/test_x.py::test_b[a b]",
        "a worker was killed: [gw0] node down: Not properly terminated",
    ]


def test_a_log_gets_a_line_a_minute(runner: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    progress = runner.Progress("native")
    progress.show()
    assert capsys.readouterr().out == ""
    progress.said -= runner.LINE_EVERY_S
    progress.show()
    progress.show()
    assert capsys.readouterr().out == "native     0 tests, 0 s\n"


@pytest.mark.parametrize(("code", "passes"), [(0, True), (4, True), (1, False), (2, False), (3, False), (5, False)])
def test_the_suite_of_the_gate_fails_where_the_tree_is_red(tmp_path: Path, code: int, passes: bool) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase $* in *" -m harness "*) exit {code};; esac\n')
    python.chmod(0o755)
    environment = os.environ | {"HARNESS_PYTHON": str(python)}
    done = subprocess.run(
        [ROOT / "ci" / "gate"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode == 0) is passes
    assert done.stdout.splitlines()[-1] == ("1 passed, 0 failed" if passes else "0 passed, 1 failed")
