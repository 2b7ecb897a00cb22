"""The figures that the project promises: one module a topic, each with its ``FIGURES``.

``FIGURES`` is a tuple of functions from a scratch folder to a list of :class:`Figure`; the docstring of each says, in a
few words, what is being measured.
"""

from __future__ import annotations

import importlib
import math
import os
import pkgutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.model.errors import HarnessError
from harness.model.spec import ROOT
from harness.platform.processes.child import ChildResult, run_child

Measure = Callable[[Path], list["Figure"]]


@dataclass(frozen=True)
class Figure:
    """One promised figure and the measured one; without a promise, a figure for information."""

    what: str
    value: float
    unit: str
    promise: float | None
    at_most: bool = True
    exactly: bool = False

    @property
    def kept(self) -> bool:
        if self.promise is None:
            return True
        if self.exactly:
            return self.value == self.promise
        return self.value <= self.promise if self.at_most else self.value >= self.promise

    def row(self) -> list[str]:
        """Cells for a table: mark, what, value, promise."""
        value = f"{self.value:.4g} {self.unit}"
        if self.promise is None:
            return ["· told", self.what, value, ""]
        sign = "=" if self.exactly else "≤" if self.at_most else "≥"
        mark = "✓ kept" if self.kept else "✗ missed"
        return [mark, self.what, value, f"{sign} {self.promise:g}"]


def topics() -> list[str]:
    """Names of the modules here, in the order of the alphabet."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def measures(topic: str, row: str = "") -> tuple[Measure, ...]:
    """The functions of one topic, or the one of this name."""
    figures: tuple[Measure, ...] = importlib.import_module(f"{__name__}.{topic}").FIGURES
    return tuple(measure for measure in figures if row in ("", row_name(measure)))


def row_name(measure: Measure) -> str:
    """What a function is called after its topic: ``killed`` of ``cluster.killed``."""
    return measure.__name__.strip("_")


def run_own(words: Sequence[str], limit_s: float, **environment: str) -> ChildResult:
    """Run the harness itself in a process of its own.

    Raises
    ------
    HarnessError
        When it does not end with status 0.
    """
    command = [sys.executable, "-m", "harness", *words]
    done = run_child(command, cwd=ROOT, limit_s=limit_s, environment={**os.environ, **environment})
    if done.status:
        raise HarnessError(f"{' '.join(words)}: status {done.status}: {(done.errors or ('',))[-1]}")
    return done


def measured(measure: Measure, folder: Path) -> list[Figure]:
    """The figures of one function, or a missed one that says why: the other functions are measured anyway."""
    try:
        return measure(folder)
    except HarnessError as error:
        why = error.message
    return [Figure(f"{measure.__doc__}: not measured: {why}", math.nan, "", 0)]
