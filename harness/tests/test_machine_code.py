"""Orders in the kernel that no test on QEMU can catch being wrong, read in the instructions and the source."""

from __future__ import annotations

import functools
import re

import pytest

from harness.model.spec import KERNEL_DIR, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.kernels.ringcode import disassemble


@functools.cache
def bodies(arch: str = "x86_64") -> dict[str, list[str]]:
    """The instructions of each function of the default kernel."""
    text = disassemble(build_kernel(Switches(arch)).path, arch)
    found = re.findall(r"^[0-9a-f]+ <(\w+)>:\n((?:[^\n]+\n)*)", text, re.MULTILINE)
    return {name: [line.partition("\t")[2] for line in lines.splitlines()] for name, lines in found}


def first(lines: list[str], pattern: str) -> int:
    """The place of the first instruction of this kind."""
    places = [number for number, line in enumerate(lines) if re.search(pattern, line)]
    assert places, (pattern, lines)
    return places[0]


def test_an_interrupt_command_is_one_step() -> None:
    """QEMU takes interrupts between blocks of code, never between the two stores."""
    lines = bodies()["irq_apic_command"]
    stores = [at for at, line in enumerate(lines) if re.search(r"^mov\S* +[%$]\w+,(0xf*fee00|\S*\(%r(?!sp))", line)]
    assert len(stores) == 2, lines
    assert first(lines, r"\bcli\b|arch_irq_disable") < min(stores)
    assert max(stores) < first(lines, r"\bsti\b|\bpopf|arch_irq_restore")


def test_the_two_ports_of_configuration_space_are_taken_under_a_lock() -> None:
    """Two CPUs meet between the two accesses too seldom to wait for it."""
    for name in ("arch_pci_read32", "arch_pci_write32"):
        lines = bodies()[name]
        taken = first(lines, r"\bxchg\b|\block\b|\bcmpxchg\b|spinlock_lock")
        ports = [at for at, line in enumerate(lines) if re.match(r"(in|out)\b", line)]
        assert len(ports) == 2 and taken < ports[0], lines


def test_a_change_of_memory_types_is_followed_by_a_flush() -> None:
    """TCG has no caches that a stale type would keep."""
    lines = bodies()["mmu_init"]
    assert first(lines, r",%cr3|arch_tlb_flush") > first(lines, r"^or[lqb]? ")


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
def test_a_present_s_clock_is_read_under_its_guard(arch: str) -> None:
    """Another task in between would be counted as time of the frame."""
    lines = bodies(arch)["gpu_present"]
    assert first(lines, "preempt_disable") < first(lines, r"arch_ticks\b|rdtsc|cntvct|rdtime")


def test_memmove_passes_nothing_to_a_restrict_parameter() -> None:
    """The compiler may use the promise, or not: no run shows it."""
    text = (KERNEL_DIR / "base" / "string.c").read_text(encoding="utf-8")
    body = text.partition("void *memmove(")[2].partition("\n}\n")[0]
    restricted = re.findall(r"(\w+)\([^)]*\brestrict\b", text)
    assert "memcpy" in restricted
    assert not [name for name in restricted if f"{name}(" in body]
