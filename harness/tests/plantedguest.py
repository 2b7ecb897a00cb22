"""Real guests with a planted mistake: the kernel, changed in a copy of the tree, built and put through the gate."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.gate.evaluate import evaluate
from harness.gate.judging.verdict import Judgement
from harness.gate.measured import ArmKernel, Measured, Order
from harness.gate.session import measure
from harness.model.spec import BUILT_IN, KERNEL_DIR, Machine, RunParams, Switches
from harness.platform.kernels.build import build_kernel

MODE = (320, 240)


@dataclass(frozen=True)
class Edit:
    """One text of a source file, which must stand there once, and what takes its place."""

    file: str
    old: str
    new: str


class PlantedTree:
    """A copy of ``kernel/``; each build changes it, and changes it back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(KERNEL_DIR, folder / "kernel", ignore=shutil.ignore_patterns("build"))

    def build(self, edits: Sequence[Edit], switches: Switches = Switches()) -> Path:
        """The kernel with all edits."""
        kept = {edit.file: (self.folder / "kernel" / edit.file).read_text(encoding="utf-8") for edit in edits}
        try:
            for edit in edits:
                path = self.folder / "kernel" / edit.file
                text = path.read_text(encoding="utf-8")
                assert text.count(edit.old) == 1, f"{edit.file} has changed: {edit.old!r} is not there once"
                path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
            return build_kernel(switches, tree=self.folder).path
        finally:
            for file, text in kept.items():
                (self.folder / "kernel" / file).write_text(text, encoding="utf-8")


def put_through(
    kernel: Path,
    folder: Path,
    switches: Switches = Switches(),
    stages: Sequence[str] = ("window", "pictures"),
    extra: Sequence[str] = (),
    pace: int | None = None,
) -> tuple[Measured, Judgement]:
    """The gate's verdict on a kernel that counts as this tree's own."""
    arm = ArmKernel("candidate", kernel, "0" * 64, switches, BUILT_IN)
    machine = Machine(arch=switches.arch, vcpus=1, maxcpus=2, extra=tuple(extra))
    order = Order(arm, None, machine, RunParams(mode=MODE, pace=pace), pictures=25, stages=frozenset(stages))
    measured = measure(order, folder, lambda text: None)
    return measured, evaluate(measured)[0]
