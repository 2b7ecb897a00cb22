"""The exact stage: guest instructions a frame, counted by QEMU under ``-icount``, frame by frame.

One vCPU, instruction counting, interrupts masked while frames are drawn, fixed frame numbers: drawing, building
commands and taking completions then cost exactly the same in every run. Poll iterations do not, because the device
completes in real time; they are reported and never gated.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from harness.core.serial import parse_serial
from harness.model.errors import GuestError
from harness.model.record import EXACT_PARTS as EXACT_PARTS
from harness.model.record import ExactCount as ExactCount
from harness.model.spec import RunParams, RunSpec
from harness.platform.qemu import Qemu

FRAMES = 12
FIRST_FRAMES = (0, 250)
"""Where the counted stretches begin: at rest, and in the middle of a spin."""
END_S = 20.0


def count_instructions(arms: Mapping[str, RunSpec], folder: Path) -> dict[str, ExactCount]:
    """Run every arm under icount, all at once, and read its counts.

    Raises
    ------
    GuestError
        When a guest does not end cleanly or prints no counts.
    """
    found: dict[str, list[ExactCount]] = {name: [] for name in arms}
    for first in FIRST_FRAMES:
        with ExitStack() as stack:
            machines = {
                name: stack.enter_context(Qemu(exact_spec(spec, first), folder / f"{name}-{first}", ()))
                for name, spec in arms.items()
            }
            for name, machine in machines.items():
                found[name].append(_read_counts(machine))
    return {name: _joined(parts) for name, parts in found.items()}


def exact_spec(spec: RunSpec, first: int) -> RunSpec:
    """A launch that counts exactly: one vCPU under ``-icount``, ticks masked, a fixed stretch of frames."""
    params = RunParams(
        frames=FRAMES,
        warmup=1,
        first=first,
        exact=1,
        mode=spec.params.mode,
        seed=spec.params.seed,
        slow=spec.params.slow,
    )
    machine = replace(spec.machine, vcpus=1, maxcpus=1, icount=True, disk_mib=0, accelerator="tcg", extra=())
    return replace(spec, machine=machine, params=params)


def _read_counts(machine: Qemu) -> ExactCount:
    ending = machine.wait_end(END_S)
    log = parse_serial(machine.console.content())
    if not ending.clean or log.done is None:
        said = f": {machine.console.last_words()}" if ending.clean else ""
        raise GuestError(f"exact stage: no clean end: {ending.reason}{said}", machine.serial_path)
    columns = log.records.columns
    wanted = (*EXACT_PARTS, "poll_insns")
    if len(log.records) != FRAMES or any(part not in columns for part in wanted):
        raise GuestError(f"exact stage: {len(log.records)} of {FRAMES} records with counts", machine.serial_path)
    frames = tuple(int(frame) for frame in columns["frame"])
    return ExactCount(frames, {part: tuple(int(value) for value in columns[part]) for part in wanted})


def _joined(counts: list[ExactCount]) -> ExactCount:
    frames = tuple(frame for count in counts for frame in count.frames)
    parts = {part: tuple(v for count in counts for v in count.parts[part]) for part in counts[0].parts}
    return ExactCount(frames, parts)
