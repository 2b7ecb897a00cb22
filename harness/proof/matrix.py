"""Kernels decided in a process of their own each, many in parallel: a kernel's code may crash the emulator."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.platform.processes.beside import Beside
from harness.proof.decided.devices import DEVICES
from harness.proof.decided.weakest import Minimal, together, weakest
from harness.proof.emulator.image import TraceError
from harness.proof.run import Proof, prove


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
    """Its fences are also weakened one after the other, against QEMU."""


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


def decide_apart(kernel: KernelToProve) -> Decided:
    """One kernel, in a process of its own.

    Raises
    ------
    ToolError
        When Unicorn, Capstone or libfdt is missing.
    """
    with Beside(functools.partial(decide, kernel), os.sched_getaffinity(0)) as work:
        return _answer(kernel, work)


def decide_all(kernels: Iterable[KernelToProve]) -> Iterator[Decided]:
    """All kernels in their order; one begins as soon as it is there and a CPU is free.

    Raises
    ------
    ToolError
        When Unicorn, Capstone or libfdt is missing.
    """
    cpus = os.sched_getaffinity(0)
    begun: deque[tuple[KernelToProve, Beside[Decided]]] = deque()
    with contextlib.ExitStack() as ends:
        for kernel in kernels:
            # One more than there are CPUs: answers are taken in order, and the first may be the last to come.
            if len(begun) > len(cpus):
                yield _answer(*begun.popleft())
            begun.append((kernel, ends.enter_context(Beside(functools.partial(decide, kernel), cpus))))
        while begun:
            yield _answer(*begun.popleft())


def _answer(kernel: KernelToProve, work: Beside[Decided]) -> Decided:
    """What a process found. One that failed is tried again here, where it says why; one that crashed would again."""
    found = work.result()
    if found is None and work.ended_by:
        return Decided(kernel, why_not=f"the emulator ended at its code: {signal.strsignal(work.ended_by)}")
    return found or decide(kernel)
