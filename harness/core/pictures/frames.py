"""Captured pictures against the frames that they claim to be: intact, or in which way not.

Pure: what each frame must look like is handed in, as a function or from a saved run. Pictures are arrays of shape
(height, width, 3), uint8, channels R, G, B. There is no tolerance, except for pictures that a host's renderer drew:
there the caller hands in what settles them (:mod:`harness.core.pictures.rounding`).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from harness.core.arrays import DrawFrame, Image
from harness.core.pictures.causes import screen_notice
from harness.core.pictures.damage import Damage, differing, find_damage, find_tear
from harness.core.pictures.rounding import Settle, settle_nothing
from harness.core.pictures.stamp import decode_stamps, salvage_frame
from harness.core.wording import percent
from harness.model.result import Frames

STALE_LOOKBACK = 8
"""Damage is compared with this many frames before the one claimed, to see where it comes from."""


class FrameClass(enum.Enum):
    """The class of a captured picture; values are the counts' names in a result."""

    INTACT = "intact"
    TORN = "torn"
    STALE = "stale"
    FROZEN = "frozen"
    CORRUPT = "corrupt"
    BLANK = "blank"
    UNDECODABLE = "undecodable"


@dataclass(frozen=True)
class CheckedPicture:
    """One picture's class, and why."""

    kind: FrameClass
    why: str
    frame: int | None = None
    """The number it carries; of a torn picture the one at its top."""
    damage: Damage | None = None
    tear_rows: tuple[int, int] | None = None
    """The tear lies just above one of these rows, inclusive."""


@dataclass(frozen=True)
class Capture:
    """Everything known of one capture besides its pixels, once it was checked.

    ``due`` is the newest frame that the host knows to have been shown before the capture, or None; a picture older
    than that is stale.
    """

    checked: CheckedPicture
    time_ns: int
    due: int | None = None


def check_picture(picture: Image, expected: DrawFrame, settle: Settle = settle_nothing) -> CheckedPicture:
    """Compare a single picture with the frame that it claims to be, after what may differ was settled."""
    if _is_blank(picture):
        level = ", ".join(str(int(value)) for value in picture[0, 0])
        return CheckedPicture(FrameClass.BLANK, f"every pixel is {level}")
    stamps = decode_stamps(picture)
    if stamps.top is not None and stamps.bottom is not None and stamps.top != stamps.bottom:
        return _check_torn(picture, stamps.top, stamps.bottom, expected, settle)
    claimed = stamps.top if stamps.top is not None else stamps.bottom
    if claimed is None:
        mode = expected(0).shape
        claimed = salvage_frame(picture, [(mode[1], mode[0])])
        if claimed is None:
            return CheckedPicture(FrameClass.UNDECODABLE, _why_undecodable(picture, mode))
    wanted = expected(claimed)
    if wanted.shape != picture.shape:
        return CheckedPicture(FrameClass.CORRUPT, f"frame {claimed}: {_wrong_size(picture.shape, wanted)}", claimed)
    settled = settle(picture, wanted)
    damage = find_damage(settled, wanted)
    if damage is None:
        return CheckedPicture(FrameClass.INTACT, "", claimed)
    if not damage.cause:
        damage = replace(damage, cause=_older_frame(settled, wanted, claimed, expected, settle))
    return CheckedPicture(FrameClass.CORRUPT, f"frame {claimed} is corrupt: {damage.words}", claimed, damage)


def _why_undecodable(picture: Image, mode: tuple[int, ...]) -> str:
    if screen_notice(picture):
        return "the screen shows QEMU's own notice: the scanout is off, or was never set"
    if picture.shape[:2] != mode[:2]:
        return f"the screen is {_size(picture.shape)} and the run's mode {_size(mode)}, and neither stamp can be read"
    return "neither stamp can be read"


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _wrong_size(shape: tuple[int, ...], wanted: Image) -> str:
    return f"the screen is {_size(shape)}, not the mode's {_size(wanted.shape)}"


def _is_blank(picture: Image) -> bool:
    if not picture.size or (picture[0] != picture[0, 0]).any():
        return not picture.size
    return bool((picture == picture[0, 0]).all())


def _check_torn(picture: Image, top: int, bottom: int, expected: DrawFrame, settle: Settle) -> CheckedPicture:
    above, below = expected(top), expected(bottom)
    rows = find_tear(picture, above, below, settle) if above.shape == picture.shape == below.shape else None
    if rows is None:
        why = f"frame {top} at the top, {bottom} at the bottom, and damage besides"
        return CheckedPicture(FrameClass.TORN, f"torn: {why}", top)
    last = "it" if rows[0] == rows[1] else f"row {rows[1]}"
    why = f"torn picture: frame {top} above row {rows[0]}, frame {bottom} below {last}"
    return CheckedPicture(FrameClass.TORN, why, top, tear_rows=rows)


