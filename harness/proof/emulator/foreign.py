"""The runs of an image of another project: without labels, on devices behind virtio-mmio or PCI.

Where its rings are is what it told the device; which of its code is a driver is what touched them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from harness.proof.emulator.boards import BOARDS
from harness.proof.emulator.disk_image import boot_disk
from harness.proof.emulator.image import ElfImage, TraceError
from harness.proof.emulator.machine import EmulatedMachine
from harness.proof.emulator.mmio_device import LEGACY, MODERN
from harness.proof.emulator.model_device import BLK, GPU, NAMES, NET, RNG
from harness.proof.emulator.pc_machine import PcMachine
from harness.proof.emulator.virt_machine import VirtMachine
from harness.proof.recorded.instructions import accessing
from harness.proof.recorded.recording import Coverage, Recording, Ring, ring_of
from harness.proof.recorded.shared_accesses import AddressSpan, Spans, only_shared

KINDS = (GPU, BLK, RNG, NET)


def record_foreign(image: ElfImage, typed: str) -> tuple[tuple[Recording, ...], Coverage]:
    """Run a whole image: on modern devices, or on legacy ones where it takes no modern one.

    Parameters
    ----------
    typed
        What is typed at its console.

    Raises
    ------
    TraceError
        When it uses no device, faults, or meets an instruction that is not known.
    """
    failed: list[str] = []
    for make in _machines(image, typed):
        try:
            machine = make()
            machine.run(machine.entry(image.entry))
        except TraceError as error:
            failed.append(str(error))
        else:
            recording = _recording(machine, image)
            return (recording,), _coverage(image, machine, recording)
    raise TraceError("; on legacy devices: ".join(failed))


def _machines(image: ElfImage, typed: str) -> Iterator[Callable[[], EmulatedMachine]]:
    """Machines that an image may run on, the newest first."""
    disk, segments = boot_disk(), image.segments
    if image.arch == "x86_64":
        yield lambda: PcMachine(segments, KINDS, disk, image.where, typed)
        return
    for version in (MODERN, LEGACY):
        yield functools.partial(VirtMachine, BOARDS[image.arch], segments, KINDS, version, disk, image.where, typed)


def _shared(machine: EmulatedMachine, rings: tuple[Ring, ...], registers: list[AddressSpan]) -> Spans:
    """Everything that a device was given."""
    spans = list(registers)
    for ring in rings:
        spans += [
            (ring.descriptors, ring.descriptors + 16 * ring.size),
            (ring.available, ring.available + 6 + 2 * ring.size),
            (ring.used, ring.used + 6 + 8 * ring.size),
        ]
        for buffers in (ring.pictures.values(), *(chain.buffers for chain in ring.chains)):
            spans += [(buffer.address, buffer.address + buffer.length) for buffer in buffers]
    return Spans(spans)


def _recording(machine: EmulatedMachine, image: ElfImage) -> Recording:
    rings = tuple(ring_of(device, queue) for device, queue in machine.used_queues())
    used = [device for device, _ in machine.used_queues()]
    registers = [device.registers_at for device in used]
    accesses, branches = only_shared(
        machine.recorder.accesses, machine.recorder.branch_sources, _shared(machine, rings, registers)
    )
    names = " and ".join(dict.fromkeys(NAMES[device.kind] for device in used))
    return Recording(
        f"whole image, with its {names}",
        image.arch,
        accesses,
        rings,
        tuple(registers),
        tuple(device.notify_at for device in used),
        frozenset(at for device in used for at in device.queue_enables_at),
        frozenset(device.status_at for device in used),
        branches,
        image.where,
    )


def _coverage(image: ElfImage, machine: EmulatedMachine, recording: Recording) -> Coverage:
    """Coverage of the functions that touched shared memory, where symbols name functions."""
    touched = {access.pc for access in recording.accesses}

    def read(at: int, size: int) -> bytes:
        return next(
            (
                content[at - start :][:size]
                for start, content, _ in image.segments
                if start <= at < start + len(content)
            ),
            b"",
        )

    functions = [one for one in image.functions if any(one[0] <= pc < one[0] + one[1] for pc in touched)]
    inside = {at for start, size, _ in functions for at in accessing(machine.decode, read, start, size)}
    if not touched <= inside:
        return Coverage(len(touched), None)
    missing = [
        (name, len([at for at in inside - touched if start <= at < start + size])) for start, size, name in functions
    ]
    return Coverage(len(touched), len(inside), tuple(f"{count} in {name}" for name, count in missing if count))
