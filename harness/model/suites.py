"""Output of an in-kernel suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SuiteRun:
    """One boot of the in-kernel suites."""

    name: str
    passed: int
    failed: int
    complaints: tuple[str, ...] = ()
    tests: Mapping[str, bool] = field(default_factory=dict)
    """Each test by its full name that was not skipped: did it pass?"""
    source: str = ""
