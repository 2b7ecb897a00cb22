"""The exact stage: guest instructions a frame, counted by QEMU under ``-icount``, frame by frame.

One vCPU, instruction counting, interrupts masked while frames are drawn, fixed frame numbers: drawing, building
commands and taking completions then cost exactly the same in every run. Poll iterations do not, because the device
completes in real time; they are reported and never gated.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.counts.frame_counts import MARKS, NEEDED
from harness.core.guest.serial import parse_serial
from harness.gate.measuring.parts import Counting, counted_machine, read_parts, together
from harness.model.errors import BuildError, GuestError, QemuError
from harness.model.record import EXACT_PARTS as EXACT_PARTS
from harness.model.record import CountedFrames
from harness.model.record import ExactCount as ExactCount
from harness.model.spec import RunParams, RunSpec
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded
from harness.platform.machine.count_plugin import addresses_of, build_plugin
from harness.platform.machine.qemu import Qemu

FRAMES = 12
FIRST_FRAMES = (0, 250)
"""Where the counted stretches begin: at rest, and in the middle of a spin."""
END_S = 20.0
PIXEL_BYTES = 4


@dataclass(frozen=True)
class Exact:
    """Results of the stage, by role."""

    counts: dict[str, ExactCount]
    parts: dict[str, CountedFrames]
    """Parts of a frame, for kernels whose functions mark them, where QEMU takes the plugin."""
    problem: str = ""
    """Why parts were not counted."""

    def shared(self, role: str, other: str) -> "Exact":
        """The same, of another arm that is the same kernel: what is counted exactly need not be counted twice."""
        counts = self.counts | {other: self.counts[role]}
        return replace(self, counts=counts, parts=self.parts | ({other: self.parts[role]} if self.parts else {}))


def count_instructions(arms: Mapping[str, RunSpec], folder: Path) -> dict[str, ExactCount]:
    """Run every arm under icount, all at once, and read its counts.

    Raises
    ------
    GuestError
        When a guest does not end cleanly or prints no counts.
    """
    return _count(arms, folder, {}).counts


def count_everything(arms: Mapping[str, RunSpec], folder: Path) -> Exact:
    """:func:`count_instructions`, and beside it whatever else each part of a frame makes QEMU do.

    Where that cannot be counted, instructions are all the same.
    """
    try:
        plugin = build_plugin()
        marks = {name: _marks(spec) for name, spec in arms.items()}
        return _count(arms, folder, {name: Counting(plugin, found) for name, found in marks.items() if found})
    except BuildError as error:
        return replace(_count(arms, folder, {}), problem=error.message)
    except QemuError as error:
        if "plugin" not in error.message:
            raise
        return replace(_count(arms, folder, {}), problem=f"this QEMU does not take the plugin: {error.message}")


def _marks(spec: RunSpec) -> dict[str, int]:
    """Addresses of the functions that mark parts; nothing of a kernel that lacks some."""
    image = read_bounded(spec.kernel, KERNEL_BYTES_MAX)
    found = addresses_of(image, [name for names in MARKS.values() for name in names])
    marks = {f"{event} {name}": found[name] for event, names in MARKS.items() for name in names if name in found}
    return marks if all(any(mark.startswith(f"{event} ") for mark in marks) for event in NEEDED) else {}


def _count(arms: Mapping[str, RunSpec], folder: Path, counting: Mapping[str, Counting]) -> Exact:
    found: dict[str, list[ExactCount]] = {name: [] for name in arms}
    parts: dict[str, list[CountedFrames]] = {name: [] for name in arms}
    problem = ""
    for first in FIRST_FRAMES:
        with ExitStack() as stack:
            machines = {
                name: stack.enter_context(
                    counted_machine(exact_spec(spec, first), folder / f"{name}-{first}", counting.get(name))
                )
                for name, spec in arms.items()
            }
            ended = {name: _read_counts(machine) for name, machine in machines.items()}
        for name, (count, transferred_bytes) in ended.items():
            found[name].append(count)
            if name in counting:
                try:
                    parts[name].append(read_parts(folder / f"{name}-{first}", transferred_bytes))
                except (OSError, ValueError) as error:
                    problem = f"parts of the {name}: {error}"
    whole = {name: together(several) for name, several in parts.items() if len(several) == len(FIRST_FRAMES)}
    return Exact({name: _joined(several) for name, several in found.items()}, whole, problem)


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


def _read_counts(machine: Qemu) -> tuple[ExactCount, float]:
    """The records' counts, and how many bytes of picture the device took a frame."""
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
    transferred_px = float(columns["damage_px"].mean()) if "damage_px" in columns else 0.0
    count = ExactCount(frames, {part: tuple(int(value) for value in columns[part]) for part in wanted})
    return count, transferred_px * PIXEL_BYTES


def _joined(counts: list[ExactCount]) -> ExactCount:
    frames = tuple(frame for count in counts for frame in count.frames)
    parts = {part: tuple(v for count in counts for v in count.parts[part]) for part in counts[0].parts}
    return ExactCount(frames, parts)
