"""Help, completion and printing: what is declared is what is said, on any terminal."""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.text import neutral
from harness.front.completion import completion
from harness.front.help import commands_markdown, overview, page, settings_markdown
from harness.front.questions import answer
from harness.front.terminal import TerminalPrinter, bar_words, style_of, timed_words
from harness.front.words import parse
from harness.model.declared import command_table
from harness.model.spec import ROOT, UsageError, switch_table
from harness.report.printer import Verbatim
from harness.settings import DECLARED, OPTIONS, POSITIONAL, settings_of


def test_the_overview_fits_a_terminal_and_says_where_to_begin() -> None:
    lines = overview().splitlines()
    assert lines[0].startswith("start here")
    assert len(lines) <= 24 and all(len(line) <= 80 for line in lines), lines
    assert not [line for line in lines if line.endswith("…")], "a purpose is too long for its line"
    assert not [name for name in command_table() if not re.search(rf"\b{name}\b", "\n".join(lines[1:-1]))]


@pytest.mark.parametrize("name", command_table())
def test_every_command_has_a_page_whose_examples_work(name: str) -> None:
    text = page(name)
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert command_table()[name].examples and command_table()[name].next
    for setting in (one for one in settings_of(name) if len(one) > 1):
        assert re.search(rf"\b{setting}=", text)
    for example in command_table()[name].examples:
        parse([name, *shlex.split(example)])


def test_every_declared_command_exists() -> None:
    named = {name for row in DECLARED for name in row.commands} | set(POSITIONAL)
    assert named <= set(command_table())


def test_what_commands_share_is_declared_once() -> None:
    shared = {name for command in command_table().values() for name in command.takes}
    known = {"switches", "ARCH", *switch_table(), *(f"--{option}" for option in OPTIONS)}
    assert all([row.name for row in DECLARED].count(name) == 1 for name in shared - known)


def test_questions_need_nothing_installed() -> None:
    """Help is what a new user asks first, before 'make setup'."""
    script = "import sys; sys.modules.update(dict.fromkeys(['numpy','scipy','cv2','rich','jinja2','cattrs']));"
    script += "from harness.front.questions import answer; print(answer(['perf', '--help']), answer([]))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "start here" in done.stdout, done.stderr


@pytest.mark.parametrize("words", [["help", "prf"], ["help", "C=prf"], ["prf", "--help"]])
def test_help_about_nothing_names_the_nearest(words: list[str]) -> None:
    with pytest.raises(UsageError, match="did you mean perf"):
        answer(words)


