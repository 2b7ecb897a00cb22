"""Questions as litmus tests for herd7, from the events of kernels that ran; and what herd7 says of them.

Every test has a name of its own, ``<arch>_<strategy>_<question>_<number>``: of tests that share a name, one call of
herd7 reports one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.model.errors import ToolError
from harness.platform.files.atomic import write_whole
from harness.platform.processes.child import ChildError, run_child
from harness.proof.decided.decide import Answer
from harness.proof.herd import observations, render

HERD_S = 300.0
_UNFIT = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class ExportedTest:
    """One litmus test."""

    name: str
    text: str
    allowed: bool
    """What was found here."""

    @property
    def body(self) -> str:
        """The test without its comments: equal bodies are one program."""
        return "\n".join(self.text.splitlines()[2:])


def exported_tests(label: str, answers: Iterable[Answer]) -> list[ExportedTest]:
    """One test for each shape of each question; without those that speak of device registers."""
    made = []
    for answer in answers:
        for number, shape in enumerate(one for one in answer.shapes if one.speaks_of_memory):
            name = _UNFIT.sub("_", f"{label} {answer.question} {number}")
            made.append(ExportedTest(name, render(shape.program, name, f"{label}: {shape.what}"), shape.allowed))
    return made


def write_tests(folder: Path, tests: Iterable[ExportedTest]) -> None:
    """Write ``<name>.litmus`` for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for test in tests:
        write_whole(folder / f"{test.name}.litmus", test.text)


def ask_herd(program: str, folder: Path, names: Iterable[str]) -> Mapping[str, bool]:
    """What herd7 says of tests in a folder: by name, whether the outcome can be seen.

    Raises
    ------
    ToolError
        When it does not run.
    """
    command = [program, *(str(folder / f"{name}.litmus") for name in names)]
    try:
        done = run_child(command, limit_s=HERD_S)
    except ChildError as error:
        raise ToolError(f"HERD={program} does not run: {error.message}") from error
    return observations(done.text)


def disagreements(tests: Iterable[ExportedTest], seen: Mapping[str, bool]) -> list[str]:
    """Disagreements in words; a test without an answer of herd7 counts as one."""
    words = {True: "allowed", False: "forbidden"}
    found = []
    for test in tests:
        if test.name not in seen:
            found.append(f"herd7 says nothing of {test.name}")
        elif seen[test.name] is not test.allowed:
            found.append(f"herd7 disagrees on {test.name}: {words[seen[test.name]]}, here {words[test.allowed]}")
    return found
