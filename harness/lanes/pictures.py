"""The verification window: screendumps at random moments of a run of their own, every pixel compared.

Nothing is timed here. The run starts at a random frame number, so that over the nights every phase of a spin is seen;
each capture is judged against the oracle's picture of the frame that it claims to be, and against the frame that the
trace says was due.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from harness.analyze.compare import Finding
from harness.analyze.damage import difference_picture
from harness.analyze.frames import Capture, Checked, FrameClass, Verification, check_picture, verify
from harness.analyze.geometry import geometry_problems, rotation_problem
from harness.analyze.stamp import decode_frame
from harness.analyze.trace import FLUSH, Trace, parse_trace
from harness.drive.capture import CaptureError, Image, Picture, screendump
from harness.drive.golden import golden_problem
from harness.drive.oracle import DEFAULT_SEED, Oracle
from harness.drive.qemu import TIMING_EVENTS, Qemu
from harness.result import Frames
from harness.spec import RunSpec, Verdict

EVIDENCE_MAX = 12
"""Bad frames kept as pictures."""
FILM_FRAMES = 24
FILM_WIDTH_PX = 384
PAUSE_MAX_S = 0.008
"""Longest random pause between captures."""
FIRST_FRAME_MAX = 5000
RUN_S = 120.0
BAD_ENOUGH = 40
"""After so many bad frames more would tell nothing."""
GEOMETRY_EVERY = 20
"""One in so many intact pictures is measured without the scene's code, with the next frame for the rotation."""


@dataclass(frozen=True)
class Pictures:
    """What verification brought."""

    verification: Verification
    frames: Frames
    """With the paths of the evidence, relative to the run's folder."""
    film: tuple[str, ...] = ()
    """Small captures in order, for the animated picture."""
    captured_per_s: float = 0.0
    first_frame: int = 0


@dataclass
class _Kept:
    """Pictures on disk, as they are written."""

    folder: Path
    root: Path
    evidence: list[str] = field(default_factory=list)
    film: list[str] = field(default_factory=list)

    def save(self, name: str, picture: Image) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        if not cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
            raise CaptureError(f"{path.name} cannot be written")
        return str(path.relative_to(self.root))


def picture_findings(pictures: Pictures) -> list[Finding]:
    """What was seen in bad frames, by class."""
    return [Finding(Verdict.GUEST_FAILED, text) for text in pictures.frames.findings]


def verify_pictures(spec: RunSpec, root: Path, count: int, seed: int, progress: Callable[[str], None]) -> Pictures:
    """Capture and check ``count`` frames of one run.

    Parameters
    ----------
    root
        The run's folder; evidence goes to ``pictures/``, QEMU's files to ``pictures/run``.

    Raises
    ------
    GuestError
        When the guest dies while it is watched.
    """
    rng = np.random.default_rng(seed)
    first = int(rng.integers(FIRST_FRAME_MAX))
    width_px, height_px = spec.params.mode
    oracle = Oracle(width_px, height_px, DEFAULT_SEED if spec.params.seed is None else spec.params.seed)
    params = replace(spec.params, seconds=RUN_S, records=0, first=first)
    kept = _Kept(root / "pictures", root)
    checked: list[Checked] = []
    taken: list[Picture] = []
    odd: list[str] = [problem for problem in [golden_problem()] if problem]
    with Qemu(replace(spec, params=params), root / "pictures" / "run", TIMING_EVENTS) as machine:
        machine.wait_first_flush()
        begun = time.monotonic()
        while len(checked) < count and sum(one.kind is not FrameClass.INTACT for one in checked) < BAD_ENOUGH:
            time.sleep(float(rng.uniform(0, PAUSE_MAX_S)))
            picture = _capture(machine)
            one = check_picture(picture.pixels, oracle.picture)
            checked.append(one)
            taken.append(replace(picture, pixels=picture.pixels[:0]))
            _keep(kept, one, picture.pixels, oracle)
            if one.kind is FrameClass.INTACT and len(checked) % GEOMETRY_EVERY == 1:
                odd += _geometry(machine, one, picture.pixels)
            progress(f"pictures: {len(checked)} of {count} checked")
        seconds = time.monotonic() - begun
        machine.console.check()
    due = _due(parse_trace(machine.trace_path.read_bytes()), [picture.before_ns for picture in taken], first)
    captures = [Capture(*row) for row in zip(checked, (picture.time_ns for picture in taken), due, strict=True)]
    verification = verify(captures, frozen_after_ns=int(machine.limits.frame_s * 1e9))
    findings = (*verification.frames.findings, *dict.fromkeys(odd))
    frames = replace(verification.frames, findings=findings, evidence=tuple(kept.evidence))
    return Pictures(verification, frames, tuple(kept.film), len(checked) / max(seconds, 1e-9), first)


def _due(trace: Trace, asked_ns: list[int], first: int) -> list[int | None]:
    """For each picture the newest frame flushed before it was asked for: the picture must not be older.

    Every frame is flushed once at its top stamp, transferred or not.
    """
    flushes = trace.of(FLUSH)
    tops_ns = flushes.time_ns[flushes.args["y"] == 0] if "y" in flushes.args else flushes.time_ns
    counts = np.searchsorted(np.sort(tops_ns), asked_ns, side="right")
    return [first + int(count) - 1 if count else None for count in counts]


def _geometry(machine: Qemu, one: Checked, picture: Image) -> list[str]:
    """What is odd about the wheel, and about how it turns until a second picture taken at once."""
    problems = [f"frame {one.frame}: {problem}" for problem in geometry_problems(picture)]
    after = _capture(machine).pixels
    later = decode_frame(after)
    if one.frame is not None and later is not None and 1 <= later - one.frame <= 2 and not problems:
        problem = rotation_problem(picture, after, later - one.frame)
        problems += [f"frame {one.frame}: {problem}"] if problem else []
    return problems


def _capture(machine: Qemu) -> Picture:
    with machine.watched():
        return screendump(machine.qmp, machine.folder)


def _keep(kept: _Kept, one: Checked, picture: Image, oracle: Oracle) -> None:
    """Bad frames as they were, with what they should have been; small copies of good ones for the film."""
    if one.kind is FrameClass.INTACT:
        if len(kept.film) < FILM_FRAMES:
            scale = FILM_WIDTH_PX / picture.shape[1]
            small = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
            kept.film.append(kept.save(f"film-{len(kept.film):02d}.png", small))
        return
    if len(kept.evidence) >= EVIDENCE_MAX:
        return
    name = f"{len(kept.evidence):02d}-{one.kind.value}"
    if one.frame is not None:
        kept.save(f"{name}-expected.png", oracle.picture(one.frame))
        kept.evidence.append(
            kept.save(f"{name}-difference.png", difference_picture(picture, oracle.picture(one.frame)))
        )
        kept.save(f"{name}.png", picture)
    else:
        kept.evidence.append(kept.save(f"{name}.png", picture))
