"""The weakest fences that are right: each ordering point of a recorded run given one fence after another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.proof.decided.decide import Answer, answers
from harness.proof.decided.devices import DeviceModel
from harness.proof.decided.events import NO_FENCE, Fence
from harness.proof.recorded.access import Access
from harness.proof.recorded.recording import Recording

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
"""The fences of an architecture, besides none. Only E orders device registers, and it is not weakened."""


_NOTIFY: Mapping[str, tuple[tuple[str, Fence], ...]] = {"riscv64": (("fence w,o", Fence("w", "o")),)}
"""What orders a store before a notification, beside the fences for memory."""


@dataclass(frozen=True)
class Weakest:
    """What one point needs while the others keep their fences."""

    point: str
    enough: tuple[str, ...]
    """Fences that are right, none of them stronger than another; ``none`` where nothing is needed."""


@dataclass(frozen=True)
class Minimal:
    """An architecture's weakest fences."""

    weakest: tuple[Weakest, ...]
    together: bool
    """The points' weakest fences are also right together: one for each point is a minimal set; there are no others."""


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
        if broken(answers(bare, device, recordings)) <= already:
            yield Weakest(point, ("none",))
            continue
        for name, fence in FENCES[arch] + (_NOTIFY.get(arch, ()) if point == "E" else ()):
            if any(_covers(fence, weaker) for _, weaker in right):
                continue
            tried = tuple(with_fence(one, places, fence) for one in recordings)
            if broken(answers(tried, device, recordings)) <= already:
                right = [one for one in right if not _covers(one[1], fence)] + [(name, fence)]
        yield Weakest(point, tuple(name for name, _ in right))


def together(
    recordings: tuple[Recording, ...],
    points: Mapping[str, frozenset[int]],
    found: Sequence[Weakest],
    device: DeviceModel,
) -> bool:
    """Whether every choice of one weakest fence a point is right, all of them together.

    Then these choices are the minimal sets, and there are no others: a right set stays right when its other fences are
    made as strong as they were, so that each of its fences is at least one of the weakest of its point.
    """
    arch, already = recordings[0].arch, broken(answers(recordings, device))
    known = dict(FENCES[arch] + _NOTIFY.get(arch, ()))
    for choice in itertools.product(*(one.enough for one in found)):
        tried = recordings
        for one, name in zip(found, choice, strict=True):
            tried = tuple(with_fence(recording, points[one.point], known.get(name)) for recording in tried)
        if not broken(answers(tried, device, recordings)) <= already:
            return False
    return True


def stronger_than_needed(
    arch: str, points: Mapping[str, Sequence[Fence]], found: Sequence[Weakest]
) -> tuple[tuple[str, str], ...]:
    """Points at which each fence of a strategy is stronger than one that is enough; with that one."""
    known = dict(FENCES[arch] + _NOTIFY.get(arch, ()))
    more: list[tuple[str, str]] = []
    for one in found:
        fences = points.get(one.point, ())
        for name in one.enough:
            weak = known.get(name, NO_FENCE)
            if fences and all(_covers(fence, weak) and not _covers(weak, fence) for fence in fences):
                more.append((one.point, name))
                break
    return tuple(more)
