"""The verification window: captures at random moments of a run of their own, every pixel compared.

Nothing is timed here. The run starts at a random frame number, so that many runs cover every phase of a spin;
each capture is judged against the oracle's picture of the frame that it claims to be, and against the frame that the
trace says was due.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from harness.core.arrays import DrawFrame, Image
from harness.core.device.cursor import shape_problem
from harness.core.device.trace import FLUSH, Trace, parse_trace
from harness.core.pictures.captures import (
    CAPTURES_FILE,
    CapturesError,
    SavedCapture,
    SavedCaptures,
    captures_from_json,
    captures_to_json,
)
from harness.core.pictures.damage import Damage, difference_picture, find_damage
from harness.core.pictures.frames import Capture, CheckedPicture, FrameClass, Verification, check_picture
from harness.core.pictures.geometry import geometry_problems, rotation_problem
from harness.core.pictures.golden_features import Golden
from harness.core.pictures.rounding import ROUNDED, Settle, settle_nothing, settle_rounding
from harness.core.pictures.screen import changes_left_out
from harness.core.pictures.stamp import decode_frame
from harness.core.pictures.unknown_pictures import judge_picture, judge_sequence
from harness.gate.measuring.target_oracle import BY_ORACLE, oracle_judge
from harness.gate.measuring.target_pictures import (
    NEVER_NS,
    GoldenJudge,
    SeenPictures,
    has_ended,
    may_be_blank,
    may_stand_still,
)
from harness.model.errors import QemuError
from harness.model.record import Cause, Incident
from harness.model.result import Frames
from harness.model.spec import RunSpec, Verdict
from harness.platform.files.bounded import read_bounded
from harness.platform.host.hostclock import ClockWatch
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.machine.readiness import wait_ready
from harness.platform.machine.rfb import Viewer
from harness.platform.machine.trace_file import read_trace
from harness.platform.pictures.capture import CaptureError, Screendump
from harness.platform.pictures.golden import golden_problem, scene_hash
from harness.platform.pictures.oracle import DEFAULT_SEED, Oracle
from harness.platform.pictures.picture_file import read_bgr
from harness.platform.pictures.screen import take_picture

EVIDENCE_MAX = 12
"""Bad frames kept as pictures."""
FILM_FRAMES = 24
FILM_WIDTH_PX = 384
PAUSE_FRAMES, PAUSE_S, PAUSE_MAX_S = 6.0, 0.008, 0.03
"""Longest random pause between captures, in frames, and its bounds in seconds. With pauses shorter than a frame,
captures would meet a fault of every fifth frame always or never when the guest runs in step with the host's time
slices."""
DRAWN_POLL_S = 0.1
FIRST_FRAME_MAX = 5000
RUN_S = 120.0
BAD_ENOUGH = 40
"""After this many bad frames, more would add nothing."""
GEOMETRY_EVERY = 20
"""One intact picture of this many is measured without the scene's code, with the next frame for the rotation."""


@dataclass(frozen=True)
class Pictures:
    """Results of the verification."""

    verification: Verification
    frames: Frames
    """With the paths of the evidence, relative to the run's folder."""
    film: tuple[str, ...] = ()
    """Small captures in order, for the animated picture."""
    captured_per_s: float = 0.0
    cut_short: bool = False
    """Time was up before as many were captured as had been asked for."""


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


def picture_incidents(pictures: Pictures) -> list[Incident]:
    """Incidents of bad frames, by class."""
    return [Incident(Verdict.GUEST_FAILED, text, Cause.PICTURE) for text in pictures.frames.findings]


@dataclass(frozen=True)
class _Taken:
    """The kept part of a capture: when it was asked for, its middle, and a CRC of its bytes."""

    before_ns: int
    time_ns: int
    crc: int
    evidence: str
    """How the names of the pictures kept of it begin; empty when none were."""


