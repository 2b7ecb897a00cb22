"""The hardware cursor by the device's trace: place, order of the queues, and real runs."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.device.cursor import HOT, IMAGE_PX, cursor_image, cursor_place, cursor_problems, shape_problem
from harness.core.device.trace import parse_trace
from harness.core.timing.sources import Numbered
from harness.model.spec import ARCHES, KERNEL_DIR
from harness.tests.programs import UNORDERED, run_perf

SIZE = (640, 480)
FRAMES = 30
PERIOD_US = 10_000


def line(at_us: int, text: str) -> str:
    return f"1@{1000 + at_us // 1_000_000}.{at_us % 1_000_000:06d}:{text}\n"


def cursor(at_us: int, kind: str, x: int, y: int) -> str:
    return line(at_us, f"virtio_gpu_update_cursor scanout 0, x {x}, y {y}, {kind}, res 0x2")


def problems(early: bool = False, skip: int = -1, off: int = -1) -> tuple[str, ...]:
    """Problems of a run in which the cursor is shown too early, misses a move, or stands a pixel off in one frame."""
    image = line(10, "virtio_gpu_cmd_res_xfer_toh_2d res 0x2")
    shown = cursor(5 if early else 15, "update", *cursor_place(0, SIZE))
    text = shown + image if early else image + shown
    for frame in range(FRAMES):
        x, y = cursor_place(frame, SIZE)
        if frame != skip:
            text += cursor(1000 + frame * PERIOD_US + 20, "move", x + (frame == off), y)
    shown_ns = (1000 * 1_000_000 + 1000 + np.arange(FRAMES) * PERIOD_US) * 1000
    trace = parse_trace(text.encode())
    assert not trace.problems
    return cursor_problems(trace, Numbered(np.arange(FRAMES), shown_ns), SIZE)


def test_a_cursor_that_moves_with_its_frames_is_right() -> None:
    assert problems() == ()
    assert len({cursor_place(frame, SIZE) for frame in range(33)}) == 33, "neighbours differ, and it sways"


def test_a_cursor_shown_before_its_image_is_named() -> None:
    assert problems(early=True) == (
        "the cursor queue overtook the control queue: the cursor was shown before its image was there",
    )


def test_a_cursor_in_a_wrong_place_is_named() -> None:
    x, y = cursor_place(7, SIZE)
    [said] = problems(off=7)
    assert "of 1 frames" in said and f"at {x + 1},{y} in frame 7" in said and f"at {x},{y}" in said
    assert problems(skip=9) == ("1 frames were shown without a move of the cursor",)


def test_a_cursor_that_never_came_is_named() -> None:
    assert cursor_problems(parse_trace(line(1, "virtio_gpu_cmd_res_xfer_toh_2d res 0x2").encode()), None, SIZE) == (
        "the cursor was never shown",
    )


def test_the_image_s_every_pixel_and_its_hot_spot_are_compared() -> None:
    image = cursor_image()
    assert shape_problem(HOT, image) == "" and image[..., 3].any() and not image[..., 3].all()
    image[10, 32, 0] ^= 1
    assert shape_problem(HOT, image) == "1 of the cursor's 4096 pixels are wrong"
    assert "hot spot is 0,0" in shape_problem((0, 0), cursor_image())
    assert "is 32x64" in shape_problem(HOT, cursor_image()[:, :32])


def test_colours_and_size_are_those_of_the_kernel() -> None:
    palette = (KERNEL_DIR / "scene" / "palette.h").read_text(encoding="utf-8")
    blue, green, red, _ = cursor_image()[0, IMAGE_PX // 2 - 1].tolist()
    assert f"PALETTE_GOLD_LIGHT 0x{red:02x}{green:02x}{blue:02x}u" in palette
    blue, green, red, _ = cursor_image()[0, IMAGE_PX // 2].tolist()
    assert f"PALETTE_GOLD 0x{red:02x}{green:02x}{blue:02x}u" in palette


@pytest.mark.qemu
@pytest.mark.parametrize("arch", ARCHES)
def test_a_hardware_cursor_moves_with_each_frame_and_leaves_the_picture_alone(arch: str) -> None:
    code, result = run_perf(
        f"ARCH={arch}", "CURSOR=hw", "STAGES=window,pictures", "PICTURES=20", "MODE=640x480", "OPTS=pace=60", UNORDERED
    )
    assert code == 4 and result["problems"] == [], result["sentence"]
    assert result["frames"]["intact"] == result["frames"]["checked"] == 20
