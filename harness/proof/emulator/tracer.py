"""Runs a kernel's own driver in an emulator, against a model device, and records what it does to memory.

The architecture's interface (``arch_…`` functions of ``arch/arch.h``) is answered here; everything above it is the
kernel's machine code, as it was linked. Every access to memory is recorded with the instruction that made it and the
reads that its address, its value and its execution depend on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.proof.emulator.emulated_cpu import emulated_cpu
from harness.proof.emulator.image import ElfImage, EndlessError, TraceError
from harness.proof.emulator.model_device import BLK, GPU
from harness.proof.emulator.pci_device import BAR_BYTES, NOTIFY, PciDevice
from harness.proof.emulator.split_ring import Memory
from harness.proof.recorded.instructions import Decode, UnknownInstruction, accessing, decoders
from harness.proof.recorded.recorder import Recorder

PAGE = 4096
HEAP_BYTES = 8 << 20
STACK_BYTES = 256 << 10
MMIO_BASE = 0xE0000000
RETURN_ADDRESS = 0xF0000000
INSTRUCTIONS_MAX = 300_000
"""The longest call into a sound driver runs a fifteenth of that. A call that runs more waits without an end."""
TICK_NS = 1000
_ZERO = (
    *("arch_instructions", "arch_irq_disable", "arch_irq_restore", "arch_relax", "arch_cpu", "arch_timer_arm"),
    *("arch_timer_handler", "arch_ipi_send", "arch_ticks_drift_ppm"),
)
"""Functions that return zero."""
_RETURN_ZERO = {
    "x86_64": bytes.fromhex("31c0 c3"),  # xor eax, eax; ret
    "aarch64": bytes.fromhex("000080d2 c0035fd6"),  # mov x0, #0; ret
    "riscv64": bytes.fromhex("0145 8280"),  # li a0, 0; ret
}


class Tracer:
    """One kernel in the emulator.

    Parameters
    ----------
    recording
        Every instruction is recorded; else the driver runs at full speed, only accesses to devices are reported, and
        the clock stands still.
    """

    def __init__(self, image: ElfImage, *, recording: bool = True) -> None:
        import unicorn

        self.image = image
        self.cpu = emulated_cpu(image.arch)
        self.uc: Any = unicorn.Uc(self.cpu.arch, self.cpu.mode)
        self.decode: Decode = decoders()[image.arch]
        self.handlers: list[tuple[int, int]] = []
        """Interrupt handlers that were attached, with their arguments."""
        self.text = ""
        """What the kernel printed."""
        self.clock_ns = 0
        self.tick_ns = TICK_NS
        """Each reading of the clock adds this much."""
        self.count = 0
        self.error: Exception | None = None
        self.on_read: Callable[[int, int], None] = lambda address, size: None
        """Called before the driver reads memory: the device may act."""
        self.on_notify: Callable[[PciDevice], None] = lambda device: None
        self.on_halt: Callable[[], None] = lambda: None
        self.ram = self._map()
        self.recorder = Recorder(
            self.decode,
            lambda at, size: bytes(self.uc.mem_read(at, size)),
            self._private,
            image.arch == "x86_64",
            self.image.where,
        )
        memory = Memory(lambda at, size: bytes(self.uc.mem_read(at, size)), self._poke)
        self.devices = (
            PciDevice(GPU, memory, slot=1, bar=MMIO_BASE),
            PciDevice(BLK, memory, slot=2, bar=MMIO_BASE + BAR_BYTES),
        )
        self.stubs = self._stubs()
        self._instructions_max = 0 if recording else INSTRUCTIONS_MAX
        """The emulator counts them itself; recorded ones are counted here."""
        if not recording:
            self._stand_still()
        self._hook(recording)

    # The machine.

    def _map(self) -> tuple[int, int]:
        """Lay the kernel out; returns the heap's bounds."""
        start = min(address for address, _, _ in self.image.segments) & ~(PAGE - 1)
        end = max(address + size for address, _, size in self.image.segments)
        heap = (end + PAGE - 1) & ~(PAGE - 1)
        stack = heap + HEAP_BYTES
        self.uc.mem_map(start, stack + STACK_BYTES - start)
        for address, content, _ in self.image.segments:
            self.uc.mem_write(address, content)
        self.uc.mem_map(RETURN_ADDRESS, PAGE)
        for number in range(2):
            self.uc.mem_map(MMIO_BASE + number * BAR_BYTES, BAR_BYTES)
        self.stack = (stack, stack + STACK_BYTES)
        return heap, stack

    def _poke(self, address: int, content: bytes) -> None:
        """The device writes: what the driver reads there depends on nothing of its own."""
        self.uc.mem_write(address, content)
        self.recorder.device_wrote(address, len(content))

    def _stubs(self) -> dict[int, Callable[..., int]]:
        known: dict[str, Callable[..., int]] = {
            "arch_pci_read32": self._pci_read,
            "arch_pci_write32": self._pci_write,
            "arch_map_device": lambda physical, *_: physical,
            "arch_ticks": self._ticks,
            "arch_ticks_to_ns": lambda ticks, *_: ticks,
            "arch_putc": self._putc,
            "arch_irq_wait": self._halt,
            "arch_msi_attach": lambda *_: (1 << 64) - 1,
            "arch_intx_attach": self._attach,
            "arch_exit": self._exit,
        }
        known |= dict.fromkeys(_ZERO, lambda *_: 0)
        stubs = {self.image.symbols[name]: stub for name, stub in known.items() if name in self.image.symbols}
        return stubs

    def _stand_still(self) -> None:
        """What is asked often returns zero, as code of the kernel itself."""
        for name in (*_ZERO, "arch_ticks", "arch_ticks_to_ns"):
            if self.stubs.pop(self.image.symbols.get(name, -1), None) is not None:
                self.uc.mem_write(self.image.symbols[name], _RETURN_ZERO[self.image.arch])

    def _pci_read(self, bus: int, slot: int, function: int, offset: int, *_: int) -> int:
        device = next((one for one in self.devices if (bus, slot, function) == (0, one.slot, 0)), None)
        return device.config_read(offset) if device else 0xFFFFFFFF

    def _pci_write(self, bus: int, slot: int, function: int, offset: int, value: int, *_: int) -> int:
        for device in self.devices:
            if (bus, slot, function) == (0, device.slot, 0):
                device.config_write(offset, value & 0xFFFFFFFF)
        return 0

    def _ticks(self, *_: int) -> int:
        self.clock_ns += self.tick_ns
        return self.clock_ns

    def _putc(self, character: int, *_: int) -> int:
        self.text += chr(character & 0x7F)
        return 0

    def _halt(self, *_: int) -> int:
        self.on_halt()
        self.clock_ns += 1000 * self.tick_ns
        return 0

    def _attach(self, slot: int, pin: int, handler: int, argument: int, *_: int) -> int:
        del slot, pin
        self.handlers.append((handler, argument))
        return 0

    def _exit(self, *_: int) -> int:
        raise TraceError(f"the kernel gave up: {self.text.strip().splitlines()[-1:]}")

    # The emulator's hooks. An exception in one would be lost in C: it is kept and raised by call().

    def _hook(self, recording: bool) -> None:
        import unicorn

        registers = (self.devices[0].registers_at[0], self.devices[-1].registers_at[1] - 1)
        code = [(0, (1 << 64) - 1)] if recording else [(at, at) for at in (*self.stubs, RETURN_ADDRESS)]
        start, last = code[0] if recording else registers
        for first, end in code:
            self.uc.hook_add(unicorn.UC_HOOK_CODE, self._guard(self._on_code), None, first, end)
        self.uc.hook_add(unicorn.UC_HOOK_MEM_READ, self._guard(self._on_read), None, start, last)
        self.uc.hook_add(unicorn.UC_HOOK_MEM_WRITE, self._guard(self._on_write), None, start, last)

    def _guard(self, action: Callable[..., None]) -> Callable[..., None]:
        def guarded(uc: Any, *words: Any) -> None:
            try:
                action(*words)
            except Exception as error:  # pylint: disable=broad-except
                self.error = self.error or error
                uc.emu_stop()

        return guarded

    def _on_code(self, address: int, size: int, _: object) -> None:
        self.count += 1
        if address not in self.stubs and address != RETURN_ADDRESS:
            if self.count > INSTRUCTIONS_MAX:
                raise EndlessError(f"no end after {INSTRUCTIONS_MAX:,} instructions, at {self.image.where(address)}")
            self.recorder.begin(address)
            return
        self.recorder.finish()
        if address == RETURN_ADDRESS:
            self.uc.emu_stop()
        else:
            self._return(self.stubs[address](*(self.uc.reg_read(register) for register in self.cpu.arguments)))

    def _return(self, value: int) -> None:
        """Return from a function that is answered here."""
        self.uc.reg_write(self.cpu.result, value & ((1 << 64) - 1))
        if self.cpu.link is None:
            top = self.uc.reg_read(self.cpu.stack)
            target = int.from_bytes(self.uc.mem_read(top, 8), "little")
            self.uc.reg_write(self.cpu.stack, top + 8)
        else:
            target = self.uc.reg_read(self.cpu.link)
        self.recorder.forget(_RESULT_NAMES[self.image.arch])
        self.uc.reg_write(self.cpu.pc, target)

    def _device_at(self, address: int) -> tuple[PciDevice, int] | None:
        for device in self.devices:
            if device.bar <= address < device.bar + BAR_BYTES:
                return device, address - device.bar
        return None

    def _on_read(self, _access: int, address: int, size: int, _value: int, _: object) -> None:
        found = self._device_at(address)
        if found:
            value = found[0].register_read(found[1], size)
            self.uc.mem_write(address, (value & ((1 << 8 * size) - 1)).to_bytes(size, "little"))
        else:
            self.on_read(address, size)
        self.recorder.touched(False, address, size, int.from_bytes(self.uc.mem_read(address, size), "little"))

    def _on_write(self, _access: int, address: int, size: int, value: int, _: object) -> None:
        value &= (1 << 8 * size) - 1
        self.recorder.touched(True, address, size, value)
        found = self._device_at(address)
        if found and found[1] >= NOTIFY:
            self.recorder.finish()
            self.on_notify(found[0])
        elif found:
            found[0].register_write(found[1], value)

    def _private(self, address: int) -> bool:
        """The stack is private."""
        return self.stack[0] <= address < self.stack[1]

    # Public methods.

    def call(self, function: str | int, *arguments: int) -> int:
        """Call a function of the kernel, by name or address; returns what it returned, as a signed 32-bit number.

        Raises
        ------
        TraceError
            When the function does not exist, does not end, meets an unknown instruction or faults.
        """
        import unicorn

        name = function if isinstance(function, str) else self.image.where(function)
        if isinstance(function, str) and function not in self.image.symbols:
            raise TraceError(f"the kernel has no function {name}")
        begin = self.image.symbols[function] if isinstance(function, str) else function
        for register, value in zip(self.cpu.arguments, arguments):
            self.uc.reg_write(register, value)
        top = self.stack[1] - 256
        if self.cpu.link is None:
            top -= 8
            self.uc.mem_write(top, RETURN_ADDRESS.to_bytes(8, "little"))
        else:
            self.uc.reg_write(self.cpu.link, RETURN_ADDRESS)
        self.uc.reg_write(self.cpu.stack, top)
        self.recorder.forget_registers()
        self.count = 0
        try:
            self.uc.emu_start(begin, RETURN_ADDRESS, 0, self._instructions_max)
        except unicorn.UcError as error:
            raise TraceError(f"{name} faults at {self.image.where(self.uc.reg_read(self.cpu.pc))}: {error}") from error
        self.recorder.finish()
        if isinstance(self.error, UnknownInstruction):
            raise TraceError(f"{name}: an instruction that is not known: {self.error}") from self.error
        if self.error is not None:
            raise self.error
        if self._instructions_max and self.uc.reg_read(self.cpu.pc) != RETURN_ADDRESS:
            raise EndlessError(f"no end after {INSTRUCTIONS_MAX:,} instructions, at {self.image.where(begin)}")
        result: int = self.uc.reg_read(self.cpu.result) & 0xFFFFFFFF
        return result - (1 << 32) if result >> 31 else result

    def accessing(self, start: int, size: int) -> list[int]:
        """Addresses of a function's instructions that access memory or order accesses."""
        return accessing(self.decode, lambda at, length: bytes(self.uc.mem_read(at, length)), start, size)


_RESULT_NAMES = {"x86_64": "rax", "aarch64": "x0", "riscv64": "x10"}
