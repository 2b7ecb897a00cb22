"""Pictures of other projects' kernels: blank and still screens are right where the target allows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2

from harness.core.arrays import I64, Image
from harness.core.pictures.frames import CheckedPicture, FrameClass
from harness.core.pictures.golden_features import Golden
from harness.core.pictures.picture_texture import block_prints
from harness.core.pictures.stamp import decode_stamps
from harness.core.pictures.unknown_pictures import frozen_parts, judge_picture
from harness.model.target import KILLED, OK, FrameBy, Target
from harness.platform.machine.qemu import Qemu
from harness.platform.pictures.capture import CaptureError

NEVER_NS = (1 << 62) - 1
"""No picture is frozen before this time has passed."""
SEEN_MOST = 24


class SeenPictures:
    """Full-size pictures of a run that differ, for the person who approves it.

    Parameters
    ----------
    folder
        Where they go; None keeps none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._prints: set[int] = set()

    def add(self, crc: int, one: CheckedPicture, pixels: Image) -> None:
        """Keep a good picture unless it was seen before, or there are enough."""
        enough = len(self._prints) >= SEEN_MOST or crc in self._prints
        if self._folder is None or enough or one.kind is not FrameClass.INTACT:
            return
        path = self._folder / f"seen-{len(self._prints):02d}.png"
        self._prints.add(crc)
        self._folder.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)):
            raise CaptureError(f"{path.name} cannot be written")


def may_be_blank(target: Target | None) -> bool:
    """One colour everywhere is a picture like others."""
    return target is not None and target.pictures.blank == OK


def may_stand_still(target: Target | None) -> bool:
    """A picture that stays does not count as frozen."""
    return target is not None and target.pictures.static == OK


def as_allowed(one: CheckedPicture, target: Target | None) -> CheckedPicture:
    """A judged picture, with what the target allows."""
    if one.kind is FrameClass.BLANK and may_be_blank(target):
        return replace(one, kind=FrameClass.INTACT, why="")
    return one


def carries_numbers(target: Target | None) -> bool:
    """Each picture carries the number of its frame."""
    return target is not None and target.frame.by is FrameBy.STAMP


def by_numbers(one: CheckedPicture, picture: Image) -> CheckedPicture:
    """A judged picture with its frame's number, which says whether it is torn; their order is judged later."""
    stamps = decode_stamps(picture)
    if one.kind is not FrameClass.INTACT:
        return one
    if stamps.top is None and stamps.bottom is None:
        return replace(one, kind=FrameClass.UNDECODABLE, why="neither frame number can be read")
    if stamps.top is not None and stamps.bottom is not None and stamps.top != stamps.bottom:
        why = f"torn picture: frame {stamps.top} at the top, frame {stamps.bottom} at the bottom"
        return replace(one, kind=FrameClass.TORN, why=why, frame=stamps.top)
    return replace(one, frame=stamps.top if stamps.top is not None else stamps.bottom)


def judged_words(target: Target | None, golden: bool) -> str:
    """The words for good pictures: the faults that were searched for and not found, and nothing more."""
    absent = ["noise"] + ([] if may_be_blank(target) else ["blank"]) + ([] if may_stand_still(target) else ["frozen"])
    absent += ["stale", "torn"] if carries_numbers(target) else []
    words = ", ".join(f"not {one}" for one in sorted(absent))
    return f"like the golden pictures, {words}" if golden else f"{words}; no golden pictures yet"


class GoldenJudge:
    """Judges pictures of one run without an oracle, each on its own, and by golden ones where there are any.

    Parameters
    ----------
    goldens Common features of golden pictures, for each size of theirs.
    """

    def __init__(self, goldens: Sequence[Golden], target: Target | None) -> None:
        self._goldens = goldens
        self._target = target
        self._prints: dict[int, list[I64]] = {}

    @property
    def words(self) -> str:
        """The words for good pictures."""
        return judged_words(self._target, bool(self._goldens))

    def judge(self, picture: Image) -> CheckedPicture:
        """One picture, with what the target allows. One of a size of which there is no golden picture is corrupt."""
        sizes = [golden.picture.shape for golden in self._goldens]
        at = sizes.index(picture.shape) if picture.shape in sizes else 0
        golden = self._goldens[at] if self._goldens else None
        if golden is not None and picture.shape in sizes:
            self._prints.setdefault(at, []).append(block_prints(picture))
        one = as_allowed(judge_picture(picture, golden), self._target)
        return by_numbers(one, picture) if carries_numbers(self._target) else one

    def findings(self) -> list[str]:
        """Findings that need all pictures of the run."""
        found = [frozen_parts(prints, self._goldens[at]) for at, prints in self._prints.items()]
        return [one for one in found if one]


def has_ended(machine: Qemu) -> bool:
    """The guest of a target has ended unasked, as it may. The window judges how it ended."""
    target = machine.spec.target
    return target is not None and target.end != KILLED and machine.exited()
