"""x86_64 on machines of many shapes, and its ends: clean, panicked, and told from each other."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path

import pytest

from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.build import build_kernel
from harness.platform.ending import Ending
from harness.platform.qemu import Qemu

pytestmark = pytest.mark.qemu

ROULETTE = RunParams(frames=4, mode=(320, 240))
LONG = RunParams(frames=90, mode=(320, 240), records=0)
HUGE_BAR = ("-object", "memory-backend-ram,id=far,size=4G,reserve=off", "-device", "ivshmem-plain,memdev=far")


def run_to_end(folder: Path, machine: Machine, params: RunParams = ROULETTE, **switches: str) -> tuple[str, Ending]:
    """Boot a kernel and wait until its machine has ended; its serial log and how it ended."""
    kernel = build_kernel(Switches.of({"ARCH": "x86_64", **switches}))
    with Qemu(RunSpec(kernel=kernel.path, machine=machine, params=params), folder) as guest:
        deadline = time.monotonic() + 20
        while not guest.exited():
            assert time.monotonic() < deadline, guest.console.content()[-300:]
            time.sleep(0.02)
        ending = guest.wait_end(1.0)
    return guest.console.content().decode("utf-8", "replace"), ending


@pytest.mark.parametrize("vcpus", [1, 3, 8])
def test_any_number_of_cpus_ends_clean(tmp_path: Path, vcpus: int) -> None:
    log, ending = run_to_end(tmp_path, Machine(vcpus=vcpus, maxcpus=8), CPUS="8")
    assert ending.clean and "[DONE] status=ok" in log
    assert f" arch=x86_64 cpus={vcpus} irq=msix " in log


@pytest.mark.parametrize("memory_mib", [64, 3072])
def test_any_size_of_memory_ends_clean(tmp_path: Path, memory_mib: int) -> None:
    log, ending = run_to_end(tmp_path, Machine(memory_mib=memory_mib))
    assert ending.clean and "[DONE] status=ok" in log


@pytest.mark.parametrize("completion", ["poll", "irq"])
def test_bars_beyond_4_gib_are_reached(tmp_path: Path, completion: str) -> None:
    """A BAR of 4 GiB in front of the GPU makes the firmware put 64-bit BARs behind it."""
    log, ending = run_to_end(tmp_path, Machine(extra=HUGE_BAR), COMPLETION=completion)
    assert ending.clean and "virtio-gpu: driver probe succeeded" in log


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    log, ending = run_to_end(tmp_path, Machine(memory_mib=8), RunParams(frames=4, mode=(1920, 1080)))
    assert not ending.clean
    assert "no memory" in log, log


@pytest.mark.parametrize(
    ("fault", "name"), [("page_fault", "page fault"), ("stack_overflow", "stack overflow"), ("panic", "FAULT=panic")]
)
def test_a_panic_names_its_cause_once_and_fails(tmp_path: Path, fault: str, name: str) -> None:
    log, ending = run_to_end(tmp_path, Machine(), LONG, FAULT=fault)
    said = [line for line in log.splitlines() if line.startswith("[PANIC]")]
    assert not ending.clean and "[DONE]" not in log
    assert len(said) == 1 and name in said[0], log


def test_a_trap_prints_where_it_struck_and_every_register(tmp_path: Path) -> None:
    log, _ = run_to_end(tmp_path, Machine(), LONG, FAULT="page_fault")
    assert re.search(r"vector 14 error 0x[0-9a-f]+ rip 0x[0-9a-f]{16} cr2 0x[0-9a-f]{16} cpu 0$", log, re.MULTILINE)
    for register in "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 cr3 rflags".split():
        assert re.search(rf"\b{register} +[0-9a-f]{{16}}\b", log), register


def test_the_clock_agrees_with_itself_under_icount(tmp_path: Path) -> None:
    """A tick is an instruction there; the reference clock must come out at the same rate at both ends."""
    machine = dataclasses.replace(Machine(vcpus=1, maxcpus=1), icount=True)
    log, ending = run_to_end(tmp_path, machine, dataclasses.replace(ROULETTE, exact=1))
    drift = re.search(r"drift_ppm=(-?\d+)", log)
    assert ending.clean and drift and abs(int(drift[1])) < 200, log