class _PictureRun:
    """One run of the guest while it is captured, and what was found so far."""

    def __init__(self, machine: Qemu, kept: _Kept, judge: GoldenJudge) -> None:
        self.machine = machine
        self.kept = kept
        self.judge = judge
        boot = _boot_words(machine)
        self.oracle = _oracle_for(machine, boot)
        self.cursor = boot.get("cursor") == "hw"
        shown_on = boot.get("heads", "1")
        self.heads = min(int(shown_on) if shown_on.isdecimal() else 1, machine.spec.machine.heads)
        """Each shows every frame; they are captured in turn."""
        self.settle: Settle = settle_rounding if boot.get("draw") == "gpu" else settle_nothing
        self.foreign = oracle_judge(machine, kept.folder / "oracle")
        """The target's own oracle."""
        self.checked: list[CheckedPicture] = []
        self.taken: list[_Taken] = []
        self.odd: list[str] = []
        self._seen = SeenPictures(kept.folder if machine.spec.target is not None else None)

    @property
    def expected(self) -> DrawFrame | None:
        """What every frame must look like; None where that is unknown."""
        if self.foreign is not None:
            return self.foreign.picture
        return self.oracle.picture if self.oracle is not None else None

    def _check(self, picture: Screendump) -> CheckedPicture:
        if self.foreign is not None:
            return self.foreign.judge(picture.pixels, picture.before_ns, picture.after_ns)
        if self.oracle is not None:
            return check_picture(picture.pixels, self.oracle.picture, self.settle)
        return self.judge.judge(picture.pixels)

    def wait_drawn(self, most_s: float) -> None:
        """Return when the guest shows what can be judged, or after this time: then whatever it shows is judged."""
        if self.oracle is not None:
            self.odd += [problem for problem in [golden_problem()] if problem]
        elif not may_be_blank(self.machine.spec.target):
            _wait_drawn(self.machine, most_s)

    def capture(self) -> None:
        """Take and check one picture."""
        head = len(self.checked) % self.heads if self.machine.display is None else 0
        picture = take_picture(self.machine, head)
        oracle = self.oracle
        one = self._check(picture)
        if head and one.why:
            one = replace(one, why=f"head {head}: {one.why}")
        self.checked.append(one)
        shown = self.foreign.masked(picture.pixels) if self.foreign else picture.pixels
        evidence = _keep(self.kept, one, shown, self.expected)
        crc = zlib.crc32(np.ascontiguousarray(picture.pixels).data)
        self._seen.add(crc, one, picture.pixels)
        self.taken.append(_Taken(picture.before_ns, picture.time_ns, crc, evidence))
        if oracle and one.kind is FrameClass.INTACT and len(self.checked) % GEOMETRY_EVERY == 1:
            self.odd += _geometry(self.machine, one, picture.pixels)

    def see_cursor(self) -> None:
        """The cursor's image as a viewer gets it, where the machine may have one."""
        machine = self.machine
        if self.cursor and machine.spec.machine.viewer is not None:
            with machine.watched(), Viewer(machine.qmp, machine.limits.qmp_s) as viewer:
                shape = viewer.wait_cursor()
            problem = shape_problem(shape.hot, shape.pixels)
            self.odd += [problem] if problem else []

    def due_frames(self, clock: ClockWatch, first: int) -> list[int | None]:
        """The frame that was due at each picture, by the trace, which also says what changed off the screen."""
        machine, due = self.machine, [None] * len(self.taken)
        if self.oracle is None:
            return [*due]
        trace = parse_trace(read_trace(machine.trace_path, machine.limits))
        if trace.unreadable:
            raise QemuError(trace.unreadable, machine.trace_path)
        self.odd += changes_left_out(trace, first, self.oracle.picture, machine.spec.params.mode)
        # A clock that was set says nothing of which frame was due.
        if clock.problem() or trace.clock_steps:
            return [*due]
        return _due(trace, [one.before_ns for one in self.taken], first)

    def saved(self, due: Sequence[int | None]) -> SavedCaptures:
        """The captures as they are stored, and judged again from."""
        checked, judged = self.checked, self.expected is None
        frozen_after_ns = NEVER_NS
        if not may_stand_still(self.machine.spec.target):
            frozen_after_ns = int(self.machine.limits.frame_s * 1e9)
        if judged:
            prints, times_ns = [one.crc for one in self.taken], [one.time_ns for one in self.taken]
            checked = judge_sequence(checked, prints, times_ns, frozen_after_ns)
            self.odd += self.judge.findings()
        captures = (
            SavedCapture(Capture(one, shot.time_ns, newest), shot.crc, shot.evidence)
            for one, shot, newest in zip(checked, self.taken, due, strict=True)
        )
        rounded = self.oracle is not None and self.settle is settle_rounding
        words = self.judge.words if judged else BY_ORACLE if self.foreign else ROUNDED if rounded else ""
        return SavedCaptures(tuple(captures), frozen_after_ns, judged=judged, judged_as=words, rounded=rounded)


