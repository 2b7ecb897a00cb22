"""Every fence, dependency and branch taken away in turn: some question notices. Events are crossed over all 16 bits."""

from __future__ import annotations

import functools
import platform
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.model.spec import KERNEL_DIR
from harness.proof import practice
from harness.proof.decided.checker import Program, find_execution
from harness.proof.decided.decide import answers
from harness.proof.decided.devices import DEVICES
from harness.proof.decided.events import FULL, NO_FENCE, Acquire, Event, EventKind, Fence, Thread
from harness.proof.decided.questions import QUESTIONS
from harness.proof.decided.weakest import Weakest, broken, stronger_than_needed, together, weakest, with_fence
from harness.proof.export import ExportedTest
from harness.proof.practice import litmus7_says, race
from harness.proof.recorded.access import Access
from harness.proof.recorded.recording import Recording
from harness.proof.run import Proof
from harness.tests.programs import fake_program
from harness.tests.proofs import IN_ONE_PROCESS, proved

pytest.importorskip("unicorn")

pytestmark = IN_ONE_PROCESS

QEMU = DEVICES["qemu"]


def notices(found: Proof, change: Callable[[Recording], Recording]) -> frozenset[str]:
    """Questions that answer otherwise once something was taken away."""
    changed = tuple(change(one) for one in found.recordings)
    return broken(answers(changed, QEMU, found.recordings)) - set(found.refuted)


def accesses(recording: Recording, change: Callable[[Access], Access]) -> Recording:
    return replace(recording, accesses=tuple(map(change, recording.accesses)))


@pytest.mark.parametrize(
    ("arch", "strategy"), [("x86_64", "linux"), ("aarch64", "linux"), ("riscv64", "full_progress")]
)
@pytest.mark.slow
def test_every_fence_is_noticed(arch: str, strategy: str) -> None:
    """Each fence instruction removed alone; order that the kick fence also keeps is asked without it."""
    found = proved(arch, strategy)
    kick = found.fences["C"]
    for letter, places in found.fences.items():
        for place in places:
            without = frozenset({place}) | (kick if letter == "E" else frozenset())
            bare = functools.partial(with_fence, places=without, fence=None)
            assert notices(found, bare), (letter, hex(place))


@pytest.mark.parametrize("half", ["acquire", "release"])
@pytest.mark.slow
def test_every_one_way_access_is_noticed(half: str) -> None:
    found = proved("aarch64", "acquire_load")

    def plain(access: Access) -> Access:
        return replace(access, acquire=Acquire.NONE) if half == "acquire" else replace(access, release=False)

    assert notices(found, lambda one: accesses(one, plain))


@pytest.mark.slow
def test_every_kind_of_branch_is_noticed() -> None:
    """A fence for reads at B, and one for writes at A, leave the rest to branches."""
    found = proved("riscv64", "linux")
    assert {"response-reuse"} <= notices(found, lambda one: replace(one, branch_sources={}))


@pytest.mark.parametrize("arch", ["aarch64", "riscv64"])
@pytest.mark.parametrize("kind", ["address", "data", "control"])
def test_every_kind_of_dependency_is_noticed(arch: str, kind: str) -> None:
    """A read and a write that depends on it, as a driver's reads of a ring and its next descriptor."""
    after = replace(Event(1, EventKind.WRITE, "b", 1), **{kind: frozenset({0})})
    device = (Event(0, EventKind.READ, "b"), Event(1, EventKind.FENCE, fence=FULL), Event(2, EventKind.WRITE, "a", 1))
    whole = Program(arch, ((Event(0, EventKind.READ, "a"), after), device), {(0, 0): 1, (1, 0): 1}, {})
    bare = replace(whole, threads=((whole.threads[0][0], replace(after, **{kind: frozenset()})), device))
    assert find_execution(whole) is None and find_execution(bare) is not None


Carrier = tuple[str, int, int]
"""What may keep an order: its kind, the event's index, and for a dependency the read that it leads from."""


def carriers(thread: Thread) -> Iterator[Carrier]:
    for event in thread:
        if event.fence not in (None, NO_FENCE):
            yield "fence", event.index, 0
        if event.acquire is not Acquire.NONE:
            yield "acquire", event.index, 0
        if event.release:
            yield "release", event.index, 0
        for kind in ("address", "data", "control"):
            for source in getattr(event, kind):
                yield kind, event.index, source


def without(program: Program, carrier: Carrier) -> Program:
    """The program with one fence, acquire, release, dependency or branch of its driver taken away."""
    (kind, index, source), (driver, device) = carrier, program.threads
    gone = {"fence": NO_FENCE, "acquire": Acquire.NONE, "release": False}
    value = gone[kind] if kind in gone else getattr(driver[index], kind) - {source}
    changed = replace(driver[index], **{kind: value})
    return replace(program, threads=((*driver[:index], changed, *driver[index + 1 :]), device))


def needed(program: Program, order: Sequence[str]) -> list[str]:
    """Kinds of carriers of which each removal is noticed, once those that others stand in for are gone."""
    kept = []
    for carrier in sorted(carriers(program.threads[0]), key=lambda one: order.index(one[0])):
        bare = without(program, carrier)
        if find_execution(bare) is None:
            program = bare
        else:
            kept.append(carrier)
    assert all(find_execution(without(program, carrier)) is not None for carrier in kept)
    return [kind for kind, _, _ in kept]


BRANCHES_LAST = ("fence", "acquire", "release", "address", "data", "control")
BRANCHES_FIRST = ("control", "fence", "acquire", "release", "address", "data")


