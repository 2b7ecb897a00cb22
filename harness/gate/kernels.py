"""The kernels of a comparison: built from the tree or a revision, taken from a baseline, or given as files."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.gate.approved.references import BASELINES_DIR, read_baseline, source_of
from harness.gate.approved.target_kernels import arm_of, short_form, target_arm
from harness.gate.measured import ArmKernel, KernelSource
from harness.model.arms import ArmRequest, Source
from harness.model.spec import ROOT, Capabilities, Switches, UsageError
from harness.model.target import capabilities_of
from harness.model.values import shown
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded
from harness.platform.kernels.build import build_kernel, checkout_revision
from harness.platform.kernels.targets import TARGETS_DIR, elf_arch, find_target, read_target
from harness.platform.pictures.golden import scene_hash
from harness.report.printer import Printer

_OWN_WORDS = b"[BOOT] kernel=roulette"
BUILT_IN_NAME = "builtin"
"""Name of the target that is the kernel of this tree."""


def build_arm(request: ArmRequest, compiler: str, out: Printer) -> ArmKernel:
    """The kernel that a request means; builds it where it has to."""

    if request.source is Source.FILE:
        path = Path(request.where).resolve()
        try:
            image = read_bounded(path, KERNEL_BYTES_MAX)
        except OSError as error:
            raise UsageError(f"{request.where}: cannot be read: {error.strerror}") from error
        iso = request.text == "ISO" or path.suffix == ".iso"
        if iso or _OWN_WORDS not in image:
            return arm_of(request.name, short_form(path, request.switches.arch, iso=iso))
        arch, asked = elf_arch(path), request.switches.arch
        if arch not in ("", asked):
            raise UsageError(f"{request.name}: {request.where} is for {arch}, and ARCH is {asked}: give ARCH={arch}")
        return ArmKernel(request.name, path, hashlib.sha256(image).hexdigest(), None, built_in())
    if request.source is Source.TARGET and request.where != BUILT_IN_NAME:
        return target_arm(request.name, request.where, out)
    if request.source is Source.BASELINE:
        baseline, _ = read_baseline(request.switches.arch, request.where)
        path = BASELINES_DIR / baseline.arch / baseline.name / "kernel.elf"

        kernel_switches = Switches.of({**baseline.switches, "ARCH": baseline.arch})
        return ArmKernel(
            request.name,
            path,
            baseline.kernel_sha256,
            kernel_switches,
            built_in(),
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
        built_in(),
        built.compiler,
        commit,
        source=KernelSource(compiler, commit),
        scene=scene_hash(tree / "kernel"),
    )


def check_sources(requests: Sequence[ArmRequest]) -> None:
    """Raise for a kernel that cannot be had, before any other is built.

    Raises
    ------
    UsageError, BuildError
        When there is no such file, target or revision.
    """
    for request in requests:
        if request.source is Source.FILE and not Path(request.where).is_file():
            why = "not a file" if Path(request.where).exists() else "no such file"
            raise UsageError(f"{request.name}={request.where}: {why}")
        if request.source is Source.REVISION:
            checkout_revision(request.where)
        if request.source is Source.TARGET and request.where != BUILT_IN_NAME:
            find_target(request.where)


def refuse_words(given: Mapping[str, str], kernels: Sequence[ArmKernel]) -> None:
    """Raise UsageError for words of the kernel's command line where none of these kernels takes any."""
    for name in ("OPTS", "MODE", "SLOW"):
        if name in given and not any(one.capabilities.command_line for one in kernels):
            called = kernels[0].path.name
            why = "kernels of this tree take such words, and targets with params = true"
            raise UsageError(f"{name}={shown(given[name])} has no meaning for {called}: {why}")


@functools.cache
def built_in() -> Capabilities:
    """Abilities of this tree's kernel, as its target declares them."""
    return capabilities_of(read_target(str(TARGETS_DIR / f"{BUILT_IN_NAME}.toml")))
