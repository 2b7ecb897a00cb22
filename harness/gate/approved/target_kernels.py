"""Kernels that a target file describes, or that KERNEL= and ISO= name: built, found, and ready to run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from harness.gate.measured import ArmKernel
from harness.model.spec import Machine, Switches
from harness.model.target import Target, TargetImage, capabilities_of, machine_of
from harness.model.target_file import target_toml
from harness.model.target_record import ImageRecord, TargetRecord
from harness.platform.kernels.targets import (
    ImageFile,
    boot_digest,
    build_target,
    elf_arch,
    find_target,
    main_image,
    noted_file,
    read_target,
    resolved,
)
from harness.report.printer import Printer

IMAGES_DIR = "images"
KEPT_BYTES = 64 << 20
"""Images up to this size are kept with a run; larger ones are found again by their hash."""


def target_arm(name: str, word: str, out: Printer) -> ArmKernel:
    """The kernel of a target, by its name or file; runs its build command first.

    Raises
    ------
    UsageError
        When the file, an image or QEMU is missing or wrong.
    BuildError
        When the build command fails or hangs.
    """
    target = read_target(word)
    if target.build:
        out.progress(f"building {target.name}: {target.build}")
        build_target(target)
    return arm_of(name, target, noted_file(find_target(word)))


def arm_of(name: str, target: Target, file: str = "") -> ArmKernel:
    """A target whose images exist, as one side of a comparison.

    Parameters
    ----------
    file
        Path of its file, as a run notes it; empty without a file.
    """
    found, files = resolved(target)
    image = main_image(files)
    return ArmKernel(
        name,
        image.path,
        boot_digest(target, files),
        None,
        capabilities_of(target),
        target=found,
        record=TargetRecord(target.name, target_toml(target), _images(target, files), file),
    )


def _images(target: Target, files: tuple[ImageFile, ...]) -> tuple[ImageRecord, ...]:
    names = dict(target.image.files)
    return tuple(ImageRecord(one.role, names[one.role], one.sha256, one.size) for one in files)


def short_form(path: Path, arch: str, *, iso: bool = False) -> Target:
    """The target that KERNEL= or ISO= amounts to; an ELF file says itself what it is for."""
    found = "" if iso else elf_arch(path)
    if arch == Switches().arch and found not in ("", "i386"):
        arch = found
    image = TargetImage(iso=str(path)) if iso else TargetImage(kernel=str(path))
    stem = "".join(one if one.isalnum() or one in "-_." else "-" for one in path.stem).strip("-._")[:64] or "kernel"
    return Target(stem, arch=arch, image=image)


def say_short_form(kernel: ArmKernel, extra: tuple[str, ...], out: Printer) -> None:
    """Print the file that stands for a kernel that was named without one."""
    if kernel.target is None:
        return
    target = replace(kernel.target, args=(*kernel.target.args, *extra))
    out.line(f"as a target, {kernel.name} is this file (targets/{target.name}.toml; see docs/targets.md):")
    for line in target_toml(target).splitlines():
        out.line(f"  {line}")


def keep_images(kernel: ArmKernel, folder: Path) -> None:
    """Keep what a run booted with it, as far as it is small."""
    if kernel.target is None or kernel.record is None:
        # No bound needed: images that were hashed when the target was found.
        shutil.copyfile(kernel.path, folder / "candidate.elf")
        return
    target = kernel.target
    for (role, place), noted in zip(target.image.files, kernel.record.images):
        if noted.size <= KEPT_BYTES:
            (folder / IMAGES_DIR).mkdir(exist_ok=True)
            shutil.copyfile(place, folder / IMAGES_DIR / f"{role}-{noted.sha256[:16]}")


def session_machine(kernel: ArmKernel, base: Machine) -> Machine:
    """The machine that a session's stages start from: of a target, its own."""
    return machine_of(kernel.target, base) if kernel.target is not None else base
