"""Approving a target: the person sees the pictures; small images go beside the file, large ones to the store."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.core.comparison.statistics import CANDIDATE
from harness.gate.approved import target_approval
from harness.gate.approved.references import NoBaseline
from harness.gate.approved.target_approval import PAGE_FILE, approve_target
from harness.gate.approved.target_kernels import arm_of
from harness.gate.approved.target_references import PICTURES_DIR, find_target_reference
from harness.model.record import RunRecord
from harness.model.result import Frames, Result
from harness.model.spec import RunParams, Verdict
from harness.model.target_baseline import SMALL_BYTES
from harness.platform.kernels.targets import read_target
from harness.tests.printer import Transcript
from harness.tests.test_nightly import matrix, result


def a_run(folder: Path, kernel: bytes) -> tuple[Path, Result]:
    """A finished first run of a target, with its pictures."""
    (folder / "k.elf").write_bytes(kernel)
    (folder / "mine.toml").write_text('image = { kernel = "k.elf" }\n', encoding="utf-8")
    place = folder / "run"
    (place / "pictures").mkdir(parents=True)
    for number in range(5):
        picture = np.full((48, 64, 3), 40 * number, np.uint8)
        cv2.imwrite(str(place / "pictures" / f"seen-{number:02d}.png"), picture)
    arm = arm_of(CANDIDATE, read_target(str(folder / "mine.toml")), str(folder / "mine.toml"))
    plain = result(matrix().cells[0])
    arms = {CANDIDATE: replace(plain.arms[CANDIDATE], switches={}, kernel_sha256=arm.sha256)}
    run = RunRecord(RunParams(), target=arm.record)
    return place, replace(plain, arms=arms, runs={CANDIDATE: run}, frames=Frames(checked=5, intact=5))


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_approval, "RESULTS_DIR", tmp_path / "results")
    (tmp_path / "results").mkdir()


def test_a_page_shows_every_picture_that_is_approved(tmp_path: Path) -> None:
    place, done = a_run(tmp_path, b"kernel")
    out = Transcript()
    assert approve_target(place, done, "first", None, out) is Verdict.PASS
    (said,) = [line for line in out.said if "look at" in line]
    assert said == f"5 pictures are approved with it: look at {place / PAGE_FILE}"
    page = (place / PAGE_FILE).read_text(encoding="utf-8")
    assert page.count("<img") == 5 and "seen-04.png, 64x48" in page and "mine: 5 pictures are approved" in page
    assert len(list((tmp_path / "mine.baseline" / PICTURES_DIR).glob("*.png"))) == 5


@pytest.mark.parametrize("size", [100, SMALL_BYTES + 1])
def test_a_large_image_goes_to_the_store_and_is_found_there_alone(size: int, tmp_path: Path) -> None:
    kernel = b"k" * size
    place, done = a_run(tmp_path, kernel)
    store = tmp_path / "store"
    assert approve_target(place, done, "first", store, Transcript()) is Verdict.PASS
    large = size > SMALL_BYTES
    assert (store / hashlib.sha256(kernel).hexdigest()).is_file() is large
    target = read_target(str(tmp_path / "mine.toml"))
    (tmp_path / "k.elf").write_bytes(b"another")
    assert find_target_reference(target, store).kernel.sha256 == done.arms[CANDIDATE].kernel_sha256
    if large:
        with pytest.raises(NoBaseline, match="is not in .*elsewhere: BASELINE_STORE= names another folder"):
            find_target_reference(target, tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("change", "says"), [("reason", "a reason is needed"), ("image", "is not the kernel that was")]
)
def test_what_is_not_approved_leaves_no_baseline(change: str, says: str, tmp_path: Path) -> None:
    place, done = a_run(tmp_path, b"kernel")
    if change == "image":
        (tmp_path / "k.elf").write_bytes(b"changed since")
    out = Transcript()
    assert approve_target(place, done, "" if change == "reason" else "first", None, out) is Verdict.USAGE
    assert any(says in line for line in out.said) and not (tmp_path / "mine.baseline").exists()
