"""Long loops without a fence, such as drawing a picture or clearing memory: only their first turns are recorded.

Every turn of a loop does the same, on other words. So the order of its last write and what follows is
that of its first: a loop that contains anything that orders accesses is not skipped.
"""

from __future__ import annotations

LOOP_BYTES = 512
"""The largest code of a loop, with everything that it calls."""
LONG_BLOCKS = 3000
"""A loop of more basic blocks than this is long."""


class LongLoops:
    """Detects that execution stays in one loop."""

    def __init__(self) -> None:
        self.start = self.end = self._blocks = 0

    def forget(self) -> None:
        """A device was used: this loop must not be skipped."""
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
