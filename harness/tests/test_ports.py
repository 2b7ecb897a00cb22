"""aarch64 and riscv64 on machines that are not what they should be: a clear line and a failing end, never silence."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.core.guest.serial import parse_serial
from harness.model.spec import ARCHES, KERNEL_DIR, Machine, RunParams, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine import qemu_command as machine_module
from harness.tests.booted import boot_image, boot_kernel, column

pytestmark = pytest.mark.qemu

PORTS = ("aarch64", "riscv64")


def machine_of(arch: str, **changes: object) -> Machine:
    return dataclasses.replace(Machine(arch=arch, vcpus=2, memory_mib=128), **changes)


ROULETTE = RunParams(frames=4, mode=(320, 240))
SUITES = RunParams(suite="arch,fdt")


def panics(folder: Path, machine: Machine) -> str:
    """The panic line of a guest that ends itself as failed."""
    booted = boot_kernel(folder, machine, ROULETTE)
    assert not booted.ending.clean, booted.log
    lines = [line for line in booted.log.splitlines() if line.startswith("[PANIC]")]
    assert len(lines) == 1, booted.log
    assert "[DONE]" not in booted.log
    return lines[0]


@pytest.mark.parametrize("vcpus", [1, 2, 4, 8])
@pytest.mark.parametrize("arch", PORTS)
def test_any_number_of_cpus_ends_clean(tmp_path: Path, arch: str, vcpus: int) -> None:
    booted = boot_kernel(tmp_path, machine_of(arch, vcpus=vcpus), ROULETTE, {"CPUS": "8"})
    assert booted.ending.clean and "[DONE] status=ok" in booted.log
    assert f" arch={arch} cpus={vcpus} irq=intx " in booted.log


@pytest.mark.parametrize("arch", PORTS)
def test_page_tables_and_tree_are_right(tmp_path: Path, arch: str) -> None:
    booted = boot_kernel(tmp_path, machine_of(arch), SUITES, test=True)
    assert booted.ending.clean, booted.log
    assert "ok 2 arch" in booted.log and "not ok 1 " not in booted.log


def test_page_tables_hold_for_a_kernel_that_left_el2(tmp_path: Path) -> None:
    machine = machine_of("aarch64", extra=("-machine", "virtualization=on"))
    booted = boot_kernel(tmp_path, machine, SUITES, test=True)
    assert booted.ending.clean, booted.log
    assert "ok 2 arch" in booted.log


def test_page_tables_say_io_where_they_can(tmp_path: Path) -> None:
    booted = boot_kernel(tmp_path, machine_of("riscv64", extra=("-cpu", "rv64,svpbmt=true")), SUITES, test=True)
    assert booted.ending.clean, booted.log
    assert "ok 2 arch" in booted.log


def test_a_gicv2_is_named(tmp_path: Path) -> None:
    said = panics(tmp_path, machine_of("aarch64", extra=("-machine", "gic-version=2")))
    assert "not a GICv3" in said and "gic-version=3" in said


def test_an_aplic_is_named(tmp_path: Path) -> None:
    assert "not a PLIC" in panics(tmp_path, machine_of("riscv64", extra=("-machine", "aia=aplic")))


@pytest.mark.parametrize("arch", PORTS)
def test_a_machine_without_gpu_says_so(tmp_path: Path, arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_module, "gpu_arguments", lambda machine: ["-display", "none"])
    booted = boot_kernel(tmp_path, machine_of(arch), ROULETTE)
    assert not booted.ending.clean
    assert "virtio-gpu: no such device on the PCI bus" in booted.log


@pytest.mark.parametrize("arch", PORTS)
def test_too_little_memory_is_said(tmp_path: Path, arch: str) -> None:
    booted = boot_kernel(tmp_path, machine_of(arch, memory_mib=12), RunParams(frames=4, mode=(1920, 1080)))
    assert not booted.ending.clean
    assert "no memory" in booted.log, booted.log


def tree_of(folder: Path, arch: str) -> bytes:
    """The device tree that QEMU makes for the machine."""
    path = folder / "tree.dtb"
    command = [ARCHES[arch].qemu, "-machine", f"{ARCHES[arch].machine},dumpdtb={path}", "-cpu", ARCHES[arch].cpu]
    subprocess.run(
        [*command, "-smp", "2", "-m", "128", "-display", "none"], check=True, capture_output=True, timeout=60
    )
    return path.read_bytes()


def with_damaged_tree(folder: Path, arch: str, old: bytes, new: bytes) -> Machine:
    """A machine whose tree has some bytes replaced by as many others."""
    tree = tree_of(folder, arch)
    assert len(old) == len(new) and old in tree
    path = folder / "damaged.dtb"
    path.write_bytes(tree.replace(old, new))
    return machine_of(arch, extra=("-dtb", str(path)))


@pytest.mark.parametrize(
    ("arch", "old", "new", "said"),
    [
        ("aarch64", b"arm,armv8-timer\0", b"arm,armv9-timer\0", "no interrupt for the virtual timer"),
        ("aarch64", b"arm,pl011\0", b"arm,pl099\0", "no PL011"),
        ("aarch64", b"interrupts\0", b"interrupt$\0", "no interrupt for the virtual timer"),
        ("riscv64", b"memory\0", b"memorz\0", "no memory node covers the kernel"),
        ("riscv64", b"ns16550a\0", b"ns16550\0\0", "no 16550"),
    ],
)
def test_a_damaged_tree_is_named(tmp_path: Path, arch: str, old: bytes, new: bytes, said: str) -> None:
    line = panics(tmp_path, with_damaged_tree(tmp_path, arch, old, new))
    assert "device tree: " in line and said in line


def test_a_hart_that_the_plic_does_not_serve_is_named(tmp_path: Path) -> None:
    """Pairs (hart's controller, cause): 11 is machine mode's external interrupt, 9 the kernel's."""
    pairs = re.findall(rb"(?s)(\0\0\0\x0b....\0\0\0)\x09", tree_of(tmp_path, "riscv64"))
    assert len(pairs) == 2
    line = panics(tmp_path, with_damaged_tree(tmp_path, "riscv64", pairs[0] + b"\x09", pairs[0] + b"\x0b"))
    assert "plic: no context for cpu" in line


@pytest.mark.parametrize("arch", PORTS)
def test_devices_on_one_line_wake_the_cpus_that_wait_for_them(tmp_path: Path, arch: str) -> None:
    """The display in slot 1 is the boot CPU's, the disk in slot 5 another one's; the pins of both are one line."""
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(4 << 20))
    extra = ("-drive", f"file={disk},if=none,id=d,format=raw", "-device", "virtio-blk-pci,drive=d,addr=5")
    params = RunParams(frames=120, blk=4)
    booted = boot_kernel(tmp_path, machine_of(arch, extra=extra), params, {"COMPLETION": "irq"})
    assert booted.ending.clean, booted.log
    log = parse_serial(booted.serial)
    assert log.summary and int(log.summary.get("interrupts") or 0) and int(log.summary.get("blk_requests") or 0)
    assert max(column(log, "halt_ns")) < 250e6, "a halt that nothing ended lasts 500 ms"


