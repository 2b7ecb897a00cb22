"""The kernels of a comparison: built from the tree or a revision, taken from a baseline, or given as files."""

from __future__ import annotations

from pathlib import Path

from harness.gate.measured import ArmKernel
from harness.gate.references import BASELINES_DIR, read_baseline
from harness.model.arms import ArmRequest, Source
from harness.model.spec import BUILT_IN, FOREIGN, ROOT, Switches
from harness.platform.build import build_kernel, checkout_revision, sha256_of
from harness.report.printer import Printer


def build_arm(request: ArmRequest, compiler: str, out: Printer) -> ArmKernel:
    """The kernel that a request means; builds it where it has to."""

    if request.source is Source.FILE:
        path = Path(request.where).resolve()
        iso = request.text == "ISO" or path.suffix == ".iso"
        capabilities = BUILT_IN if is_own_kernel(path) else FOREIGN
        return ArmKernel(request.name, path, sha256_of(path), None, capabilities, iso=iso)
    if request.source is Source.BASELINE:
        baseline, _ = read_baseline(request.switches.arch, request.where)
        path = BASELINES_DIR / baseline.arch / baseline.name / "kernel.elf"

        kernel_switches = Switches.of({**baseline.switches, "ARCH": baseline.arch})
        return ArmKernel(
            request.name, path, baseline.kernel_sha256, kernel_switches, BUILT_IN, baseline.compiler, baseline.commit
        )
    out.progress(f"building {request.label}")
    tree, commit = ROOT, ""
    if request.source is Source.REVISION:
        tree, commit = checkout_revision(request.where)
    built = build_kernel(request.switches, compiler=compiler, tree=tree, commit=commit)
    return ArmKernel(request.name, built.path, built.sha256, built.switches, BUILT_IN, built.compiler, commit)


def is_own_kernel(path: Path) -> bool:
    """Whether an image is a kernel of this project: it holds its [BOOT] line's first words."""
    return b"[BOOT] kernel=roulette" in path.read_bytes()
