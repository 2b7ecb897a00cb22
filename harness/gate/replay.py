"""A saved run, measured again from its files: no QEMU, no compiler.

``result.json`` says what was noted while machines ran, ``window/serial.log`` and ``window/trace.log`` are the
sources' own words, ``timing.npz`` holds every frame time of every launch. ``pictures/captures.json``
says what each picture was; bad ones lie beside it with what they should have been, and are compared again.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.gate.measured import ArmKernel, Measured, Order
from harness.gate.stages import STAGES
from harness.model.errors import HarnessError
from harness.model.result import ReplayError, Result, ResultError
from harness.model.spec import BUILT_IN, FOREIGN, Machine, Switches, UsageError
from harness.model.target import capabilities_of
from harness.model.target_file import target_of

DAMAGE = (
    ArithmeticError,
    EOFError,
    HarnessError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    ResultError,
    TypeError,
    UsageError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors that reading a damaged run may raise."""


def load_measured(folder: Path, result: Result) -> Measured:
    """Measurements of a saved run.

    Raises
    ------
    ReplayError
        When the result or a file of the run is missing or damaged; the message names it.
    """
    try:
        return _measured(folder, result)
    except DAMAGE as error:
        said = str(error) or "no reason"
        raise ReplayError(
            f"{folder.name} cannot be replayed: {type(error).__name__}: {said.splitlines()[0]}"
        ) from error


def _measured(folder: Path, result: Result) -> Measured:
    run = result.run
    if run is None:
        raise ValueError("it holds no session of the gate")
    order = Order(
        _kernel(CANDIDATE, result, folder),
        _kernel(REFERENCE, result, folder) if REFERENCE in result.arms else None,
        Machine(accelerator=result.qemu.accelerator if result.qemu else "tcg", device=run.device),
        run.params,
        random_state=run.random_state,
    )
    measured = Measured(order, incidents=run.incidents, skipped=run.skipped, seconds=result.seconds, lease=run.lease)
    for stage in STAGES:
        record = run.of(stage.keeps)
        measured = measured.joined_by(None if record is None else stage.replay(folder, result, record))
    return measured


def _kernel(role: str, result: Result, folder: Path) -> ArmKernel:
    arm = result.arms[role]
    noted = result.run.target if result.run is not None else None
    if noted is not None:
        target = target_of(noted)
        path = folder / arm.build.get("path", f"{role}.elf")
        return ArmKernel(role, path, arm.kernel_sha256, None, capabilities_of(target), target=target, record=noted)
    switches = Switches.of(arm.switches) if arm.switches else None
    path = folder / arm.build.get("path", f"{role}.elf")
    capabilities = BUILT_IN if switches else FOREIGN
    return ArmKernel(
        role,
        path,
        arm.kernel_sha256,
        switches,
        capabilities,
        arm.build.get("compiler", ""),
        arm.build.get("commit", ""),
        scene=arm.build.get("scene", ""),
    )
