"""A whole image in the emulator, from its first instruction until it has used its devices.

Until a driver takes a device nothing is recorded and the image runs at full speed. From then on every instruction is
recorded, as ``recorder.py`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from harness.proof.emulated_cpu import EmulatedCpu
from harness.proof.image import TraceError
from harness.proof.instructions import Decode, UnknownInstruction
from harness.proof.model_device import ModelDevice
from harness.proof.recorder import Recorder
from harness.proof.shared_accesses import AddressSpan
from harness.proof.split_ring import Memory, Queue

QUEUE_SIZE = 8
"""Small, so that a ring wraps within a few requests."""
BLOCKS_MAX = 40_000_000
"""Basic blocks until a driver must have taken a device."""
INSTRUCTIONS_MAX = 1_500_000
"""Recorded ones."""
ENOUGH_CHAINS = 3 * QUEUE_SIZE + 2
"""Of each device that is in use: each slot of its ring is used again, and again."""
IDLE_MAX = 200
"""Times that an image waits for an interrupt, of which there are none."""
LOOKS = 3
"""Looks of the driver until the device answers once."""
TICK_NS = 1_000_000
"""What one reading of the clock adds to it: an image that counts seconds down does not keep us waiting."""
STATUS_DRIVER = 2
"""A driver knows the device (§2.1)."""
_PAGE = 4096


class EmulatedMachine:
    """The emulator around one image. Subclasses know where its devices are and how its CPU leaves it."""

    def __init__(self, cpu: EmulatedCpu, decode: Decode, *, locked_is_fence: bool, where: Callable[[int], str]) -> None:
        import unicorn

        self.cpu = cpu
        self.uc: Any = unicorn.Uc(cpu.arch, cpu.mode)
        self.memory = Memory(lambda at, size: bytes(self.uc.mem_read(at, size)), self._poke)
        self.recorder = Recorder(decode, self._code, lambda _: False, locked_is_fence, where, through_memory=True)
        self.where = where
        self.text = ""
        """What the image printed."""
        self.recording = False
        self.error: Exception | None = None
        self.ended = False
        """The image has switched its machine off."""
        self._ticks = self._blocks = self._count = self._looks = self._idle = 0

    # What subclasses say.

    @property
    def devices(self) -> Sequence[ModelDevice]:
        raise NotImplementedError

    def registers(self) -> Iterable[AddressSpan]:
        """Where the devices' registers may be."""
        raise NotImplementedError

    def register_read(self, address: int, size: int) -> int:
        raise NotImplementedError

    def register_write(self, address: int, size: int, value: int) -> None:
        raise NotImplementedError

    def trap(self, number: int) -> None:
        """The CPU leaves the image: an instruction that it does not have, or a call of its firmware."""
        raise NotImplementedError

    # What they use.

    def clock_ns(self) -> int:
        self._ticks += 1
        return self._ticks * TICK_NS

    def print(self, character: int) -> None:
        self.text += chr(character & 0x7F)

    def printed(self) -> str:
        """The last words on the console."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return f"; the console's last words: {lines[-1]}" if lines else ""

    def _poke(self, address: int, content: bytes) -> None:
        self.uc.mem_write(address, content)
        self.recorder.device_wrote(address, len(content))

    def _code(self, address: int, size: int) -> bytes:
        """Bytes of code, fewer at the end of what is mapped."""
        import unicorn

        try:
            return bytes(self.uc.mem_read(address, size))
        except unicorn.UcError:
            return bytes(self.uc.mem_read(address, _PAGE - address % _PAGE))

    # Hooks. An exception in one would be lost in C: it is kept, and raised by run().

    def guarded(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def guard(uc: Any, *words: Any) -> Any:
            try:
                return action(*words)
            except Exception as error:  # pylint: disable=broad-except
                self.error = self.error or error
                uc.emu_stop()
                return False

        return guard

    def hook(self) -> None:
        """Once memory and devices are in place."""
        import unicorn

        self.uc.hook_add(unicorn.UC_HOOK_BLOCK, self.guarded(self._on_block))
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self.guarded(lambda number, _: self.trap(number)))
        for start, end in self.registers():
            self.uc.hook_add(unicorn.UC_HOOK_MEM_READ, self.guarded(self._on_register_read), None, start, end - 1)
            self.uc.hook_add(unicorn.UC_HOOK_MEM_WRITE, self.guarded(self._on_register_write), None, start, end - 1)

    def _on_block(self, address: int, size: int, _: object) -> None:
        del address, size
        self._blocks += 1
        if self.recording:
            return
        if any(device.status & STATUS_DRIVER for device in self.devices):
            self.uc.emu_stop()
        elif self._blocks > BLOCKS_MAX:
            raise TraceError(f"no driver has taken a device after {BLOCKS_MAX:,} basic blocks{self.printed()}")

    def _on_register_read(self, _access: int, address: int, size: int, _value: int, _: object) -> None:
        value = self.register_read(address, size) & ((1 << 8 * size) - 1)
        self.uc.mem_write(address, value.to_bytes(size, "little"))

    def _on_register_write(self, _access: int, address: int, size: int, value: int, _: object) -> None:
        self.register_write(address, size, value & ((1 << 8 * size) - 1))

    def _on_code(self, address: int, size: int, _: object) -> None:
        del size
        self._count += 1
        if self._count > INSTRUCTIONS_MAX or self._enough():
            self.uc.emu_stop()
            return
        self.recorder.begin(address)

    def _on_read(self, _access: int, address: int, size: int, _value: int, _: object) -> None:
        for device in self.devices:
            for queue in device.queues:
                if queue.enabled and address <= queue.used + 2 < address + size:
                    self._looks += 1
                    if self._looks % LOOKS == 0:
                        device.answer()
        self.recorder.touched(False, address, size, int.from_bytes(self.uc.mem_read(address, size), "little"))

    def _on_write(self, _access: int, address: int, size: int, value: int, _: object) -> None:
        self.recorder.touched(True, address, size, value & ((1 << 8 * size) - 1))

    # The run.

    def _enough(self) -> bool:
        if self._count % 256:
            return False
        used = [device for device in self.devices if device.chains]
        return bool(used) and all(len(device.chains) >= ENOUGH_CHAINS for device in used)

    def _record(self) -> None:
        import unicorn

        self.uc.hook_add(unicorn.UC_HOOK_CODE, self.guarded(self._on_code))
        self.uc.hook_add(unicorn.UC_HOOK_MEM_READ, self.guarded(self._on_read))
        self.uc.hook_add(unicorn.UC_HOOK_MEM_WRITE, self.guarded(self._on_write))
        self.uc.ctl_flush_tb()
        self.recording = True

    def run(self, entry: int) -> None:
        """Run the image until its devices have been used enough, it ends, or waits for what does not come.

        Raises
        ------
        TraceError
            When no driver takes a device, or the image faults or meets an instruction that is not known.
        """
        import unicorn

        at = entry
        while True:
            try:
                self.uc.emu_start(at, (1 << 64) - 1)
            except unicorn.UcError as error:
                if self.error is None and not self._used():
                    at = self.uc.reg_read(self.cpu.pc)
                    raise TraceError(f"the image faults at {self.where(at)}: {error}{self.printed()}") from error
            self._raise_kept()
            if self.ended or self._count > INSTRUCTIONS_MAX or (self.recording and self._enough()):
                break
            if not self.recording and any(device.status & STATUS_DRIVER for device in self.devices):
                self._record()
            elif not self._wait():
                break
            at = self.uc.reg_read(self.cpu.pc)
        self.recorder.finish()
        if not self._used():
            raise TraceError(f"no driver has put anything into a ring{self.printed()}")

    def _raise_kept(self) -> None:
        error, self.error = self.error, None
        if isinstance(error, UnknownInstruction):
            raise TraceError(f"an instruction that is not known: {error}") from error
        if error is not None:
            raise error

    def _wait(self) -> bool:
        """The image waits for an interrupt: the devices answer what is left, and it looks again."""
        self._idle += 1
        for device in self.devices:
            device.answer()
        return self._idle < IDLE_MAX

    def _used(self) -> bool:
        return any(self.used_queues())

    def used_queues(self) -> list[tuple[ModelDevice, Queue]]:
        """Queues that a driver has put something into."""
        return [(device, queue) for device in self.devices for queue in device.queues if queue.chains]
