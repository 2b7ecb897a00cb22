"""Whether launches of one image fall into groups: QEMU's table of translations keeps a size that chance gave it.

QEMU's TCG starts each guest's table at 256 entries and changes its size only when the guest forgets its translations,
by how full it was then (``accel/tcg/cputlb.c``). A guest that does not do so after its memory is in use keeps whatever
size its last flush at boot left, and a launch is fast or slow for its whole life: two or three kinds of launches, at
ratios that stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import F64

FEWEST_LAUNCHES = 10
APART = 0.06
"""Log distance between groups: sizes of the table differ by a factor of two, frame times by 6 % and more."""
TIGHT = 5.0
"""A gap between groups is this many times the usual distance of launches from the middle of their group."""
GROUPS_MAX = 3
LONELY = 2
"""Launches that make a group: one alone is an outlier."""


@dataclass(frozen=True)
class Group:
    """Launches of one kind."""

    launches: int
    frame_ms: float
    """Median of their frame times."""


def launch_groups(frame_ms: Sequence[float]) -> tuple[Group, ...]:
    """Kinds of launches, the fastest first; one or none when they do not fall into groups.

    Parameters
    ----------
    frame_ms
        Median frame time of each launch of one image.
    """
    times = np.sort(np.array([time for time in frame_ms if time > 0]))
    if not len(times):
        return ()
    groups = _split(np.log(times)) if len(times) >= FEWEST_LAUNCHES else [np.log(times)]
    return tuple(Group(len(group), float(np.exp(np.median(group)))) for group in groups)


def _split(logs: F64) -> list[F64]:
    """Cut at the widest gaps, as long as both remaining sides are narrow beside the gap."""
    gaps = np.diff(logs)
    for count in range(GROUPS_MAX - 1, 0, -1):
        cuts = np.sort(np.argsort(gaps)[-count:]) + 1
        groups = np.split(logs, cuts)
        widest = float(gaps[cuts - 1].min())
        spread = max(float(np.median(np.abs(group - np.median(group)))) for group in groups)
        if widest >= APART and widest >= TIGHT * spread and min(len(group) for group in groups) >= LONELY:
            return groups
    return [logs]


def lottery_advice(groups: Sequence[Group], what: str) -> str:
    """Advice for the author of a kernel whose launches fall into groups; empty when they do not."""
    if len(groups) < 2:
        return ""
    kinds = ", ".join(f"{group.launches} launches at {group.frame_ms:.2f} ms" for group in groups)
    return (
        f"{what}: launches of one image are of {len(groups)} kinds ({kinds}). QEMU's table of translations keeps the "
        "size that it had at the last flush. Flush all translations after each of the first frames (x86: reload "
        "cr3; ARM: tlbi vmalle1; RISC-V: sfence.vma), and never again: launches are then alike, and usually faster"
    )
