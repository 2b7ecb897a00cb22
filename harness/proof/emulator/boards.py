"""The machines that whole images run on: where QEMU's boards of the name ``virt`` have memory, console and devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Board:
    """One machine."""

    arch: str
    ram: int
    console: int
    """The register that characters are written to."""
    console_status: int
    """Offset of the console's status register."""
    console_ready: int
    """Its value: a character may be written, and none can be read."""
    console_waiting: int
    """Its value when a character can be read too."""
    windows: int
    """The first register window of virtio-mmio."""
    window_bytes: int
    slots: int
    timer_hz: int
    firmware_at: int
    """Where an image without a load address of its own starts."""
    kernel_offset: int
    """Where a raw image with the header of a Linux kernel starts, from the start of the memory."""
    tree_at: int
    """Where the device tree is."""
    compatible: str

    def window(self, slot: int) -> int:
        return self.windows + slot * self.window_bytes


RAM_BYTES = 256 << 20
DEVICES_END = 0x40000000
"""Registers, and flash memory: reads as zero where nothing is."""

BOARDS: Mapping[str, Board] = {
    one.arch: one
    for one in (
        Board(
            "aarch64",
            ram=0x40000000,
            console=0x09000000,
            console_status=0x18,
            console_ready=0x90,
            console_waiting=0x80,
            windows=0x0A000000,
            window_bytes=0x200,
            slots=32,
            timer_hz=62_500_000,
            firmware_at=0,
            kernel_offset=0x80000,
            tree_at=0x40000000,
            compatible="linux,dummy-virt",
        ),
        Board(
            "riscv64",
            ram=0x80000000,
            console=0x10000000,
            console_status=5,
            console_ready=0x60,
            console_waiting=0x61,
            windows=0x10001000,
            window_bytes=0x1000,
            slots=8,
            timer_hz=10_000_000,
            firmware_at=0x80000000,
            kernel_offset=0x200000,
            tree_at=0x88000000,
            compatible="riscv-virtio",
        ),
    )
}


def device_tree(board: Board) -> bytes:
    """What a board tells its image (Devicetree Specification 0.4): memory, CPU, console, timer and register windows.

    Raises
    ------
    ImportError
        When libfdt's Python module is missing.
    """
    import libfdt

    tree = libfdt.FdtSw()
    tree.finish_reservemap()

    def reg(start: int, size: int) -> None:
        tree.property("reg", start.to_bytes(8, "big") + size.to_bytes(8, "big"))

    def cells(addresses: int, sizes: int) -> None:
        tree.property_u32("#address-cells", addresses)
        tree.property_u32("#size-cells", sizes)

    with tree.add_node(""):
        cells(2, 2)
        tree.property_string("compatible", board.compatible)
        with tree.add_node("chosen"):
            tree.property_string("stdout-path", f"/soc/serial@{board.console:x}")
        with tree.add_node(f"memory@{board.ram:x}"):
            tree.property_string("device_type", "memory")
            reg(board.ram, RAM_BYTES)
        with tree.add_node("cpus"):
            cells(1, 0)
            tree.property_u32("timebase-frequency", board.timer_hz)
            _cpu(tree, board.arch)
        with tree.add_node("clock"):
            tree.property_string("compatible", "fixed-clock")
            tree.property_u32("#clock-cells", 0)
            tree.property_u32("clock-frequency", 24_000_000)
            tree.property_u32("phandle", 1)
        if board.arch == "aarch64":
            with tree.add_node("timer"):
                tree.property_string("compatible", "arm,armv8-timer")
        with tree.add_node("soc"):
            cells(2, 2)
            tree.property_string("compatible", "simple-bus")
            tree.property("ranges", b"")
            with tree.add_node(f"serial@{board.console:x}"):
                _console(tree, board.arch)
                reg(board.console, 0x1000)
            for slot in range(board.slots):
                with tree.add_node(f"virtio_mmio@{board.window(slot):x}"):
                    tree.property_string("compatible", "virtio,mmio")
                    reg(board.window(slot), board.window_bytes)
    return bytes(tree.as_fdt().as_bytearray())


def _cpu(tree: Any, arch: str) -> None:
    with tree.add_node("cpu@0"):
        tree.property_string("device_type", "cpu")
        tree.property_u32("reg", 0)
        tree.property_string("status", "okay")
        tree.property_string("compatible", "riscv" if arch == "riscv64" else "arm,cortex-a57")
        if arch == "riscv64":
            tree.property_string("riscv,isa", "rv64imac")
            tree.property_string("mmu-type", "riscv,sv48")


def _console(tree: Any, arch: str) -> None:
    if arch == "riscv64":
        tree.property_string("compatible", "ns16550a")
        tree.property_u32("clock-frequency", 3_686_400)
    else:
        tree.property("compatible", b"arm,pl011\0arm,primecell\0")
        tree.property("clocks", (1).to_bytes(4, "big"))
