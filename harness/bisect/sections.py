"""Search in a history by several commits at a time.

A commit that is bad leaves the commits that it descends from, and itself; one that is good leaves the others. Each
round asks about commits that divide what is left into parts of about the same size. With one commit a round this is
git's bisection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.bisect.culprit import BisectMark


@dataclass(frozen=True)
class OpenHistory:
    """What may still hold the first bad commit. Commits are numbered; a set of them is a number with a bit for each."""

    names: tuple[str, ...]
    """Parents before children; the last one is known to be bad."""
    ancestors: tuple[int, ...]
    """By commit: itself and all that it descends from, within the history."""
    left: int
    skipped: int = 0

    @property
    def candidates(self) -> tuple[str, ...]:
        """The commits that may be the first bad one, children first."""
        return tuple(name for number, name in reversed(list(enumerate(self.names))) if self.left >> number & 1)

    def _below(self, number: int) -> int:
        """How many candidates a commit would leave if it were bad."""
        return (self.ancestors[number] & self.left).bit_count()

    @property
    def _open(self) -> list[int]:
        """Commits that an answer about would tell something: not the one that is known to be bad."""
        whole = self.left.bit_count()
        asked = self.left & ~self.skipped
        return [number for number in range(len(self.names)) if asked >> number & 1 and self._below(number) < whole]

    def questions(self, most: int) -> tuple[str, ...]:
        """At most this many commits to ask about now; none when nothing more can be found out."""
        whole, chosen = self.left.bit_count(), list[int]()
        for part in range(1, most + 1):
            aim = whole * part / (most + 1)
            others = [number for number in self._open if number not in chosen]
            if others:
                chosen.append(min(others, key=lambda number: (abs(self._below(number) - aim), number)))
        return tuple(self.names[number] for number in sorted(chosen))

    def answered(self, sides: Mapping[str, BisectMark]) -> "OpenHistory":
        """What is left after a round.

        The commit that divides best counts first. An answer about a commit that another answer has ruled out
        is ignored: git would not have asked.
        """
        number_of = {name: number for number, name in enumerate(self.names)}
        middle = self.left.bit_count() / 2
        order = sorted(
            (number_of[name] for name in sides), key=lambda number: (abs(self._below(number) - middle), number)
        )
        now = self
        for number in order:
            if not now.left >> number & 1:
                continue
            side = sides[self.names[number]]
            if side is BisectMark.SKIP:
                now = replace(now, skipped=now.skipped | 1 << number)
            elif side is BisectMark.BAD:
                now = replace(now, left=now.left & now.ancestors[number])
            else:
                now = replace(now, left=now.left & ~now.ancestors[number])
        return now


def open_history(rows: Sequence[Sequence[str]]) -> OpenHistory:
    """A history with nothing known but that its last commit is bad.

    Parameters
    ----------
    rows
        A commit and its parents each, parents before children; parents outside of the history may be named.
    """
    number_of: dict[str, int] = {}
    ancestors: list[int] = []
    for commit, *parents in rows:
        own = 1 << len(ancestors)
        for parent in parents:
            own |= ancestors[number_of[parent]] if parent in number_of else 0
        number_of[commit] = len(ancestors)
        ancestors.append(own)
    return OpenHistory(tuple(number_of), tuple(ancestors), (1 << len(ancestors)) - 1)