@pytest.mark.parametrize(
    ("arch", "strategy", "order", "kinds"),
    [
        ("riscv64", "linux", BRANCHES_LAST, {"fence", "control"}),
        ("riscv64", "linux", BRANCHES_FIRST, {"fence", "address", "data"}),
        ("aarch64", "acquire_load", BRANCHES_FIRST, {"fence", "acquire", "release"}),
    ],
)
@pytest.mark.slow
def test_every_fence_dependency_and_branch_is_taken_away_in_turn(
    arch: str, strategy: str, order: Sequence[str], kinds: set[str]
) -> None:
    """From every question of a kernel in every shape: what can go without being noticed does, and the rest cannot."""
    programs = {
        repr(shape.program): shape.program
        for one in proved(arch, strategy).answers
        for shape in one.shapes
        if not shape.allowed
    }
    found = set()
    for program in programs.values():
        kept = needed(program, order)
        registers = all(event.device for event in program.threads[0] if event.location in ("a", "b"))
        assert kept or registers, "an order that nothing keeps"
        found |= set(kept)
    assert found >= kinds


@pytest.mark.slow
def test_no_question_is_without_a_mutation_that_fails_it() -> None:
    """All fences, branches and dependencies removed, on a machine that keeps no order."""

    def nothing(access: Access) -> Access:
        fence = NO_FENCE if access.fence is not None else None
        return replace(
            access, fence=fence, acquire=Acquire.NONE, release=False, address_from=frozenset(), data_from=frozenset()
        )

    found = proved("riscv64", "full_progress", COMPLETION="irq")
    asked = {one.question for one in found.answers if one.pairs}
    assert asked == {one.name for one in QUESTIONS}
    loose = [replace(accesses(one, nothing), branch_sources={}) for one in found.recordings]
    assert broken(answers(tuple(loose), QEMU, found.recordings)) == asked


@pytest.mark.slow
def test_the_weakest_fences_are_right_together_and_none_is_weaker() -> None:
    found = proved("aarch64", "full_progress")
    points = {letter: places for letter, places in found.fences.items() if places}
    weak = tuple(weakest(found.recordings, points, QEMU))
    assert together(found.recordings, points, weak, QEMU)
    assert {one.point for one in weak} == set(points)
    nothing = tuple(Weakest(one.point, ("none",)) for one in weak)
    assert not together(found.recordings, points, nothing, QEMU)


def test_a_strategy_is_compared_with_what_is_enough() -> None:
    weak = (Weakest("A", ("dmb ishst",)), Weakest("B", ("dmb ishld",)))
    full, read = Fence("rwio", "rwio", inner=True), Fence("ri", "rwio", inner=True)
    assert stronger_than_needed("aarch64", {"A": [full], "B": [read]}, weak) == (("A", "dmb ishst"),)
    assert not stronger_than_needed("aarch64", {"B": []}, weak)


EXHAUSTIVE = """
#include <stdbool.h>
#include <stdint.h>
%s
int main(void)
{
    uint32_t wrong = 0;

    for (uint32_t event = 0; event < 65536; event++)
        for (uint32_t next = 0; next < 65536; next++)
            wrong += event_crossed((uint16_t)event, (uint16_t)next, 0) != (event < next);
    for (uint32_t old = 0; old < 65536; old++)
        for (uint32_t i = 0; i < 4096; i++) {
            uint16_t event = (uint16_t)(i * 40503u), next = (uint16_t)(i * 30011u);

            wrong += event_crossed(event + old, next + old, old) != (event < next);
        }
    return wrong != 0;
}
"""
"""The event lies from the old index up to, and without, the new one. All 2**32 pairs from old index 0, and 4,096 pairs
from every other.
"""


@pytest.mark.parametrize("damage", ["", "wraps wrongly"])
@pytest.mark.slow
def test_an_event_is_crossed_exactly_when_it_lies_between(tmp_path: Path, damage: str) -> None:
    """VIRTIO 1.2, §2.7.10.1, exhaustively, of the driver's own function; a wrong one is found."""
    source = (KERNEL_DIR / "drivers" / "virtio" / "virtqueue.c").read_text(encoding="utf-8")
    found = re.search(r"^static bool event_crossed\(.*?^}$", source, re.MULTILINE | re.DOTALL)
    assert found
    function = re.sub(r"return .*;", "return event < new;", found[0]) if damage else found[0]
    function = function.replace("uint16_t old)", "uint16_t old __attribute__((unused)))")
    (tmp_path / "all.c").write_text(EXHAUSTIVE % function, encoding="utf-8")
    subprocess.run(["gcc", "-O2", "-o", str(tmp_path / "all"), str(tmp_path / "all.c")], check=True)
    assert subprocess.run([str(tmp_path / "all")], check=False, timeout=120).returncode == bool(damage)


@pytest.mark.slow
def test_a_strategy_is_raced_on_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(practice, "RACE_MS", 50)
    found = race("linux", tmp_path)
    assert found.why or (found.requests > 0 and found.lost == 0)
    assert "not run" in race("hope", tmp_path).why or found.why


def test_litmus7_runs_kick_checks_of_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    tests = [ExportedTest("x86_64_a_kick_check_0", "X86_64 a\n\nx", True), ExportedTest("x86_64_a_publish_0", "", True)]
    monkeypatch.setenv("PATH", "/nowhere")
    assert litmus7_says(tests, tmp_path) == ()
    fake_program(tmp_path, "litmus7", "echo 'Observation x86_64_a_kick_check_0 Sometimes 3 99997'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert litmus7_says(tests, tmp_path) == ("x86_64_a_kick_check_0: seen; here allowed",)