def test_what_is_no_command_is_printed_as_text() -> None:
    command = [sys.executable, "-m", "harness", "help", "::error::\u202e\x1b[2J"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2, done.stdout
    assert r"usage: : :error: :\x202e\x1b[2J: no such command" in done.stdout


def test_help_is_answered_however_it_is_asked() -> None:
    assert answer(["perf", "--help"]) == answer(["help", "C=perf"]) == answer(["help", "perf"]) == page("perf")
    assert answer([]) == answer(["--help"]) == answer(["help"]) == overview()
    assert (answer(["--version"]) or "").startswith("harness ")
    assert answer(["perf"]) is None


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_is_a_script_of_that_shell(shell: str) -> None:
    script = completion(shell)
    assert "FAULT=flip_pixel" in script and "--json" in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_completion_of_make_offers_goals_and_no_options(tmp_path: Path) -> None:
    (tmp_path / "completion").write_text(completion("bash"), encoding="utf-8")
    script = "source ./completion; _harness_goals; echo --; _harness_goals perf; echo --; _harness_goals test"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    first, perf, tests = done.stdout.split("--\n")
    assert {"open", "setup", "perf", "nightly"} <= set(first.split())
    assert "BUDGET=" in perf.split() and not [word for word in perf.split() if word.startswith("-")]
    assert tests.split()[:2] == ["T=", "K="]


def test_completion_offers_what_follows(tmp_path: Path) -> None:
    (tmp_path / "completion").write_text(completion("bash"), encoding="utf-8")
    script = """
    source ./completion
    offer() { COMP_LINE=$1; COMP_POINT=${#1}; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
        _harness; echo "${COMPREPLY[*]}"; }
    compopt() { :; }
    offer "make pe"; offer "make perf FAULT=fl"; offer "make approve REA"; offer "make setup perf BUDG"
    """
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["perf", "flip_pixel", "REASON=", "BUDGET="], done.stdout + done.stderr


def test_tables_hold_every_command_and_setting() -> None:
    assert commands_markdown().count("| `make ") == len(command_table())
    assert settings_markdown().count("\n") > len(DECLARED)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("##[add-mask]x", "# #[add-mask]x"),
        ("a ##[group]", "a # #[group]"),
        ("####[x]", "### #[x]"),
        ("::set-output name=x::y", ": :set-output name=x: :y"),
        (":::x::::", ": : :x: : : :"),
        ("\x1b[2J\u202e\r##[x]", "\\x1b[2J\\x202e\\x0d# #[x]"),
        ("plain: a :b # [x] \\[y :bug:", "plain: a :b # [x] \\[y :bug:"),
    ],
)
def test_guest_text_commands_no_ci_service(text: str, printed: str) -> None:
    assert neutral(text) == printed
    assert "##[" not in neutral(text) and "::" not in neutral(text)


def test_text_is_text_and_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TerminalPrinter()
    printer.line(r"report: /tmp/:bug:/\[x]/[red]/page.html")
    printer.line(Verbatim('{"a": ":bug: \\\\[x] ::y"}'))
    printer.line("a ::set-output name=x::y\x1b[2J")
    printer.table("[b]:bug:", [":+1:"], [["[/]:bug:"]])
    said = capsys.readouterr().out
    assert r"report: /tmp/:bug:/\[x]/[red]/page.html" in said
    assert '{"a": ":bug: \\\\[x] ::y"}' in said
    assert r"a : :set-output name=x: :y\x1b[2J" in said
    assert "[b]:bug:" in said and ":+1:" in said and "[/]:bug:" in said


_SPEAK = """
from harness.front.terminal import TerminalPrinter
import sys
for stream in (sys.stdout, sys.stderr): stream.reconfigure(errors="replace")
out = TerminalPrinter()
out.progress("comparing 3 of 10")
out.line("regression: 20 % slower \u2192 \u2713 than the baseline, which is a long sentence with words in it")
out.table("cells \u2713", ["", "what"], [["\u2717", "x" * 100]])
out.close()
"""


def spoken(columns: int, script: str = _SPEAK, **environment: str) -> str:
    """Output on a terminal of this many columns."""
    parent, child = pty.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": str(columns), "LINES": "24"} | environment
    env = {name: value for name, value in env.items() if value}
    done = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=child, stderr=child, env=env)
    os.close(child)
    received = b""
    try:
        while chunk := os.read(parent, 65536):
            received += chunk
    except OSError:
        pass
    os.close(parent)
    assert done.wait(60) == 0, received
    return received.decode("utf-8", "replace")


def test_colour_is_never_alone_and_can_be_refused() -> None:
    assert "\x1b[31mregression: 20" in spoken(200)
    assert "\x1b[31m" not in spoken(200, NO_COLOR="1")
    assert "\x1b" not in spoken(200, TERM="dumb")
    assert "regression: 20" in spoken(200, TERM="dumb")


