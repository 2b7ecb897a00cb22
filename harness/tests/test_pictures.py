"""The verification window against a machine that shows what a test sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.core.arrays import Image
from harness.gate.measuring import pictures as stage
from harness.gate.measuring.pictures import Pictures, load_verification, picture_incidents, verify_pictures
from harness.model.errors import GuestError
from harness.model.spec import FOREIGN, RunParams, RunSpec
from harness.platform.pictures.capture import CaptureError, Screendump
from harness.platform.pictures.golden import scene_hash
from harness.platform.pictures.oracle import Oracle

Show = Callable[[int], Image]

MODE = (320, 240)
FRAME_NS = 2_000_000


@dataclass
class FakeMachine:
    """Draws a frame every two milliseconds of a clock of its own; a capture takes three of them."""

    spec: RunSpec
    folder: Path
    show: Show
    scene: str = field(default_factory=scene_hash)
    dies_at: int = 1 << 30
    captures: int = 0
    frame: int = 0

    def __post_init__(self) -> None:
        self.frame = self.spec.params.first or 0
        self.first = self.frame
        self.folder.mkdir(parents=True, exist_ok=True)
        self.trace_path = self.folder / "trace.log"
        self.limits = self.spec.limits
        boot = f"[BOOT] kernel=roulette scene={self.scene}\n".encode()
        self.console = SimpleNamespace(content=lambda: boot, check=lambda: None)
        self.display = None

    def check(self) -> None:
        """Nothing from outside has happened to it."""

    def __enter__(self) -> "FakeMachine":
        return self

    def __exit__(self, *_: object) -> None:
        lines = [
            f"1@1700000000.{(index * FRAME_NS) // 1000:06d}:virtio_gpu_cmd_res_flush res 0x1, w 320, h 240, x 0, y 0\n"
            for index in range(self.frame - self.first + 1)
        ]
        self.trace_path.write_text("".join(lines))

    def wait_first_flush(self) -> None:
        pass

    def capture(self, head: int = 0) -> Screendump:
        if self.captures >= self.dies_at:
            raise GuestError("the guest ended while it was watched")
        self.captures += 1
        self.frame += 2
        at_ns = 1_700_000_000 * 10**9 + (self.frame - self.first) * FRAME_NS + 1000
        return Screendump(self.show(self.frame), at_ns, at_ns + 1000)


def run(
    monkeypatch: pytest.MonkeyPatch, root: Path, show: Show, count: int = 30, foreign: bool = False, **machine: object
) -> Pictures:
    made: list[FakeMachine] = []

    def start(spec: RunSpec, folder: Path, events: object) -> FakeMachine:
        made.append(FakeMachine(spec, folder, show, **machine))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(stage, "Qemu", start)
    monkeypatch.setattr(stage, "take_picture", FakeMachine.capture)
    monkeypatch.setattr(stage, "PAUSE_MAX_S", 0.0)
    spec = RunSpec(Path("kernel.elf"), params=RunParams(mode=MODE))
    if foreign:
        spec = replace(spec, capabilities=FOREIGN)
    return verify_pictures(spec, root, count, 1, lambda text: None)


@pytest.mark.slow
def test_good_frames_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run(monkeypatch, tmp_path, Oracle(*MODE).picture)
    assert (found.frames.checked, found.frames.intact, found.frames.findings) == (30, 30, ())
    assert found.verification.sentence.startswith("30 of 30 pictures right") and not found.verification.judged
    assert picture_incidents(found) == [] and len(found.film) == stage.FILM_FRAMES


@pytest.mark.slow
def test_a_bad_pixel_fails_with_evidence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    oracle = Oracle(*MODE)

    def show(frame: int) -> Image:
        picture = oracle.picture(frame)
        picture[100, 50] ^= np.uint8(frame % 5 == 0)
        return picture

    found = run(monkeypatch, tmp_path, show)
    assert found.frames.corrupt == found.frames.bad > 0
    assert "1 pixel at 50,100" in found.frames.findings[0]
    assert found.frames.evidence and all((tmp_path / name).exists() for name in found.frames.evidence)
    assert len(list((tmp_path / "pictures").glob("00-corrupt*.png"))) == 3


@pytest.mark.slow
def test_an_old_picture_is_stale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    oracle = Oracle(*MODE)
    found = run(monkeypatch, tmp_path, lambda frame: oracle.picture(frame - 3 * (frame % 5 == 0)))
    assert found.frames.stale > 0 and found.frames.bad == found.frames.stale
    assert "was due" in found.frames.findings[0]


def test_bad_enough_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run(monkeypatch, tmp_path, lambda frame: np.zeros((240, 320, 3), np.uint8), count=500)
    assert found.frames.blank == found.frames.checked == stage.BAD_ENOUGH
    assert len(found.frames.evidence) == stage.EVIDENCE_MAX


@pytest.mark.slow
def test_a_wheel_that_turns_back_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kernel and oracle agree, the geometry does not: time runs backwards in both."""
    oracle = Oracle(*MODE)
    forwards = Oracle.picture

    def backwards(self: Oracle, frame: int) -> Image:
        picture = forwards(self, 700 - frame % 600)
        stamps = forwards(self, frame)
        picture[:4], picture[-4:] = stamps[:4], stamps[-4:]
        return picture

    monkeypatch.setattr(Oracle, "picture", backwards)
    found = run(monkeypatch, tmp_path, oracle.picture, count=200)
    assert found.frames.bad == 0
    assert any("counter-clockwise" in text for text in found.frames.findings)