def verify_pictures(
    spec: RunSpec,
    root: Path,
    count: int,
    random_state: int,
    progress: Callable[[str], None],
    golden: Sequence[Golden] = (),
    limit_s: float = math.inf,
) -> Pictures:
    """Capture and check ``count`` frames of one run.

    A kernel whose scene no oracle of this tree knows (another project's, or another revision's) is judged from its
    pictures alone, and the result says so.

    Parameters
    ----------
    root
        The run's folder; evidence goes to ``pictures/``, QEMU's files to ``pictures/run``.
    golden
        Common features of the golden pictures of a kernel without oracle, for each size of theirs.
    limit_s
        Nothing more is captured when this much time has passed.

    Raises
    ------
    GuestError
        When the guest dies while it is watched.
    """
    rng = np.random.default_rng(random_state)
    first = int(rng.integers(FIRST_FRAME_MAX))
    if spec.capabilities.command_line:
        spec = replace(spec, params=replace(spec.params, seconds=RUN_S, records=0, first=first))
    clock, entered = ClockWatch(), time.monotonic()
    with Qemu(spec, root / "pictures" / "run", TIMING_EVENTS) as machine:
        wait_ready(machine)
        run = _PictureRun(machine, _Kept(root / "pictures", root), GoldenJudge(golden, spec.target))
        run.wait_drawn(limit_s / 2)
        begun = time.monotonic()
        while wanted(run.checked, count) and time.monotonic() - entered < limit_s:
            time.sleep(float(rng.uniform(0, _pause_max_s(run.checked, time.monotonic() - begun))))
            if run.checked and has_ended(machine):
                break
            run.capture()
            progress(f"pictures: {len(run.checked)} of {count} checked")
        run.see_cursor()
        seconds, cut_short = time.monotonic() - begun, wanted(run.checked, count)
        machine.check()
    saved = run.saved(run.due_frames(clock, first))
    kept = run.kept
    (kept.folder / CAPTURES_FILE).write_text(captures_to_json(saved), encoding="utf-8")
    verification = saved.verify()
    findings = (*verification.frames.findings, *dict.fromkeys(run.odd))
    frames = replace(verification.frames, findings=findings, evidence=tuple(kept.evidence))
    return Pictures(verification, frames, tuple(kept.film), len(run.checked) / max(seconds, 1e-9), cut_short)


def wanted(checked: Sequence[CheckedPicture], count: int) -> bool:
    """More pictures would tell more."""
    return len(checked) < count and sum(one.kind is not FrameClass.INTACT for one in checked) < BAD_ENOUGH


def _pause_max_s(checked: list[CheckedPicture], seconds: float) -> float:
    """Longest pause before the next capture, by the frames that the guest has shown so far."""
    frames = [one.frame for one in checked if one.frame is not None]
    frame_s = seconds / max(frames[-1] - frames[0], 1) if frames else 0.0
    return min(max(PAUSE_FRAMES * frame_s, PAUSE_S), PAUSE_MAX_S)


def _wait_drawn(machine: Qemu, most_s: float) -> None:
    """Wait until another kernel, which may show an empty screen before it draws, has shown something; not for ever."""
    ends_s = time.monotonic() + min(machine.limits.first_frame_s, most_s)
    while judge_picture(take_picture(machine).pixels).kind is FrameClass.BLANK and time.monotonic() < ends_s:
        time.sleep(DRAWN_POLL_S)


def _boot_words(machine: Qemu) -> dict[str, str]:
    """What [BOOT] says of the kernel, by its keys."""
    boot = next((line for line in machine.console.content().splitlines() if line.startswith(b"[BOOT]")), b"")
    pairs = [word.decode("utf-8", "replace").partition("=") for word in boot.split()]
    return {key: value for key, _, value in reversed(pairs)}


