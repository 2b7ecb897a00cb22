"""The litmus tests: questions that make sense, files with the strategy's instructions, a README that is current."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest

from harness.commands import litmus
from harness.core.ringmarks import RingpointError
from harness.core.ringpoints import Point, claimed, markdown
from harness.front.words import parse
from harness.model.spec import ARCHES, UsageError, switch_table
from harness.platform.build import BUILD_DIR
from harness.proof.litmus import DEVICE, DRIVER, SHAPES, At, Branch, LitmusStep, Load, Shape, Store, render
from harness.tests.printer import RecordingPrinter

STRATEGIES = switch_table()["BARRIER"].values
SHAPE_NAMES = [shape.name for shape in SHAPES]


def accesses(steps: Sequence[LitmusStep]) -> list[LitmusStep]:
    """A thread without its fences: points become the accesses that they stand around."""
    plain: list[LitmusStep] = []
    for step in steps:
        if isinstance(step, At) and step.point is Point.PUBLISH:
            plain.append(Store(step.word))
        elif isinstance(step, At) and step.point is Point.POLL:
            plain.append(Load(step.word, step.register))
        elif isinstance(step, (Store, Load, Branch)):
            plain.append(step)
    return plain


def run(order: Sequence[tuple[int, LitmusStep]]) -> dict[tuple[int, str], int]:
    """The registers after the steps in this order; a branch that leaves its thread skips what follows there."""
    memory: dict[str, int] = {}
    registers: dict[tuple[int, str], int] = {}
    gone: set[int] = set()
    for thread, step in order:
        if thread in gone:
            continue
        if isinstance(step, Store):
            memory[step.word] = 1
        elif isinstance(step, Load):
            registers[thread, step.register] = memory.get(step.word, 0)
        elif isinstance(step, Branch) and registers[thread, step.register] != 1:
            gone.add(thread)
    return registers


def interleavings(driver: Sequence[LitmusStep], device: Sequence[LitmusStep]) -> Iterator[list[tuple[int, LitmusStep]]]:
    for places in itertools.combinations(range(len(driver) + len(device)), len(driver)):
        left, right = iter(driver), iter(device)
        yield [
            (DRIVER, next(left)) if place in places else (DEVICE, next(right))
            for place in range(len(driver) + len(device))
        ]


def reached(shape: Shape, driver: Sequence[LitmusStep], device: Sequence[LitmusStep]) -> bool:
    """Whether one of the shape's outcomes is seen in any interleaving of these orders."""
    return any(
        all(registers.get((thread, name), 0) == value for thread, name, value in outcome)
        for registers in map(run, interleavings(driver, device))
        for outcome in shape.outcomes
    )


def reorderings(steps: Sequence[LitmusStep]) -> Iterator[Sequence[LitmusStep]]:
    """Every order of a thread's accesses, without its branches, as if nothing kept them in place."""
    return itertools.permutations([step for step in steps if not isinstance(step, Branch)])


@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_NAMES)
def test_sequential_consistency_forbids_the_outcome(shape: Shape) -> None:
    assert not reached(shape, accesses(shape.driver), accesses(shape.device))


@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_NAMES)
def test_it_depends_on_the_driver_s_order_alone(shape: Shape) -> None:
    # Not vacuous: with the device in order, some order of the driver's accesses reaches the outcome.
    device = accesses(shape.device)
    assert any(reached(shape, driver, device) for driver in reorderings(accesses(shape.driver)))


def columns(text: str) -> tuple[list[str], list[str]]:
    rows = [line.rstrip(" ;").split("|") for line in text.splitlines() if line.endswith(";") and "|" in line]
    return [row[0].strip() for row in rows], [row[1].strip() for row in rows]


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_test_is_well_formed(strategy: str, arch: str) -> None:
    for shape in SHAPES:
        text = render(shape, strategy, arch, claimed(strategy, arch))
        assert text.splitlines()[0].split() == [
            {"x86_64": "X86_64", "aarch64": "AArch64", "riscv64": "RISCV"}[arch],
            shape.name,
        ]
        driver, device = columns(text)
        assert driver[0] == "P0" and device[0] == "P1" and len(driver) == len(device)
        assert text.count("exists") == 1 and text.endswith(")\n")
        assert driver.count("L0:") == any(isinstance(step, Branch) for step in shape.driver)
        for thread, steps in ((DRIVER, shape.driver), (DEVICE, shape.device)):
            words = {step.word for step in accesses(steps) if isinstance(step, (Store, Load))}
            for word in words:
                assert f"({word})" in text if arch == "x86_64" else f"={word};" in text, (thread, word)


