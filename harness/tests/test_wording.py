"""Words for figures: one format, one sign, in the whole tree."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from harness.bisect.culprit import MeasuredEffect
from harness.core.wording import amount, changed_by, percent, signed_percent, span

HARNESS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "text, wanted",
    [
        (percent(0.196), "19.6 %"),
        (signed_percent(-0.005), "−0.5 %"),
        (signed_percent(math.nan), "any %"),
        (span(0.193, 0.2), "+19.3 to +20.0 %"),
        (changed_by(-0.005), "0.5 % faster"),
        (amount(1589980), "1,589,980"),
        (amount(978.23), "978.2"),
    ],
)
def test_figures_are_written_for_people(text: str, wanted: str) -> None:
    assert text == wanted


def test_a_bisected_commit_is_told_by_frame_time() -> None:
    """The frame rate fell to four fifths: frames take a quarter longer, and the interval has the same sign."""
    assert MeasuredEffect(-0.2, -0.25, -0.15).words == "25.0 % slower (+17.6 to +33.3 %)"


def test_a_share_is_formatted_in_one_place() -> None:
    """``19.6 %``, with a blank and a true minus sign: only by harness.core.wording."""
    python_percent = re.compile(r"\{[^{}]*:[+]?\.\d%\}")
    found = [
        f"{path.relative_to(HARNESS)}: {match[0]}"
        for path in sorted(HARNESS.rglob("*.py"))
        if "tests" not in path.parts and path.parent.name != "calibration" and path.name != "calibrate.py"
        for match in python_percent.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)
