"""Frames, whatever a driver does: flips, heads, cursors, bands, second flushes, changes of mode."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from harness.core.device.frame_groups import FrameRule
from harness.core.device.frametimes import Presented, presented_frames
from harness.core.device.trace import parse_trace
from harness.core.guest.target_serial import read_serial
from harness.model.target import FrameBy, TargetSerial

MS = 1_000_000


class Device:
    """Writes the trace of what a driver asks for, one command every 100 us."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now_us = 1_000_000

    def event(self, text: str) -> None:
        self.now_us += 100
        stamp = f"{1_700_000_000 + self.now_us // 1_000_000}.{self.now_us % 1_000_000:06d}"
        self.lines.append(f"1@{stamp}:{text}\n")

    def wait(self, ms: float) -> None:
        self.now_us += round(ms * 1000)

    def scanout(self, res: int, head: int = 0, size: tuple[int, int] = (640, 480), x: int = 0) -> None:
        w, h = size
        self.event(f"virtio_gpu_cmd_set_scanout id {head}, res {res:#x}, w {w}, h {h}, x {x}, y 0")

    def transfer(self, res: int) -> None:
        self.event(f"virtio_gpu_cmd_res_xfer_toh_2d res {res:#x}")

    def flush(self, res: int, box: tuple[int, int, int, int] = (0, 0, 640, 480)) -> None:
        x, y, w, h = box
        self.event(f"virtio_gpu_cmd_res_flush res {res:#x}, w {w}, h {h}, x {x}, y {y}")

    def frames(self, rule: FrameRule = FrameRule()) -> Presented:
        return presented_frames(parse_trace("".join(self.lines).encode()), (), rule)


def count(device: Device, rule: FrameRule = FrameRule()) -> int:
    return len(device.frames(rule).time_ns)


@pytest.fixture
def device() -> Iterator[Device]:
    made = Device()
    made.scanout(1)
    yield made


@pytest.mark.parametrize("flush", ["before", "after", "none"])
def test_a_page_flip_is_one_frame_however_it_is_flushed(device: Device, flush: str) -> None:
    for number in range(20):
        back = 2 - number % 2
        device.transfer(back)
        if flush == "before":
            device.flush(back)
        device.scanout(back)
        if flush == "after":
            device.flush(back)
        device.wait(16)
    assert count(device) == 20
    assert count(device, FrameRule(FrameBy.FLIP)) == 20 + 1, "the first scanout is set to another resource, too"


def test_a_flip_back_to_what_was_shown_before_is_no_frame(device: Device) -> None:
    device.transfer(1)
    device.flush(1)
    device.transfer(2)
    device.scanout(2)
    device.scanout(1)
    assert count(device) == 2


def test_cursors_and_other_heads_are_no_frames(device: Device) -> None:
    device.scanout(7, head=1)
    for _ in range(10):
        device.transfer(1)
        device.transfer(9)  # a cursor, which the cursor queue shows
        device.flush(1)
        device.transfer(7)
        device.flush(7)
        device.wait(10)
    assert count(device) == 10 and device.frames().unflushed == 0
    assert count(device, FrameRule(head=1)) == 10
    assert count(device, FrameRule(head=2)) == 0


def test_two_heads_side_by_side_in_one_resource(device: Device) -> None:
    device.scanout(1, head=1, x=640)
    for _ in range(8):
        device.transfer(1)
        device.flush(1, (0, 0, 640, 480))
        device.wait(5)
        device.transfer(1)
        device.flush(1, (640, 0, 640, 480))
        device.transfer(1)
        device.flush(1, (640, 0, 640, 480))
        device.wait(5)
    assert count(device) == 8 and count(device, FrameRule(head=1)) == 16


def test_a_second_flush_of_the_same_change_is_no_frame(device: Device) -> None:
    for _ in range(10):
        device.transfer(1)
        device.flush(1)
        device.flush(1)
        device.wait(16)
    assert count(device) == 10


def test_a_frame_that_is_transferred_and_flushed_twice_takes_a_gap(device: Device) -> None:
    for _ in range(10):
        for _ in range(2):
            device.transfer(1)
            device.flush(1)
        device.wait(16)
    assert count(device) == 20 and count(device, FrameRule(gap_ns=8 * MS)) == 10


def test_dirty_rectangles_close_together_are_one_frame(device: Device) -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        for _ in range(int(rng.integers(1, 5))):
            device.transfer(1)
            device.flush(1, (int(rng.integers(600)), int(rng.integers(440)), 40, 40))
        device.wait(16)
    assert count(device) == 30


def test_a_change_of_mode_begins_another_way_of_counting(device: Device) -> None:
    for _ in range(10):
        device.transfer(1)
        device.flush(1)
        device.wait(10)
    device.transfer(2)
    device.scanout(2, size=(320, 240))
    for _ in range(10):
        for y in range(0, 240, 60):
            device.transfer(2)
            device.flush(2, (0, y, 320, 60))
        device.wait(2)
    assert count(device) == 10 + 1 + 10


