"""The matrix of a nightly run: its cells, what is known of each, and which comes first."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.history.drift import DriftSettings
from harness.model.declared import usual_stages
from harness.model.spec import Switches
from harness.platform.kernels.key_place import SUFFIX

OWN_STRATEGY = "own"
"""Strategy of a step of the case study, which brings its own."""
TARGET_CELL = "target "
"""How the label of a target's cell begins."""


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix."""

    arch: str
    strategy: str
    """A BARRIER, the name of an approved baseline, or ``own``."""
    device: str
    combination: str
    switches: Switches
    baseline: str
    """Name of the baseline that judges it."""
    weight: float = 1.0
    target: str = ""
    """A target's name or file; then nothing above but the weight means anything."""
    further: tuple[str, ...] = ()
    """Stages besides the usual ones."""
    settings: tuple[tuple[str, str], ...] = ()
    """Settings of the run, by name."""

    @property
    def target_name(self) -> str:
        """What its target is called; empty for a kernel of this tree."""
        return Path(self.target).name.removesuffix(SUFFIX)

    @property
    def label(self) -> str:
        """Its name in the history."""
        if self.target:
            return f"{TARGET_CELL}{self.target_name}"
        return f"{self.arch} {self.strategy} {self.device} {self.combination}"

    def words(self, seconds: float) -> tuple[str, ...]:
        """Settings that the gate is called with."""
        if self.target:
            return (f"TARGET={self.target}", f"BUDGET={seconds:g}")
        words = [f"ARCH={self.arch}", *(f"{name}={value}" for name, value in self.switches.chosen)]
        words += [
            *(f"{name}={text}" for name, text in self.settings),
            f"BASELINE={self.baseline}",
            f"BUDGET={seconds:g}",
        ]
        words += [f"STAGES={','.join((*usual_stages(), *self.further))}"] if self.further else []
        return (*words, "VIRGL=1") if self.device == "gl" else tuple(words)


@dataclass(frozen=True)
class Quarantine:
    """A cell that does not count for a while."""

    cell: str
    reason: str
    until: datetime.date
    """The last day on which it holds."""

    def expired(self, today: datetime.date) -> bool:
        return today > self.until


@dataclass(frozen=True)
class Matrix:
    """The request of a nightly run."""

    cells: tuple[Cell, ...]
    minutes: float = 0.0
    cell_seconds: float = 60.0
    quarantines: tuple[Quarantine, ...] = ()
    drift: DriftSettings = field(default_factory=DriftSettings)

    @property
    def digest(self) -> str:
        """Tells whether an unfinished nightly run is one of this matrix."""
        text = "\n".join([*(f"{cell.label} {cell.words(self.cell_seconds)}" for cell in self.cells)])
        return hashlib.sha256(text.encode()).hexdigest()

    def quarantine_of(self, cell: Cell) -> Quarantine | None:
        """The quarantine of a cell, if it has one."""
        return next((one for one in self.quarantines if one.cell == cell.label), None)


@dataclass(frozen=True)
class Standing:
    """The history's knowledge of a cell before a nightly run."""

    runs_ago: int | None = None
    """Nights since its last run; None when it never ran."""
    last_verdict: str = ""
    seconds: float | None = None
    """How long its last run took."""
    open_findings: int = 0
    host: str = ""
    """Label of the fingerprint of the host of its last run."""


def informative(cell: Cell, standing: Standing) -> float:
    """The information of a run of this cell, in multiples of an ordinary cell that ran last night and passed."""
    interest = 1.0
    if standing.runs_ago is None:
        interest += 3.0
    else:
        interest += min(standing.runs_ago, 7) / 7
    if standing.last_verdict not in ("", "pass"):
        interest += 2.0
    interest += 2.0 * min(standing.open_findings, 3)
    return cell.weight * interest


def by_information(cells: Sequence[Cell], standings: Mapping[str, Standing]) -> list[Cell]:
    """The cells, most informative first; of equals, as the file has them."""
    return sorted(cells, key=lambda cell: -informative(cell, standings.get(cell.label, Standing())))
