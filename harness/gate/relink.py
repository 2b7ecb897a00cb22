"""Kernels linked again in other orders: the same code at other addresses, to tell a change from a matter of layout."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from harness.core.machine_code.bootimage import same_loaded_bytes
from harness.gate.measured import ArmKernel
from harness.gate.measuring.comparison import Arms, Relinked
from harness.model.errors import BuildError, HarnessError
from harness.platform.files.atomic import whole_folder
from harness.platform.files.locks import lock
from harness.platform.kernels.build import BUILD_DIR, build_kernel, link_in_orders, sha256_of

LAYOUTS = tuple(range(1, 17))
"""Numbers that each stand for one other order: many, so that the mean of their offsets is small."""
KEPT_DIR = BUILD_DIR / "link-orders"
"""Images of kernels that were linked again, by the hash of the kernel."""
KERNELS_MAX = 12
LOCK_WAIT_S = 300.0

RelinkKernel = Callable[[ArmKernel], tuple[Path, ...]]


def relinked_arms(kernels: Mapping[str, ArmKernel], arms: Arms, link: "RelinkKernel | None" = None) -> Relinked:
    """Both arms in every other order; in none when one of them cannot be linked again.

    Parameters
    ----------
    kernels
        By role: where each comes from.
    arms
        By role: how each is launched.
    """
    try:
        images = {role: (link or linked)(kernel) for role, kernel in kernels.items()}
    except BuildError as error:
        return Relinked(problem=error.message)
    return Relinked(
        tuple(
            {role: replace(spec, kernel=images[role][turn]) for role, spec in arms.items()}
            for turn in range(len(LAYOUTS))
        )
    )


def linked(kernel: ArmKernel, kept_in: Path = KEPT_DIR) -> tuple[Path, ...]:
    """The images of a kernel in every other order, made once for its bytes.

    Raises
    ------
    BuildError
        When there is no source, or it does not build to this kernel any more.
    """
    if kernel.source is None or kernel.switches is None:
        raise BuildError(f"the {kernel.name} cannot be linked again: its source is not known here")
    folder = kept_in / sha256_of(kernel.path)
    images = tuple(folder / f"{order}.elf" for order in LAYOUTS)
    try:
        with lock(kept_in / ".lock", wait_s=LOCK_WAIT_S, purpose="linking"):
            if not all(image.is_file() for image in images):
                made = _made(kernel)
                with whole_folder(folder) as part:
                    for source, image in zip(made, images):
                        shutil.copyfile(source, part / image.name)
            _forget(kept_in, folder)
    except (HarnessError, OSError) as error:
        why = error.message if isinstance(error, HarnessError) else f"{kept_in}: {error.strerror}"
        raise BuildError(f"the {kernel.name} cannot be linked again: {why}") from error
    return images


def _made(kernel: ArmKernel) -> tuple[Path, ...]:
    source, switches = kernel.source, kernel.switches
    assert source is not None and switches is not None
    tree = source.tree
    plain = build_kernel(switches, compiler=source.compiler, tree=tree, commit=source.commit)
    # No bound needed: kernels of this build, and one that was measured.
    if not same_loaded_bytes(plain.path.read_bytes(), kernel.path.read_bytes()):
        raise BuildError("its source builds to another kernel now")
    return link_in_orders(switches, LAYOUTS, compiler=source.compiler, tree=tree)


def _forget(kept_in: Path, used: Path) -> None:
    """Remove the kernels that were used least recently."""
    used.touch()
    kept = sorted((one for one in kept_in.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime_ns)
    for old in kept[:-KERNELS_MAX]:
        shutil.rmtree(old, ignore_errors=True)
