"""``ci/setup``: what each goal needs and nothing besides, on distributions with apt and without."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.history.store import History
from harness.model.spec import ROOT, UsageError
from harness.tests.programs import fake_program

PACKAGES = ROOT / "ci" / "packages.txt"
GROUPS = ("run", "display", "arches", "proof", "history", "cluster", "test", "develop")


def group_rows() -> dict[str, list[list[str]]]:
    """Names by distribution of every row, by group."""
    groups: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in PACKAGES.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            rows = groups.setdefault(line[1 : line.index("]")], [])
        elif line and not line.startswith("#"):
            rows.append(line.partition(" # ")[0].split())
    return groups


def installed_for(folder: Path, *goals: str, tools: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run it where these package tools exist alone: a machine of which nothing is installed."""
    for name in ("sh", "awk", "sed", "sort", "tr", "dirname", "grep", "id", "printf", "cat"):
        real = shutil.which(name)
        if real and not (folder / name).exists():
            (folder / name).symlink_to(real)
    for name in tools:
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    environment = {"PATH": str(folder), "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8")}
    script = str(ROOT / "ci" / "setup")
    return subprocess.run([script, *goals], env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_every_package_has_a_name_on_each_distribution() -> None:
    groups = group_rows()
    assert tuple(groups) == GROUPS
    assert not [row for rows in groups.values() for row in rows if len(row) != 3]


@pytest.mark.parametrize(("tool", "column"), [("dnf", 1), ("pacman", 2), ("", 0)])
def test_without_apt_the_packages_are_listed_by_purpose(tmp_path: Path, tool: str, column: int) -> None:
    done = installed_for(tmp_path, "perf", tools=(tool,) if tool else ())
    assert done.returncode == 5 and "measuring and judging" in done.stdout, done.stderr
    listed = {line.strip() for line in done.stdout.splitlines() if line.startswith("    ")}
    assert listed == {row[column] for row in group_rows()["run"]}
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("next: ")]
    installs = {"dnf": "dnf install", "pacman": "pacman -S --needed"}.get(tool, "")
    assert f"as root: {installs} " in line and set(line.split()) > listed if installs else "Debian names" in line


def test_where_all_packages_are_there_set_up_has_nothing_to_say(tmp_path: Path) -> None:
    fake_program(tmp_path, "dnf", "exit 9")
    fake_program(tmp_path, "rpm", '[ "$4" != gnuplot ]')
    done = installed_for(tmp_path, "perf")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (5, "next: run as root: dnf install gnuplot")
    fake_program(tmp_path, "rpm", "exit 0")
    done = installed_for(tmp_path, "perf")
    assert (done.returncode, done.stdout) == (0, "setup: everything is there (run)\n")


@pytest.mark.parametrize("words", [("nonsense",), ("perf", "nonsense"), ("FOO=1",), ("VIRGL=0",), ("display", "X=")])
def test_set_up_refuses_what_it_does_not_know(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = installed_for(tmp_path, *words)
    assert done.returncode == 2 and done.stderr.startswith("usage: ") and not done.stdout


def test_a_mistyped_goal_is_answered_with_the_right_one(tmp_path: Path) -> None:
    done = installed_for(tmp_path, "nightl")
    assert done.returncode == 2 and "nightl: did you mean nightly?" in done.stderr


@pytest.mark.parametrize(
    ("goals", "groups"),
    [
        ((), {"run"}),
        (("perf",), {"run"}),
        (("bisect",), {"run"}),
        (("report",), {"run", "history"}),
        (("nightly",), {"run", "display", "arches", "history"}),
        (("acceptance",), {"run", "display"}),
        (("proof",), {"run", "arches", "proof"}),
        (("suites",), {"run", "arches"}),
        (("display",), {"run", "display"}),
        (("perf", "VIRGL=1", "BUDGET=90"), {"run", "display"}),
        (("perf", "ARCH=all"), {"run", "arches"}),
        (("test",), set(GROUPS)),
    ],
)
@pytest.mark.slow
def test_a_goal_needs_no_more_than_it_uses(tmp_path: Path, goals: tuple[str, ...], groups: set[str]) -> None:
    done = installed_for(tmp_path, *goals)
    listed = {line.strip() for line in done.stdout.splitlines() if line.startswith("    ")}
    assert listed == {row[0] for name in groups for row in group_rows()[name]}
    if "test" not in goals:
        assert not listed & {"chromium", "postgresql", "clang", "mypy"}


@pytest.mark.parametrize("listed", [True, False])
def test_a_user_without_sudo_is_told_what_root_must_run(tmp_path: Path, listed: bool) -> None:
    """One name of several alternatives: the first that the package lists have, where there are any."""
    tools = ("apt-get", "dpkg-query", "apt-cache")
    fake_program(tmp_path, "id", "echo 1000")
    knows = '[ "$2" != qemu-system-modules-opengl ]' if listed else "false"
    for name, script in zip(tools, ("exit 9", "exit 0", knows)):
        fake_program(tmp_path, name, script)
    done = installed_for(tmp_path, "acceptance")
    assert done.returncode == 5, done.stderr
    (line,) = done.stderr.splitlines()
    _, told, names = line.partition("run as root: apt-get install --no-install-recommends ")
    assert told
    alternative = "qemu-system-gui" if listed else "qemu-system-modules-opengl"
    rows = [row[0].partition("|") for name in ("run", "display") for row in group_rows()[name]]
    assert set(names.split()) == {alternative if bar else first for first, bar, _ in rows}


@pytest.mark.parametrize("url", ["postgresql://u:secret@h:bad/x", "nonsense", "postgresql://u:secret@h:99x99/x"])
def test_a_bad_url_of_the_history_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="HISTORY_URL") as raised:
        History(url)
    assert "secret" not in str(raised.value)
