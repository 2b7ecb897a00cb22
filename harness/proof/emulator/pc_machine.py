"""A PC, with its devices behind PCI: for firmware, which starts at the reset vector in 16-bit code, and for kernels,
which start in flat 32-bit code.

Ports and registers are those that firmware and small kernels ask for: PCI configuration, the memory's size in CMOS, a
serial port, and timers. A port that is not here reads as all ones, as on a PC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from harness.proof.emulator.emulated_cpu import EmulatedCpu
from harness.proof.emulator.image import TraceError
from harness.proof.emulator.machine import QUEUE_SIZE, EmulatedMachine, PhaseHook, TracingPhase
from harness.proof.emulator.model_device import ModelDevice
from harness.proof.emulator.pci_device import BAR_BYTES, NOTIFY, PciDevice
from harness.proof.recorded.decode_x86 import decode_x86
from harness.proof.recorded.instructions import DecodedInstruction
from harness.proof.recorded.shared_accesses import AddressSpan

RAM_BYTES = 256 << 20
TOP = 1 << 32
_ISA_BIOS_BYTES = 128 << 10
"""The end of the ROM, which a PC shows below 1 MiB too."""
_BARS = (0x8000_0000, 0xFEC0_0000)
"""Where firmware may place registers of devices."""
_PLACED = 0xFE00_0000
"""Where they are for a kernel that comes without firmware."""
_TO_RESET_AT, _TABLE_AT = 0x600, 0x700
_TO_RESET = bytes.fromhex(
    "ea 07060000 0800"  # jmp 8:next, 16-bit code
    "b81000 8ed8 8ec0 8ed0 8ee0 8ee8"  # next: mov ax, 10h; into ds, es, ss, fs, gs
    "0f20c0 24fe 0f22c0"  # clear CR0.PE
    "ea f0ff 00f0"  # jmp F000:FFF0
)
"""The emulator starts in 32-bit code: this brings it to where a PC starts."""
_TABLE = bytes.fromhex("0000000000000000 ffff0000009b0000 ffff000000930000")
"""Descriptors of 16-bit code and data."""
_PM_TIMER, _PM_TIMER_HZ, _PM_CONTROL = 0xB008, 3_579_545, 0xB004
_PIT, _PIT_COMMAND, _PIT_HZ = 0x40, 0x43, 1_193_182
_COM1, _DEBUG_PORT = 0x3F8, 0x402
_CHIPSET = {
    0x00: {0x00: 0x1237_8086, 0x08: 0x0600_0002, 0x2C: 0x1100_1AF4},
    0x08: {0x00: 0x7000_8086, 0x08: 0x0601_0000, 0x0C: 0x0080_0000},
    0x0B: {0x00: 0x7113_8086, 0x08: 0x0680_0003, 0x40: 0xB001, 0x58: 1 << 25, 0x80: 1},
}
"""By device and function, as QEMU names them: i440FX, PIIX3, and PIIX4 with the ports of power management at B000h, and
with system management set up.
"""
_FIRST_SLOT = 2
_CMOS = {
    0x0B: 0x02,
    0x0D: 0x80,
    0x34: (RAM_BYTES - (16 << 20)) >> 16 & 0xFF,
    0x35: (RAM_BYTES - (16 << 20)) >> 24,
}
"""24-hour clock; battery; memory above 16 MiB in units of 64 KiB."""
_TIMER_VECTOR = 8
_REAL_MODE_END = 0x11_0000
"""Real mode reaches addresses below it."""
_START_INFO, _MEMORY_MAP = 0x1000, 0x1100
_PROTECTED, _PAGED, _PAE, _INTERRUPTS, _LONG, _WIDE = 1, 1 << 31, 1 << 5, 1 << 9, 0x20, 0x40


class PcMachine(EmulatedMachine):
    """One image on a PC.

    Parameters
    ----------
    segments
        Address, content, size in memory. One that ends at 4 GiB is the firmware's ROM.
    """

    def __init__(
        self,
        segments: Sequence[tuple[int, bytes, int]],
        kinds: Sequence[int],
        disk: bytes,
        where: Callable[[int], str],
        typed: str = "",
    ) -> None:
        import unicorn
        from unicorn import x86_const as x86

        self.x86 = x86
        cpu = EmulatedCpu(
            unicorn.UC_ARCH_X86,
            unicorn.UC_MODE_32,
            (),
            x86.UC_X86_REG_EAX,
            x86.UC_X86_REG_ESP,
            x86.UC_X86_REG_EIP,
            None,
        )
        super().__init__(cpu, self._decode, locked_is_fence=True, where=where)
        self._typed = list(typed.encode())
        self._rom = any(address + size == TOP for address, _, size in segments)
        self._functions = [
            PciDevice(kind, self.memory, QUEUE_SIZE, image=disk, slot=number + _FIRST_SLOT)
            for number, kind in enumerate(kinds)
        ]
        self._chipset = {place: dict(space) for place, space in _CHIPSET.items()}
        self._config_address = self._cmos_address = 0
        self._mapped: set[int] = set()
        self._latched = bytes(2)
        self._others: set[int] = set()
        """Addresses of short instructions that are not a far return in real mode."""
        self._vectors: list[int] = []
        """Interrupts that wait for the emulator to stop."""
        self._load(segments)
        self.hook()
        self._hook_ports()

    def _load(self, segments: Sequence[tuple[int, bytes, int]]) -> None:
        self.uc.mem_map(0, RAM_BYTES)
        self.uc.mem_map(_BARS[1], 0xFF00_0000 - _BARS[1])
        for address, content, size in segments:
            if address + size == TOP and size <= 8 << 20 and size % 4096 == 0:
                self.uc.mem_map(address, size)
                self.uc.mem_write(TOP - len(content), content)
                low = content[-_ISA_BIOS_BYTES:]
                self.uc.mem_write((1 << 20) - len(low), low)
            elif 0 <= address and address + size <= RAM_BYTES:
                self.uc.mem_write(address, content[:size])
            else:
                raise TraceError(f"{size:,} bytes at {address:#x} are neither memory of a PC nor its ROM")
        if self._rom:
            self.uc.mem_write(_TO_RESET_AT, _TO_RESET)
            self.uc.mem_write(_TABLE_AT, _TABLE)
            self.uc.reg_write(self.x86.UC_X86_REG_GDTR, (0, _TABLE_AT, len(_TABLE) - 1, 0))
        else:
            self._start_as_pvh()

    def _start_as_pvh(self) -> None:
        """The memory map is Xen's (xen/include/public/arch-x86/hvm/start_info.h); devices have been placed."""
        fields = ((0x336EC578, 4), (1, 4), (0, 8), (0, 8), (0, 8), (0, 8), (_MEMORY_MAP, 8), (1, 4), (0, 4))
        self.uc.mem_write(_START_INFO, b"".join(value.to_bytes(size, "little") for value, size in fields))
        entry = ((0, 8), (RAM_BYTES, 8), (1, 4), (0, 4))
        self.uc.mem_write(_MEMORY_MAP, b"".join(value.to_bytes(size, "little") for value, size in entry))
        self.uc.reg_write(self.x86.UC_X86_REG_EBX, _START_INFO)
        for device in self._functions:
            device.config_write(0x10, _PLACED + BAR_BYTES * device.slot)
            self._map_registers(device)

    def entry(self, address: int) -> int:
        """Where the CPU starts: at the reset vector, or at the address that the image gives."""
        return _TO_RESET_AT if self._rom else address

    # Registers of the devices.

    @property
    def devices(self) -> Sequence[ModelDevice]:
        return self._functions

    def registers(self) -> Iterable[AddressSpan]:
        yield _BARS

    def _map_registers(self, device: PciDevice) -> None:
        inside = _BARS[0] <= device.bar <= _BARS[1] - BAR_BYTES
        if inside and device.bar not in self._mapped:
            self._mapped.add(device.bar)
            self.uc.mem_map(device.bar, BAR_BYTES)

    def _at(self, address: int) -> PciDevice | None:
        return next((one for one in self._functions if one.bar <= address < one.bar + BAR_BYTES), None)

    def register_read(self, address: int, size: int) -> int:
        device = self._at(address)
        return device.register_read(address - device.bar, size) if device else 0

    def register_write(self, address: int, size: int, value: int) -> None:
        del size
        device = self._at(address)
        if device is None:
            return
        if address - device.bar >= NOTIFY:
            device.take()
        else:
            device.register_write(address - device.bar, value)

    # Ports.

    def _hook_ports(self) -> None:
        import unicorn

        actions: tuple[tuple[int, Callable[..., Any]], ...] = (
            (self.x86.UC_X86_INS_IN, self._port_read),
            (self.x86.UC_X86_INS_OUT, self._port_write),
        )
        for instruction, action in actions:
            self.uc.hook_add(unicorn.UC_HOOK_INSN, self.guarded(action), None, 1, 0, instruction)

    def hooks_of(self, phase: TracingPhase) -> list[PhaseHook]:
        import unicorn

        low = (unicorn.UC_HOOK_CODE, self._on_low_code, 0, _REAL_MODE_END - 1)
        return [low] if self._rom and phase is not TracingPhase.PASSING else []

    def _port_read(self, port: int, size: int, _: object) -> int:
        whole = (1 << 8 * size) - 1
        if 0xCFC <= port < 0xD00:
            return self._config_read() >> 8 * (port - 0xCFC) & whole
        if _COM1 <= port < _COM1 + 8:
            return self._serial(port - _COM1)
        if port == 0x61:  # the speaker's timer has run down; the refresh bit toggles
            return 0x20 | (self.clock_ns() // 1_000_000 & 1) << 4
        known: dict[int, Callable[[], int]] = {
            0xCF8: lambda: self._config_address,
            0x71: lambda: _CMOS.get(self._cmos_address, 0),
            _PIT: self._countdown,
            _PM_TIMER: lambda: self.clock_ns() * _PM_TIMER_HZ // 1_000_000_000 & 0xFFFFFF,
            _DEBUG_PORT: lambda: 0xE9,
        }
        return known.get(port, lambda: whole)() & whole

    def _port_write(self, port: int, size: int, value: int, _: object) -> None:
        if port == 0xCF8 and size == 4:
            self._config_address = value
        elif 0xCFC <= port < 0xD00:
            self._config_write(port - 0xCFC, size, value)
        elif port == 0x70:
            self._cmos_address = value & 0x7F
        elif port == _PIT_COMMAND:
            self._latched = (-self.clock_ns() * _PIT_HZ // 1_000_000_000 & 0xFFFF).to_bytes(2, "little")
        elif port in (_COM1, _DEBUG_PORT):
            self.print(value)
        elif port == _PM_CONTROL and value & 0x2000:
            self.ended = True
            self.uc.emu_stop()

    def _countdown(self) -> int:
        """The timer's counter, as it was when a command latched it: low byte, then high byte."""
        value, self._latched = self._latched[0], self._latched[1:] + self._latched[:1]
        return value

    def _serial(self, offset: int) -> int:
        """A 16550: a character may always be written."""
        if offset == 0 and self._typed:
            return self._typed.pop(0)
        return (0x61 if self._typed else 0x60) if offset == 5 else 0

    def _function(self) -> tuple[PciDevice | None, dict[int, int] | None]:
        """The function that the configuration address names: a device, or a part of the chipset."""
        place = self._config_address >> 8 & 0xFFFF
        device = next((one for one in self._functions if place == one.slot << 3), None)
        return device, self._chipset.get(place)

    def _config_read(self) -> int:
        offset, (device, space) = self._config_address & 0xFC, self._function()
        if device is not None:
            return device.config_read(offset)
        return 0xFFFFFFFF if space is None else space.get(offset, 0)

    def _config_write(self, shift: int, size: int, value: int) -> None:
        mask = ((1 << 8 * size) - 1) << 8 * shift
        offset, (device, space) = self._config_address & 0xFC, self._function()
        whole = self._config_read() & ~mask | value << 8 * shift & mask
        if device is not None:
            device.config_write(offset, whole)
            self._map_registers(device)
        elif space is not None and offset >= 0x40:
            space[offset] = whole

    # The CPU.

    def _decode(self, code: bytes, address: int) -> DecodedInstruction:
        return decode_x86(code, address, self.code_bits())

    def code_bits(self) -> int:
        """Bits of the current code: 16 in real mode, else those of its segment descriptor (Intel SDM 3A 3.4.5)."""
        read = self.uc.reg_read
        if not read(self.x86.UC_X86_REG_CR0) & _PROTECTED:
            return 16
        _, base, limit, _ = read(self.x86.UC_X86_REG_GDTR)
        at = read(self.x86.UC_X86_REG_CS) & ~7
        if not limit:
            return 32  # as a PVH kernel starts
        if at + 7 > limit:
            return 16
        flags = self.uc.mem_read(base + at + 6, 1)[0]
        paged = read(self.x86.UC_X86_REG_CR0) & _PAGED and read(self.x86.UC_X86_REG_CR4) & _PAE
        if paged and flags & _LONG:
            return 64
        return 32 if flags & _WIDE else 16

    def _interrupt(self, vector: int) -> None:
        """An interrupt in real mode (Intel SDM 3A 20.1.4): to the handler in the table at address 0."""
        x86, uc = self.x86, self.uc
        stack, flags = (uc.reg_read(x86.UC_X86_REG_SP) - 6) & 0xFFFF, uc.reg_read(x86.UC_X86_REG_EFLAGS)
        pushed = (self._offset(), uc.reg_read(x86.UC_X86_REG_CS), flags)
        frame = b"".join((value & 0xFFFF).to_bytes(2, "little") for value in pushed)
        uc.mem_write(16 * uc.reg_read(x86.UC_X86_REG_SS) + stack, frame)
        handler = self.memory.integer(4 * vector, 4)
        uc.reg_write(x86.UC_X86_REG_SP, stack)
        uc.reg_write(x86.UC_X86_REG_EFLAGS, flags & ~_INTERRUPTS)
        uc.reg_write(x86.UC_X86_REG_CS, handler >> 16)
        uc.reg_write(x86.UC_X86_REG_EIP, handler & 0xFFFF)

    def _offset(self) -> int:
        """Where execution goes on, in the code segment: before a hook the emulator adds the segment's base."""
        at, base = super().resume_at(), 16 * int(self.uc.reg_read(self.x86.UC_X86_REG_CS))
        return at - base if self._real_mode() and at >= max(base, 1 << 16) else at

    def resume_at(self) -> int:
        if self._vectors:
            self._interrupt(self._vectors.pop(0))
        return self._offset()

    def _on_low_code(self, address: int, size: int, _: object) -> None:
        """A far return in real mode. Unicorn 2.0.1 loses where it goes while reads of memory are hooked."""
        if size != 1 or address in self._others:
            return
        if self.uc.mem_read(address, 1) != b"\xcb" or not self._real_mode():
            self._others.add(address)
            return
        stack = self.uc.reg_read(self.x86.UC_X86_REG_SP)
        target = self.memory.integer(16 * self.uc.reg_read(self.x86.UC_X86_REG_SS) + stack, 4)
        self.uc.reg_write(self.x86.UC_X86_REG_SP, (stack + 4) & 0xFFFF)
        self.uc.reg_write(self.x86.UC_X86_REG_CS, target >> 16)
        self.uc.reg_write(self.x86.UC_X86_REG_EIP, target & 0xFFFF)

    def _real_mode(self) -> bool:
        return not self.uc.reg_read(self.x86.UC_X86_REG_CR0) & _PROTECTED

    def trap(self, number: int) -> None:
        """Registers are not changed within a hook: the emulator would go on where it was."""
        if not self._real_mode():
            at: Any = self.uc.reg_read(self.cpu.pc)
            raise TraceError(f"exception {number} at {self.where(at)}{self.printed()}")
        self._vectors.append(number)
        self.uc.emu_stop()

    def _wait(self) -> bool:
        """At rest in real mode: the timer of a PC interrupts."""
        if self._vectors:
            return True
        waits = super()._wait()
        if waits and self._real_mode() and self.uc.reg_read(self.x86.UC_X86_REG_EFLAGS) & _INTERRUPTS:
            self._vectors.append(_TIMER_VECTOR)
        return waits
