"""Pictures of a target against its own oracle: of a frame number that they carry, or that the trace counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.core.arrays import I64, Image
from harness.core.device.frametimes import presented_frames
from harness.core.device.trace import parse_trace
from harness.core.pictures.damage import find_damage
from harness.core.pictures.frames import CheckedPicture, FrameClass, check_picture
from harness.gate.measuring.target_window import rule_of
from harness.model.target import BUILT_IN_ORACLE, FrameBy, Target
from harness.platform.machine.qemu import Qemu
from harness.platform.machine.trace_file import read_trace
from harness.platform.pictures.command_oracle import CommandOracle

BY_ORACLE = "as its oracle draws them"
"""What good pictures are said to be."""
CANDIDATES_MOST = 12
"""Frames that a picture of a fast guest may be of."""


class OracleJudge:
    """Compares every pixel with what a target's oracle draws.

    Parameters
    ----------
    frames_ns
        When each frame since the launch was flushed, as far as the trace knows now; shape (n,).
    """

    def __init__(self, oracle: CommandOracle, target: Target, frames_ns: Callable[[], I64]) -> None:
        self._oracle = oracle
        self._stamped = target.frame.by is FrameBy.STAMP
        self._frames_ns = frames_ns

    def picture(self, frame: int) -> Image:
        """What a frame must look like."""
        return self._oracle.picture(frame)

    def masked(self, picture: Image) -> Image:
        """What of a capture is judged."""
        return self._oracle.masked(picture)

    def judge(self, picture: Image, before_ns: int, after_ns: int) -> CheckedPicture:
        """One capture, which was begun and finished at these times of the host."""
        picture = self._oracle.masked(picture)
        if self._stamped and self._oracle.numbered:
            return check_picture(picture, self._oracle.picture)
        frames = self._candidates(before_ns, after_ns) if self._oracle.numbered else [0]
        for frame in frames:
            wanted = self._oracle.picture(frame)
            if wanted.shape == picture.shape and np.array_equal(wanted, picture):
                # Of equal frames any may be the one: their order says nothing.
                return CheckedPicture(FrameClass.INTACT, "")
        return self._differs(picture, frames)

    def _candidates(self, before_ns: int, after_ns: int) -> list[int]:
        """Frames that a capture may show, the likeliest first: what is transferred shows before its flush."""
        times_ns = self._frames_ns()
        first, last = (int(np.searchsorted(times_ns, time_ns, side="right")) for time_ns in (before_ns, after_ns))
        found = [last - 1, last, *range(last - 2, first - 2, -1), last + 1]
        return [frame for frame in dict.fromkeys(found) if frame >= 0][:CANDIDATES_MOST]

    def _differs(self, picture: Image, frames: Sequence[int]) -> CheckedPicture:
        """How a picture differs from these frames: of the one whose damage has a name, or is the least."""
        sizes = [f"{shape[1]}x{shape[0]}" for shape in (picture.shape, self._oracle.picture(frames[0]).shape)]
        damages = [
            (frame, damage)
            for frame in frames
            if self._oracle.picture(frame).shape == picture.shape
            if (damage := find_damage(picture, self._oracle.picture(frame))) is not None
        ]
        if not damages:
            why = f"the screen is {sizes[0]}, the oracle draws {sizes[1]}"
            return CheckedPicture(FrameClass.CORRUPT, f"{self._name(frames[0])}: {why}")
        frame, damage = min(damages, key=lambda one: (not one[1].cause, one[1].pixels))
        why = f"{self._name(frame)} differs from the oracle's: {damage.words}"
        return CheckedPicture(FrameClass.CORRUPT, why, frame, damage)

    def _name(self, frame: int) -> str:
        return f"frame {frame}" if self._oracle.numbered else "the picture"


def oracle_judge(machine: Qemu, scratch: Path) -> OracleJudge | None:
    """The judge of a running target that names an oracle of its own; None of others."""
    target = machine.spec.target
    if target is None or target.pictures.oracle in ("", BUILT_IN_ORACLE):
        return None

    def frames_ns() -> I64:
        trace = parse_trace(read_trace(machine.trace_path, machine.limits))
        return presented_frames(trace, rule=rule_of(target)).time_ns

    return OracleJudge(CommandOracle(target, scratch), target, frames_ns)
