"""Faults that were fixed once, each with the test that fails without the fix.

A row of ``fix_rows/*.toml`` holds the fix's lines, what to put in their place to take it out, and the test that must
fail then. A fault that comes back is thus met by a test, and a test that can no longer fail is met here.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tomllib

from harness.model.spec import ROOT
from harness.platform.files.bounded import read_bounded
from harness.platform.processes.child import ChildResult, run_child

FIXES_DIR = Path(__file__).parent / "fix_rows"
LIMIT_S = 300.0
_PARTS = ("harness", "kernel", "include", "targets", "baselines", "ci", "docs")
_FILES = ("Makefile", "pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md")
_FAILED = re.compile(r"^FAILED |^ERROR harness/|^FAIL |^ *not ok |runtime error: ", re.MULTILINE)
_BROKEN = re.compile(r"(?:Import|Syntax|Name|Indentation)Error")
_NO_KERNEL = re.compile(rf"{_BROKEN.pattern}|BuildError|does not build")
"""A test that fails because nothing works says nothing of the fix."""
_SOURCES = (".c", ".h", ".S")


@dataclass(frozen=True)
class Fix:
    """One fix, as text that can be taken out."""

    what: str
    """What is promised: a sentence without its full stop."""
    file: str
    here: str
    """Stands in the file once."""
    without: str
    """Stands there when the fix is taken out."""
    test: str
    """``pytest …``, ``suites …`` with the words of the command, or ``native`` with a suite."""


def fixes_by_subject(folder: Path = FIXES_DIR) -> dict[str, tuple[Fix, ...]]:
    """The rows of each file, under what they are about."""
    tables = [tomllib.loads(read_bounded(path).decode()) for path in sorted(folder.glob("*.toml"))]
    return {table["subject"]: tuple(Fix(**row) for row in table["fix"]) for table in tables}


def read_fixes(folder: Path = FIXES_DIR) -> tuple[Fix, ...]:
    """All rows, file by file."""
    return tuple(fix for fixes in fixes_by_subject(folder).values() for fix in fixes)


def copy_tree(root: Path) -> Path:
    """A copy of this tree with its tests, in which fixes are taken out."""
    for part in _PARTS:
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
    for name in _FILES:
        shutil.copy(ROOT / name, root / name)
    return root


@contextmanager
def taken_out(fix: Fix, tree: Path) -> Iterator[None]:
    """A copy without the fix.

    Raises
    ------
    LookupError
        When the fix's lines do not stand there once.
    """
    path = tree / fix.file
    text = read_bounded(path).decode()
    if text.count(fix.here) != 1:
        raise LookupError(f"{fix.file} has {text.count(fix.here)} times: {fix.here!r}")
    path.write_text(text.replace(fix.here, fix.without), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def problem_without(fix: Fix, tree: Path) -> str:
    """Take a fix out of a copy and run its test; empty when that fails, as it must."""
    with taken_out(fix, tree):
        done = _run(fix.test, tree)
    broken = _NO_KERNEL if fix.file.endswith(_SOURCES) else _BROKEN
    if done.status and _FAILED.search(done.text) and not broken.search(done.text):
        return ""
    return f"{fix.what}: {fix.test}: status {done.status}: {done.text[-600:]}"


def _run(test: str, tree: Path) -> ChildResult:
    kind, *words = shlex.split(test)
    command = {"pytest": _pytest, "suites": _suites, "native": _native}[kind](words)
    # Byte code would outlive the text that it was made from: both may be of one second and one size.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return run_child(command, limit_s=LIMIT_S, cwd=tree, environment=environment, merged=True)


def _pytest(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-x", "-rfE", "--tb=line", "-p", "no:cacheprovider", *words]


def _suites(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "harness", "suites", *words]


def _native(words: Sequence[str]) -> list[str]:
    """The first build alone: by gcc, with the default switches."""
    build = "make --no-print-directory -C kernel OUT=host host/suites-gcc"
    return ["sh", "-c", f'rm -rf kernel/host; {build} && kernel/host/suites-gcc "$@"', "sh", *words]
