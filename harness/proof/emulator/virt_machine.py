"""QEMU's boards of the name ``virt``, of Arm and RISC-V, with their devices on virtio-mmio.

Addresses are physical: address translation is never switched on, so that an image must map what it uses to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from harness.proof.emulator.boards import DEVICES_END, RAM_BYTES, Board, device_tree
from harness.proof.emulator.emulated_cpu import emulated_cpu
from harness.proof.emulator.image import TraceError
from harness.proof.emulator.machine import QUEUE_SIZE, EmulatedMachine
from harness.proof.emulator.mmio_device import LEGACY, QUEUE_NOTIFY, MmioDevice, empty_window
from harness.proof.emulator.model_device import ModelDevice
from harness.proof.recorded.instructions import decoders
from harness.proof.recorded.shared_accesses import AddressSpan

_TIME_CSR = range(0xC00, 0xC03)
"""cycle, time, instret."""
_MTIME = 0x0200BFF8
_ILLEGAL, _BREAK = 2, 3
_SBI_PUTCHAR, _SBI_SHUTDOWN, _SBI_RESET = 1, 8, 0x53525354
_NOT_SUPPORTED = (1 << 64) - 2
_PSCI_OFF, _PSCI_RESET = 0x84000008, 0x84000009
_HVC, _SMC = 11, 13


class VirtMachine(EmulatedMachine):
    """One image on one board.

    Parameters
    ----------
    segments
        Address, content, size in memory.
    kinds
        The devices' kinds; they stand in the last slots, the first one last, as QEMU puts them.
    disk
        What the disk holds.
    typed
        What is typed at the console.
    """

    def __init__(
        self,
        board: Board,
        segments: Sequence[tuple[int, bytes, int]],
        kinds: Sequence[int],
        version: int,
        disk: bytes,
        where: Callable[[int], str],
        typed: str = "",
    ) -> None:
        super().__init__(emulated_cpu(board.arch), decoders()[board.arch], locked_is_fence=False, where=where)
        self.board = board
        self._typed = list(typed.encode())
        self._load(segments)
        self._windows = [
            MmioDevice(kind, self.memory, QUEUE_SIZE, image=disk, base=board.window(slot), version=version)
            for kind, slot in zip(kinds, range(board.slots - 1, -1, -1))
        ]
        for device in self._windows if version == LEGACY else ():
            device.offers &= 0xFFFFFF
        self.hook()
        self._hook_clock()

    def _load(self, segments: Sequence[tuple[int, bytes, int]]) -> None:
        board = self.board
        self.uc.mem_map(0, DEVICES_END)
        self.uc.mem_map(board.ram, RAM_BYTES)
        for address, content, size in segments:
            inside = board.ram <= address and address + size <= board.ram + RAM_BYTES
            if not inside and not 0 <= address <= address + size <= board.console & ~0x7FFFFFF:
                raise TraceError(f"{size:,} bytes at {address:#x} are outside of the board's memory")
            self.uc.mem_write(address, content[:size])
        tree = device_tree(board)
        self.uc.mem_write(board.tree_at, tree)
        if board.arch == "aarch64":
            from unicorn import arm64_const as arm

            self.uc.reg_write(arm.UC_ARM64_REG_X0, board.tree_at)
        else:
            from unicorn import riscv_const as riscv

            self.uc.reg_write(riscv.UC_RISCV_REG_A1, board.tree_at)

    # Registers.

    @property
    def devices(self) -> Sequence[ModelDevice]:
        return self._windows

    def registers(self) -> Iterable[AddressSpan]:
        board = self.board
        yield board.window(0), board.window(board.slots)
        yield board.console, board.console + 0x20
        if board.arch == "riscv64":
            yield _MTIME, _MTIME + 8

    def register_read(self, address: int, size: int) -> int:
        board = self.board
        if address >= _MTIME and address < _MTIME + 8:
            return self._timer() >> 8 * (address - _MTIME)
        if board.console <= address < board.console + 0x20:
            return self._console(address - board.console)
        device = self._at(address)
        offset = (address - board.window(0)) % board.window_bytes
        return device.register_read(offset, size) if device else empty_window(offset, self._windows[0].version)

    def register_write(self, address: int, size: int, value: int) -> None:
        del size
        if address == self.board.console:
            self.print(value)
        device = self._at(address)
        if device is not None:
            offset = address - device.base
            device.register_write(offset, value)
            if offset == QUEUE_NOTIFY:
                device.take()

    def _console(self, offset: int) -> int:
        if offset == 0 and self._typed:
            return self._typed.pop(0)
        if offset == self.board.console_status:
            return self.board.console_waiting if self._typed else self.board.console_ready
        return 0

    def _at(self, address: int) -> MmioDevice | None:
        start, size = self.board.window(0), self.board.window_bytes
        return next((one for one in self._windows if one.base == start + (address - start) // size * size), None)

    def _timer(self) -> int:
        return self.clock_ns() * self.board.timer_hz // 1_000_000_000

    # The CPU.

    def _hook_clock(self) -> None:
        if self.board.arch != "aarch64":
            return
        import unicorn
        from unicorn import arm64_const as arm

        for instruction, action in ((arm.UC_ARM64_INS_MRS, self._on_mrs), (arm.UC_ARM64_INS_MSR, self._on_msr)):
            self.uc.hook_add(unicorn.UC_HOOK_INSN, self.guarded(action), None, 1, 0, instruction)

    def _on_mrs(self, register: int, system: Any, _: object) -> bool:
        """CNTFRQ_EL0, CNTPCT_EL0 and CNTVCT_EL0 are the board's clock."""
        if (system.op0, system.op1, system.crn, system.crm) != (3, 3, 14, 0):
            return False
        self.uc.reg_write(register, self.board.timer_hz if system.op2 == 0 else self._timer())
        return True

    def _on_msr(self, register: int, system: Any, _: object) -> bool:
        """SCTLR: address translation stays off."""
        if (system.op0, system.crn, system.crm, system.op2) == (3, 1, 0, 0):
            self.uc.reg_write(register, self.uc.reg_read(register) & ~1)
        return False

    def trap(self, number: int) -> None:
        if self.board.arch == "aarch64":
            self._trap_aarch64(number)
        else:
            self._trap_riscv64(number)

    def _trap_aarch64(self, number: int) -> None:
        from unicorn import arm64_const as arm

        if number not in (_HVC, _SMC):
            raise TraceError(f"exception {number} at {self.where(self.uc.reg_read(self.cpu.pc))}{self.printed()}")
        self.ended = self.uc.reg_read(arm.UC_ARM64_REG_W0) in (_PSCI_OFF, _PSCI_RESET)
        self.uc.reg_write(arm.UC_ARM64_REG_X0, (1 << 64) - 1)
        if self.ended:
            self.uc.emu_stop()

    def _trap_riscv64(self, number: int) -> None:
        from unicorn import riscv_const as riscv

        after = self.uc.reg_read(riscv.UC_RISCV_REG_PC)
        word = int.from_bytes(self.uc.mem_read(after - 4, 4), "little")
        if number == _ILLEGAL and word & 0x7F == 0x73 and word >> 20 in _TIME_CSR:
            if word >> 7 & 31:
                self.uc.reg_write(riscv.UC_RISCV_REG_X0 + (word >> 7 & 31), self._timer())
        elif number in (8, 9, 11):  # ecall
            self._firmware_call(self.uc.reg_read(riscv.UC_RISCV_REG_A7), self.uc.reg_read(riscv.UC_RISCV_REG_A0))
        else:
            raise TraceError(f"exception {number} before {self.where(after)}{self.printed()}")

    def _firmware_call(self, function: int, argument: int) -> None:
        """The supervisor's binary interface (RISC-V SBI 1.0): of it the console and the end."""
        from unicorn import riscv_const as riscv

        if function == _SBI_PUTCHAR:
            self.print(argument)
        self.ended = function in (_SBI_SHUTDOWN, _SBI_RESET)
        self.uc.reg_write(riscv.UC_RISCV_REG_A0, _NOT_SUPPORTED)
        if self.ended:
            self.uc.emu_stop()
