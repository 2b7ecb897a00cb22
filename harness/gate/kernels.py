"""The kernels of a comparison: built from the tree or a revision, taken from a baseline, or given as files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.gate.measured import ArmKernel, KernelSource
from harness.gate.references import BASELINES_DIR, read_baseline, source_of
from harness.model.arms import ArmRequest, Source
from harness.model.spec import BUILT_IN, FOREIGN, ROOT, Switches, UsageError
from harness.platform.bounded import KERNEL_BYTES_MAX, read_bounded
from harness.platform.build import build_kernel, checkout_revision
from harness.platform.golden import scene_hash
from harness.report.printer import Printer

_OWN_WORDS = b"[BOOT] kernel=roulette"


def build_arm(request: ArmRequest, compiler: str, out: Printer) -> ArmKernel:
    """The kernel that a request means; builds it where it has to."""

    if request.source is Source.FILE:
        path = Path(request.where).resolve()
        try:
            image = read_bounded(path, KERNEL_BYTES_MAX)
        except OSError as error:
            raise UsageError(f"{request.where}: cannot be read: {error.strerror}") from error
        iso = request.text == "ISO" or path.suffix == ".iso"
        capabilities = BUILT_IN if _OWN_WORDS in image else FOREIGN
        return ArmKernel(request.name, path, hashlib.sha256(image).hexdigest(), None, capabilities, iso=iso)
    if request.source is Source.BASELINE:
        baseline, _ = read_baseline(request.switches.arch, request.where)
        path = BASELINES_DIR / baseline.arch / baseline.name / "kernel.elf"

        kernel_switches = Switches.of({**baseline.switches, "ARCH": baseline.arch})
        return ArmKernel(
            request.name,
            path,
            baseline.kernel_sha256,
            kernel_switches,
            BUILT_IN,
            baseline.compiler,
            baseline.commit,
            source=source_of(baseline, request.switches.arch, compiler),
            scene=baseline.scene,
        )
    out.progress(f"building {request.label}")
    tree, commit = ROOT, ""
    if request.source is Source.REVISION:
        tree, commit = checkout_revision(request.where)
    built = build_kernel(request.switches, compiler=compiler, tree=tree, commit=commit)
    return ArmKernel(
        request.name,
        built.path,
        built.sha256,
        built.switches,
        BUILT_IN,
        built.compiler,
        commit,
        source=KernelSource(compiler, commit),
        scene=scene_hash(tree / "kernel"),
    )


def is_own_kernel(path: Path) -> bool:
    """Whether an image is a kernel of this project: it holds its [BOOT] line's first words."""
    return _OWN_WORDS in read_bounded(path, KERNEL_BYTES_MAX)