def test_whole_pictures_put_together_of_any_rectangles(device: Device) -> None:
    for number in range(12):
        device.transfer(1)
        cut = 40 * (number % 5 + 1)
        device.flush(1, (0, 0, 640, cut))
        device.flush(1, (0, cut, 640, 480 - cut))
        device.wait(1)
    assert count(device, FrameRule(FrameBy.PICTURE)) == 12


@pytest.mark.parametrize("fps", [1, 5, 60, 1000])
def test_any_frame_rate(device: Device, fps: int) -> None:
    for _ in range(30):
        device.wait(1000 / fps - 0.2)
        device.transfer(1)
        device.flush(1)
    times = device.frames().time_ns
    assert 29e9 / float(times[-1] - times[0]) == pytest.approx(fps, rel=0.005)


def test_a_window_leaves_out_the_logo_before_it(device: Device) -> None:
    device.transfer(1)
    device.flush(1)
    device.wait(3000)
    begins_ns = (1_700_000_000 * 1_000_000 + device.now_us) * 1000
    for _ in range(10):
        device.transfer(1)
        device.flush(1)
        device.wait(10)
    whole = device.frames()
    assert len(whole.time_ns) == 11 and len(whole.within(begins_ns, 0).time_ns) == 10
    assert whole.within(begins_ns, 0).shown == 11


SERIAL = TargetSerial(panic=r"Kernel panic|\[FATAL\]", done="all done", perf=r"fences=(?P<fences>\d+)")


def test_only_declared_lines_mean_anything() -> None:
    said = (
        b"[BOOT] half a [VIRTIO PERF] spi\n\xff\xfe\n[PANIC] mine\n[DONE]\n" + b"x" * 9000 + b"\n\x1b[31mnsh> \x1b[0m"
    )
    log = read_serial(said, TargetSerial())
    assert (log.panics, log.problems, log.done, log.boot) == ((), (), None, None)
    log = read_serial(b"frame fences=3\nframe fences=4\n[ 1.2] Kernel panic - not syncing\nall done\nhal", SERIAL)
    assert log.panics == ("[ 1.2] Kernel panic - not syncing",) and log.total("fences") == 7 and log.finished


def test_a_kernel_may_declare_some_lines_of_our_protocol() -> None:
    lines = b"[BOOT] whatever\n[VIRTIO PERF] fences=1 spins=2 completions=3\n[PANIC] not declared\n"
    log = read_serial(lines, TargetSerial(perf="protocol"))
    assert len(log.records) == 1 and not log.panics and not log.problems and log.boot is None


def moving_box(number: int) -> tuple[int, int, int, int]:
    """A box of 48 px that moves by 3 px a frame, with where it was before."""
    return (3 * number % 500, 160, 51, 48)


def unpaced(device: Device, hiccup_ms: list[float]) -> None:
    """A frame in about 0.5 ms, as far as the host lets it."""
    rng = np.random.default_rng(1)
    for number, late_ms in enumerate(hiccup_ms):
        device.transfer(1)
        device.flush(1, moving_box(number))
        device.wait(0.4 + float(rng.uniform(0, 0.1)) + late_ms)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.15, 0.25])
def test_hiccups_of_the_host_make_no_frames_of_many_dirty_rectangles(device: Device, share: float) -> None:
    rng = np.random.default_rng(2)
    unpaced(device, [float(rng.uniform(6, 20)) if rng.random() < share else 0.0 for _ in range(400)])
    assert count(device) == 400


def test_hiccups_at_each_tick_of_the_host_make_none_either(device: Device) -> None:
    unpaced(device, [8.0 if number % 12 == 11 else 0.0 for number in range(400)])
    assert count(device) == 400


def test_a_box_that_is_wiped_out_and_drawn_again_is_one_frame(device: Device) -> None:
    for number in range(100):
        for box in (moving_box(number), moving_box(number + 1)):
            device.transfer(1)
            device.flush(1, box)
        device.wait(9)
    assert count(device) == 100


def test_many_rectangles_beside_each_other_are_one_frame_however_many(device: Device) -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        for piece in range(int(rng.integers(6, 40))):
            device.transfer(1)
            device.flush(1, (10 * piece, 20, 8, 12))
        device.wait(12)
    assert count(device) == 60


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_bands_that_the_host_holds_up_are_one_frame(device: Device, share: float) -> None:
    rng = np.random.default_rng(4)
    for _ in range(120):
        for band in range(8):
            device.transfer(1)
            device.flush(1, (0, 60 * band, 640, 60))
            device.wait(float(rng.uniform(5, 15)) if rng.random() < share else 0.1)
        device.wait(2)
    assert count(device) == 120


def test_tiles_that_changed_are_one_frame_however_few(device: Device) -> None:
    rng = np.random.default_rng(5)
    for _ in range(120):
        for tile in sorted(rng.choice(16, int(rng.integers(1, 9)), replace=False).tolist()):
            device.transfer(1)
            device.flush(1, (160 * (tile % 4), 120 * (tile // 4), 160, 120))
        device.wait(20)
    assert count(device) == 120
