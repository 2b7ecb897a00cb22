"""Results of a calibration, as the Markdown table that README shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.wording import percent
from harness.gate.calibration.evidence import upgraded_evidence
from harness.platform.files.bounded import read_bounded

ROWS: Mapping[str, str] = {
    "A/A": "the same kernel (false alarms)",
    "A/A + 0.5%": "a frame 0.5 % longer",
    "A/A + 1%": "a frame 1 % longer",
    "A/A + 2%": "a frame 2 % longer",
    "A/A + 3%": "a frame 3 % longer",
    "A/A + 5%": "a frame 5 % longer",
    "slow_draw=5%": "5 % more drawing",
    "slow_draw=10%": "10 % more drawing",
}
"""Recorded series by their name in the evidence, and what they are; older evidence has fewer."""
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
        if not cells:
            continue
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


def calibration_pages(folder: Path) -> str:
    """All evidence under a folder of baselines, by architecture and place: what it is, its goals, its table."""
    parts = []
    for path in sorted(folder.glob("*/calibration*.json"), key=lambda path: (path.parent.name != "x86_64", path)):
        evidence = upgraded_evidence(json.loads(read_bounded(path)))
        host = evidence["host"] or {}
        cores = f"{host.get('cores', 0)} core{'' if host.get('cores') == 1 else 's'}"
        machine = ", ".join(str(host[name]) for name in ("cpu", "os") if host.get(name))
        place = f"{path.parent.name}, {evidence['place']['title']}"
        link = f"[{path.name}](../baselines/{path.parent.name}/{path.name})"
        head = f"**{place}**, {cores} of {machine}, {str(evidence['started'])[:10]} ({link}):"
        goals = [f"- {'✓' if one['met'] else '✗'} {_goal(one)}" for one in evidence["targets"]]
        parts.append("\n".join([head, "", *goals, "", calibration_markdown(evidence)]))
    return "\n".join(parts)


def _goal(target: Mapping[str, Any]) -> str:
    sign = "at most" if target["at_most"] else "at least"
    return f"{target['words']}: {percent(target['reached'], 1)} ({sign} {percent(target['wanted'], 1)})"


def _share(rate: Mapping[str, float]) -> str:
    return f"{percent(rate['share'], 1)} ({percent(rate['low'], 1)} to {percent(rate['high'], 1)})"
