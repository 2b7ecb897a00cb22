"""The weakest fences that are right: each ordering point of a recorded run given one fence after another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.proof.access import Access
from harness.proof.decide import Answer, DeviceModel, answers
from harness.proof.events import NO_FENCE, Fence
from harness.proof.recording import Recording

_LETTERS = ("r", "w", "rw")
FENCES: Mapping[str, tuple[tuple[str, Fence], ...]] = {
    "x86_64": (("mfence", Fence("rwio", "rwio")),),
    "aarch64": (
        ("dmb ishld", Fence("ri", "rwio", inner=True)),
        ("dmb ishst", Fence("wo", "wo", inner=True)),
        ("dmb ish", Fence("rwio", "rwio", inner=True)),
    ),
    "riscv64": tuple((f"fence {a},{b}", Fence(a, b)) for a, b in itertools.product(_LETTERS, _LETTERS)),
}
"""What an architecture has, beside no fence at all. Device registers are ordered by E alone, which stays as it is."""


@dataclass(frozen=True)
class Weakest:
    """What one point needs, the others being as strong as they were."""

    point: str
    enough: tuple[str, ...]
    """Fences that are right, none of them stronger than another; ``none`` where nothing is needed."""


def _covers(strong: Fence, weak: Fence) -> bool:
    return set(weak.before) <= set(strong.before) and set(weak.after) <= set(strong.after)


def with_fence(recording: Recording, places: frozenset[int], fence: Fence | None) -> Recording:
    """The recording with another fence, or none, wherever one of these instructions was executed."""

    def changed(access: Access) -> Access:
        if access.fence is None or access.pc not in places:
            return access
        return replace(access, fence=fence or NO_FENCE)

    return replace(recording, accesses=tuple(map(changed, recording.accesses)))


def broken(found: Sequence[Answer]) -> frozenset[str]:
    """Questions whose outcome can happen."""
    return frozenset(one.question for one in found if one.cycles)


def weakest(
    recordings: tuple[Recording, ...], points: Mapping[str, frozenset[int]], device: DeviceModel
) -> Iterator[Weakest]:
    """For each point of a kernel that is right, the weakest fences that keep it so.

    Parameters
    ----------
    points
        For each point the addresses of its fence instructions.
    """
    arch = recordings[0].arch
    already = broken(answers(recordings, device))
    for point, places in points.items():
        if not places:
            continue
        right: list[tuple[str, Fence]] = []
        bare = tuple(with_fence(one, places, None) for one in recordings)
        if broken(answers(bare, device)) <= already:
            yield Weakest(point, ("none",))
            continue
        for name, fence in FENCES[arch]:
            if any(_covers(fence, weaker) for _, weaker in right):
                continue
            tried = tuple(with_fence(one, places, fence) for one in recordings)
            if broken(answers(tried, device)) <= already:
                right = [one for one in right if not _covers(one[1], fence)] + [(name, fence)]
        yield Weakest(point, tuple(name for name, _ in right))
