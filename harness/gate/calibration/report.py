"""What calibration found, as the Markdown table that README shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.wording import percent
from harness.gate.calibration.recording import upgraded_evidence

ROWS: Mapping[str, str] = {
    "A/A": "the same kernel (false alarms)",
    "A/A + 2%": "a frame 2 % longer",
    "A/A + 3%": "a frame 3 % longer",
    "slow_draw=5%": "5 % more drawing",
    "slow_draw=10%": "10 % more drawing",
}
"""Recorded series by their name in the evidence, and what they are."""
BUDGETS_S = (30.0, 60.0)


def calibration_markdown(evidence: Mapping[str, Any]) -> str:
    """How often each method calls a kernel slower.

    Parameters
    ----------
    evidence : mapping
        The content of a ``calibration.json``.

    Returns
    -------
    str
        Lines of a table, each ended; a share's interval is what the number of recorded launches supports.
    """
    evidence = upgraded_evidence(evidence)
    lines = [
        "| called slower | this gate, 30 s | this gate, 60 s | undecided, 60 s | Mann–Whitney | mean over 3 % |",
        "|---|---|---|---:|---:|---:|",
    ]
    for series, what in ROWS.items():
        cells = {one["budget_s"]: one for one in evidence["sessions"] if one["series"] == series}
        method = next(
            one for one in evidence["reference_methods"] if (one["series"], one["budget_s"]) == (series, BUDGETS_S[1])
        )
        row = [what, *(_share(cells[budget_s]["slower"]) for budget_s in BUDGETS_S)]
        row += [
            percent(cells[BUDGETS_S[1]]["undecided"], 1),
            percent(method["mann_whitney"], 1),
            percent(method["mean_3pct"], 1),
        ]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _share(rate: Mapping[str, float]) -> str:
    return f"{percent(rate['share'], 1)} ({percent(rate['low'], 1)} to {percent(rate['high'], 1)})"
