"""Words for figures: one format, one sign, in the whole tree. Sentences: phrases that plain English does not have."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from harness.bisect.culprit import MeasuredEffect
from harness.core.wording import amount, changed_by, percent, signed_percent, span
from harness.tests.test_docs import tracked

HARNESS = Path(__file__).parents[1]
ROOT = HARNESS.parent


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


PHRASES: dict[str, str] = {
    r"(?<!here )\b(is|are|was|were) no (?!longer\b|more\b|such\b)\w": "that is no file",
    r"\bso (many|much|often|long)\b(?! (as|that)\b)": "a job that lost so many workers",
    r"\bmend(s|ed|ing)?\b": "a fault that is mended",
    r"\b(whoever|anew|dearer|meanwhilst|in its stead|in their stead)\b": "whoever waits",
    r"\b(taken for|wants to hear|counted aloud|counted out)\b": "a worker is taken for gone",
    r"\bbeside (each other|one another)\b": "kernels decided beside each other",
    r"\bpure but\b|\bbut for nothing\b|\bevery so \w+eth\b|\bthat are no\b": "Pure but for nothing",
    r"\b(late look|looks? of the driver|two looks)\b": "between two looks",
    r"\b(it is|is|are) (not )?the \w+'s doing\b": "it is the host's doing",
    r"(^|[\"/*#] ?)not for \w+[^.]* (is|are|does) (it|they)\b": "Not for speed is it written",
    r'"""(Of|To be) [^:,;]*[.,;:]': '"""Of the harness."""',
    r"\bas people (write|read|do|say|think)\b": "as people read them",
    r"\bnobody (here|knows|wants|models|answers)\b": "an image that nobody here linked",
    r"\b(is|are) (reported|named|told) aloud\b|\bis told and\b": "Polling is told and never judged",
}
"""Phrases that read as translated, each with an example."""


def odd_phrases(line: str) -> list[str]:
    """Phrases of ``PHRASES`` that a line holds."""
    return [found[0] for phrase in PHRASES if (found := re.search(phrase, line, re.IGNORECASE))]


@pytest.mark.parametrize("phrase, example", PHRASES.items())
def test_an_odd_phrase_is_found(phrase: str, example: str) -> None:
    assert re.search(phrase, example, re.IGNORECASE)
    assert odd_phrases(example)


@pytest.mark.slow
def test_sentences_are_plain() -> None:
    pages = tracked(
        "*.md", "harness/*.py", "harness/*.c", "harness/*.h", "kernel/*.[chS]", "include/*.h", "ci/*", "Makefile"
    )
    found = [
        f"{page.relative_to(ROOT)}:{number}: {phrase}"
        for page in pages
        if page != Path(__file__) and not {"data", "vendor"} & set(page.parts)
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        for phrase in odd_phrases(line)
    ]
    assert not found, "\n".join(found)
