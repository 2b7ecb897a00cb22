"""The command line: words in, and whatever happens the right code out."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import cli
from harness.front.terminal import TerminalPrinter
from harness.front.words import parse
from harness.model.errors import BuildError, GuestError, HarnessError, QemuError, StoreError, ToolError
from harness.model.result import Result, ResultError
from harness.model.spec import ROOT, UsageError, Verdict
from harness.platform.files import latest as latest_of
from harness.platform.files import store
from harness.settings import MEASURING, Arguments


def run_with(command: object, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the command line with a function that replaces ``perf``."""
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(main=command))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return cli.main(["perf", *words])


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_said_and_becomes_its_code(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(lambda arguments, out: verdict, monkeypatch) == verdict.exit_code
    assert capsys.readouterr().out.splitlines()[-1] == f"verdict: {verdict.value} (exit {verdict.exit_code})"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (UsageError("LOG=x: unknown value"), 2, "usage: LOG=x: unknown value"),
        (GuestError("the guest hangs", Path("serial.log")), 3, "guest-failed: the guest hangs\n  evidence: serial.log"),
        (QemuError("QEMU is gone"), 5, "harness-failed: QEMU is gone"),
        (StoreError("no room"), 5, "harness-failed: no room"),
        (BuildError("does not build"), 2, "usage: does not build"),
        (ToolError("no compiler"), 5, "harness-failed: no compiler"),
        (HarnessError("something"), 5, "harness-failed: something"),
        (ResultError("baseline damaged"), 5, "harness-failed: baseline damaged"),
        (OSError(28, "No space left on device", "trace.log"), 5, "harness-failed: trace.log: No space left on device"),
        (OSError(28, "No space left on device", "here", None, "there"), 5, "harness-failed: there: No space left"),
        (OSError(27, "File too large"), 5, "harness-failed: File too large ('ulimit -f' shows a limit)"),
        (KeyboardInterrupt(), 5, "harness-failed: interrupted"),
        (ZeroDivisionError("by nought"), 5, "a fault of the harness itself: ZeroDivisionError: by nought"),
        (
            MemoryError(),
            5,
            "harness-failed: not enough memory ('ulimit -v' shows a limit): no more is given\nnext: make do",
        ),
        (RuntimeError("can't start new thread"), 5, "harness-failed: not enough processes ('ulimit -u' shows a limit)"),
        (
            ImportError("libx.so: no room", name="cv2"),
            5,
            "harness-failed: cv2 cannot be loaded: libx.so: no room\nnext",
        ),
        (ImportError("no name", name="harness.core"), 5, "a fault of the harness itself: ImportError: no name"),
        (OSError(36, "File name too long", "x" * 300), 2, f"usage: {'x' * 60}… (300 characters): File name too long"),
    ],
)
@pytest.mark.slow
def test_an_error_has_its_code_and_words(
    error: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(arguments: Arguments, out: object) -> Verdict:
        raise error

    assert run_with(fail, monkeypatch) == code
    assert says in capsys.readouterr().out


def test_words_are_split_into_settings_options_and_the_rest() -> None:
    arguments = parse(["perf", "LOG=frame", "OPTS=seed=1 first=2", "--json"])
    given = {"LOG": "frame", "OPTS": "seed=1 first=2"}
    assert arguments == Arguments("perf", given, frozenset({"json"}))
    assert parse(["history", "export", "x"]).words == ("export", "x")


@pytest.mark.parametrize("words", [["nonesuch"], ["perf", "LOG=frame", "LOG=none"]])
def test_words_that_make_no_sense_are_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match="no such command|given twice"):
        parse(words)