@pytest.mark.parametrize("arch", PORTS)
def test_a_machine_without_pci_says_so(tmp_path: Path, arch: str) -> None:
    machine = with_damaged_tree(tmp_path, arch, b"pci-host-ecam-generic\0", b"pci-host-none-generic\0")
    booted = boot_kernel(tmp_path, machine, ROULETTE)
    assert not booted.ending.clean
    assert "pci: the device tree names no ECAM host" in booted.log


def test_a_machine_without_a_tree_is_named(tmp_path: Path) -> None:
    path = tmp_path / "large.dtb"
    tree = tree_of(tmp_path, "aarch64")
    # A total size that leaves no room for the tree below the kernel: QEMU then boots without one.
    path.write_bytes(tree[:4] + (3 << 20).to_bytes(4, "big") + tree[8:].ljust((3 << 20) - 8, b"\0"))
    line = panics(tmp_path, machine_of("aarch64", extra=("-dtb", str(path))))
    assert "device tree at 0x40000000: no device tree there" in line


@pytest.mark.full
@pytest.mark.parametrize("arch", ARCHES)
def test_a_thousand_frames_have_the_same_pixels_everywhere(tmp_path: Path, arch: str) -> None:
    kernel = build_kernel(Switches.of({"ARCH": arch}), test=True)
    booted = boot_image(tmp_path, kernel.path, machine_of(arch), RunParams(suite="golden"), limit_s=240)
    assert booted.ending.clean, booted.log
    assert "# 1000 frames in 8 modes, 0 differ" in booted.log


@pytest.mark.full
def test_one_other_pixel_hash_is_found(tmp_path: Path) -> None:
    shutil.copytree(KERNEL_DIR, tmp_path / "kernel")
    golden = tmp_path / "kernel" / "scene" / "golden.txt"
    rows = golden.read_text(encoding="ascii").splitlines()
    rows[3] = f"{rows[3][:-1]}{'0' if rows[3][-1] != '0' else '1'}"
    golden.write_text("\n".join(rows) + "\n", encoding="ascii")
    kernel = build_kernel(Switches(), test=True, tree=tmp_path)
    booted = boot_image(tmp_path, kernel.path, machine_of("x86_64"), RunParams(suite="golden"), limit_s=240)
    assert not booted.ending.clean
    assert "# 1000 frames in 8 modes, 1 differ" in booted.log
    assert f"frame {rows[3].split()[0]} of 320x240 is the first that differs" in booted.log
