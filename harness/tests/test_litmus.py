"""Litmus tests of kernels that ran: names that are unique, what herd7 said of them, and orders that decide them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.commands import litmus
from harness.core.machine_code.ringpoints import markdown
from harness.front.words import parse
from harness.model.spec import ARCHES, UsageError, switch_table
from harness.platform.kernels.build import BUILD_DIR
from harness.proof.decided.checker import Program, find_execution
from harness.proof.decided.events import FULL, Event, EventKind, Thread
from harness.proof.export import ExportedTest, ask_herd, disagreements, exported_tests, write_tests
from harness.tests.printer import RecordingPrinter
from harness.tests.programs import fake_program
from harness.tests.proofs import IN_ONE_PROCESS, proved

pytest.importorskip("unicorn")

pytestmark = IN_ONE_PROCESS

STRATEGIES = switch_table()["BARRIER"].values
RECORDED = json.loads((Path(__file__).parent / "data" / "herd7-exported.json").read_text(encoding="utf-8"))
SAID = {key: True for key in RECORDED["allowed"]} | {key: False for key in RECORDED["forbidden"]}
KERNELS = [("x86_64", "no_kick_fence"), ("aarch64", "late_publish"), ("aarch64", "linux"), ("riscv64", "acquire_spin")]


def exported(arch: str, strategy: str) -> list[ExportedTest]:
    found = proved(arch, strategy)
    return exported_tests(found.label, found.answers)


def fingerprint(test: ExportedTest) -> str:
    """A hash of the program alone, by which the recorded verdicts are kept."""
    return hashlib.sha256((test.text.split()[0] + test.body).encode()).hexdigest()[:16]


@pytest.mark.slow
def test_every_test_has_a_name_of_its_own() -> None:
    names = [test.name for kernel in KERNELS for test in exported(*kernel)]
    assert len(set(names)) == len(names) > 80
    assert all(name.startswith(("x86_64_", "aarch64_", "riscv64_")) and name.isidentifier() for name in names)
    assert all(test.text.split()[1] == test.name for kernel in KERNELS for test in exported(*kernel))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.slow
def test_what_is_exported_is_decided_as_herd7_does(kernel: tuple[str, str]) -> None:
    tests = exported(*kernel)
    known = [test for test in tests if fingerprint(test) in SAID]
    assert len(known) > 0.8 * len(tests), "another compiler? record what herd7 says of 'make litmus' again"
    assert not [test.name for test in known if SAID[fingerprint(test)] is not test.allowed]


def test_recorded_verdicts_are_of_both_kinds() -> None:
    assert len(SAID) == len(RECORDED["allowed"]) + len(RECORDED["forbidden"]) > 400
    assert min(len(RECORDED["allowed"]), len(RECORDED["forbidden"])) > 15


def _fenced(thread: Thread) -> Thread:
    """Full fences between all events: what sequential consistency would do."""
    events: list[Event] = []
    for event in thread:
        if event.kind is not EventKind.FENCE:
            bare = replace(event, index=len(events), address=frozenset(), data=frozenset(), control=frozenset())
            events += [bare, Event(len(events) + 1, EventKind.FENCE, fence=FULL)]
    return tuple(events)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.slow
def test_every_question_depends_on_order_alone(kernel: tuple[str, str]) -> None:
    """In order the outcome is forbidden; where nothing is kept in order it can be seen."""
    for answer in proved(*kernel).answers:
        for shape in answer.shapes:
            driver, device = shape.program.threads
            places = {
                event.index: 2 * at for at, event in enumerate(e for e in driver if e.kind is not EventKind.FENCE)
            }
            reads = {(n, places[at] if n == 0 else at): v for (n, at), v in shape.program.reads.items()}
            strict = Program(kernel[0], (_fenced(driver), device), reads, shape.program.final)
            loose = replace(shape.program, threads=(tuple(map(_loose, driver)), device), arch="riscv64")
            assert find_execution(strict) is None, answer.question
            assert find_execution(loose) is not None, answer.question


def _loose(event: Event) -> Event:
    """Without what keeps order: registers of one device do so by themselves, those of two do not."""
    none = frozenset[int]()
    return replace(
        event,
        fence=None,
        address=none,
        data=none,
        control=none,
        release=False,
        acquire=type(event.acquire).NONE,
        region=event.index,
    )


@pytest.mark.slow
def test_a_disagreement_and_a_silence_of_herd7_are_problems(tmp_path: Path) -> None:
    tests = exported("x86_64", "no_kick_fence")[:3]
    write_tests(tmp_path, tests)
    lines = [f"Observation {tests[0].name} {'Never' if tests[0].allowed else 'Sometimes'} 0 1"]
    lines += [f"Observation {tests[1].name} {'Sometimes' if tests[1].allowed else 'Never'} 0 1"]
    fake_program(tmp_path, "herd7", "\n".join(f"echo '{line}'" for line in lines))
    seen = ask_herd(str(tmp_path / "herd7"), tmp_path, [test.name for test in tests])
    first, second = disagreements(tests, seen)
    assert "disagrees on" in first and tests[0].name in first
    assert second == f"herd7 says nothing of {tests[2].name}"


@pytest.mark.slow
def test_the_command_writes_every_question(monkeypatch: pytest.MonkeyPatch, printer: RecordingPrinter) -> None:
    monkeypatch.setattr(litmus, "LITMUS_DIR", BUILD_DIR / "test-litmus")
    litmus.main(parse(["litmus", "ARCH=riscv64", "BARRIER=linux"]), printer)
    names = [path.stem for path in litmus.LITMUS_DIR.glob("*.litmus")]
    for question in ("publish", "response_clear", "poll_element", "kick_check", "framebuffer_reuse"):
        assert f"riscv64_linux_{question}_0" in names
    publish = (litmus.LITMUS_DIR / "riscv64_linux_publish_0.litmus").read_text(encoding="utf-8")
    assert "fence w,w" in publish and publish.startswith("RISCV riscv64_linux_publish_0\n")
    assert printer.lines[-1] == f"{len(names)} litmus tests in build/test-litmus/"


def test_the_command_refuses_what_it_does_not_know(printer: RecordingPrinter) -> None:
    with pytest.raises(UsageError, match="valid"):
        litmus.main(parse(["litmus", "BARRIER=hope"]), printer)
    with pytest.raises(UsageError, match="LOG"):
        litmus.main(parse(["litmus", "LOG=none"]), printer)
    with pytest.raises(UsageError, match="README=1"):
        litmus.main(parse(["litmus", "ARCH=x86_64", "README=1"]), printer)
    with pytest.raises(UsageError, match="marks"):
        litmus.with_table("a README without marks", "")


@pytest.mark.slow
def test_the_readme_s_table_is_what_the_compiler_makes_now(printer: RecordingPrinter) -> None:
    table = litmus.ring_table(list(ARCHES), list(STRATEGIES), "gcc", printer)
    text = litmus.README.read_text(encoding="utf-8")
    assert litmus.with_table(text, markdown(table)) == text
