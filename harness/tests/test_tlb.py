"""The software TLB of QEMU, which grows only when it is flushed: before the first frame, and never afterwards."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.qemu import Qemu
from harness.tests.booted import boot_kernel

pytestmark = pytest.mark.qemu

PORTS = ("aarch64", "riscv64")
WARM_FRAMES = 16
"""Drawn and flushed before the first frame that is shown (kernel/run/frameloop.c)."""


def flushes(machine: Qemu) -> int:
    """How often all of a CPU's TLB went, since the start."""
    text = str(machine.qmp.execute("human-monitor-command", **{"command-line": "info jit"}))
    counts = re.findall(r"TLB (?:full|partial) flushes +(\d+)", text)
    assert len(counts) == 2, text
    return sum(map(int, counts))


def frames_shown(machine: Qemu) -> int:
    return machine.trace_path.read_bytes().count(b"virtio_gpu_cmd_res_flush")


def counted(folder: Path, arch: str, tlb: str) -> tuple[int, int]:
    """Flushes up to the tenth frame, and during at least twenty more."""
    params = RunParams(seconds=60.0, records=0, tlb=tlb)
    spec = RunSpec(build_kernel(Switches.of({"ARCH": arch})).path, Machine(arch=arch), params)
    seen = []
    with Qemu(spec, folder) as machine:
        for frames in (10, 30):
            deadline = time.monotonic() + 60
            while frames_shown(machine) < frames:
                assert time.monotonic() < deadline, machine.console.content()
                time.sleep(0.01)
            seen.append(flushes(machine))
    return seen[0], seen[1] - seen[0]


@pytest.mark.parametrize("arch", PORTS)
def test_a_warm_run_flushes_before_its_frames_and_never_in_them(tmp_path: Path, arch: str) -> None:
    """On x86_64 the firmware does most flushes, another number each time; the suite ``arch`` tests the flush."""
    warm_before, warm_within = counted(tmp_path / "warm", arch, "warm")
    cold_before, cold_within = counted(tmp_path / "cold", arch, "cold")
    assert warm_within == cold_within == 0
    assert warm_before - cold_before == WARM_FRAMES


@pytest.mark.parametrize(("params", "said"), [({}, "warm"), ({"tlb": "cold"}, "cold"), ({"exact": 1}, "cold")])
def test_the_boot_line_says_which(tmp_path: Path, params: dict[str, object], said: str) -> None:
    booted = boot_kernel(tmp_path, Machine(), RunParams(frames=4, mode=(320, 240), **params))  # type: ignore[arg-type]
    boot = next(line for line in booted.log.splitlines() if line.startswith("[BOOT]"))
    assert booted.ending.clean and boot.endswith(f" tlb={said}"), boot
    assert re.findall(r"^\[VIRTIO PERF\].* frame=(\d+) ", booted.log, re.MULTILINE) == ["0", "1", "2", "3"]
