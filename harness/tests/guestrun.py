"""The stand-in kernels of ``harness/tests/guests``: built, and run under a real QEMU."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.explain.manners.observe import noting_at_once
from harness.model.spec import FOREIGN, Limits, Machine, RunSpec
from harness.platform.kernels.compile_cache import cached_environment
from harness.platform.machine.qemu import FRAME_EVENTS, Qemu

GUESTS = Path(__file__).resolve().parent / "guests"
GUEST_ARCHES = {"riscv64": "riscv64", "aarch64": "aarch64", "x86_64": "i386"}
"""QEMU's architecture, and what the Makefile of the guests calls it: on a PC they run in 32-bit mode, on PCI."""
ON_MMIO = ("riscv64", "aarch64")
_LIMITS = Limits(first_byte_s=20.0, first_frame_s=20.0, frame_s=10.0, shutdown_s=5.0, qmp_s=20.0)
_MMIO = ("-global", "virtio-mmio.force-legacy=false")


def guest_names() -> tuple[str, ...]:
    """Every guest of habits.c."""
    return tuple(re.findall(r'\{\.name = "(\w+)"', (GUESTS / "habits.c").read_text(encoding="utf-8")))


def build_guest(name: str, folder: Path, arch: str = "riscv64") -> Path:
    """Build one guest; objects that guests share are kept in ``folder``."""
    kind = GUEST_ARCHES[arch]
    command = ["make", "-s", "-C", str(GUESTS), f"ARCH={kind}", f"GUEST={name}", f"OUT={folder}"]
    environment = cached_environment(os.environ)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder / f"{name}-{kind}.elf"


@contextmanager
def running_guest(
    image: Path, folder: Path, arch: str = "riscv64", events: Sequence[str] = FRAME_EVENTS, extra: Sequence[str] = ()
) -> Iterator[Qemu]:
    """A guest that runs, until the context ends."""
    bus = _MMIO if arch in ON_MMIO else ()
    gpu = "virtio-gpu-device" if bus else ""
    machine = noting_at_once(Machine(arch, vcpus=1, maxcpus=1, memory_mib=128, gpu=gpu, extra=(*bus, *extra)))
    spec = RunSpec(image, machine, capabilities=FOREIGN, limits=_LIMITS)
    with Qemu(spec, folder, events, endless=True) as qemu:
        yield qemu


def run_guest(name: str, folder: Path, seconds: float = 1.0, arch: str = "riscv64") -> Qemu:
    """Build a guest, and let it draw for this long; the machine has ended when this returns."""
    image = build_guest(name, folder / "out", arch)
    with running_guest(image, folder / name, arch) as machine:
        machine.wait_first_flush()
        time.sleep(seconds)
    return machine
