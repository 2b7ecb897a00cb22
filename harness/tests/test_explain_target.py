"""Kernels that a file describes, from launch to advice and verdict: ``explain TARGET=``, and golden pictures."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.explain.manners.manner import DriverManner
from harness.explain.manners.watch import DriverAnswer
from harness.platform.pictures.screen import take_picture
from harness.tests.fuzz import FULL
from harness.tests.guestrun import build_guest, running_guest
from harness.tests.programs import run_harness

TARGET = """
arch = "riscv64"
machine = "virt"
args = "-global virtio-mmio.force-legacy=false"
image = { kernel = "IMAGE" }
gpu = "virtio-gpu-device"
memory = 128
settle_s = 0.2
"""
GOLDEN_COUNT = 40


def a_target(folder: Path, guest: str, more: str = "") -> Path:
    image = build_guest(guest, folder / "out")
    path = folder / f"{guest}.toml"
    path.write_text(TARGET.replace("IMAGE", str(image)) + more, encoding="utf-8")
    return path


def said_by(folder: Path, *words: str, limit_s: float = 150) -> tuple[int, str]:
    ended = run_harness(*words, environment={**os.environ, "HARNESS_RESULTS": str(folder / "results")}, limit_s=limit_s)
    return ended.code, ended.said


@pytest.mark.qemu
def test_a_habit_is_advised_against_on_the_terminal_and_the_page(tmp_path: Path) -> None:
    code, said = said_by(tmp_path, "explain", f"TARGET={a_target(tmp_path, 'unflushed')}", "QUICK=1")
    assert code == 0, said
    assert "unflushed transfers: " in said and "-> Flush what was transferred" in said
    (page,) = (tmp_path / "results").glob("2*-explain/report.html")
    assert "Flush what was transferred" in page.read_text(encoding="utf-8")
    result = json.loads((page.parent / "result.json").read_text(encoding="utf-8"))
    manners = {one["rule"]: one for one in result["details"]["manners"]}
    assert manners["unflushed transfers"]["advice"] and not manners["launches"]["looked"]


@pytest.mark.qemu
def test_the_limits_of_a_target_hold_while_its_driver_is_watched(tmp_path: Path) -> None:
    path = a_target(tmp_path, "prompt", "limits = { first_frame_s = 3 }\n")
    code, said = said_by(tmp_path, "explain", f"TARGET={path}", "QUICK=1")
    assert code == 3 and "no frame within 3 s of the launch (limits.first_frame_s in prompt.toml" in said, said


def save_golden(folder: Path) -> None:
    """Pictures of the clean guest, as a person would have approved them."""
    rng = np.random.default_rng(1)
    (folder / "golden").mkdir()
    with running_guest(build_guest("clean", folder / "out"), folder / "clean") as machine:
        machine.wait_first_flush()
        for number in range(GOLDEN_COUNT):
            picture = cv2.cvtColor(take_picture(machine).pixels, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(folder / "golden" / f"{number}.png"), picture)
            time.sleep(float(rng.uniform(0, 0.06)))


@pytest.mark.qemu
def test_golden_pictures_name_what_is_wrong_and_let_what_is_right_pass(tmp_path: Path) -> None:
    save_golden(tmp_path)
    known = 'pictures = { golden = "golden", static = "no", blank = "no" }\n'
    words = ("STAGES=window,pictures", "PICTURES=12", "BUDGET=25")
    # The other one is named beside an oracle, in test_command_oracle.
    wrong = {"stride": "wrong stride: rows are written 648 px long and shown 640 px long"}
    if FULL:
        wrong["swapped"] = "swapped channels: B shown as R, R shown as B"
    code, said = said_by(tmp_path, "perf", f"TARGET={a_target(tmp_path, 'clean', known)}", *words)
    assert code == 0 and "like the golden pictures, not blank, not frozen, not noise" in said, said
    for guest, cause in wrong.items():
        code, said = said_by(tmp_path, "perf", f"TARGET={a_target(tmp_path, guest, known)}", *words)
        assert code == 3 and cause in said, said


@pytest.mark.qemu
def test_without_golden_pictures_the_sentence_says_so(tmp_path: Path) -> None:
    words = ("STAGES=window,pictures", "PICTURES=12", "BUDGET=20")
    code, said = said_by(tmp_path, "perf", f"TARGET={a_target(tmp_path, 'dither')}", *words)
    assert code == 0 and "not noise; no golden pictures yet" in said and "pictures right" not in said, said


@pytest.mark.slow
def test_switches_have_no_meaning_beside_a_target(tmp_path: Path) -> None:
    code, said = said_by(tmp_path, "explain", "TARGET=builtin", "BARRIER=linux")
    assert code == 2 and "TARGET" in said


@pytest.mark.slow
def test_a_kernel_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, said = said_by(tmp_path, "explain", "KERNEL=/nowhere/kernel.elf")
    assert code == 2 and "/nowhere/kernel.elf" in said


def test_the_sentence_counts_what_was_looked_at() -> None:
    fine, bad = DriverManner("waits", "0 of 9"), DriverManner("buffers", "1 buffer", "Use more.")
    unseen = DriverManner("launches", "not looked at", looked=False)
    assert DriverAnswer((fine, unseen), 2.0).sentence == "nothing to improve by 1 rules"
    assert DriverAnswer((fine, bad, unseen), 2.0).sentence == "1 of 2 rules has advice: buffers"
