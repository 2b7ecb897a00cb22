"""The Makefile: every word of the command line reaches the harness as it was typed, and none is run on the way."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.front.completion import goals_beside
from harness.model.declared import command_table
from harness.model.spec import ROOT

_ECHO = '#!/bin/sh\nfor word in "$@"; do printf \'<%s>\' "$word"; done\nenv >environment\n'


@pytest.fixture
def door(tmp_path: Path) -> Path:
    """A checkout whose harness only repeats its words."""
    for name in ("ci", "harness/commands"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in command_table():
        (tmp_path / "harness" / "commands" / f"{name}.py").touch()
    for script in ("harness", "test", "setup"):
        (tmp_path / "ci" / script).write_text(_ECHO)
        (tmp_path / "ci" / script).chmod(0o755)
    return tmp_path


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *words], cwd=folder, env=clean | environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "value",
    ["$(shell touch planted)", "${shell touch planted}", "$$(touch planted)", "`touch planted`", "$(touch planted)"]
    + ["a'b", 'a"b', "a'; touch planted; '", "one\ntwo", "one\n\ttouch planted", "a\\nb", "a\\", "a#b", "a,b)c(", "$"]
    + ["$$", "$@ $< $(MAKE)", "%s %n", "a=b", "→ ²", "x; touch planted", "$(error stop)", "a  b\t c"],
)
def test_a_value_arrives_as_it_was_typed(door: Path, value: str) -> None:
    done = make(door, "approve", f"REASON={value}")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"<approve><REASON={value}>", "")
    assert not (door / "planted").exists()
    words = (door / "environment").read_text().splitlines()
    assert not [line for line in words if line.startswith(("REASON=", "MAKEOVERRIDES="))]


def test_lower_case_and_unknown_words_arrive_too(door: Path) -> None:
    assert make(door, "perf", "fault=flip_pixel").stdout == "<perf><fault=flip_pixel>"
    assert make(door, "prf").stdout == "<prf>"
    assert make(door, "it's").stdout == "<it's>"


def test_of_the_environment_the_seed_s_spelling_alone_counts(door: Path) -> None:
    assert make(door, "perf", FAULT="tear", VIRGL="1", VIDEO="1").stdout == "<perf><VIRGL=1>"
    assert make(door, "boot", VIDEO="1", VIRGL="").stdout == "<boot><VIDEO=1>"
    assert make(door, "boot", "VIDEO=0", VIDEO="1").stdout == "<boot><VIDEO=0>"
    assert make(door, "report", VIRGL="1").stdout == "<report>"
    assert make(door, "perf", VIRGL="$(shell touch planted)").stdout == "<perf><VIRGL=$(shell touch planted)>"
    assert not (door / "planted").exists()


def test_set_up_is_told_what_for(door: Path) -> None:
    assert make(door, "setup", "perf").stdout == "<perf><perf>"
    assert make(door, "setup", "display", "VIRGL=1").stdout == "<display><VIRGL=1>"
    assert make(door, "setup").stdout == ""


def test_a_word_that_is_no_goal_belongs_to_the_command(door: Path) -> None:
    (door / "results").mkdir()
    for words, said in (
        (["explain", "case-1-logged", "QUICK=1"], "<explain><case-1-logged><QUICK=1>"),
        (["analyze", "results"], "<analyze><results>"),
        (["history", "findings", "ALL=1"], "<history><findings><ALL=1>"),
        (["history", "analyze"], "<history><analyze>"),
        (["perf", "it's $(shell touch planted)"], "<perf><it's><$(shell><touch><planted)>"),
        (["nonsense", "perf"], "<perf><nonsense>"),
        (["help", "perf"], "<help><perf>"),
        (["test", "gates"], "<gates>"),
        (["doctor", "perf"], "<doctor><perf>"),
    ):
        done = make(door, *words)
        assert (done.stdout, done.stderr) == (said, ""), words
    assert not (door / "planted").exists()


@pytest.mark.parametrize("word", ["harness", "ci/test", "nonsense", "a;b", "*", "a%b", "a:b", "a|b", "[a]", "a#b"])
def test_a_word_that_is_nothing_is_refused_whatever_lies_here(door: Path, word: str) -> None:
    assert make(door, word).stdout == f"<{word}>"


@pytest.mark.parametrize("goal", ["open", "clean", "docs", "check"])
@pytest.mark.parametrize("word", ["FOO=1", "foo", "harness"])
def test_goals_without_words_refuse_some(door: Path, goal: str, word: str) -> None:
    (door / "build").mkdir()
    done = make(door, goal, word)
    assert done.returncode == 2 and done.stdout == f"usage: {word}: make {goal} takes no word (exit 2)\n"
    assert (door / "build").is_dir()


def test_beside_another_goal_its_settings_are_no_matter(door: Path) -> None:
    assert make(door, "clean", "perf", "BUDGET=5").stdout == "rm -rf build\n<perf><BUDGET=5>"


def test_completion_knows_the_makefile_s_goals() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = dict(re.findall(r"^(tests|bare) := (.*)$", text, re.MULTILINE))
    assert set(goals_beside(())) == {"setup", "help", *named["tests"].split(), *named["bare"].split()}


def test_every_command_is_a_goal(door: Path) -> None:
    for name in command_table():
        assert make(door, name).stdout == f"<{name}>"


def test_the_harness_says_its_line_once_and_make_fails() -> None:
    done = make(ROOT, "perf", "fault=flip_pixel")
    assert done.returncode == 2
    assert done.stdout.splitlines() == ["usage: fault=flip_pixel: did you mean FAULT=flip_pixel? (exit 2)"]


def test_help_of_a_command() -> None:
    assert make(ROOT, "help", "C=perf").stdout.startswith("perf: ")
    assert make(ROOT).stdout.startswith("start here")


@pytest.mark.parametrize("script", ["exit 1", "exit 139", "kill -9 $$"])
def test_a_python_that_dies_is_no_regression(tmp_path: Path, script: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    done = subprocess.run(
        [ROOT / "ci" / "harness", "perf"],
        env=os.environ | {"HARNESS_PYTHON": str(python)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 5 and "harness-failed" in done.stderr


def test_a_broken_python_home_and_another_folder_change_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "ci" / "harness", "perf", "fault=x"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHOME": "/nonexistent", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and done.stdout.startswith("usage: fault=x")


def test_without_a_report_open_says_why_and_what_to_run(tmp_path: Path) -> None:
    """With one, the first program that opens a browser gets it."""
    environment = os.environ | {"HARNESS_RESULTS": str(tmp_path / "results")}

    def opened() -> tuple[int, str]:
        done = subprocess.run([ROOT / "ci" / "open"], env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert opened() == (2, "usage: there is no report yet: run make perf (exit 2)\n")
    latest = tmp_path / "results" / "latest"
    latest.mkdir(parents=True)
    assert opened()[1].endswith("latest: run make perf (exit 2)\n")
    (latest / "ending.txt").write_text("perf: harness-failed: interrupted\n")
    assert "interrupted" in opened()[1] and "make perf" in opened()[1]
    earlier = tmp_path / "results" / "20260101T000000Z-perf"
    earlier.mkdir()
    (earlier / "report.html").write_text("<p>")
    opener = tmp_path / "xdg-open"
    opener.write_text('#!/bin/sh\necho "<$1>"\n')
    opener.chmod(0o755)
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    said = opened()[1].splitlines()
    assert said[0].startswith(
        "the last run left no report; it said: perf: harness-failed: interrupted; this is the one"
    )
    assert said[-1] == f"<{earlier / 'report.html'}>"
    (latest / "report.html").write_text("<p>")
    assert opened()[1].splitlines()[-1] == f"<{latest / 'report.html'}>"


@pytest.mark.slow
def test_a_checkout_may_have_any_name(tmp_path: Path) -> None:
    tree = tmp_path / 'it\'s $HOME "q" a tree'
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", "results", "baselines", ".git", "__pycache__"))
    done = subprocess.run(
        ["make", "build"], cwd=tree, capture_output=True, text=True, timeout=200, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0 and "verdict: pass" in done.stdout, done.stdout + done.stderr
    assert list(tree.glob("build/x86_64/default/gcc/images/*.elf"))
