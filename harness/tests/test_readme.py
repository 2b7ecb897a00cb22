"""README shows the output of its commands: they are run, and the shapes of the lines compared."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from harness.front.words import parse
from harness.gate.approved.references import read_baseline
from harness.model.spec import ROOT
from harness.platform.kernels.build import compiler_identity
from harness.tests.programs import run_harness

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Example:
    """A command of README with the lines that it is shown to print."""

    words: tuple[str, ...]
    lines: tuple[str, ...]


def examples(text: str) -> tuple[Example, ...]:
    """Every block of README that begins with a prompt."""
    blocks = re.findall(r"^```\n\$ make ([^\n]+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return tuple(Example(tuple(shlex.split(words)), tuple(said.splitlines())) for words, said in blocks)


def shape(line: str) -> str:
    """A line without its figures and paths."""
    line = re.sub(r"\S*results/\S*?(?=/report|/pictures|/window|[:\s]|$)", "RESULTS", line)
    return re.sub(r"[+−-]?\d[\d,.]*", "N", line)


def same_shapes(shown: Sequence[str], printed: Sequence[str]) -> list[str]:
    """Lines that are shown and not printed, in any figures."""
    found = {shape(line) for line in printed}
    return [line for line in shown if shape(line) not in found]


EXAMPLES = examples(TEXT)


def test_readme_shows_the_three_endings_that_a_newcomer_meets() -> None:
    assert [example.lines[-1] for example in EXAMPLES] == [
        "verdict: pass (exit 0)",
        "verdict: guest-failed (exit 3)",
        "verdict: regression (exit 1)",
    ]


def test_every_command_that_readme_names_is_understood() -> None:
    named = re.findall(
        r"^\$ make ([a-z]+ .*)$|`make ((?:perf|ab|help|open|bisect|explain) [^`…]+)`", TEXT, re.MULTILINE
    )
    assert len(named) >= 4
    for words in (shlex.split(one or other) for one, other in named):
        if words[0] not in ("help", "open"):
            parse(words)


def test_shapes_tell_sentences_apart_and_not_figures() -> None:
    assert shape("pass: 1,117 frames/s (−0.5 to +1.2 %)") == shape("pass: 98.2 frames/s (+3 to −1 %)")
    assert shape("report: results/2026-perf/report.html") == shape("report: /x/y/results/2027-perf/report.html")
    assert same_shapes(["pass: 1 frames/s"], ["pass: no frames/s"]) == ["pass: 1 frames/s"]


CASES = [
    pytest.param(one, marks=() if "FAULT=flip_pixel" in one.words else pytest.mark.full, id=" ".join(one.words))
    for one in EXAMPLES
]
"""A regression is timed for as long as it takes: on a busy host that is all of the budget. ``make perf``
alone is already a suite of ``make test`` (``ci/gate``).
"""


def test_make_test_runs_one_of_them() -> None:
    assert len([one for one in CASES if not one.marks]) == 1


@pytest.mark.qemu
@pytest.mark.parametrize("example", CASES)
def test_the_command_prints_what_readme_shows(example: Example) -> None:
    ended = run_harness(*example.words, limit_s=150)
    approved, _ = read_baseline("x86_64", "acquire_progress")
    if approved.compiler != compiler_identity("gcc") and "FAULT" not in " ".join(example.words):
        assert "the same kernel" not in ended.out, "another compiler makes another kernel"
        return
    assert not same_shapes(example.lines, ended.out.splitlines()), ended.out
