"""The accesses of a recording that concern one ring, found by what they are for."""

from __future__ import annotations

import bisect
import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from harness.proof.emulator.split_ring import Chain
from harness.proof.recorded.access import Access
from harness.proof.recorded.recording import Recording, Ring


@dataclass(frozen=True)
class Pair:
    """One instance of a question in one recording."""

    first: Access
    second: Access
    what: str
    """The word at stake, in words: ``descriptor 3``."""
    other: str = "available index"
    """The other word."""
    stakes_second: bool = False
    """The word at stake is that of the second access."""
    in_flight: bool = False
    """The second writes a word that the first gave to the device, and that it still has."""

    @property
    def names(self) -> tuple[str, str]:
        """The words of both accesses."""
        return (self.other, self.what) if self.stakes_second else (self.what, self.other)


def first_after(accesses: list[Access], position: int) -> Access | None:
    place = bisect.bisect_right(accesses, position, key=lambda a: a.index)
    return accesses[place] if place < len(accesses) else None


class RingAccesses:
    """Looks things up in the accesses of a recording that concern one ring."""

    def __init__(self, recording: Recording, ring: Ring) -> None:
        self.recording, self.ring = recording, ring
        self._touching = _by_byte(recording)
        self.published = self._steps(ring.avail_index, write=True)
        """For each chain by its number: the write of ``avail->idx`` that hands it over."""
        self.noticed = self._steps(ring.used_index, write=False)
        """For each completion by its number: the read of ``used->idx`` that shows it first."""
        self.publishes = sorted({one.index for one in self.published.values()})

    def _steps(self, index_at: int, write: bool) -> dict[int, Access]:
        found: dict[int, Access] = {}
        count = 0
        for access in self.touching(write, index_at):
            ahead = (access.value - count) & 0xFFFF
            if ahead < 0x8000:
                for number in range(count, count + ahead):
                    found[number] = access
                count += ahead
        return found

    def touching(self, write: bool, address: int) -> list[Access]:
        """Accesses to one byte, in program order."""
        return self._touching.get((write, address), [])

    def between(self, after: int, before: int, start: int, end: int, write: bool) -> list[Access]:
        """Accesses to a range of bytes, by position in the recording: both bounds exclusive."""
        found = {}
        for at in range(start, end):
            touching = self.touching(write, at)
            low = bisect.bisect_right(touching, after, key=lambda a: a.index)
            for access in touching[low:]:
                if access.index >= before:
                    break
                found[access.index] = access
        return [found[index] for index in sorted(found)]

    def last_before(self, before: int, start: int, end: int, write: bool) -> list[Access]:
        """For each byte of a range the last access before a position, each access once."""
        found = {}
        for at in range(start, end):
            touching = self.touching(write, at)
            place = bisect.bisect_left(touching, before, key=lambda a: a.index)
            if place:
                found[touching[place - 1].index] = touching[place - 1]
        return [found[index] for index in sorted(found)]

    def until_next_publish(self, notice: Access, start: int, end: int, write: bool) -> list[Access]:
        """Accesses to a range of bytes after a completion was seen and before anything is published again."""
        place = bisect.bisect_right(self.publishes, notice.index)
        limit = self.publishes[place] if place < len(self.publishes) else len(self.recording.accesses)
        if write:
            return self.between(notice.index, limit, start, end, write)
        # What the driver has written itself in the meantime is no longer what the device wrote.
        found: dict[int, Access] = {}
        for at in range(start, end):
            own = first_after(self.touching(True, at), notice.index)
            until = min(limit, own.index) if own is not None else limit
            found |= {one.index: one for one in self.between(notice.index, until, at, at + 1, write)}
        return [found[index] for index in sorted(found)]

    def handed_over(self) -> Iterator[tuple[Chain, Access]]:
        """Each chain with the write of ``avail->idx`` that hands it over."""
        return ((chain, self.published[chain.number]) for chain in self.ring.chains if chain.number in self.published)

    def completed(self) -> Iterator[tuple[Chain, Access]]:
        """Each chain with the read of ``used->idx`` that shows its completion first."""
        return ((chain, self.noticed[chain.number]) for chain in self.ring.chains if chain.number in self.noticed)


@functools.lru_cache(maxsize=4)
def _by_byte(recording: Recording) -> dict[tuple[bool, int], list[Access]]:
    """Accesses to memory, by whether they write and by the bytes that they touch, in program order."""
    found: dict[tuple[bool, int], list[Access]] = defaultdict(list)
    for access in recording.accesses:
        if access.fence is None and not recording.device(access):
            for at in range(access.address, access.end):
                found[access.write, at].append(access)
    return found


@functools.lru_cache(maxsize=8)
def view_of(recording: Recording, ring: Ring) -> RingAccesses:
    """The view of one ring of one recording."""
    return RingAccesses(recording, ring)
