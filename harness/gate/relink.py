"""Kernels linked again in other orders: the same code at other addresses, to tell a change from a matter of layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from harness.core.machine_code.bootimage import same_loaded_bytes
from harness.gate.measured import ArmKernel
from harness.gate.measuring.comparison import Arms, Relinked
from harness.model.errors import BuildError
from harness.model.spec import ROOT
from harness.platform.kernels.build import build_kernel, checkout_revision

LAYOUTS = (1, 2, 3, 4)
"""Numbers that each stand for one other order: several, because one more may be lucky too."""

RelinkKernel = Callable[[ArmKernel, int], Path]


def relinked_arms(kernels: Mapping[str, ArmKernel], arms: Arms, link: "RelinkKernel | None" = None) -> Relinked:
    """Both arms in every other order; in none when one of them cannot be linked again.

    Parameters
    ----------
    kernels
        By role: where each comes from.
    arms
        By role: how each is launched.
    """
    link = link or linked
    try:
        images = {role: [link(kernel, layout) for layout in LAYOUTS] for role, kernel in kernels.items()}
    except BuildError as error:
        return Relinked(problem=error.message)
    return Relinked(
        tuple(
            {role: replace(spec, kernel=images[role][turn]) for role, spec in arms.items()}
            for turn in range(len(LAYOUTS))
        )
    )


def linked(kernel: ArmKernel, layout: int) -> Path:
    """The image of a kernel in one other order.

    Raises
    ------
    BuildError
        When there is no source, or it does not build to this kernel any more.
    """
    source = kernel.source
    if source is None or kernel.switches is None:
        raise BuildError(f"the {kernel.name} cannot be linked again: its source is not known here")
    try:
        tree = checkout_revision(source.commit)[0] if source.commit else ROOT
        plain = build_kernel(kernel.switches, compiler=source.compiler, tree=tree, commit=source.commit)
        # No bound needed: kernels of this build, and one that was measured.
        if not same_loaded_bytes(plain.path.read_bytes(), kernel.path.read_bytes()):
            raise BuildError("its source builds to another kernel now")
        shuffled = build_kernel(
            kernel.switches, compiler=source.compiler, tree=tree, commit=source.commit, shuffle=layout
        )
    except BuildError as error:
        raise BuildError(f"the {kernel.name} cannot be linked again: {error.message}") from error
    return shuffled.path
