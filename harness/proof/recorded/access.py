"""One recorded access to memory, or one fence, of a kernel that ran in the emulator."""

from __future__ import annotations

from dataclasses import dataclass

from harness.proof.decided.events import Acquire, Fence


@dataclass(frozen=True)
class Access:
    """One recorded access or fence."""

    index: int
    pc: int
    text: str
    write: bool = False
    address: int = 0
    size: int = 0
    value: int = 0
    fence: Fence | None = None
    acquire: Acquire = Acquire.NONE
    release: bool = False
    atomic: bool = False
    address_from: frozenset[int] = frozenset()
    data_from: frozenset[int] = frozenset()
    branches: int = 0
    """How many reads branches had depended on before it: all of them decide that it is executed."""

    @property
    def end(self) -> int:
        return self.address + self.size

    @property
    def orders(self) -> bool:
        """It is a fence, or orders others as one does."""
        return self.fence is not None or self.release or self.atomic or self.acquire is not Acquire.NONE
