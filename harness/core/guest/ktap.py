"""KTAP, the output of in-kernel test suites, parsed into a tree.

Accepted format (Linux Documentation/dev-tools/ktap.rst), indentation two spaces or more a level::

    ^ *K?TAP version \\d+$
    ^ *1..\\d+$
    ^ *# Subtest: NAME$
    ^ *(not )?ok \\d+( - | )NAME( # (SKIP|TODO)( REASON)?)?$
    ^ *# TEXT$

Results that are indented deeper belong to the next result that is indented less. Other lines are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Test:
    """One result line, with what belongs to it."""

    name: str
    passed: bool
    skipped: bool = False
    diagnostics: tuple[str, ...] = ()
    children: tuple["Test", ...] = ()

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, "Test"]]:
        """The tests that have no sub-tests, with their full names."""
        name = f"{prefix}.{self.name}" if prefix else self.name
        if not self.children:
            yield name, self
        for child in self.children:
            yield from child.leaves(name)


@dataclass(frozen=True)
class Suites:
    """All suites of a log."""

    tests: tuple[Test, ...]
    problems: tuple[str, ...] = ()

    @property
    def leaves(self) -> tuple[tuple[str, Test], ...]:
        return tuple(leaf for test in self.tests for leaf in test.leaves())

    @property
    def passed(self) -> int:
        return sum(test.passed and not test.skipped for _, test in self.leaves)

    @property
    def skipped(self) -> int:
        return sum(test.skipped for _, test in self.leaves)

    @property
    def failed(self) -> int:
        return sum(not test.passed for _, test in self.leaves)

    @property
    def ok(self) -> bool:
        """Something ran, nothing failed, and the output is sound; a failed parent of passed children counts too."""
        return bool(self.tests) and not self.problems and all(test.passed for test in self.tests) and not self.failed


_PLAN = re.compile(r"^( *)1\.\.(\d{1,9})\s*$")
_RESULT = re.compile(
    r"^( *)(not )?ok (\d{1,9})(?: - | )?([^#]*?)\s*(?:# *(SKIP|TODO)?(.*))?$", re.IGNORECASE | re.ASCII
)
_SUBTEST = re.compile(r"^ *# Subtest: ")
_DIAGNOSTIC = re.compile(r"^ *# (.*)$")


@dataclass
class _Level:
    """Results collected at one depth of indentation, not yet claimed by a parent."""

    indent: int
    planned: int | None = None
    tests: list[Test] = field(default_factory=list)


def parse_ktap(log: str) -> Suites:
    """Parse all KTAP lines of a log; other lines may stand between them."""
    levels: list[_Level] = []
    problems: list[str] = []
    diagnostics: list[str] = []
    for line in log.splitlines():
        if plan := _PLAN.match(line):
            level = _level(levels, len(plan[1]), problems)
            if level.planned is not None:
                problems.append(f"two plans for one suite: {line.strip()}")
            level.planned = int(plan[2])
        elif result := _RESULT.match(line):
            _add_result(levels, result, tuple(diagnostics), problems)
            diagnostics.clear()
        elif not _SUBTEST.match(line) and (noted := _DIAGNOSTIC.match(line)):
            diagnostics.append(noted[1])
    while len(levels) > 1:
        orphan = levels.pop()
        problems.append(f"{len(orphan.tests)} sub-tests whose suite never ended")
        levels[-1].tests.extend(orphan.tests)
    if levels:
        _check_plan(levels[0], "the log", problems)
    return Suites(tuple(levels[0].tests) if levels else (), tuple(problems))


def _level(levels: list[_Level], indent: int, problems: list[str]) -> _Level:
    """The level of an indentation, opened when it is deeper than all others."""
    while levels and levels[-1].indent > indent and len(levels) > 1:
        orphan = levels.pop()
        problems.append(f"{len(orphan.tests)} sub-tests whose suite never ended")
        levels[-1].tests.extend(orphan.tests)
    if not levels or levels[-1].indent < indent:
        levels.append(_Level(indent))
    return levels[-1]


def _add_result(levels: list[_Level], result: re.Match[str], diagnostics: tuple[str, ...], problems: list[str]) -> None:
    indent, name, number = len(result[1]), result[4] or f"test {result[3]}", int(result[3])
    children: tuple[Test, ...] = ()
    if levels and levels[-1].indent > indent:
        below = levels.pop()
        _check_plan(below, name, problems)
        children = tuple(below.tests)
    level = _level(levels, indent, problems)
    passed = not result[2]
    if passed and any(not child.passed for child in children):
        problems.append(f"{name}: said ok although a sub-test failed")
        passed = False
    if number != len(level.tests) + 1:
        problems.append(f"{name}: numbered {number}, expected {len(level.tests) + 1}")
    skipped = passed and (result[5] or "").upper() == "SKIP"
    level.tests.append(Test(name, passed, skipped, diagnostics, children))


def _check_plan(level: _Level, name: str, problems: list[str]) -> None:
    if level.planned is None:
        problems.append(f"{name}: no plan, so tests may be missing")
    elif level.planned != len(level.tests):
        problems.append(f"{name}: {level.planned} tests planned, {len(level.tests)} reported")