def test_words_wrap_at_words_on_a_narrow_terminal() -> None:
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", spoken(20, NO_COLOR="1")).replace("\r", "")
    lines = [line for line in said.split("\n") if line and "comparing" not in line]
    assert all(len(line) <= 20 for line in lines), lines
    assert any(line.rstrip().endswith("than the") for line in lines), lines


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "en_US.ISO-8859-1"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}]
)
@pytest.mark.parametrize("words", [["help"], ["perf", "--help"], ["perf", "fault=→"], ["analyze", "RESULT=/→"]])
@pytest.mark.slow
def test_a_terminal_that_is_not_utf_8_changes_no_code(environment: dict[str, str], words: list[str]) -> None:
    env = os.environ | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} | environment
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words], cwd=ROOT, capture_output=True, env=env, timeout=60, check=False
    )
    assert done.returncode == (2 if "=" in words[-1] else 0), done.stdout + done.stderr
    assert b"Traceback" not in done.stdout + done.stderr and done.stdout


def test_the_first_line_alone_can_be_read() -> None:
    line = f"set -o pipefail; {sys.executable} -m harness perf --help | head -1"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("perf: ")


@pytest.mark.slow
def test_bad_words_are_one_line(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "harness", "perf", "fault=flip_pixel"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout.splitlines() == ["usage: fault=flip_pixel: did you mean FAULT=flip_pixel? (exit 2)"]


def test_a_harness_that_cannot_be_loaded_is_no_regression(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ImportError('broken')\n")
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    words = [sys.executable, "-m", "harness", "analyze"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert done.returncode == 5 and done.stderr == (
        "harness-failed: the harness cannot be loaded: ImportError: broken (exit 5)\n"
    )


@pytest.mark.parametrize(
    ("text", "style"),
    [("verdict: pass (exit 0)", "green"), ("guest-failed: x", "red"), ("✓ works", "green"), ("note: pass", "")],
)
def test_what_a_line_begins_with_gives_its_colour(text: str, style: str) -> None:
    assert style_of(text) == style


def test_a_command_to_paste_is_not_broken_in_two() -> None:
    """On a terminal it stands on a line of its own, which the terminal itself wraps."""
    path = "results/20261128T200000Z-perf"
    line = f"next: see which part grew and which switch gives it back: make explain RESULT={path} BUDGET=600"
    told = f"out = TerminalPrinter(); out.line({line!r}); out.line('next: a: make perf'); out.close()"
    said = spoken(80, f"from harness.front.terminal import TerminalPrinter; {told}", NO_COLOR="1")
    assert "gives it back:\r\n" in said and f"  make explain RESULT={path} BUDGET=600\r\n" in said, said
    assert "next: a: make perf\r\n" in said


def test_a_bar_says_how_long_it_will_take() -> None:
    assert bar_words(12, 48, 10.0) == "[####------------] about 30 s left"
    assert bar_words(0, 48, 10.0) == "[----------------]"


@pytest.mark.parametrize(
    ("text", "elapsed_s", "shown"),
    [
        ("exact: started, about 8 s", 4.9, "exact: started, about 8 s"),
        ("exact: started, about 8 s", 6.0, "exact: started [############----] about 2 s left"),
        ("exact: started, about 8 s", 9.0, "exact: started [################] longer than the usual 8 s"),
        ("exact: started, about 0 s", 9.0, "exact: started [################] longer than the usual 0 s"),
        ("building x86_64", 4.9, "building x86_64"),
        ("building x86_64", 7.2, "building x86_64 · 7 s"),
        ("comparing 2/28 · about 41 s left", 60.0, "comparing 2/28 · about 41 s left"),
    ],
)
def test_what_does_not_count_shows_its_time(text: str, elapsed_s: float, shown: str) -> None:
    assert timed_words(text, elapsed_s) == shown


def test_a_status_line_goes_on_by_itself() -> None:
    told = "out = TerminalPrinter(); out.progress('exact: started, about 60 s'); time.sleep(0.5); out.close()"
    program = "import time; from harness.front import terminal; terminal._BAR_AFTER_S = 0.2; TerminalPrinter = "
    said = spoken(80, f"{program}terminal.TerminalPrinter; {told}", NO_COLOR="1")
    assert "exact: started, about 60 s" in said and "exact: started [----------------] about 60 s left" in said, said
