"""``results/latest`` follows every ending of every command that measures, as the declarations list them."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import __main__ as loading
from harness import cli
from harness.front.terminal import TerminalPrinter
from harness.model.errors import BuildError, GuestError, QemuError, StoreError, ToolError
from harness.model.result import Result, ResultError
from harness.model.spec import ROOT, UsageError, Verdict
from harness.platform.files import latest as latest_of
from harness.platform.files import store
from harness.settings import MEASURING, Arguments, settings_of

ERRORS: dict[str, tuple[BaseException, int]] = {
    "usage": (UsageError("no such thing"), 2),
    "build": (BuildError("does not build"), 2),
    "guest": (GuestError("the guest hangs"), 3),
    "tool": (ToolError("no compiler"), 5),
    "qemu": (QemuError("QEMU is gone"), 5),
    "store": (StoreError("no room"), 5),
    "result": (ResultError("damaged"), 5),
    "host": (OSError(errno.ENOSPC, "No space left on device", "x"), 5),
    "bug": (ZeroDivisionError(), 5),
    "memory": (MemoryError(), 5),
    "interrupt": (KeyboardInterrupt(), 5),
}
NEEDED = {"bisect": ("GOOD=a", "BAD=b")}


@pytest.fixture
def latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The link to the latest run, in a place of its own where one has passed."""
    monkeypatch.setattr(latest_of, "RESULTS_DIR", tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    keep(tmp_path)
    return tmp_path / "latest"


def keep(root: Path, verdict: Verdict = Verdict.PASS) -> Path:
    return store.RunFolder("perf", root).commit(Result("perf", verdict, "said", "2026-01-01T00:00:00+00:00", 1.0))


def run(command: str, main: object, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(main=main))
    return cli.main([command, *NEEDED.get(command, ()), *words])


@pytest.mark.parametrize("ending", ERRORS)
@pytest.mark.parametrize("command", MEASURING)
@pytest.mark.slow
def test_every_error_of_every_command(command: str, ending: str, latest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error, code = ERRORS[ending]

    def fail(arguments: Arguments, out: object) -> Verdict:
        raise error

    assert run(command, fail, monkeypatch) == code
    assert (latest / "exit_code").read_text() == f"{code}\n"
    assert (latest / "ending.txt").read_text().startswith(f"{command}: ")


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("command", MEASURING)
@pytest.mark.slow
def test_every_verdict_that_left_no_result(
    command: str, verdict: Verdict, latest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(command, lambda arguments, out: verdict, monkeypatch) == verdict.exit_code
    assert (latest / "exit_code").read_text() == f"{verdict.exit_code}\n"
    assert not (latest / "result.json").exists()


def test_output_that_cannot_be_written(latest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(printer: TerminalPrinter, *what: object, **how: object) -> None:
        printer.lost = "No space left on device"

    def measure(arguments: Arguments, out: object) -> Verdict:
        keep(latest.parent)
        return Verdict.PASS

    monkeypatch.setattr(TerminalPrinter, "_print", lose)
    assert run("perf", measure, monkeypatch) == 5
    assert (latest / "exit_code").read_text() == "5\n"
    assert "output cannot be written: No space left" in (latest / "ending.txt").read_text()


@pytest.mark.parametrize("command", MEASURING)
@pytest.mark.slow
def test_every_refused_setting(command: str, latest: Path) -> None:
    for word in (*(f"{name}=" for name in settings_of(command)), "nonesuch=1", "--nonesuch", "none such"):
        latest_of.record_ending("perf", Verdict.PASS, "pass", {}, latest.parent)
        assert cli.main([command, word]) == 2
        assert (latest / "exit_code").read_text() == "2\n", word


@pytest.mark.parametrize("codes", [(0, 1, 0), (3, 0, 0), (0, 0, 4), (2, 3, 5), (0, 0, 0), (2, 2, 0)])
@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.slow
def test_of_several_runs_the_one_that_decides(
    codes: tuple[int, ...], stored: bool, latest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a result each, and without: then the deciding ending has been replaced, and is said again."""
    left = list(codes)
    verdicts = {verdict.exit_code: verdict for verdict in Verdict}
    folders: dict[int, Path] = {}

    def measure(arguments: Arguments, out: object) -> Verdict:
        verdict = verdicts[left.pop(0)]
        if stored:
            folders.setdefault(verdict.exit_code, keep(latest.parent, verdict))
        return verdict

    worst = Verdict.worst(verdicts[code] for code in codes).exit_code
    assert run("perf", measure, monkeypatch, "ARCH=all") == worst
    assert (latest / "exit_code").read_text() == f"{worst}\n"
    if stored:
        assert latest.resolve() == (folders[worst] if worst else latest.resolve())


def test_what_hinders_the_loading(latest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "NEEDED", ("nonesuch",))
    monkeypatch.setattr(loading, "DEBIAN_PYTHON", sys.executable)
    for command, code in (("doctor", "0"), ("perf", "5")):
        monkeypatch.setattr(sys, "argv", ["harness", command])
        assert loading._reexecute() == 5
        assert (latest / "exit_code").read_text() == f"{code}\n"


@pytest.mark.parametrize(("command", "code"), [("perf", "5"), ("doctor", "0"), ("../perf", "0"), ("nonesuch", "0")])
def test_a_python_that_was_killed(command: str, code: str, latest: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -9 $$\n")
    python.chmod(0o755)
    done = subprocess.run(
        [ROOT / "ci" / "harness", command],
        env=os.environ | {"HARNESS_PYTHON": str(python), "HARNESS_RESULTS": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 5 and (latest / "exit_code").read_text() == f"{code}\n"
    keep(tmp_path)
    keep(tmp_path)
    assert not list(tmp_path.glob(".*")), "a later run clears it"
