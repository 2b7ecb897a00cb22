"""Write the ring's ordering questions as litmus tests."""

from __future__ import annotations

import shutil

from harness.core.machine_code.ringpoints import Point, markdown
from harness.model.errors import ToolError
from harness.model.spec import ARCHES, KERNEL_DIR, Switches, UsageError, Verdict, switch_table
from harness.platform.files.atomic import write_whole
from harness.platform.kernels.build import BUILD_DIR, build_kernel
from harness.platform.kernels.ringcode import ring_points
from harness.proof.decided.devices import DEVICES
from harness.proof.emulator.image import TraceError
from harness.proof.export import exported_tests, write_tests
from harness.proof.run import prove
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 150
EXAMPLES = ("", "ARCH=aarch64 BARRIER=linux", "README=1")
NEXT = "herd7 build/litmus/*.litmus; make proof decides them"
TAKES = ("ARCH", "BARRIER")
WRITES = ("page",)

LITMUS_DIR = BUILD_DIR / "litmus"
README = KERNEL_DIR / "drivers" / "virtio" / "README.md"
_BEGIN, _END = "<!-- ringpoints: written by make litmus README=1 -->", "<!-- ringpoints: end -->"


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``litmus [ARCH=…] [BARRIER=…] [CC=clang] [README=1]``.

    Writes ``build/litmus/<arch>_<strategy>_<question>_<number>.litmus`` for herd7, from the events of each kernel's own
    driver; with README=1 also the table of instructions in ``kernel/drivers/virtio/README.md``.
    """
    arches = [arguments.text("ARCH")] if arguments.has("ARCH") else list(ARCHES)
    strategies = [arguments.text("BARRIER")] if arguments.has("BARRIER") else list(switch_table()["BARRIER"].values)
    if arguments.flag("README"):
        table = ring_table(arches, strategies, arguments.text("CC"), out)
        # No bound needed: a page of this tree.
        write_whole(README, with_table(README.read_text(encoding="utf-8"), markdown(table)))
    shutil.rmtree(LITMUS_DIR, ignore_errors=True)
    count = 0
    for arch in arches:
        for strategy in strategies:
            out.progress(f"running the ring of {arch} {strategy}")
            built = build_kernel(Switches.of({"ARCH": arch, "BARRIER": strategy}), compiler=arguments.text("CC"))
            try:
                proof = prove(built.path, f"{arch} {strategy}", built.sha256, DEVICES["qemu"])
            except TraceError as error:
                raise ToolError(f"{arch} {strategy} cannot be traced: {error}") from error
            tests = exported_tests(proof.label, proof.answers)
            write_tests(LITMUS_DIR, tests)
            count += len(tests)
    out.line(f"{count} litmus tests in {LITMUS_DIR.relative_to(BUILD_DIR.parent)}/")
    return Verdict.PASS


def ring_table(
    arches: list[str], strategies: list[str], compiler: str, out: Printer
) -> dict[str, dict[str, dict[Point, tuple[str, ...]]]]:
    """The operations at every point, by architecture and strategy, from objects built now."""
    table: dict[str, dict[str, dict[Point, tuple[str, ...]]]] = {}
    for arch in arches:
        for strategy in strategies:
            out.progress(f"building the ring of {arch} {strategy}")
            table.setdefault(arch, {})[strategy] = ring_points(
                Switches.of({"ARCH": arch, "BARRIER": strategy}), compiler
            )
    return table


def with_table(text: str, table: str) -> str:
    """A README with the part between its two marks replaced.

    Raises
    ------
    UsageError
        When it does not hold the marks, once each and in order.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise UsageError(f"{README.name} of kernel/drivers/virtio has lost its marks: {_BEGIN} … {_END}")
    return f"{before}{_BEGIN}\n{table}{_END}{after}"
