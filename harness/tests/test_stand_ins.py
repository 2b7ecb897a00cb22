"""Small kernels with the habits of others, run for real: what trace, serial line and screen show of each."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from harness.core.arrays import Image
from harness.core.device.frametimes import presented_frames
from harness.core.device.trace import FLUSH, SET_SCANOUT, TRANSFER_2D, Trace, parse_trace
from harness.core.pictures.stamp import decode_stamps
from harness.platform.pictures.screen import take_picture
from harness.tests.guestrun import GUEST_ARCHES, GUESTS, build_guest, guest_names, run_guest, running_guest

pytestmark = pytest.mark.qemu

TORN_PICTURES = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guests")


def traced(name: str, folder: Path, seconds: float = 0.6, arch: str = "riscv64") -> Trace:
    return parse_trace(run_guest(name, folder, seconds, arch).trace_path.read_bytes())


def pictures(name: str, folder: Path, count: int = 3, longest_s: float = 0.2) -> list[Image]:
    image = build_guest(name, folder / "out")
    with running_guest(image, folder / name) as machine:
        machine.wait_first_flush()
        time.sleep(0.3)
        found, rng = [], np.random.default_rng(1)
        for _ in range(count):
            found.append(take_picture(machine).pixels)
            time.sleep(float(rng.uniform(0.01, longest_s)))
    return found


def a_flush(trace: Trace, kind: str = TRANSFER_2D) -> float:
    return len(trace.of(kind)) / len(trace.of(FLUSH))


@pytest.mark.parametrize("arch", list(GUEST_ARCHES))
def test_a_clean_one_draws_on_each_machine(folder: Path, arch: str) -> None:
    trace = traced("clean", folder, arch=arch)
    assert len(trace.of(FLUSH)) > 10 and a_flush(trace) == pytest.approx(1, abs=0.1)
    assert not trace.refusals and not trace.problems


@pytest.mark.parametrize("arch", list(GUEST_ARCHES))
def test_every_guest_builds(folder: Path, arch: str) -> None:
    command = ["make", "-s", "-C", str(GUESTS), f"ARCH={GUEST_ARCHES[arch]}", "GUEST=all", f"OUT={folder / 'out'}"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    for name in guest_names():
        assert build_guest(name, folder / "out", arch).stat().st_size > 1000


def test_a_guest_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(AssertionError, match="no guest 'nobody'; there are clean "):
        build_guest("nobody", folder / "out")


@pytest.mark.parametrize(
    ("name", "kind", "low", "high"),
    [
        ("bands", TRANSFER_2D, 0.95, 1.05),
        ("double_flush", TRANSFER_2D, 0.45, 0.6),
        ("unflushed", TRANSFER_2D, 2.5, 3.1),
        ("flip", SET_SCANOUT, 0.9, 1.15),
        ("per_pixel", TRANSFER_2D, 0.95, 1.05),
    ],
)
def test_what_is_flushed(folder: Path, name: str, kind: str, low: float, high: float) -> None:
    trace = traced(name, folder)
    assert low <= a_flush(trace, kind) <= high
    heights = np.unique(trace.of(FLUSH).args["h"])
    assert heights.tolist() == ([60] if name == "bands" else [480])


@pytest.mark.parametrize("name", ["iterations", "fenced", "mmio_spin", "late_publish", "cursor", "still"])
def test_habits_that_still_draw(folder: Path, name: str) -> None:
    trace = traced(name, folder)
    assert len(trace.of(FLUSH)) >= 10 and not trace.refusals


def test_unpaced_dirty_rectangles_are_a_frame_each_on_a_busy_host_too(folder: Path) -> None:
    trace = traced("dirty_fast", folder, 1.5)
    flushes = trace.of(FLUSH)
    assert len(flushes) > 50 and np.unique(flushes.args["h"]).tolist() == [48, 480]
    assert len(presented_frames(trace).time_ns) == len(flushes)


@pytest.mark.parametrize(
    ("name", "flushes_a_frame"),
    [("clean", 1), ("clean_steps", 1), ("bands", 8), ("double_flush", 2), ("flip", 1), ("cursor", 1), ("paced", 1)],
)
def test_every_frame_is_counted_once(folder: Path, name: str, flushes_a_frame: int) -> None:
    """The stand-in knows its frames: only the number of its flushes is taken from the trace."""
    trace = traced(name, folder, 1.5)
    frames, flushes = len(presented_frames(trace).time_ns), len(trace.of(FLUSH))
    assert abs(frames - flushes / flushes_a_frame) <= 1


def test_two_heads(folder: Path) -> None:
    image = build_guest("two_heads", folder / "out")
    second = ("-global", "virtio-gpu-device.max_outputs=2")
    with running_guest(image, folder / "two_heads", extra=second) as machine:
        machine.wait_first_flush()
        time.sleep(0.5)
    trace = parse_trace(machine.trace_path.read_bytes())
    assert set(trace.of(SET_SCANOUT).args["id"].tolist()) == {0, 1}
    assert set(trace.of(FLUSH).args["res"].tolist()) == {1, 2}


def test_refusals_are_seen(folder: Path) -> None:
    trace = traced("unchecked", folder)
    assert len(trace.refusals) > 5 and all("bounds" in one.words for one in trace.refusals)
    assert abs(len(trace.refusals) - len(trace.of(FLUSH))) <= 2


def test_one_frame_in_a_second_and_a_half(folder: Path) -> None:
    flushes = traced("slow", folder, 3.4).of(FLUSH)
    assert 2 <= len(flushes) <= 4
    assert np.diff(flushes.time_ns) / 1e9 == pytest.approx(1.5, abs=0.4)


def test_a_resolution_that_changes(folder: Path) -> None:
    scanouts = traced("mode_change", folder, 1.6).of(SET_SCANOUT)
    assert list(zip(scanouts.args["w"].tolist(), scanouts.args["h"].tolist())) == [(640, 480), (800, 600)]


def test_a_prompt_waits(folder: Path) -> None:
    image = build_guest("prompt", folder / "out")
    with running_guest(image, folder / "prompt") as machine:
        machine.wait_for(b"guest> ", 20, "prompt")
        time.sleep(0.3)
        assert b"res_flush" not in machine.trace_path.read_bytes()


def test_talk_that_means_nothing(folder: Path) -> None:
    said = run_guest("chatty", folder, 1.0).serial_path.read_bytes()
    assert b"\x1b[1;32m" in said and b"\xff\xfe" in said
    assert max(map(len, said.split(b"\n"))) > 4999


def test_a_guest_that_ends_itself_says_why(folder: Path) -> None:
    assert b"fatal: Kernel panic" in run_guest("panics", folder, 3.0).serial_path.read_bytes()


def test_a_logo_comes_before_the_guest_is_ready(folder: Path) -> None:
    machine = run_guest("logo", folder, 1.2)
    flushes = parse_trace(machine.trace_path.read_bytes()).of(FLUSH)
    assert np.diff(flushes.time_ns)[0] / 1e9 > 0.5 > np.median(np.diff(flushes.time_ns)) / 1e9


def test_red_and_blue_are_swapped(folder: Path) -> None:
    assert np.all(pictures("clean", folder)[0][..., 2] == 64)
    assert np.all(pictures("swapped", folder)[0][..., 0] == 64)


def test_rows_that_are_too_long_shear_the_picture(folder: Path) -> None:
    straight, sheared = pictures("clean", folder)[0], pictures("stride", folder)[0]
    assert np.all(straight[..., 1] == straight[:, :1, 1])
    assert not np.all(sheared[..., 1] == sheared[:, :1, 1])


def test_still_pictures_stand_still_and_others_move(folder: Path) -> None:
    for name, moves in (("static", False), ("blank", False), ("text", True), ("dither", True)):
        first, *_, last = pictures(name, folder)
        assert np.array_equal(first, last) is not moves, name


def test_a_torn_picture_is_caught_in_the_act(folder: Path) -> None:
    """One in five is torn: none torn among this many would happen once in a hundred thousand million runs."""
    stamps = [decode_stamps(picture) for picture in pictures("torn", folder, TORN_PICTURES, longest_s=0.05)]
    torn = [one for one in stamps if one.top != one.bottom]
    assert torn and all(one.bottom is not None and one.top == one.bottom - 1 and one.bottom % 5 == 4 for one in torn)
    assert any(one.frame is not None for one in stamps)


def test_guests_share_nothing_with_the_kernel_of_this_tree() -> None:
    for path in GUESTS.glob("*.[ch]"):
        for included in re.findall(r'#include "([^"]+)"', path.read_text(encoding="utf-8")):
            assert (GUESTS / included).exists() or included == "frame_stamp.h", f"{path.name}: {included}"
