"""Turns the instructions that ran, and what each touched, into accesses with their dependencies."""

from __future__ import annotations

from collections.abc import Callable

from harness.proof.decided.events import FULL, Acquire, Fence
from harness.proof.emulator.image import TraceError
from harness.proof.recorded.access import Access
from harness.proof.recorded.instructions import Decode, DecodedInstruction

_CODE_PAGE = 12
_NOWHERE: frozenset[int] = frozenset()
_LONGEST = 15
"""Bytes of the longest instruction."""


class Recorder:
    """The accesses of one run.

    Parameters
    ----------
    decode
        From bytes at an address to what the instruction does.
    read_code
        The memory's bytes: address, size.
    private
        Whether an address is private: a value there is passed on without an access.
    locked_is_fence
        An atomic instruction is a full fence, whatever memory it is on (x86: Intel SDM 3A 8.2.3.9).
    where
        An address of code in words.
    through_memory
        Reads carry in ``data_from`` what the bytes depended on when they were stored. For a run of which only the end
        tells what is private, and ``shared_accesses.py``.
    """

    def __init__(
        self,
        decode: Decode,
        read_code: Callable[[int, int], bytes],
        private: Callable[[int], bool],
        locked_is_fence: bool,
        where: Callable[[int], str],
        *,
        through_memory: bool = False,
    ) -> None:
        self._decode, self._read_code, self._private = decode, read_code, private
        self._locked_is_fence, self._where = locked_is_fence, where
        self._through_memory = through_memory
        self.effects: dict[int, DecodedInstruction] = {}
        """Effects of each instruction that ran, by address."""
        self.accesses: list[Access] = []
        self.branch_sources: dict[int, int] = {}
        """Reads that a branch depended on, each with its position among them."""
        self._pc = 0
        self._effect: DecodedInstruction | None = None
        """The instruction at hand."""
        self._touched: list[tuple[bool, int, int, int]] = []
        """What it did so far: write, address, size, value."""
        self._registers: dict[str, frozenset[int]] = {}
        self._bytes: dict[int, frozenset[int]] = {}
        self._code_pages: set[int] = set()

    # Recording.

    def begin(self, address: int) -> None:
        """An instruction starts; the one before it has ended."""
        if self._effect is not None:
            self.finish()
        effect = self.effects.get(address)
        if effect is None:
            effect = self._decode(self._read_code(address, _LONGEST), address)
            self.effects[address] = effect
            self._code_pages |= {address >> _CODE_PAGE, (address + effect.length - 1) >> _CODE_PAGE}
        self._pc, self._effect = address, effect

    def touched(self, write: bool, address: int, size: int, value: int) -> None:
        """The instruction at hand accesses memory.

        Raises
        ------
        TraceError
            When it writes over an instruction that has run: the decided code would not be the code that runs.
        """
        if write and address >> _CODE_PAGE in self._code_pages:
            self._refuse_own_code(address, size)
        if self._effect is not None:
            self._touched.append((write, address, size, value))

    def _refuse_own_code(self, address: int, size: int) -> None:
        for at in range(address - _LONGEST, address + size):
            effect = self.effects.get(at)
            if effect is not None and at + effect.length > address:
                writer = self._where(self._pc) if self._effect is not None else "the device"
                raise TraceError(f"self-modifying code: {writer} writes over the instruction at {self._where(at)}")

    def device_wrote(self, address: int, length: int) -> None:
        """What the driver reads there depends on nothing of its own."""
        for at in range(address, address + length):
            self._bytes.pop(at, None)

    def forget(self, register: str) -> None:
        """A register was set from outside."""
        self._registers.pop(register, None)

    def forget_origins(self) -> None:
        """What registers and memory hold now depends on something that was not recorded."""
        self._registers.clear()
        self._bytes.clear()

    def orders_within(self, start: int, end: int) -> bool:
        """Whether code that ran within some bytes of code orders accesses."""
        return any(start <= at < end and effect.orders for at, effect in self.effects.items())

    def forget_registers(self) -> None:
        self._registers.clear()

    def finish(self) -> None:
        """Account for the instruction that has just ended."""
        effect, self._effect = self._effect, None
        if effect is None:
            return
        if effect.fence is not None:
            self._fence(effect, effect.fence)
        results = dict.fromkeys(effect.results, self._origin(effect.sources)) if effect.results else None
        if self._touched:
            results = self._accessed(effect, results or {})
        if results:
            self._registers |= results
        if effect.branch:
            for source in self._origin(effect.branch):
                self.branch_sources.setdefault(source, len(self.branch_sources))

    def _accessed(self, effect: DecodedInstruction, results: dict[str, frozenset[int]]) -> dict[str, frozenset[int]]:
        """Record the accesses of the instruction; returns what its registers depend on then."""
        touched, self._touched = self._touched, []
        loads, stores = list(effect.loads), list(effect.stores)
        for write, address, size, value in touched:
            if write:
                name = stores.pop(0) if stores else ""
                self._stored(effect, address, size, value, self._origin((name,)))
            else:
                origin = self._loaded(effect, address, size, value)
                name = loads.pop(0) if loads else ""
                results[name] = origin
        if effect.atomic and self._locked_is_fence:
            self._fence(effect, FULL)
        return results

    # Dependencies.

    def _origin(self, names: tuple[str, ...]) -> frozenset[int]:
        found = _NOWHERE
        for name in names:
            origin = self._registers.get(name) if name else None
            if origin:
                found = found | origin if found else origin
        return found

    def _record(
        self, effect: DecodedInstruction, write: bool, address: int, size: int, value: int, data: frozenset[int]
    ) -> int:
        index = len(self.accesses)
        self.accesses.append(
            Access(
                index,
                self._pc,
                effect.text,
                write,
                address,
                size,
                value,
                None,
                Acquire.NONE if write else effect.acquire,
                write and effect.release,
                effect.atomic,
                self._origin(effect.address),
                data,
                len(self.branch_sources),
            )
        )
        return index

    def _fence(self, effect: DecodedInstruction, fence: Fence) -> None:
        branches = len(self.branch_sources)
        self.accesses.append(Access(len(self.accesses), self._pc, effect.text, fence=fence, branches=branches))

    def _stored(self, effect: DecodedInstruction, address: int, size: int, value: int, data: frozenset[int]) -> None:
        if not self._private(address):
            self._record(effect, True, address, size, value, data)
        if data:
            self._bytes |= dict.fromkeys(range(address, address + size), data)
        elif self._bytes:
            for at in range(address, address + size):
                self._bytes.pop(at, None)

    def _loaded(self, effect: DecodedInstruction, address: int, size: int, value: int) -> frozenset[int]:
        """What a loaded value depends on: the read itself, and what was stored there by this thread."""
        origin: frozenset[int] = frozenset()
        for at in range(address, address + size):
            origin |= self._bytes.get(at, frozenset())
        if self._private(address):
            return origin
        stored = origin if self._through_memory else frozenset[int]()
        return frozenset({self._record(effect, False, address, size, value, stored)})
