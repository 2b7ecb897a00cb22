"""The ring's ordering points: reading them, and strategies that are not what they claim."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from harness.core.machine_code.ringmarks import (
    Instruction,
    Mark,
    RingpointError,
    operation,
    parse_disassembly,
    read_marks,
)
from harness.core.machine_code.ringpoints import (
    Point,
    by_point,
    claimed,
    identical,
    markdown,
    problems,
    show,
    spans,
    strays,
)
from harness.model.errors import BuildError
from harness.model.spec import ARCHES, Switches, switch_table
from harness.platform.kernels.build import build_kernel
from harness.platform.kernels.ringcode import read_ring, ring_points

STRATEGIES = switch_table()["BARRIER"].values

OBJDUMP = """
0000000000000000 <virtqueue_publish>:
   0:\tlhu\ta5,564(a0)
   4:\tfence\trw,w
   8:\tsh\ta5,2(a4) # 1002 <.L67+0xbb6>
   c:\tpause
  10:\tret
"""


@pytest.mark.parametrize(
    ("arch", "mnemonic", "operands", "seen"),
    [
        ("x86_64", "lock", "orl $0x0,-0x4(%rsp)", "lock orl"),
        ("x86_64", "mfence", "", "mfence"),
        ("x86_64", "xchg", "%eax,(%rdx)", "xchg"),
        ("x86_64", "xchg", "%ax,%ax", None),
        ("x86_64", "mov", "%ax,0x2(%rdx)", "store"),
        ("x86_64", "movzwl", "0x2(%rdx),%eax", "load"),
        ("x86_64", "cmp", "%ax,0x236(%rdi)", "load"),
        ("x86_64", "addq", "$0x1,0x1068(%rdi)", "addq memory"),
        ("x86_64", "lea", "0x2(%rdx),%rax", None),
        ("aarch64", "dmb", "ishld", "dmb ishld"),
        ("aarch64", "ldarh", "w0, [x1]", "ldarh"),
        ("aarch64", "stlrh", "w0, [x1]", "stlrh"),
        ("aarch64", "ldadd", "x0, x1, [x2]", "ldadd"),
        ("aarch64", "ldrh", "w0, [x1, #2]", "load"),
        ("aarch64", "strh", "w0, [x1, #2]", "store"),
        ("aarch64", "and", "w0, w0, #0xffff", None),
        ("riscv64", "fence", "rw,w", "fence rw,w"),
        ("riscv64", "fence", "", "fence iorw,iorw"),
        ("riscv64", "fence", "w,unknown", None),
        ("riscv64", "amoadd.w", "a0,a1,(a2)", "amoadd.w"),
        ("riscv64", "lhu", "a5,2(a4)", "load"),
        ("riscv64", "sh", "a5,2(a4)", "store"),
        ("riscv64", "slli", "a5,a5,0x30", None),
    ],
)
def test_an_instruction_is_what_a_memory_model_sees(arch: str, mnemonic: str, operands: str, seen: str | None) -> None:
    assert operation(Instruction(0, mnemonic, operands), arch) == seen


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(RingpointError, match="vax"):
        operation(Instruction(0, "mov"), "vax")


def test_disassembly_is_read_without_its_comments() -> None:
    code = parse_disassembly(OBJDUMP)
    assert [instruction.address for instruction in code] == [0, 4, 8, 0xC, 0x10]
    assert code[2] == Instruction(8, "sh", "a5,2(a4)")


def publish_span(*marks: Mark) -> None:
    spans(marks, parse_disassembly(OBJDUMP), "riscv64")


def test_a_span_holds_what_stands_between_its_marks() -> None:
    marks = (Mark(4, "A", 0), Mark(0xC, "A", 1))
    (found,) = spans(marks, parse_disassembly(OBJDUMP), "riscv64")
    assert (found.point, found.operations) == (Point.PUBLISH, ("fence rw,w", "store"))


def test_marks_that_do_not_pair_are_refused() -> None:
    with pytest.raises(RingpointError, match="no end"):
        publish_span(Mark(4, "A", 0))
    with pytest.raises(RingpointError, match="no end"):
        publish_span(Mark(4, "A", 1), Mark(8, "A", 0))
    with pytest.raises(RingpointError, match="did not begin"):
        publish_span(Mark(4, "A", 1))
    with pytest.raises(RingpointError, match="not where an instruction begins"):
        publish_span(Mark(5, "A", 0), Mark(8, "A", 1))


def test_what_is_no_elf_file_has_no_marks() -> None:
    with pytest.raises(RingpointError, match="ELF"):
        read_marks(b"\x7fELF but not much more")


def test_places_of_one_point_must_agree() -> None:
    code = parse_disassembly(OBJDUMP)
    marks = (Mark(4, "A", 0), Mark(0xC, "A", 1), Mark(8, "A", 0), Mark(0x10, "A", 1))
    with pytest.raises(RingpointError, match="not the same everywhere"):
        by_point(spans(sorted(marks, key=lambda mark: mark.address), code, "riscv64"))


def test_a_fence_outside_of_every_point_is_a_stray() -> None:
    code = parse_disassembly(OBJDUMP)
    inside = spans((Mark(4, "A", 0), Mark(0xC, "A", 1)), code, "riscv64")
    assert strays(inside, code, "riscv64") == ()
    assert strays((), code, "riscv64") == ("fence rw,w at 0x4 belongs to no point",)


def test_strategies_of_one_code_are_grouped() -> None:
    tables = {name: claimed(name, "x86_64") for name in STRATEGIES}
    assert identical(tables) == (
        ("acquire_progress", "acquire_spin", "acquire_load", "linux", "late_publish"),
        ("volatile_only", "no_kick_fence"),
    )
    assert identical({name: claimed(name, "riscv64") for name in STRATEGIES}) == ()


def test_the_table_names_what_is_identical() -> None:
    text = markdown({"x86_64": {name: claimed(name, "x86_64") for name in ("linux", "acquire_load", "seqcst_spin")}})
    assert "| `seqcst_spin` | `store` | `lock orl; load` | – |" in text
    assert "Identical at every point: `linux`, `acquire_load`." in text


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.slow
def test_every_strategy_is_the_instructions_that_it_claims_and_no_others(arch: str, compiler: str) -> None:
    built: Mapping[str, Mapping[Point, tuple[str, ...]]] = {
        name: ring_points(Switches.of({"ARCH": arch, "BARRIER": name}), compiler) for name in STRATEGIES
    }
    for name in STRATEGIES:
        assert built[name] == claimed(name, arch)


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.slow
def test_the_linked_kernel_has_them_too_and_another_strategy_s_claims_do_not_fit(arch: str) -> None:
    kernel = build_kernel(Switches.of({"ARCH": arch}))
    found, _ = read_ring(kernel.path, arch)
    assert problems("acquire_progress", arch, found) == ()
    for other in STRATEGIES:
        fits = claimed(other, arch) == claimed("acquire_progress", arch)
        assert (problems(other, arch, found) == ()) is fits, other


def test_a_lost_point_and_a_moved_fence_are_named() -> None:
    code = parse_disassembly(OBJDUMP)
    found = spans((Mark(4, "A", 0), Mark(0xC, "A", 1)), code, "riscv64")
    said = problems("late_publish", "riscv64", found)
    assert said[0] == "A publish at 0x4 is fence rw,w; store, claimed is store; fence rw,w"
    assert [line.split(" stands")[0] for line in said[1:]] == [point.value for point in Point if point != Point.PUBLISH]


def test_a_strategy_with_strays_does_not_pass_as_built() -> None:
    # Counting with locked operations puts fences where no strategy has them: the check must see that.
    with pytest.raises(BuildError, match="belongs to no point"):
        ring_points(Switches.of({"ARCH": "x86_64", "COUNTERS": "atomic"}))


def test_every_claim_differs_from_another_somewhere() -> None:
    for one, other in itertools.combinations(STRATEGIES, 2):
        assert any(claimed(one, arch) != claimed(other, arch) for arch in ARCHES), (one, other)


def test_nothing_is_shown_as_a_dash() -> None:
    assert show(()) == "–"
    assert show(("dmb ish", "store")) == "dmb ish; store"
