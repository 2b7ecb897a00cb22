"""A saved run, measured again from its files: no QEMU, no compiler.

``result.json`` says what was noted while machines ran, ``window/serial.log`` and ``window/trace.log`` are the
sources' own words, ``timing.npz`` holds every frame time of every launch. ``pictures/captures.json``
says what each picture was; bad ones lie beside it with what they should have been, and are compared again.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.functions import FunctionChange
from harness.core.sources import Sighting
from harness.core.statistics import CANDIDATE, REFERENCE, Launch, Plan, Slice, decide
from harness.gate.session import ArmKernel, Measured, Order
from harness.gate.stages.exact import ExactCount
from harness.gate.stages.pictures import Pictures, load_verification
from harness.gate.stages.timing import MeasuredLaunch, Protocol, Timing
from harness.gate.stages.window import Observed, Window, assemble
from harness.gate.verdict import Finding
from harness.model.errors import StoreError
from harness.model.result import Frames, Metric, Result
from harness.model.spec import BUILT_IN, FOREIGN, Machine, RunParams, Switches, Verdict
from harness.platform.ending import Ending

F64 = npt.NDArray[np.float64]

FRAMES_FILE = "timing.npz"


def save_frames(timing: Timing, folder: Path) -> None:
    """Write every frame time of every launch."""
    arrays: dict[str, F64] = {
        f"{number}-{role}": frame_ms
        for number, launch in enumerate(timing.launches)
        for role, frame_ms in launch.frame_ms.items()
    }
    np.savez_compressed(folder / FRAMES_FILE, **arrays)


def load_measured(folder: Path, result: Result) -> Measured:
    """What a saved run measured.

    Raises
    ------
    StoreError
        When a file of the run is missing or damaged; the message names it.
    """
    try:
        return _measured(folder, result)
    except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise StoreError(f"{folder.name} cannot be replayed: {type(error).__name__}: {error}", folder) from error


def _measured(folder: Path, result: Result) -> Measured:
    details = result.details
    order = Order(
        _kernel(CANDIDATE, result, folder),
        _kernel(REFERENCE, result, folder) if REFERENCE in result.arms else None,
        Machine(accelerator=result.qemu.accelerator if result.qemu else "tcg"),
        RunParams(),
        seed=int(details.get("seed", 1)),
    )
    exact = {
        name: ExactCount(tuple(one["frames"]), {part: tuple(values) for part, values in one["parts"].items()})
        for name, one in details.get("exact", {}).items()
    }
    return Measured(
        order,
        _window(folder, details["window"], details.get("perturbation")) if "window" in details else None,
        _pictures(folder, result.frames, details["pictures"]) if "pictures" in details and result.frames else None,
        exact,
        tuple(FunctionChange(*one) for one in details.get("functions", [])),
        _timing(folder, details["timing"]) if "timing" in details else None,
        findings=tuple(Finding(Verdict(verdict), text) for verdict, text in details.get("stopped", [])),
        skipped=dict(details.get("skipped", {})),
        seconds=result.seconds,
    )


def _kernel(role: str, result: Result, folder: Path) -> ArmKernel:
    arm = result.arms[role]
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
    )


def _window(folder: Path, noted: Mapping[str, Any], cost: Mapping[str, Any] | None) -> Window:
    observed = Observed(
        Ending(**noted["ending"]),
        noted["launched_ns"],
        tuple(Sighting(**sighting) for sighting in noted["sightings"]),
        noted["qemu_version"],
        tuple(noted["command"]),
    )
    logs = [(folder / "window" / name).read_bytes() for name in ("serial.log", "trace.log")]
    return replace(assemble(observed, *logs), perturbation=Metric(**cost) if cost else None)


def _pictures(folder: Path, frames: Frames, noted: Mapping[str, Any]) -> Pictures:
    """Verify the captures again; what geometry and golden list found stands in the result alone."""
    verification = load_verification(folder)
    frames = replace(verification.frames, findings=frames.findings, evidence=frames.evidence)
    return Pictures(verification, frames, tuple(noted["film"]), noted["captured_per_s"])


def _timing(folder: Path, noted: Mapping[str, Any]) -> Timing:
    with np.load(folder / FRAMES_FILE, allow_pickle=False) as arrays:
        launches = tuple(
            MeasuredLaunch(
                Launch(
                    tuple(Slice(*part) for part in one["slices"]),
                    one["batch"],
                    {name: (pair[0], pair[1]) for name, pair in one["paired"].items()},
                ),
                {role: arrays[f"{number}-{role}"] for role in (CANDIDATE, REFERENCE)},
                one["boot_ms"],
                0,
                {},
                (),
            )
            for number, one in enumerate(noted["launches"])
        )
    plan = Plan(**noted["plan"])
    decision = decide([one.launch for one in launches], plan)
    return Timing(launches, decision, plan, Protocol(), noted["seconds"])
