"""The accesses of a whole image that a device can see.

An image of another project does not say which memory is its own. Once the run is over it is known: the device was
told where the rings and the buffers are, and everything else is private. An access to private memory orders nothing,
but dependencies lead through it: a value that is stored there and loaded again depends on what it depended on when it
was stored (Armv8: ``(addr | data); rfi`` of dob; RVWMO: rule 12).
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.proof.recorded.access import Access

AddressSpan = tuple[int, int]
"""Addresses: start, end."""
_NOTHING: frozenset[int] = frozenset()


class Spans:
    """A set of addresses."""

    def __init__(self, spans: Iterable[AddressSpan]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(spans):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            elif start < end:
                self._starts.append(start)
                self._ends.append(end)

    def __iter__(self) -> Iterator[AddressSpan]:
        return iter(zip(self._starts, self._ends))

    def touches(self, start: int, end: int) -> bool:
        place = bisect.bisect_left(self._starts, end)
        return place > 0 and self._ends[place - 1] > start


def only_shared(
    accesses: Sequence[Access], branch_sources: Mapping[int, int], shared: Spans
) -> tuple[tuple[Access, ...], dict[int, int]]:
    """The accesses to shared memory, fences and what orders like one, renumbered, with their dependencies.

    Parameters
    ----------
    accesses
        Reads carry in ``data_from`` what the bytes that they load depended on when they were stored.
    branch_sources
        Reads that branches depended on, each with its position among them.
    shared
        What the device was given, and its registers.

    Returns
    -------
    tuple
        The accesses, and the shared reads that branches depended on.
    """
    known: dict[int, frozenset[int]] = {}
    """For each read the shared reads, by their new numbers, that its value depends on."""
    kept: list[Access] = []

    def resolved(sources: frozenset[int]) -> frozenset[int]:
        found = {id(one): one for one in map(known.get, sources) if one}
        if len(found) > 1:
            return frozenset().union(*found.values())
        return next(iter(found.values()), _NOTHING)

    for access in accesses:
        visible = access.fence is None and shared.touches(access.address, access.end)
        address, data = resolved(access.address_from), resolved(access.data_from)
        if not visible and not access.orders:
            if not access.write:
                known[access.index] = address | data if address and data else address or data
            continue
        known[access.index] = frozenset({len(kept)})
        if visible and not access.write:
            data = _NOTHING  # the device may have written there in the meantime
        kept.append(replace(access, index=len(kept), address_from=address, data_from=data))
    branches: dict[int, int] = {}
    for source, position in branch_sources.items():  # in the order of their positions
        for read in known.get(source, _NOTHING).difference(branches):
            branches[read] = position
    return tuple(kept), branches
