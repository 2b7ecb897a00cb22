"""The ring's indexes have 16 bits: the driver's own code passes through every value of them, and none is lost."""

from __future__ import annotations

import pytest

from harness.model.spec import Switches
from harness.platform.kernels.build import build_kernel
from harness.proof.emulator.image import ElfImage, EndlessError, read_image
from harness.proof.emulator.pci_device import PciDevice
from harness.proof.emulator.tracer import Tracer
from harness.proof.recorded.recording import HEIGHT_PX, WIDTH_PX

pytest.importorskip("unicorn")

INDEXES = 1 << 16
_RECTANGLE_AT, _HEAP_AT = 0x8000, 0x10000


class _Run:
    """A display's driver at full speed. The device answers with the notification, or with the one that is missed."""

    def __init__(self, image: ElfImage, *, recording: bool = False) -> None:
        self.tracer = Tracer(image, recording=recording)
        self.display = self.tracer.devices[0]
        self.available: list[int] = []
        self.used: list[int] = []
        """The indexes after each notification."""
        self.chains = 0
        self.tracer.on_notify = self._notified
        heap = self.tracer.ram[0]
        self.tracer.call("heap_init", heap + _HEAP_AT, self.tracer.ram[1])
        assert self.tracer.call("gpu_init", heap, WIDTH_PX, HEIGHT_PX) == 0
        rectangle = b"".join(value.to_bytes(4, "little") for value in (0, 0, WIDTH_PX, HEIGHT_PX))
        self.tracer.uc.mem_write(heap + _RECTANGLE_AT, rectangle)

    def _notified(self, device: PciDevice) -> None:
        device.take()
        while device.queue.pending:
            device.answer()
        self.chains += len(device.queue.chains)
        device.queue.chains.clear()
        self.available.append(device.queue.seen)
        self.used.append(device.queue.answered)

    def present(self) -> int:
        heap = self.tracer.ram[0]
        return self.tracer.call("gpu_present", heap, heap + _RECTANGLE_AT, 1)


@pytest.mark.parametrize(
    ("arch", "event_index"),
    [
        ("x86_64", "on"),
        pytest.param("x86_64", "off", marks=pytest.mark.full),
        pytest.param("aarch64", "on", marks=pytest.mark.full),
        pytest.param("riscv64", "on", marks=pytest.mark.full),
    ],
)
@pytest.mark.slow
def test_every_index_is_published_and_seen(arch: str, event_index: str) -> None:
    """Two chains a frame, and another one at the start, so that odd and even values are each published once."""
    built = build_kernel(Switches.of({"ARCH": arch, "EVENT_IDX": event_index}))
    run = _Run(read_image(built.path))
    begun = run.chains
    for frame in range(INDEXES // 2 + 2):
        assert run.present() == 0, f"frame {frame} after {run.chains} chains"
    assert run.display.event_index is (event_index == "on")
    assert run.chains - begun == INDEXES + 4
    assert run.available == run.used and {0, INDEXES - 2} <= set(run.available) | {run.available[-1] - 2}
    step = {
        (after - before) % INDEXES
        for before, after in zip(run.available[-INDEXES // 4 :], run.available[1 - INDEXES // 4 :])
    }
    assert step == {2}, "each pair of chains is told of, also where the index wraps"


def test_a_driver_that_does_not_wrap_is_noticed() -> None:
    """The device's index is one ahead: the driver waits for an answer that it takes for one of the past."""
    built = build_kernel(Switches.of({"ARCH": "x86_64"}))
    run = _Run(read_image(built.path), recording=True)
    assert run.present() == 0
    run.display.queue.answered = (run.display.queue.answered + INDEXES // 2) % INDEXES
    run.tracer.tick_ns = 10_000_000
    assert run.present() != 0


def test_a_wait_without_end_is_bounded_at_full_speed() -> None:
    """The clock stands still there: only the count of instructions ends a wait for a device that is silent."""
    run = _Run(read_image(build_kernel(Switches.of({"ARCH": "x86_64"})).path))
    run.tracer.on_notify = lambda device: None
    with pytest.raises(EndlessError, match="no end after"):
        run.present()
