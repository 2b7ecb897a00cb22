"""Instructions by function: the log of blocks, what is left out, and a real kernel with more work planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.counts.functions import FunctionChange, Symbols, changed_functions, executed, function_words
from harness.gate.judging.basis import Basis
from harness.gate.judging.verdict import judge
from harness.gate.measuring.exact import EXACT_PARTS, count_instructions
from harness.gate.measuring.functions import FIRST_FRAME, LAST_FLUSHES, compare_functions, count_functions
from harness.model.result import Arm, Metric
from harness.model.spec import Machine, RunParams, RunSpec, Switches, Verdict
from harness.platform.kernels.build import build_kernel

MACHINE = Machine(vcpus=1, maxcpus=2)
EVENT = "virtio_gpu_cmd_res_flush"


class Named(Symbols):
    """Two functions at known addresses."""

    def __init__(self) -> None:
        self._found = [(0x1000, 0x100, "draw"), (0x2000, 0x10, "poll")]
        self._starts = [0x1000, 0x2000]


def code(*instructions: str) -> str:
    return "----------------\nIN: f\n" + "".join(f"{line}\n" for line in instructions) + "\n"


def ran(place: str, address: int) -> str:
    return f"Trace 0: {place} [0000000000000000/{address:016x}/0000c0b0/ff020200] f\n"


FLUSH = f"1@1700000000.000001:{EVENT} res 0x1, w 1024, h 768, x 0, y 0\n"
DRAW = code(
    "0x00001000:  55                       pushq    %rbp",
    "0x00001001:  48 c7 84 24 80 00 00 00  movq     $0x11223344, 0x80(%rsp)",
    "0x00001009:  44 33 22 11",
    "0x0000100d:  c3                       retq     ",
)
POLL = code("0x00002000:  d503201f  nop")


def counted(text: str) -> dict[int, dict[str, int]]:
    return {frame: dict(found) for frame, found in executed(text.encode(), Named(), EVENT).items()}


def test_blocks_are_counted_by_function_and_frame() -> None:
    drawn = ran("0x7f00", 0x1000)
    log = FLUSH + DRAW + drawn + FLUSH + drawn * 3 + POLL + ran("0x7f40", 0x2000) + FLUSH + drawn + FLUSH
    assert counted(log) == {1: {"draw": 9, "poll": 1}, 2: {"draw": 3}}


def test_a_block_that_was_left_before_it_began_does_not_count() -> None:
    stopped = "Stopped execution of TB chain before 0x7f00 [0000000000001000] f\n"
    log = DRAW + ran("0x7f00", 0x1000) + FLUSH + ran("0x7f00", 0x1000) * 2 + stopped + FLUSH
    assert counted(log) == {0: {"draw": 3}}


def test_the_same_address_translated_again_has_the_new_length() -> None:
    shorter = code("0x00001000:  55                       pushq    %rbp")
    log = DRAW + ran("0x7f00", 0x1000) + FLUSH + shorter + ran("0x7f80", 0x1000) + ran("0x7f00", 0x1000) + FLUSH
    assert counted(log) == {0: {"draw": 4}}


@pytest.mark.parametrize("log", ["", "garbage", FLUSH * 3, ran("0x7f00", 0x1000), "IN:\nTrace 0: x [0/0/0/0] y\n"])
def test_logs_that_hold_no_frame(log: str) -> None:
    assert counted(log) == {}


def test_functions_that_vary_by_themselves_are_left_out() -> None:
    reference, again = {5: {"draw": 100, "poll": 7}}, {5: {"draw": 100, "poll": 9}}
    found = changed_functions(reference, again, {5: {"draw": 110, "poll": 50, "new": 3}})
    assert found == (FunctionChange("draw", 100, 110), FunctionChange("new", 0, 3))
    assert function_words(found) == "draw +10 (+10.0 %), new is new with 3"
    assert changed_functions(reference, reference, reference) == ()
    assert changed_functions(reference, again, {5: {"draw": 110}}, smallest=0.2) == ()
    with pytest.raises(ValueError, match="in common"):
        changed_functions(reference, again, {6: {"draw": 110}})


def test_the_gate_names_them() -> None:
    arms = [Arm({}, "0", {"instructions_per_frame": Metric(count, "instructions", "icount")}) for count in (1100, 1000)]
    judged = judge(Basis(arms[0], arms[1], grown="draw +10 (+10.0 %)"))
    gate = next(gate for gate in judged.gates if gate.metric == "instructions_per_frame")
    assert gate.verdict is Verdict.REGRESSION and gate.why.endswith("allowed): draw +10 (+10.0 %)")


def test_no_elf_file_has_no_symbols() -> None:
    with pytest.raises(ValueError, match="no ELF file"):
        Symbols(b"\x7fELF, or so it says")


@pytest.mark.xdist_group("functions")
@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
@pytest.mark.slow
def test_the_sum_is_what_the_guest_counts(arch: str, tmp_path: Path) -> None:
    machine = Machine(arch, vcpus=1, maxcpus=2)
    spec = RunSpec(build_kernel(Switches(arch)).path, machine, RunParams(mode=(640, 480)))
    # Beside other work logging may begin after the first few frames: then later ones are logged, as the stage does.
    tried = (count_functions(spec, tmp_path / "log", last) for last in LAST_FLUSHES)
    frames = next(found for found in tried if found)
    exact = count_instructions({"one": spec}, tmp_path / "exact")["one"]
    told = dict(zip(exact.frames, zip(*(exact.parts[part] for part in EXACT_PARTS))))
    drawing = {name for frame in frames.values() for name in frame if name.startswith(("wheel_", "pattern_", "text_"))}
    assert len(drawing) >= 3 and frames
    for flush, functions in frames.items():
        # A flush is of the frame drawn before it: what runs until the next one is the next frame.
        sure = sum(told[FIRST_FRAME + 1 + flush])
        assert sure * 0.98 < sum(functions.values()) < sure * 1.02 + 20_000


@pytest.mark.xdist_group("functions")
@pytest.mark.slow
def test_planted_work_is_found_where_it_was_planted(tmp_path: Path) -> None:
    small = RunParams(mode=(320, 240))
    plain, pixel = (RunSpec(build_kernel(Switches().but(FILL=fill)).path, MACHINE, small) for fill in ("fast", "pixel"))
    names = [change.name for change in compare_functions(plain, pixel, tmp_path)[:4]]
    assert names[:2] == ["backdrop_draw", "wheel_draw"], "what fills most, in this order"
