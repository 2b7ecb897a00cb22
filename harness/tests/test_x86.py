"""x86_64 on machines of many shapes, and its ends: clean, panicked, and told from each other."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from harness.model.spec import Machine, RunParams
from harness.tests.booted import boot_kernel

pytestmark = pytest.mark.qemu

ROULETTE = RunParams(frames=4, mode=(320, 240))
LONG = RunParams(frames=90, mode=(320, 240), records=0)
HUGE_BAR = ("-object", "memory-backend-ram,id=far,size=4G,reserve=off", "-device", "ivshmem-plain,memdev=far")


@pytest.mark.parametrize("vcpus", [1, 3, 8])
def test_any_number_of_cpus_ends_clean(tmp_path: Path, vcpus: int) -> None:
    booted = boot_kernel(tmp_path, Machine(vcpus=vcpus, maxcpus=8), ROULETTE, {"CPUS": "8"})
    assert booted.ending.clean and "[DONE] status=ok" in booted.log
    assert f" arch=x86_64 cpus={vcpus} irq=msix " in booted.log


@pytest.mark.parametrize("memory_mib", [64, 3072])
def test_any_size_of_memory_ends_clean(tmp_path: Path, memory_mib: int) -> None:
    booted = boot_kernel(tmp_path, Machine(memory_mib=memory_mib), ROULETTE)
    assert booted.ending.clean and "[DONE] status=ok" in booted.log


@pytest.mark.parametrize("completion", ["poll", "irq"])
def test_bars_beyond_4_gib_are_reached(tmp_path: Path, completion: str) -> None:
    """A BAR of 4 GiB in front of the GPU makes the firmware put 64-bit BARs behind it."""
    booted = boot_kernel(tmp_path, Machine(extra=HUGE_BAR), ROULETTE, {"COMPLETION": completion})
    assert booted.ending.clean and "virtio-gpu: driver probe succeeded" in booted.log


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    booted = boot_kernel(tmp_path, Machine(memory_mib=8), RunParams(frames=4, mode=(1920, 1080)))
    assert not booted.ending.clean
    assert "no memory" in booted.log, booted.log


@pytest.mark.parametrize(
    ("fault", "name"), [("page_fault", "page fault"), ("stack_overflow", "stack overflow"), ("panic", "FAULT=panic")]
)
def test_a_panic_names_its_cause_once_and_fails(tmp_path: Path, fault: str, name: str) -> None:
    booted = boot_kernel(tmp_path, Machine(), LONG, {"FAULT": fault})
    said = [line for line in booted.log.splitlines() if line.startswith("[PANIC]")]
    assert not booted.ending.clean and "[DONE]" not in booted.log
    assert len(said) == 1 and name in said[0], booted.log


def test_a_trap_prints_where_it_struck_and_every_register(tmp_path: Path) -> None:
    booted = boot_kernel(tmp_path, Machine(), LONG, {"FAULT": "page_fault"})
    assert re.search(
        r"vector 14 error 0x[0-9a-f]+ rip 0x[0-9a-f]{16} cr2 0x[0-9a-f]{16} cpu 0$", booted.log, re.MULTILINE
    )
    for register in "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 cr3 rflags".split():
        assert re.search(rf"\b{register} +[0-9a-f]{{16}}\b", booted.log), register


def test_the_clock_agrees_with_itself_under_icount(tmp_path: Path) -> None:
    """A tick is an instruction there; the reference clock must come out at the same rate at both ends."""
    machine = dataclasses.replace(Machine(vcpus=1, maxcpus=1), icount=True)
    booted = boot_kernel(tmp_path, machine, dataclasses.replace(ROULETTE, exact=1))
    drift = re.search(r"drift_ppm=(-?\d+)", booted.log)
    assert booted.ending.clean and drift and abs(int(drift[1])) < 200, booted.log