def _oracle_for(machine: Qemu, boot: Mapping[str, str]) -> Oracle | None:
    """The oracle of the kernel's frames; None when no oracle of this tree knows."""
    spec = machine.spec
    if not spec.capabilities.oracle or boot.get("scene", scene_hash()) != scene_hash():
        return None
    return Oracle(*spec.params.mode, DEFAULT_SEED if spec.params.seed is None else spec.params.seed)


def load_verification(root: Path) -> Verification:
    """Verify a saved run again: the captures in their order, and the pictures that were kept.

    Raises
    ------
    CaptureError
        When a file is missing or damaged, or a kept picture does not show the damage that was noted.
    """
    folder = root / "pictures"
    try:
        saved = captures_from_json(read_bounded(folder / CAPTURES_FILE).decode())
    except (OSError, UnicodeDecodeError, CapturesError) as error:
        raise CaptureError(f"pictures/{CAPTURES_FILE} cannot be used: {error}") from error
    settle = settle_rounding if saved.rounded else settle_nothing
    for one in saved.captures:
        damage = one.capture.checked.damage
        if one.evidence and damage is not None:
            shown, expected = (_load(folder / f"{one.evidence}{end}.png") for end in ("", "-expected"))
            settled = settle(shown, expected)
            if shown.shape != expected.shape or find_damage(settled, expected) != _without_origin(damage):
                raise CaptureError(f"pictures/{one.evidence}.png does not show what was noted: {damage.words}")
    return saved.verify()


def _without_origin(damage: Damage) -> Damage:
    """The damage with the cause that a single frame shows; the origin of stale pixels needs the frames before it."""
    return replace(damage, cause="") if damage.cause.startswith("these pixels") else damage


def _load(path: Path) -> Image:
    try:
        picture = read_bgr(path)
    except OSError as error:
        raise CaptureError(f"pictures/{path.name} cannot be read: {error.strerror}") from error
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _due(trace: Trace, asked_ns: list[int], first: int) -> list[int | None]:
    """For each picture the newest frame flushed before it was asked for: the picture must not be older.

    Every frame is flushed once at its top stamp, transferred or not.
    """
    flushes = trace.of(FLUSH)
    tops_ns = flushes.time_ns[flushes.args["y"] == 0] if "y" in flushes.args else flushes.time_ns
    counts = np.searchsorted(np.sort(tops_ns), asked_ns, side="right")
    return [first + int(count) - 1 if count else None for count in counts]


def _geometry(machine: Qemu, one: CheckedPicture, picture: Image) -> list[str]:
    """Faults of the wheel, and of its rotation until a second picture taken at once."""
    problems = [f"frame {one.frame}: {problem}" for problem in geometry_problems(picture)]
    after = take_picture(machine).pixels
    later = decode_frame(after)
    if one.frame is not None and later is not None and 1 <= later - one.frame <= 2 and not problems:
        problem = rotation_problem(picture, after, later - one.frame)
        problems += [f"frame {one.frame}: {problem}"] if problem else []
    return problems


def _keep(kept: _Kept, one: CheckedPicture, picture: Image, draw: DrawFrame | None) -> str:
    """Bad frames as they were, with what they should have been; small copies of good ones for the film.

    Returns how the names of a bad frame's pictures begin, or nothing.
    """
    if one.kind is FrameClass.INTACT:
        if len(kept.film) < FILM_FRAMES:
            scale = FILM_WIDTH_PX / picture.shape[1]
            small = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
            kept.film.append(kept.save(f"film-{len(kept.film):02d}.png", small))
        return ""
    if len(kept.evidence) >= EVIDENCE_MAX:
        return ""
    name = f"{len(kept.evidence):02d}-{one.kind.value}"
    shown = kept.save(f"{name}.png", picture)
    expected = draw(one.frame) if draw is not None and one.frame is not None else None
    if expected is not None and expected.shape == picture.shape:
        kept.save(f"{name}-expected.png", expected)
        shown = kept.save(f"{name}-difference.png", difference_picture(picture, expected))
    kept.evidence.append(shown)
    return name
