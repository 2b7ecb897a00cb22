"""Many kernels decided beside each other, one process each."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from harness.proof.decide import DEVICES
from harness.proof.image import TraceError
from harness.proof.run import Proof, prove
from harness.proof.weakest import Minimal, together, weakest


@dataclass(frozen=True)
class KernelToProve:
    """A kernel, and what is asked of it."""

    label: str
    path: Path
    sha256: str
    device: str
    load_at: str = ""
    typed: str = ""
    weakest: bool = False
    """Its fences are weakened one after the other too, against QEMU."""


@dataclass(frozen=True)
class Decided:
    """What was found of one kernel; its recordings stay in the process that made them."""

    kernel: KernelToProve
    proof: Proof | None = None
    minimal: Minimal | None = None
    why_not: str = ""
    """Why it cannot be decided."""


def decide(kernel: KernelToProve) -> Decided:
    """One kernel, in this process.

    Raises
    ------
    ToolError
        When Unicorn, Capstone or libfdt is missing.
    """
    device = DEVICES[kernel.device]
    try:
        proof = prove(kernel.path, kernel.label, kernel.sha256, device, load_at=kernel.load_at, typed=kernel.typed)
    except TraceError as error:
        return Decided(kernel, why_not=str(error))
    minimal = None
    if kernel.weakest:
        points = {point: places for point, places in proof.fences.items() if places}
        weak = tuple(weakest(proof.recordings, points, DEVICES["qemu"]))
        minimal = Minimal(weak, together(proof.recordings, points, weak, DEVICES["qemu"]))
    return Decided(kernel, replace(proof, recordings=()), minimal)


def decide_all(kernels: Iterable[KernelToProve]) -> Iterator[Decided]:
    """All kernels in their order; one begins as soon as it is there and a CPU is free."""
    workers = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        waiting: list[Future[Decided]] = [pool.submit(decide, kernel) for kernel in kernels]
        try:
            for one in waiting:
                yield one.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
