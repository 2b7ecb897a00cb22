"""What pictures of a kernel that is not this tree's may show: blank and still screens, where its target allows them."""

from __future__ import annotations

from dataclasses import replace

from harness.core.frames import Checked, FrameClass
from harness.model.target import KILLED, OK, Target
from harness.platform.qemu import Qemu

NEVER_NS = (1 << 62) - 1
"""No picture is frozen before this time has passed."""


def may_be_blank(target: Target | None) -> bool:
    """One colour everywhere is a picture like others."""
    return target is not None and target.pictures.blank == OK


def may_stand_still(target: Target | None) -> bool:
    """A picture that stays is no frozen one."""
    return target is not None and target.pictures.static == OK


def as_allowed(one: Checked, target: Target | None) -> Checked:
    """A judged picture, with what the target allows."""
    if one.kind is FrameClass.BLANK and may_be_blank(target):
        return replace(one, kind=FrameClass.INTACT, why="")
    return one


def has_ended(machine: Qemu) -> bool:
    """The guest of a target has ended by itself, as it may; what is wrong with its end is the window's to say."""
    target = machine.spec.target
    return target is not None and target.end != KILLED and machine.exited()
