"""What pictures of a kernel that is not this tree's may show: blank and still screens, where its target allows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2

from harness.core.arrays import Image
from harness.core.frames import CheckedPicture, FrameClass
from harness.model.target import KILLED, OK, Target
from harness.platform.capture import CaptureError
from harness.platform.qemu import Qemu

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
    """A picture that stays is no frozen one."""
    return target is not None and target.pictures.static == OK


def as_allowed(one: CheckedPicture, target: Target | None) -> CheckedPicture:
    """A judged picture, with what the target allows."""
    if one.kind is FrameClass.BLANK and may_be_blank(target):
        return replace(one, kind=FrameClass.INTACT, why="")
    return one


def has_ended(machine: Qemu) -> bool:
    """The guest of a target has ended by itself, as it may; what is wrong with its end is the window's to say."""
    target = machine.spec.target
    return target is not None and target.end != KILLED and machine.exited()
