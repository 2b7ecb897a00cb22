"""All files of a report, written into a run's folder."""

from __future__ import annotations

from pathlib import Path

from harness.report.markdown import markdown
from harness.result import Result


def write_reports(result: Result, folder: Path) -> None:
    """Write every report of a result; ``folder`` is the run's, still private."""
    (folder / "report.md").write_text(markdown(result), encoding="utf-8")
