"""The documents: links lead somewhere, tables say what the code declares, the picture is the present import graph."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.front.completion import goals_beside
from harness.front.words import parse
from harness.model.declared import command_table
from harness.model.errors import HarnessError
from harness.model.spec import ROOT, UsageError, Verdict, switch_table
from harness.settings import settings_of
from harness.tests.written_pages import written

README = ROOT / "README.md"
DOCS = ROOT / "docs"
WRITTEN_BY_RUNS = {"report.md", "acceptance.md"}
MAKE_ALONE = {"setup", "test", "test-full", "check", "clean", "docs", "help", "quick", "open"}
"""Goals that are not commands of the harness."""
PLACEHOLDERS = ("SWITCH=", "SETTING=")


def tracked(*patterns: str) -> list[Path]:
    """Files of the tree, those that are not committed yet included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in sorted(set(names)) if (ROOT / name).is_file()]


def slug(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def dead_links(page: Path, text: str) -> list[str]:
    """Relative links of a page that lead to no file, or to no heading of one."""
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists():
            dead.append(target)
        elif anchor and anchor not in map(
            slug, re.findall(r"^#+ (.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
        ):
            dead.append(target)
    return dead


def test_every_link_leads_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked("*.md")
        for target in dead_links(page, page.read_text(encoding="utf-8"))
    ]
    assert not dead, "\n".join(dead)


@pytest.mark.parametrize("text", ["[a](gone.md)", "see [b](glossary.md#no-such-heading)", "![c](gone.svg)"])
def test_a_dead_link_is_found(text: str) -> None:
    assert dead_links(DOCS / "design.md", text)


def cited_documents(text: str) -> Iterator[str]:
    """Documents that a source names."""
    yield from (name for name in re.findall(r"[\w./-]*\w\.md\b", text) if name not in WRITTEN_BY_RUNS)


def is_there(source: Path, name: str) -> bool:
    """Whether a document exists from the root of the tree or beside its source, in whose folder it may be named."""
    return any(
        (place / name).is_file() for place in (ROOT, source.parent, *source.parents) if place.is_relative_to(ROOT)
    )


@pytest.mark.slow
def test_every_document_that_a_source_cites_is_in_the_tree() -> None:
    sources = [path for path in tracked("harness/*.py", "kernel/*.[chS]", "ci/*") if "/tests/" not in str(path)]
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources
        for name in cited_documents(path.read_text(encoding="utf-8"))
        if not is_there(path, name.rpartition("results/latest/")[2]) and Path(name).name not in WRITTEN_BY_RUNS
    ]
    assert not missing, "\n".join(missing)


def test_a_document_that_is_not_there_is_found() -> None:
    assert list(cited_documents("as CONTRACT.md says")) == ["CONTRACT.md"]
    assert not is_there(ROOT / "harness" / "cli.py", "CONTRACT.md")


@pytest.mark.slow
def test_the_picture_is_the_present_import_graph() -> None:
    command = [sys.executable, str(ROOT / "ci" / "house.py"), "-"]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "core: model\n" in drawn and "gate: core model" in drawn
    assert (DOCS / "house.svg").read_text(encoding="utf-8") == drawn, "the imports have changed: run 'make docs'"


def first_cells(text: str) -> list[str]:
    """First cells of a page's tables, without their marks."""
    return [cell.strip("`* ") for cell in re.findall(r"^\| ?([^|]+?) ?\|", text, re.MULTILINE)]


@pytest.mark.parametrize("page", [README, DOCS / "design.md"], ids=lambda page: str(page.name))
def test_exit_codes_are_those_of_the_code(page: Path) -> None:
    rows = dict(re.findall(r"^\| (\d) \| ([a-z-]+) \|", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert rows == {str(verdict.exit_code): verdict.value for verdict in Verdict}


def test_each_exit_code_has_its_section() -> None:
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d): ([a-z-]+)$", text, re.MULTILINE) == sorted(
        (str(verdict.exit_code), verdict.value) for verdict in Verdict
    )


def test_the_strategies_are_those_of_the_switch() -> None:
    rows = set(first_cells((DOCS / "design.md").read_text(encoding="utf-8")))
    assert set(switch_table()["BARRIER"].values) <= rows


def test_the_glossary_is_in_order() -> None:
    """One screen; a further word takes the place of one that explains itself."""
    words = re.findall(r"^\| \*\*(.+?)\*\* \|", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(words) == 25 and words == sorted(set(words), key=str.lower)


WRITTEN_PAGES = {"glossary.md", "metrics.md", "robustness.md", "settings.md"}


def test_pages_link_the_glossary() -> None:
    pages = [page for page in (README, *sorted(DOCS.glob("*.md"))) if page.name not in WRITTEN_PAGES]
    assert not [page.name for page in pages if "glossary.md" not in page.read_text(encoding="utf-8")]


def test_what_is_written_from_the_code_is_present() -> None:
    stale = [str(path.relative_to(ROOT)) for path, text in written().items() if path.read_text("utf-8") != text]
    assert not stale, "run 'make docs'"


def shown_commands(text: str) -> list[list[str]]:
    """Words of every ``make …`` that a page shows, in a block or as code; a row of a table names only a command."""
    text = re.sub(r"^\|.*", "", text, flags=re.MULTILINE)
    lines = re.findall(r"^make [^\n]*", text, re.MULTILINE) + re.findall(r"`(make [^`\n]+)`", text)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def refusal(words: list[str]) -> str:
    """Why ``make`` with these words would be refused; empty where it would not. Placeholders pass."""
    alone = [word for word in words if "=" not in word]
    known = MAKE_ALONE | command_table().keys()
    goals = alone[:1] if alone[:1] == ["history"] else [word for word in alone if word in known]
    loose = [word for word in alone if word not in goals]
    if not goals:
        return f"no such goal: {' '.join(alone)}"
    given = [word for word in words if "=" in word and not word.startswith(PLACEHOLDERS)]
    if any("…" in word or "<" in word or word.isupper() for word in words):
        names = {word.partition("=")[0] for word in given}
        taken = {name for goal in goals if goal not in MAKE_ALONE for name in settings_of(goal)}
        taken |= {word.rstrip("=") for goal in goals for word in goals_beside(()).get(goal, ())}
        return f"not taken: {' '.join(names - taken)}" if names - taken else ""
    for goal in set(goals) - MAKE_ALONE:
        try:
            parse([goal, *(loose if goal == goals[-1] else ()), *given])
        except (UsageError, HarnessError) as error:
            return "" if "no such file" in str(error) else str(error)
    return ""


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_a_page_shows_can_be_given(page: Path) -> None:
    words = shown_commands(page.read_text(encoding="utf-8"))
    refused = {shlex.join(one): refusal(one) for one in words if not one[0].startswith("-") and one[0] != "COMMAND"}
    assert not {line: why for line, why in refused.items() if why}


@pytest.mark.parametrize(
    "line", ["prf", "perf BUDGT=5", "perf case-1-logged", "history findngs", "bisect GOD=…", "perf LOG=loud"]
)
def test_a_command_that_cannot_be_given_is_found(line: str) -> None:
    assert refusal(line.split())


def test_every_command_is_a_goal_of_make() -> None:
    for goals in (sorted(command_table()), sorted(MAKE_ALONE)):
        done = subprocess.run(["make", "-n", *goals], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        # A goal that does not exist is handed on in quotes, for the harness to name the nearest one.
        assert not re.findall(r"^exec ci/harness '.*", done.stdout, re.MULTILINE)


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150
