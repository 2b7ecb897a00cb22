"""The ring's machine code: objects of one strategy each, their marks and their disassembly."""

from __future__ import annotations

import os
from pathlib import Path

from harness.core.machine_code.ringmarks import Instruction, RingpointError, parse_disassembly, read_marks
from harness.core.machine_code.ringpoints import Point, Span, by_point, problems, spans, strays
from harness.model.errors import BuildError, ToolError
from harness.model.spec import ARCHES, KERNEL_DIR, Switches
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded
from harness.platform.kernels.build import BUILD_DIR, folder_lock, run_make
from harness.platform.processes.child import ChildError, run_child

RING_OBJECTS = ("drivers/virtio/virtqueue.o", "drivers/virtio/transport.o")
"""Every object of the kernel that holds a point."""
_OBJDUMP_S = 30.0
_OBJDUMP_BYTES_MAX = 256 << 20


def build_ring(switches: Switches, compiler: str = "gcc") -> tuple[Path, ...]:
    """Build the objects that hold the ordering points, and nothing else of the kernel.

    Raises
    ------
    BuildError
        When they do not build.
    """
    out = BUILD_DIR / switches.folder / compiler
    paths = tuple(out / "obj" / name for name in RING_OBJECTS)
    words = [f"ARCH={switches.arch}", *(f"{name}={value}" for name, value in switches.chosen)]
    words += [f"CC={compiler}", f"OUT={os.path.relpath(out, KERNEL_DIR)}", "ring"]
    with folder_lock(out):
        run_make(KERNEL_DIR, words, f"the ring of {switches.label}", scratch=out / "tmp")
    return paths


def disassemble(path: Path, arch: str) -> str:
    """The output of the architecture's objdump for a kernel or an object.

    Raises
    ------
    ToolError
        When it is missing or refuses.
    """
    command = [ARCHES[arch].gcc.removesuffix("gcc") + "objdump", "-d", "--no-show-raw-insn", str(path)]
    try:
        done = run_child(command, limit_s=_OBJDUMP_S, output_bytes=_OBJDUMP_BYTES_MAX)
        trouble = (done.errors or (f"status {done.status}",))[-1] if done.status else ""
    except ChildError as error:
        trouble = error.message
    if trouble:
        package = ARCHES[arch].gcc_package
        raise ToolError(f"{command[0]} does not run on {path.name}: {trouble}; it comes with {package}")
    return done.text


def read_ring(path: Path, arch: str) -> tuple[tuple[Span, ...], tuple[Instruction, ...]]:
    """The places of every point in a kernel or an object, and all of its instructions.

    Raises
    ------
    BuildError
        When it cannot be read or its marks make no sense.
    """
    instructions = parse_disassembly(disassemble(path, arch))
    try:
        return spans(read_marks(read_bounded(path, KERNEL_BYTES_MAX)), instructions, arch), instructions
    except RingpointError as error:
        raise BuildError(f"{path.name}: {error}") from error


def ring_points(switches: Switches, compiler: str = "gcc") -> dict[Point, tuple[str, ...]]:
    """One strategy's code at each point, checked against its claims.

    Raises
    ------
    BuildError
        When it does not build, or the code is not what the strategy claims: the first difference is named.
    """
    found: list[Span] = []
    code: list[str] = []
    strategy = switches.get("BARRIER")
    for path in build_ring(switches, compiler):
        places, instructions = read_ring(path, switches.arch)
        found += places
        code += strays(places, instructions, switches.arch)
    said = [*problems(strategy, switches.arch, found), *code]
    if said:
        raise BuildError(f"{switches.label}, {compiler}: {said[0]}")
    return by_point(found)
