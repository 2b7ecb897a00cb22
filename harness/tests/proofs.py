"""Proofs of this tree's kernels that several test files use: each kernel is built and recorded once a process."""

from __future__ import annotations

import functools

import pytest

from harness.model.spec import Switches
from harness.platform.kernels.build import build_kernel
from harness.proof.decided.devices import DEVICES
from harness.proof.run import Proof, prove

IN_ONE_PROCESS = pytest.mark.xdist_group("proofs")
"""For the files that use them."""


@functools.cache
def proved(arch: str, strategy: str, **switches: str) -> Proof:
    """The proof of a kernel of this strategy and switches."""
    built = build_kernel(Switches.of({"ARCH": arch, "BARRIER": strategy, **switches}))
    return prove(built.path, f"{arch} {strategy}", built.sha256, DEVICES["qemu"])