def test_text_of_a_guest_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def speak(arguments: Arguments, out: TerminalPrinter) -> Verdict:
        out.line("\x1b[2J[red]wheel[/red]\a\u202eleft")
        out.table("[bold]t", ["[b]"], [["\x1b]0;title\a"]])
        return Verdict.PASS

    assert run_with(speak, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "\\x1b[2J[red]wheel[/red]\\x07\\x202eleft" in said and "\\x1b]0;title\\x07" in said
    assert "\x1b" not in said and "\a" not in said


def test_a_reader_that_has_gone_changes_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "help"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def _program(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """A module beside the harness's own, run as a user runs one."""
    (folder / "program.py").write_text(source)
    return subprocess.run(
        [sys.executable, "-m", "program"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{folder}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


_INTERRUPTED = """
import sys
from harness import cli

def interrupted(*_):
    exec("import os, signal; os.kill(os.getpid(), signal.SIGINT); [None for _ in range(10**6)]")

cli._run = interrupted
sys.exit(cli.main(["perf"]))
"""


@pytest.mark.slow
def test_an_interrupt_inside_the_making_of_a_class_has_its_code(tmp_path: Path) -> None:
    """Python would end itself by SIGINT after a KeyboardInterrupt there, even where it was caught."""
    done = _program(tmp_path, _INTERRUPTED)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "interrupted" in done.stdout


_DROPPED = """
import os, signal, sys, time
from harness import cli
from harness.model.spec import Verdict

class Slow:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        [None for _ in range(10**6)]

def interrupted(*_):
    Slow()
    time.sleep(20)
    return Verdict.PASS

cli._run = interrupted
sys.exit(cli.main(["perf"]))
"""


@pytest.mark.slow
def test_an_interrupt_inside_a_destructor_is_heard_all_the_same(tmp_path: Path) -> None:
    """Python prints what a destructor raises, and goes on."""
    done = _program(tmp_path, _DROPPED)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "interrupted" in done.stdout and "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["help"], ["compare", "A=none", "B=none"]])
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.slow
def test_closed_streams_change_no_code(closed: str, words: list[str]) -> None:
    """Nor does a file that is opened later take the place of one of them."""
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "harness", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0 if words == ["help"] else 2, b"")


def test_a_console_that_was_interrupted_while_it_printed_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TerminalPrinter()
    printer._console._enter_buffer()  # as an interrupt leaves it between this and the end of a print
    printer.line("lost")
    printer.renew()
    printer.line("harness-failed: interrupted")
    assert capsys.readouterr().out == "harness-failed: interrupted\n"


def test_runs_of_several_values_end_with_one_table_and_the_worst_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gate(arguments: Arguments, out: object) -> Verdict:
        if arguments.switches["BARRIER"] == "linux":
            raise GuestError("the guest hangs")
        return Verdict.PASS

    assert run_with(gate, monkeypatch, "BARRIER=linux,acquire_load") == 3
    said = capsys.readouterr().out
    first = "1 of 2: make perf BARRIER=linux\nguest-failed: the guest hangs\nnext: on a busy host, run it again\n"
    assert f"{first}2 of 2" in said
    assert [line.split()[0] for line in said.splitlines()[-3:]] == ["guest-failed", "pass", "verdict:"]


@pytest.fixture
def latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The link to the latest run, in a place of its own where one has passed."""
    monkeypatch.setattr(latest_of, "RESULTS_DIR", tmp_path)
    store.RunFolder("perf", tmp_path).commit(Result("perf", Verdict.PASS, "pass", "2026-01-01T00:00:00+00:00", 1.0))
    return tmp_path / "latest"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("LOG=x: unknown value"), 2),
        (QemuError("qemu-system-x86_64 is not installed"), 5),
        (GuestError("the guest hangs"), 3),
        (KeyboardInterrupt(), 5),
        (ZeroDivisionError(), 5),
    ],
)
@pytest.mark.slow
def test_every_ending_of_a_run_is_the_latest(
    error: BaseException, code: int, latest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(arguments: Arguments, out: object) -> Verdict:
        raise error

    assert run_with(fail, monkeypatch) == code
    assert (latest / "exit_code").read_text() == f"{code}\n"
    comment = (latest / "report.md").read_text(encoding="utf-8")
    assert f"exit {code}" in comment and "make perf" in comment and (latest / "junit.xml").is_file()


def test_what_a_failed_run_left_stays_the_latest(
    latest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: Arguments, out: object) -> Verdict:
        with store.RunFolder("perf", latest.parent) as run:
            (run.path / "serial.log").write_text("[BOOT]")
            raise GuestError("the guest hangs", run.path / "serial.log")

    assert run_with(fail, monkeypatch) == 3
    assert (latest / "serial.log").read_text() == "[BOOT]" and (latest / "exit_code").read_text() == "3\n"
    assert "the guest hangs" in (latest / "report.html").read_text(encoding="utf-8")
    assert "how far the guest came" in (latest / "report.md").read_text(encoding="utf-8")
    assert f"evidence: {latest.resolve() / 'serial.log'}" in capsys.readouterr().out


def test_an_interrupt_after_the_result_says_where_it_is(
    latest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: Arguments, out: object) -> Verdict:
        with store.RunFolder("perf", latest.parent) as run:
            run.commit(Result("perf", Verdict.PASS, "pass", "2026-01-01T00:00:00+00:00", 1.0))
            raise KeyboardInterrupt

    assert run_with(fail, monkeypatch) == 5
    said = re.search(r"interrupted; the result is stored in (\S+)", capsys.readouterr().out)
    assert said and store.load_result(Path(said[1])).verdict is Verdict.PASS
    assert (latest / "exit_code").read_text() == "5\n"


@pytest.mark.parametrize("words", [("perf", "LOG=x"), ("perf", "nonesuch"), ("boot", "VIDEO=x"), ("ab", "A")])
def test_words_that_are_refused_are_an_ending(words: tuple[str, ...], latest: Path) -> None:
    assert cli.main(words) == 2
    assert (latest / "exit_code").read_text() == "2\n"


@pytest.mark.slow
def test_what_measures_nothing_leaves_the_latest(latest: Path) -> None:
    assert cli.main(["analyze", "RESULT=/nonexistent"]) == cli.main(["history", "nonesuch"]) == 2
    environment = os.environ | {"HARNESS_RESULTS": str(latest.parent)}
    for words in (["--version"], ["perf", "--help"], ["completion", "bash"], ["help"], ["--version", "x"]):
        subprocess.run(
            [sys.executable, "-m", "harness", *words], cwd=ROOT, env=environment, capture_output=True, check=False
        )
    assert (latest / "exit_code").read_text() == "0\n"


def test_every_command_that_keeps_runs_is_one_that_measures() -> None:
    folder = Path(cli.__file__).parent / "commands"
    assert sorted(MEASURING) == sorted(path.stem for path in folder.glob("*.py") if "RunFolder(" in path.read_text())


def test_tests_have_a_place_of_their_own_for_results() -> None:
    assert not store.RESULTS_DIR.is_relative_to(ROOT)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("analyze", "RESULT=results/none"), "RESULT=results/none"),
        (("explain", "RESULT=results/none"), "RESULT=results/none"),
        (("approve", "REASON=x", "RESULT=README.md"), "RESULT=README.md"),
        (("compare", "A=results/none", "B=results/none"), "A=results/none"),
        (("perf", "KERNEL=none.elf"), "none.elf"),
        (("perf", "KERNEL=harness"), "harness"),
        (("perf", "ISO=README.md"), "ISO=README.md"),
        (("perf", "BASELINE_REF=none"), "BASELINE_REF=none"),
        (("perf", "CONFIG=none.toml"), "CONFIG=none.toml"),
        (("ab", "A=default", "B=none.elf"), "B=none.elf"),
        (("ab", "A=default", "B=no-such-revision"), "no-such-revision"),
        (("proof", "KERNEL=README.md"), "KERNEL=README.md"),
        (("calibrate", "FROM=README.md"), "FROM=README.md"),
        (("history", "import", "FILE=none"), "none"),
        (("nightly", "MATRIX=none.toml"), "MATRIX=none.toml"),
        (("survey", "TARGETS=none"), "TARGETS=none"),
    ],
)
@pytest.mark.slow
def test_what_is_not_there_is_the_user_s_error_in_one_line(
    words: tuple[str, ...], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(list(words)) == 2
    (line,) = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("building")]
    assert line.startswith("usage: ") and names in line and line.endswith("(exit 2)")
