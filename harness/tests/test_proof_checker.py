"""The checker: against what herd7 says of generated programs, and on the shapes that everybody knows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.proof.decided.checker import CheckError, Program, find_execution
from harness.proof.decided.events import FULL, NO_FENCE, Acquire, Event, EventKind, Fence, Thread
from harness.proof.herd import observations, render
from harness.tests.litmus_programs import program

VERDICTS = json.loads((Path(__file__).parent / "data" / "herd7-verdicts.json").read_text(encoding="utf-8"))["verdicts"]
ARCHES = ("x86_64", "aarch64", "riscv64")


@pytest.mark.parametrize("arch", ARCHES)
def test_generated_programs_are_decided_as_herd7_does(arch: str) -> None:
    said = VERDICTS[arch]
    ours = "".join(
        "F" if find_execution(program(arch, random_state)) is None else "A" for random_state in range(len(said))
    )
    assert len(said) >= 400 and min(said.count("A"), said.count("F")) > 100
    assert ours == said


def store_buffering(arch: str, fence: Fence | None) -> Program:
    """Each thread writes one word and reads the other; can both read the old value?"""

    def thread(mine: str, other: str) -> Thread:
        middle = (Event(1, EventKind.FENCE, fence=fence),) if fence else ()
        return (Event(0, EventKind.WRITE, mine, 1), *middle, Event(1 + len(middle), EventKind.READ, other))

    threads = (thread("x", "y"), thread("y", "x"))
    last = len(threads[0]) - 1
    return Program(arch, threads, {(0, last): 0, (1, last): 0}, {})


@pytest.mark.parametrize("arch", ARCHES)
def test_store_buffering_needs_a_full_fence_everywhere(arch: str) -> None:
    assert find_execution(store_buffering(arch, None)) is not None
    assert find_execution(store_buffering(arch, Fence("w", "w"))) is not None
    assert find_execution(store_buffering(arch, FULL)) is None


def message_passing(arch: str, writer: Fence | None, reader: Fence | None, acquire: Acquire = Acquire.NONE) -> Program:
    """One thread writes a payload and a flag, the other reads the flag and the payload; can it see an old payload?"""

    def with_fence(first: Event, second: Event, fence: Fence | None) -> Thread:
        middle = (Event(1, EventKind.FENCE, fence=fence),) if fence else ()
        return (first, *middle, replace(second, index=1 + len(middle)))

    writes = with_fence(Event(0, EventKind.WRITE, "x", 1), Event(1, EventKind.WRITE, "y", 1), writer)
    reads = with_fence(Event(0, EventKind.READ, "y", acquire=acquire), Event(1, EventKind.READ, "x"), reader)
    return Program(arch, (writes, reads), {(1, 0): 1, (1, len(reads) - 1): 0}, {})


@pytest.mark.parametrize("arch", ("aarch64", "riscv64"))
def test_message_passing_needs_both_sides_where_memory_is_weak(arch: str) -> None:
    assert find_execution(message_passing(arch, None, None)) is not None
    assert find_execution(message_passing(arch, Fence("w", "w"), None)) is not None
    assert find_execution(message_passing(arch, None, Fence("r", "rw"))) is not None
    assert find_execution(message_passing(arch, Fence("w", "w"), Fence("r", "rw"))) is None
    assert find_execution(message_passing(arch, Fence("w", "w"), None, Acquire.SC)) is None


def test_message_passing_needs_nothing_on_x86() -> None:
    assert find_execution(message_passing("x86_64", None, None)) is None


def test_an_outcome_that_nobody_writes_is_forbidden() -> None:
    wanted = replace(store_buffering("riscv64", None), reads={(0, 1): 7})
    assert find_execution(wanted) is None


def test_a_program_that_is_too_large_is_refused() -> None:
    thread = tuple(Event(number, EventKind.WRITE, "x", 1) for number in range(30))
    with pytest.raises(CheckError, match="30 accesses"):
        find_execution(Program("x86_64", (thread,), {}, {}))


@pytest.mark.parametrize("arch", ARCHES)
def test_tests_have_the_name_they_are_given(arch: str) -> None:
    text = render(program(arch, 1), f"{arch}_one", "a question")
    assert text.splitlines()[0].endswith(f" {arch}_one") and '"a question"' in text and "exists (" in text


def test_a_fence_that_was_taken_away_has_no_instruction() -> None:
    assert "DMB" in render(message_passing("aarch64", Fence("w", "w"), None), "with", "?")
    assert "DMB" not in render(message_passing("aarch64", NO_FENCE, NO_FENCE), "without", "?")


def test_what_herd7_prints_is_read() -> None:
    output = "Test a Allowed\nObservation a Never 0 3\nTest b Allowed\nObservation b Sometimes 1 2\n"
    assert observations(output) == {"a": False, "b": True}
