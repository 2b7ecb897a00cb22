"""The kernel's driver, run in an emulator on model devices that no machine of QEMU's has."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from harness.model.spec import Switches
from harness.platform.kernels.build import build_kernel
from harness.proof.emulator.image import ElfImage, read_image
from harness.proof.emulator.pci_device import ISR, NOTIFY, PciDevice
from harness.proof.emulator.tracer import Tracer

pytest.importorskip("unicorn")

COMMON_CAPABILITY, ISR_CAPABILITY, CONFIG_CAPABILITY, NOTIFY_CAPABILITY = 0x40, 0x58, 0x70, 0x88
"""Where the model device's capabilities stand in its configuration space."""


@functools.cache
def image(completion: str = "poll") -> ElfImage:
    return read_image(build_kernel(Switches.of({"ARCH": "aarch64", "COMPLETION": completion})).path)


def started(change: Callable[[PciDevice], None], completion: str = "poll") -> tuple[int, Tracer]:
    """The driver's start on a device that was changed; 0 when it works."""
    tracer = Tracer(image(completion))
    display = tracer.devices[0]
    change(display)
    tracer.on_notify = lambda device: device.take()
    tracer.on_read = lambda address, size: display.answer() if address == display.queue.used + 2 else None
    tracer.on_halt = display.answer
    heap, end = tracer.ram
    tracer.call("heap_init", heap + 0x10000, end)
    return tracer.call("gpu_init", heap, 16, 8), tracer


def nothing(device: PciDevice) -> None:
    del device


def test_an_ordinary_device_starts() -> None:
    status, tracer = started(nothing)
    assert status == 0 and "driver probe succeeded" in tracer.text


def _set(at: int, value: int) -> Callable[[PciDevice], None]:
    return lambda device: device.config_space.update({at: value})


def _length(at: int, length: int) -> Callable[[PciDevice], None]:
    def change(device: PciDevice) -> None:
        device.config_space[at] = device.config_space[at] & ~(0xFF << 16) | length << 16

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set(COMMON_CAPABILITY + 8, 2), "PCI capabilities are not a virtio device's"),
        (_set(NOTIFY_CAPABILITY + 8, NOTIFY + 1), "PCI capabilities are not a virtio device's"),
        (_length(NOTIFY_CAPABILITY, 16), "PCI capabilities are not a virtio device's"),
        (_length(COMMON_CAPABILITY, 15), "PCI capabilities are not a virtio device's"),
    ],
)
def test_a_capability_that_cannot_be_used_is_refused(change: Callable[[PciDevice], None], says: str) -> None:
    status, tracer = started(change)
    assert status < 0 and says in tracer.text


def test_a_notification_register_at_an_odd_address_is_refused() -> None:
    def change(device: PciDevice) -> None:
        device.config_space[NOTIFY_CAPABILITY + 16] = 1
        device.notify_offset = 1

    status, tracer = started(change)
    assert status < 0 and "lies outside of its BAR" in tracer.text


@pytest.mark.slow
def test_an_interrupt_of_a_device_on_the_same_pin_is_not_counted() -> None:
    status, tracer = started(nothing, "irq")
    display = tracer.devices[0]
    ((handler, argument),) = tracer.handlers
    assert status == 0
    before = bytes(tracer.uc.mem_read(tracer.ram[0], 0x4000))
    display.registers[ISR] = 0
    tracer.call(handler, argument)
    assert bytes(tracer.uc.mem_read(tracer.ram[0], 0x4000)) == before
    display.registers[ISR] = 1
    tracer.call(handler, argument)
    assert bytes(tracer.uc.mem_read(tracer.ram[0], 0x4000)) != before
