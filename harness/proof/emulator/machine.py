"""A whole image in the emulator, from its first instruction until it has used its devices.

Until a driver takes a device nothing is recorded and the image runs at full speed. From then on every instruction is
recorded, as ``recorder.py`` says, except in long loops (``long_loops.py``).
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from harness.proof.emulator.emulated_cpu import EmulatedCpu
from harness.proof.emulator.image import TraceError
from harness.proof.emulator.long_loops import LongLoops
from harness.proof.emulator.model_device import ModelDevice
from harness.proof.emulator.split_ring import Memory, Queue
from harness.proof.recorded.instructions import Decode, UnknownInstruction
from harness.proof.recorded.recorder import Recorder
from harness.proof.recorded.shared_accesses import AddressSpan, Spans

QUEUE_SIZE = 8
"""Small, so that a ring wraps within a few requests."""
BOOT_S = 300
"""Until then a driver must have taken a device."""
INSTRUCTIONS_MAX = 1_500_000
"""Recorded ones."""
AGAIN = 10
"""A run goes on until each ring in use has taken this many chains more than it has entries: slots are used again."""
IDLE_MAX = 200
"""How often an image may wait for an interrupt: there are none."""
LOOKS = 3
"""Polls of the driver before the device answers once."""
TICK_NS = 1_000_000
"""Each reading of the clock adds this much, so that an image that counts seconds down ends soon."""
STATUS_DRIVER = 2
"""A driver knows the device (§2.1)."""
PASSED_S = 30
"""A skipped loop that runs longer ends the run."""
_PAGE = 4096
_LAST = (1 << 64) - 1


class TracingPhase(enum.Enum):
    """Phases of a run."""

    BOOTING = "no driver has taken a device"
    RECORDING = "every instruction is recorded"
    PASSING = "a long loop is run to its end without a record"


PhaseHook = tuple[int, Callable[..., None], int, int]
"""Kind, action, first and last address."""


class EmulatedMachine:
    """The emulator around one image. Subclasses know where its devices are and how its CPU leaves it."""

    def __init__(self, cpu: EmulatedCpu, decode: Decode, *, locked_is_fence: bool, where: Callable[[int], str]) -> None:
        import unicorn

        self.cpu, self.decode = cpu, decode
        self.uc: Any = unicorn.Uc(cpu.arch, cpu.mode)
        self.memory = Memory(lambda at, size: bytes(self.uc.mem_read(at, size)), self._poke)
        self.recorder = Recorder(decode, self._code, lambda _: False, locked_is_fence, where, through_memory=True)
        self.where = where
        self.text = ""
        """What the image printed."""
        self._phase = TracingPhase.BOOTING
        self._next: Callable[[], None] | None = None
        """Actions to take once the emulator has stopped."""
        self._loops = LongLoops()
        self._rings = Spans(())
        """Where rings that were enabled are."""
        self._hooks: list[int] = []
        """Hooks of the phase."""
        self.error: Exception | None = None
        self.ended = False
        """The image has switched its machine off."""
        self._ticks = self._count = self._looks = self._idle = 0

    # Defined by subclasses.

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

    def hooks_of(self, phase: TracingPhase) -> list[PhaseHook]:
        """More hooks of a phase."""
        del phase
        return []

    def entry(self, address: int) -> int:
        """Where the CPU starts, of an image that gives an address."""
        return address

    def resume_at(self) -> int:
        """Where execution goes on after a stop."""
        at: int = self.uc.reg_read(self.cpu.pc)
        return at

    def trap(self, number: int) -> None:
        """The CPU leaves the image: an instruction that it does not have, or a call of its firmware."""
        raise NotImplementedError

    # For subclasses.

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
        """Called once memory and devices are in place."""
        import unicorn

        self._enter(TracingPhase.BOOTING, [])
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self.guarded(lambda number, _: self.trap(number)))
        for start, end in self.registers():
            self.uc.hook_add(unicorn.UC_HOOK_MEM_READ, self.guarded(self._on_register_read), None, start, end - 1)
            self.uc.hook_add(unicorn.UC_HOOK_MEM_WRITE, self.guarded(self._on_register_write), None, start, end - 1)

    def _stop(self, action: Callable[[], None]) -> None:
        self._next = action
        self.uc.emu_stop()

    def _on_block(self, address: int, size: int, _: object) -> None:
        if self._loops.is_long(address, size) and not self.recorder.orders_within(self._loops.start, self._loops.end):
            self._stop(self._pass_over)

    def _on_register_read(self, _access: int, address: int, size: int, _value: int, _: object) -> None:
        self._loops.forget()
        value = self.register_read(address, size) & ((1 << 8 * size) - 1)
        self.uc.mem_write(address, value.to_bytes(size, "little"))

    def _on_register_write(self, _access: int, address: int, size: int, value: int, _: object) -> None:
        self._loops.forget()
        self.register_write(address, size, value & ((1 << 8 * size) - 1))
        if self._phase is TracingPhase.BOOTING and any(device.status & STATUS_DRIVER for device in self.devices):
            self._stop(self._record)
        self._rings = Spans(span for _, queue in self._enabled() for span in queue.spans)

    def _on_code(self, address: int, size: int, _: object) -> None:
        del size
        if self._next is not None:
            self.uc.emu_stop()
            return
        self._count += 1
        if self._count > INSTRUCTIONS_MAX or self._enough():
            self.uc.emu_stop()
            return
        self.recorder.begin(address)

    def _on_read(self, _access: int, address: int, size: int, _value: int, _: object) -> None:
        if self._rings.touches(address, address + size):
            self._loops.forget()
            self._looked(address, size)
        self.recorder.touched(False, address, size, int.from_bytes(self.uc.mem_read(address, size), "little"))

    def _looked(self, address: int, size: int) -> None:
        for device, queue in self._enabled():
            if address <= queue.used + 2 < address + size:
                self._looks += 1
                if self._looks % LOOKS == 0:
                    device.answer()

    def _on_write(self, _access: int, address: int, size: int, value: int, _: object) -> None:
        if self._rings.touches(address, address + size):
            self._loops.forget()
        self.recorder.touched(True, address, size, value & ((1 << 8 * size) - 1))

    def _on_way_out(self, address: int, size: int, _: object) -> None:
        del address, size
        self._stop(self._record)

    def _on_ring_passed(self, _access: int, address: int, size: int, _value: int, _: object) -> None:
        del address, size
        raise TraceError(f"a loop at {self.where(self._loops.start)} that was passed over goes on to use a ring")

    # The run.

    def _enough(self) -> bool:
        if self._count % 256 or self._phase is TracingPhase.BOOTING:
            return False
        used = [(len(device.chains), device.size) for device in self.devices if device.chains]
        return bool(used) and all(chains >= size + AGAIN for chains, size in used)

    def _enter(self, phase: TracingPhase, hooks: list[PhaseHook]) -> None:
        """Begin a phase, with its hooks."""
        for hook in self._hooks:
            self.uc.hook_del(hook)
        self._hooks = [
            self.uc.hook_add(kind, self.guarded(action), None, *span)
            for kind, action, *span in hooks + self.hooks_of(phase)
        ]
        self._loops.forget()
        self._phase = phase

    def _forget_translations(self) -> None:
        """Flush the code that was translated without hooks."""
        import unicorn

        try:
            self.uc.ctl_flush_tb()
        except AssertionError:
            # The Python module of unicorn 2.1 insists on an argument; the library looks at none.
            self.uc.ctl(unicorn.UC_CTL_TB_FLUSH, unicorn.UC_CTL_IO_WRITE, 0)

    def _record(self) -> None:
        import unicorn

        self._forget_translations()
        actions: tuple[tuple[int, Callable[..., None]], ...] = (
            (unicorn.UC_HOOK_BLOCK, self._on_block),
            (unicorn.UC_HOOK_CODE, self._on_code),
            (unicorn.UC_HOOK_MEM_READ, self._on_read),
            (unicorn.UC_HOOK_MEM_WRITE, self._on_write),
        )
        self._enter(TracingPhase.RECORDING, [(kind, action, 0, _LAST) for kind, action in actions])

    def _pass_over(self) -> None:
        import unicorn

        start, end = self._loops.start, self._loops.end
        around = ((0, start - 1), (end, _LAST))
        touching = (unicorn.UC_HOOK_MEM_READ, unicorn.UC_HOOK_MEM_WRITE)
        self.recorder.finish()
        self.recorder.forget_origins()
        self._enter(
            TracingPhase.PASSING,
            [(unicorn.UC_HOOK_CODE, self._on_way_out, *span) for span in around]
            + [(kind, self._on_ring_passed, at, last - 1) for kind in touching for at, last in self._rings],
        )

    def run(self, entry: int) -> None:
        """Run the image until its devices have been used enough, it ends, or waits for what does not come.

        Raises
        ------
        TraceError
            When no driver takes a device, or the image faults or meets an instruction that is not known.
        """
        import unicorn

        at, begun = entry, time.monotonic()
        while True:
            try:
                limits_s = {TracingPhase.BOOTING: BOOT_S, TracingPhase.PASSING: PASSED_S}
                self.uc.emu_start(at, _LAST, int(limits_s.get(self._phase, 0) * 1_000_000))
            except unicorn.UcError as error:
                if self.error is None:
                    at = self.uc.reg_read(self.cpu.pc)
                    raise TraceError(f"the image faults at {self.where(at)}: {error}{self.printed()}") from error
            self._raise_kept()
            if self.ended or self._count > INSTRUCTIONS_MAX or self._enough():
                break
            action, self._next = self._next, None
            if action is not None:
                action()
            elif self._phase is TracingPhase.BOOTING and time.monotonic() - begun >= BOOT_S:
                raise TraceError(f"no driver has taken a device after {BOOT_S} s{self.printed()}")
            elif self._phase is TracingPhase.PASSING or not self._wait():
                break
            at = self.resume_at()
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

    def _enabled(self) -> Iterator[tuple[ModelDevice, Queue]]:
        """Queues that the device may read."""
        return ((device, queue) for device in self.devices for queue in device.queues if queue.enabled)

    def used_queues(self) -> list[tuple[ModelDevice, Queue]]:
        """Queues that a driver has put something into."""
        return [(device, queue) for device in self.devices for queue in device.queues if queue.chains]
