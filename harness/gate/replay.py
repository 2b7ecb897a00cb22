"""A saved run, measured again from its files: no QEMU, no compiler.

``result.json`` says what was noted while machines ran, ``window/serial.log`` and ``window/trace.log`` are the
sources' own words, ``timing.npz`` holds every frame time of every launch. ``pictures/captures.json``
says what each picture was; bad ones lie beside it with what they should have been, and are compared again.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core.statistics import CANDIDATE, REFERENCE, Plan, decide
from harness.gate.session import ArmKernel, Measured, Order
from harness.gate.stages.pictures import Pictures, load_verification
from harness.gate.stages.protocol import Protocol
from harness.gate.stages.timing import MeasuredLaunch, Timing
from harness.gate.stages.window import Window, assemble
from harness.model.errors import HarnessError
from harness.model.record import EXACT_PARTS, ExactCount, Observed, PicturesRecord, TimingRecord
from harness.model.result import Frames, Metric, Result, ResultError
from harness.model.spec import BUILT_IN, FOREIGN, Machine, Switches, UsageError

F64 = npt.NDArray[np.float64]

FRAMES_FILE = "timing.npz"
FRAMES_BYTES_MAX = 256 << 20
"""All frame times of a run, unpacked; an hour of frames at 1,000 a second has 58 MB."""
LAUNCHES_MAX = 100_000

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
"""What reading a damaged run may raise."""


def save_frames(timing: Timing, folder: Path) -> None:
    """Write every frame time of every launch."""
    arrays: dict[str, F64] = {
        f"{number}-{role}": frame_ms
        for number, launch in enumerate(timing.launches)
        for role, frame_ms in launch.frame_ms.items()
    }
    np.savez_compressed(folder / FRAMES_FILE, **arrays)


def load_frames(path: Path) -> dict[str, F64]:
    """Frame times by launch and role, each of shape (n,), positive.

    Each array's claimed shape is compared with the bytes that are there before any memory is taken for it.

    Raises
    ------
    ValueError, OSError, zipfile.BadZipFile, zlib.error
        When the file is damaged, or larger than any run's.
    """
    found: dict[str, F64] = {}
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > FRAMES_BYTES_MAX:
            raise ValueError(f"{path.name} holds more than {FRAMES_BYTES_MAX >> 20} MiB")
        for member in archive.infolist():
            found[member.filename.removesuffix(".npy")] = _array(archive.read(member), member.filename)
    return found


def _array(content: bytes, name: str) -> F64:
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):  # type: ignore[no-untyped-call]
        raise ValueError(f"{name} is no array of this harness")
    shape, _, kind = np.lib.format.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
    values = content[file.tell() :]
    if kind != np.dtype("<f8") or len(shape) != 1 or shape[0] * 8 != len(values):
        raise ValueError(f"{name} claims {shape} of {kind} and holds {len(values)} bytes")
    frame_ms: F64 = np.frombuffer(values, np.float64)
    if not np.all(np.isfinite(frame_ms) & (frame_ms > 0)):
        raise ValueError(f"{name} holds times that are not positive")
    return frame_ms


def load_measured(folder: Path, result: Result) -> Measured:
    """What a saved run measured.

    Raises
    ------
    ResultError
        When the result or a file of the run is missing or damaged; the message names it.
    """
    try:
        return _measured(folder, result)
    except DAMAGE as error:
        said = str(error) or "no reason"
        raise ResultError(
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
        seed=run.seed,
    )
    return Measured(
        order,
        _window(folder, run.window, run.overhead) if run.window else None,
        _pictures(folder, result.frames, run.pictures) if run.pictures and result.frames else None,
        {role: _counted(role, count) for role, count in run.exact.items()},
        run.functions,
        _timing(folder, run.timing) if run.timing else None,
        incidents=run.incidents,
        skipped=run.skipped,
        seconds=result.seconds,
        lease=run.lease,
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


def _window(folder: Path, observed: Observed, overhead: Metric | None) -> Window:
    logs = [(folder / "window" / name).read_bytes() for name in ("serial.log", "trace.log")]
    return replace(assemble(observed, *logs), perturbation=overhead)


def _pictures(folder: Path, frames: Frames, noted: PicturesRecord) -> Pictures:
    """Verify the captures again; what geometry and golden list found stands in the result alone."""
    verification = load_verification(folder)
    frames = replace(verification.frames, findings=frames.findings, evidence=frames.evidence)
    return Pictures(verification, frames, noted.film, noted.captured_per_s)


def _counted(role: str, count: ExactCount) -> ExactCount:
    if not count.frames or any(len(count.parts.get(part, ())) != len(count.frames) for part in EXACT_PARTS):
        raise ValueError(f"exact counts of the {role} are not one a frame")
    return count


def _timing(folder: Path, noted: TimingRecord) -> Timing:
    _check_plan(noted.plan)
    arrays = load_frames(folder / FRAMES_FILE)
    launches = tuple(
        MeasuredLaunch(
            one.launch,
            {role: arrays[f"{number}-{role}"] for role in (CANDIDATE, REFERENCE)},
            {role: one.boot_ms[role] for role in (CANDIDATE, REFERENCE)},
            0,
            {},
            (),
        )
        for number, one in enumerate(noted.launches)
    )
    decision = decide([one.launch for one in launches], noted.plan)
    return Timing(launches, decision, noted.plan, Protocol(), noted.seconds)


def _check_plan(plan: Plan) -> None:
    """Bounds within which a decision can be reached at all."""
    sound = 0 < plan.smallest < 1 and 0 <= plan.allowance < 1 and 1 <= plan.launches <= LAUNCHES_MAX
    sound = sound and 1 <= plan.looks <= plan.launches + LAUNCHES_MAX and 0 <= plan.trim < 0.5
    if not sound or not all(0 < share < 1 for share in (plan.confidence, plan.alarm_alpha, 1 - plan.reserve)):
        raise ValueError("the plan of the comparison is not one that can be decided on")
