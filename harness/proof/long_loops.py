"""Long loops without a fence, of which the first turns stand for the others: drawing a picture, clearing memory.

What a loop does in a turn it does in every turn, on other words. So the order of its last write and what follows is
that of its first: nothing within it orders anything, or it is not passed over.
"""

from __future__ import annotations

LOOP_BYTES = 512
"""Code of a loop at most, with everything that it calls."""
LONG_BLOCKS = 3000
"""Basic blocks that a loop runs until it is a long one."""


class LongLoops:
    """Watches where execution stays."""

    def __init__(self) -> None:
        self.start = self.end = self._blocks = 0

    def forget(self) -> None:
        """A device was used: this is no loop to pass over."""
        self.start = self.end = self._blocks = 0

    def is_long(self, address: int, size: int) -> bool:
        """Whether, with the basic block that begins, execution has stayed within few bytes for long."""
        start, end = min(self.start, address), max(self.end, address + size)
        if end - start > LOOP_BYTES:
            self.start, self.end, self._blocks = address, address + size, 0
            return False
        self.start, self.end = start, end
        self._blocks += 1
        return self._blocks > LONG_BLOCKS