def driver_column(shape: str, strategy: str, arch: str) -> list[str]:
    (found,) = [candidate for candidate in SHAPES if candidate.name == shape]
    return columns(render(found, strategy, arch, claimed(strategy, arch)))[0]


def test_fences_stand_where_the_strategy_has_them() -> None:
    assert driver_column("publish", "acquire_progress", "aarch64")[1:] == [
        "MOV W10,#1",
        "STR W10,[X20]",
        "DMB ISH",
        "MOV W10,#1",
        "STR W10,[X21]",
    ]
    late = driver_column("publish", "late_publish", "riscv64")
    assert late.index("fence rw,w") > late.index("sw x5,0(x21)")
    assert "STLR W10,[X21]" in driver_column("publish", "acquire_load", "aarch64")
    assert driver_column("poll-response", "seqcst_spin", "riscv64")[1:3] == ["fence rw,rw", "lw x10,0(x20)"]
    assert "mfence" in driver_column("kick-check", "linux", "x86_64")
    assert "mfence" not in driver_column("kick-check", "no_kick_fence", "x86_64")


def test_strategies_that_differ_at_a_point_differ_in_its_questions() -> None:
    uses = {shape.name: {step.point for step in shape.driver if isinstance(step, At)} for shape in SHAPES}
    for arch, (one, other) in itertools.product(ARCHES, itertools.combinations(STRATEGIES, 2)):
        first, second = claimed(one, arch), claimed(other, arch)
        for shape in SHAPES:
            same = all(first[point] == second[point] for point in uses[shape.name])
            texts = [driver_column(shape.name, name, arch) for name in (one, other)]
            assert (texts[0] == texts[1]) is same, (arch, one, other, shape.name)


def test_an_operation_without_syntax_is_refused() -> None:
    table = claimed("linux", "aarch64")
    table[Point.POLL] = ("ldapr",)
    with pytest.raises(RingpointError, match="ldapr"):
        render(SHAPES[2], "linux", "aarch64", table)
    with pytest.raises(KeyError):
        render(SHAPES[2], "linux", "aarch64", {})


def test_the_command_writes_every_question(monkeypatch: pytest.MonkeyPatch, printer: RecordingPrinter) -> None:
    monkeypatch.setattr(litmus, "LITMUS_DIR", BUILD_DIR / "test-litmus")
    litmus.main(parse(["litmus", "ARCH=riscv64", "BARRIER=linux"]), printer)
    folder = litmus.LITMUS_DIR / "riscv64" / "linux"
    assert sorted(path.stem for path in folder.glob("*.litmus")) == sorted(shape.name for shape in SHAPES)
    assert "fence w,w" in (folder / "publish.litmus").read_text(encoding="utf-8")
    assert printer.lines[-1].startswith(f"{len(SHAPES)} litmus tests in build/test-litmus")


def test_the_command_refuses_what_it_does_not_know(printer: RecordingPrinter) -> None:
    with pytest.raises(UsageError, match="valid"):
        litmus.main(parse(["litmus", "BARRIER=hope"]), printer)
    with pytest.raises(UsageError, match="LOG"):
        litmus.main(parse(["litmus", "LOG=none"]), printer)
    with pytest.raises(UsageError, match="README=1"):
        litmus.main(parse(["litmus", "ARCH=x86_64", "README=1"]), printer)
    with pytest.raises(UsageError, match="marks"):
        litmus.with_table("a README without marks", "")


def test_the_readme_s_table_is_what_the_compiler_makes_now(printer: RecordingPrinter) -> None:
    table = litmus.ring_table(list(ARCHES), list(STRATEGIES), "gcc", printer)
    text = litmus.README.read_text(encoding="utf-8")
    assert litmus.with_table(text, markdown(table)) == text
