"""A table of drivers: one row for each target that was run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.model.spec import Verdict

COLUMNS = (
    "frames/s",
    "recount",
    "p99 ms",
    "commands",
    "notifications",
    "CPU busy",
    "waits",
    "pictures",
    "ordering",
)
"""Recount is how far a second count of the trace, made apart, lies from the frame rate; commands and notifications a
frame, by the trace; how much of the device's time the CPU is busy; how the driver waits; ordering where the proof can
read the kernel."""
NUMBERS = 6
"""Columns that hold numbers, first."""
NOTHING = "–"
NO_CELLS = (NOTHING,) * len(COLUMNS)


@dataclass(frozen=True)
class SurveyRow:
    """One driver."""

    name: str
    verdict: Verdict
    cells: tuple[str, ...]
    """As ``COLUMNS``."""
    sentence: str
    folder: str = ""
    """Folder of the run of its gate; empty where it left none."""
    digest: str = ""
    """Hash of all that its target boots; empty where that could not be found."""

    @property
    def short(self) -> str:
        """What the target is called, wherever its file lies."""
        return Path(self.name).name.removesuffix(".toml")


@dataclass(frozen=True)
class SurveyRows:
    """The rows of a survey that have been measured, as they are kept between two commands."""

    rows: tuple[SurveyRow, ...] = ()

    def of(self, name: str, digest: str) -> SurveyRow | None:
        """The row of a target that boots the same as it does now."""
        return next((row for row in self.rows if (row.name, row.digest) == (name, digest) and digest), None)


def survey_markdown(rows: tuple[SurveyRow, ...]) -> str:
    """The table, and what each run said."""
    head = ("target", "verdict", *COLUMNS)
    lines = [f"| {' | '.join(head)} |", f"|---|---|{'---:|' * NUMBERS}{'---|' * (len(COLUMNS) - NUMBERS)}"]
    lines += [f"| {' | '.join((row.short, row.verdict.value, *row.cells))} |" for row in rows]
    said = [f"- `{row.short}`: {row.sentence}" for row in rows]
    return "\n".join([*lines, "", *said]) + "\n"
