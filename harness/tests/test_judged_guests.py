"""The gate on stand-in kernels under a real QEMU: none of the clean ones fails, each planted mistake is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.tests.test_explain_target import a_target, said_by

pytestmark = [pytest.mark.qemu, pytest.mark.full]

RUN = ("STAGES=window,pictures", "PICTURES=20", "BUDGET=60")
CLEAN: Mapping[str, str] = {
    "clean": "",
    "clean_steps": "",
    "clean_dirty": "frame = { pace = 50 }",
    "dirty_fast": "",
    "iterations": "",
    "fenced": "",
    "mmio_spin": "",
    "asks": "",
    "per_pixel": "",
    "late_publish": "",
    "bands": "",
    "double_flush": "",
    "flip": "",
    "unflushed": "",
    "cursor": "",
    "prompt": 'input = [["guest> $", "go\\n"]]',
    "chatty": "",
    "silent": "",
    "still": "",
    "static": "",
    "dither": "",
    "text": "",
    "blank": "",
    "slow": "",
    "tick": "",
    "paced": "frame = { pace = 30 }",
    "logo": 'ready = "wheel starts"',
    "mode_change": "",
    "mode_flips": "",
    "columns": "",
}
"""With what their files hold besides; habits that cost time are not faults of the picture."""
NAMED: tuple[tuple[str, str, str], ...] = (
    ("panics", 'serial = { panic = "Kernel panic" }', "the guest panicked: .*Kernel panic"),
    ("unchecked", "", "the device refused"),
    ("blank", 'pictures = { blank = "no" }', "one colour everywhere"),
    ("still", 'pictures = { static = "no" }\nlimits = { frame_s = 2 }', "neither a frame nor a serial line for 2 s"),
    ("still", "gates = { fps_floor = 10 }", "stands still: no new frame in .* s.*, which is below the floor of 10"),
    ("prompt", "limits = { first_frame_s = 3 }", "if that is a prompt, input ="),
    ("paced", "frame = { pace = 60 }", "does not keep its pace of 60|cannot tell whether it keeps its pace"),
    ("torn", 'frame = { by = "stamp" }', "torn"),
    ("slow", "gates = { fps_floor = 10 }", "is below the floor of 10"),
    ("slow", "gates = { p99_ms = 400 }", "too few for it, 100 are needed, and the longest took .* of which 400 are"),
)
STILL = ("still",)
"""Whose sentence says that no frame came."""


@pytest.mark.parametrize("name", list(CLEAN))
def test_a_clean_one_passes(name: str, tmp_path: Path) -> None:
    code, said = said_by(tmp_path, "perf", f"TARGET={a_target(tmp_path, name, CLEAN[name])}", *RUN)
    if code == 4 and "pace" in CLEAN[name]:
        assert "cannot tell whether it keeps its pace" in said, said
        return
    assert code == 0 and "approve to gate on change" in said, said
    assert ("the screen stands still: no new frame in" in said) is (name in STILL), said


@pytest.mark.parametrize(("name", "more", "says"), NAMED)
def test_a_mistake_is_named(name: str, more: str, says: str, tmp_path: Path) -> None:
    code, said = said_by(tmp_path, "perf", f"TARGET={a_target(tmp_path, name, more)}", *RUN)
    assert code != 0 and re.search(says, said), said