def _older_frame(picture: Image, wanted: Image, claimed: int, expected: DrawFrame, settle: Settle) -> str:
    """Whether the damaged pixels are those of an earlier frame that a transfer left in place."""
    mask = differing(picture, wanted)
    rows = np.flatnonzero(mask.any(axis=1))
    band = slice(int(rows[0]), int(rows[-1]) + 1)
    where = mask[band]
    for back in range(1, min(STALE_LOOKBACK, claimed) + 1):
        older = expected(claimed - back)
        if np.array_equal(settle(picture, older)[band][where], older[band][where]):
            return f"these pixels are still those of frame {claimed - back}"
    return ""


@dataclass(frozen=True)
class CaptureOrder:
    """Frame numbers of successive captures."""

    backwards: int = 0
    """Captures with a lower number than one before them."""
    repeats: int = 0
    """Captures with the number of the one before."""
    skipped: int = 0
    """Numbers between successive captures that no capture shows; sampling alone makes most of them."""


@dataclass(frozen=True)
class Verification:
    """All captures of a run, judged one by one and in their order."""

    captures: tuple[Capture, ...]
    order: CaptureOrder = CaptureOrder()
    bad_share_max: float = 1.0
    """Upper bound of the share of bad frames, at 95 % confidence."""
    frames: Frames = field(default_factory=Frames)
    judged: bool = False
    """No oracle knows these pictures: classes are a judgement."""

    @property
    def sentence(self) -> str:
        """``400 of 400 pictures right (fewer than 0.7 % can be wrong)``: at 95 % confidence."""
        how = ", judged without an oracle" if self.judged else ""
        right = f"{self.frames.intact} of {self.frames.checked} pictures {self.frames.judged_as or 'right'}"
        return f"{right} (fewer than {percent(self.bad_share_max)} can be wrong){how}"


def verify(captures: Iterable[Capture], frozen_after_ns: int = 500_000_000) -> Verification:
    """Judge captures in their order of time.

    Parameters
    ----------
    captures
        Each one was checked on its own.
    frozen_after_ns
        A number that stays for longer than this, running time, is frozen.
    """
    judged: list[Capture] = []
    since_ns = 0
    previous: int | None = None
    newest: int | None = None
    backwards = repeats = skipped = 0
    for capture in captures:
        frame = capture.checked.frame
        if frame is None:
            judged.append(capture)
            continue
        repeated = frame == previous
        if not repeated:
            since_ns = capture.time_ns
        repeats += repeated
        if newest is not None and frame < newest:
            backwards += 1
        if previous is not None and frame > previous:
            skipped += frame - previous - 1
        judged.append(_in_order(capture, newest, repeated, capture.time_ns - since_ns > frozen_after_ns))
        previous, newest = frame, max(frame, newest if newest is not None else frame)
    frames = count_frames([capture.checked for capture in judged])
    bound = bad_share_bound(frames.bad, frames.checked)
    return Verification(tuple(judged), CaptureOrder(backwards, repeats, skipped), bound, frames)


def _in_order(capture: Capture, newest: int | None, repeated: bool, long_since: bool) -> Capture:
    """Turn an intact picture into a stale or frozen one where its number says so."""
    checked, frame = capture.checked, capture.checked.frame
    if checked.kind is not FrameClass.INTACT or frame is None:
        return capture
    behind_due = capture.due is not None and frame < capture.due
    if repeated and long_since:
        why = f"frozen: frame {frame} still shows"
        kind = FrameClass.FROZEN
    elif newest is not None and frame < newest:
        kind, why = FrameClass.STALE, f"stale: frame {frame} shows after frame {newest}"
    elif behind_due:
        kind, why = FrameClass.STALE, f"stale: frame {frame} shows"
    else:
        return capture
    if behind_due:
        why += f", but frame {capture.due} was due"
    return replace(capture, checked=replace(checked, kind=kind, why=why))


def count_frames(checked: Sequence[CheckedPicture], most_findings: int = 20) -> Frames:
    """Counts by class, and a sentence for each class with its first example."""
    counts = {kind: [one for one in checked if one.kind is kind] for kind in FrameClass}
    findings = []
    for kind, found in counts.items():
        if kind is FrameClass.INTACT:
            continue
        findings += [one.why for one in found[: most_findings // 5]]
        if len(found) > most_findings // 5:
            findings.append(f"and {len(found) - most_findings // 5} more {kind.value} frames")
    return Frames(
        checked=len(checked),
        intact=len(counts[FrameClass.INTACT]),
        torn=len(counts[FrameClass.TORN]),
        stale=len(counts[FrameClass.STALE]),
        frozen=len(counts[FrameClass.FROZEN]),
        corrupt=len(counts[FrameClass.CORRUPT]),
        blank=len(counts[FrameClass.BLANK]),
        undecodable=len(counts[FrameClass.UNDECODABLE]),
        findings=tuple(findings),
    )


def bad_share_bound(bad: int, checked: int, confidence: float = 0.95) -> float:
    """One-sided upper limit of the share of bad frames, exact (Clopper and Pearson, Biometrika 26, 1934)."""
    if bad >= checked:
        return 1.0
    return float(stats.beta.ppf(confidence, bad + 1, checked - bad))