@pytest.mark.slow
def test_another_scene_is_judged_and_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run(monkeypatch, tmp_path, lambda frame: Oracle(*MODE, 9).picture(frame), scene="0123456789abcdef")
    assert found.frames.intact == 30 and found.verification.judged
    assert "without an oracle" in found.verification.sentence


def test_a_foreign_kernel_is_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    found = run(monkeypatch, tmp_path, lambda frame: noise, count=10, foreign=True)
    assert found.frames.corrupt == 10 and found.verification.judged
    assert found.frames.findings[0].startswith("judged noise")


@pytest.mark.slow
def test_a_guest_that_dies_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="ended while it was watched"):
        run(monkeypatch, tmp_path, Oracle(*MODE).picture, dies_at=5)


def test_a_changed_scene_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stage, "golden_problem", lambda: "the scene no longer draws frame 0 at 320x240 as approved")
    found = run(monkeypatch, tmp_path, Oracle(*MODE).picture)
    assert found.frames.bad == 0 and "as approved" in found.frames.findings[0]


def spoilt(frame: int) -> Image:
    """One bad pixel, a tear and an old picture in every twenty frames."""
    oracle = Oracle(*MODE)
    picture = oracle.picture(frame - 3 * (frame % 20 == 7))
    picture[100, 50] ^= np.uint8(frame % 20 == 1)
    if frame % 20 == 3:
        picture[120:] = oracle.picture(frame - 1)[120:]
    return picture


@pytest.mark.slow
def test_a_saved_run_is_verified_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run(monkeypatch, tmp_path, spoilt, count=60)
    assert min(found.frames.corrupt, found.frames.torn, found.frames.stale) > 0
    assert load_verification(tmp_path) == found.verification


def test_a_judged_run_is_verified_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run(monkeypatch, tmp_path, Oracle(*MODE).picture, foreign=True)
    assert load_verification(tmp_path) == found.verification and found.verification.judged


def _one_wrong_pixel(frame: int) -> Image:
    picture = Oracle(*MODE).picture(frame)
    picture[100, 50] ^= 1
    return picture


@pytest.mark.parametrize("name", ["00-corrupt.png", "00-corrupt-expected.png", "captures.json"])
@pytest.mark.slow
def test_a_saved_run_with_a_damaged_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    run(monkeypatch, tmp_path, _one_wrong_pixel, count=3)
    path = tmp_path / "pictures" / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CaptureError, match=name.split(".")[0]):
        load_verification(tmp_path)
    path.unlink()
    with pytest.raises(CaptureError, match=name):
        load_verification(tmp_path)


@pytest.mark.slow
def test_a_kept_picture_must_show_what_was_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(monkeypatch, tmp_path, _one_wrong_pixel, count=3)
    folder = tmp_path / "pictures"
    (folder / "00-corrupt.png").write_bytes((folder / "00-corrupt-expected.png").read_bytes())
    with pytest.raises(CaptureError, match="does not show what was noted: 1 pixel"):
        load_verification(tmp_path)
