"""Write the ring's ordering questions as litmus tests."""

from __future__ import annotations

from pathlib import Path

from harness.core.ringpoints import Point, markdown
from harness.model.spec import ARCHES, KERNEL_DIR, Switches, UsageError, Verdict, switch_table
from harness.platform.build import BUILD_DIR
from harness.platform.ringcode import ring_points
from harness.proof.litmus import SHAPES, render
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 150
EXAMPLES = ("", "ARCH=aarch64 BARRIER=linux", "README=1")
NEXT = "herd7 build/litmus/<arch>/<strategy>/*.litmus"
TAKES = ("ARCH", "BARRIER")

LITMUS_DIR = BUILD_DIR / "litmus"
README = KERNEL_DIR / "drivers" / "virtio" / "README.md"
_BEGIN, _END = "<!-- ringpoints: written by make litmus README=1 -->", "<!-- ringpoints: end -->"


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``litmus [ARCH=…] [BARRIER=…] [CC=clang] [README=1]``.

    Writes ``build/litmus/<arch>/<strategy>/<shape>.litmus`` for herd7; with README=1 also the table of instructions in
    ``kernel/drivers/virtio/README.md``.
    """
    table = ring_table(
        [arguments.text("ARCH")] if arguments.has("ARCH") else list(ARCHES),
        [arguments.text("BARRIER")] if arguments.has("BARRIER") else list(switch_table()["BARRIER"].values),
        arguments.text("CC"),
        out,
    )
    count = sum(
        write_tests(LITMUS_DIR / arch / strategy, strategy, arch, points)
        for arch, strategies in table.items()
        for strategy, points in strategies.items()
    )
    if arguments.flag("README"):
        README.write_text(with_table(README.read_text(encoding="utf-8"), markdown(table)), encoding="utf-8")
    out.line(f"{count} litmus tests in {LITMUS_DIR.relative_to(BUILD_DIR.parent)}/<arch>/<strategy>/")
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


def write_tests(folder: Path, strategy: str, arch: str, points: dict[Point, tuple[str, ...]]) -> int:
    """Write one strategy's tests into a folder of their own; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for shape in SHAPES:
        (folder / f"{shape.name}.litmus").write_text(render(shape, strategy, arch, points), encoding="utf-8")
    return len(SHAPES)


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
