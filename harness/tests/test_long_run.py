"""Beyond what short runs reach: ring indices that wrap, frame numbers above 20,000, RAM above 4 GiB."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.core.device.trace import FLUSH, TRANSFER_2D, parse_trace
from harness.core.guest.complaints import device_complaints
from harness.core.guest.serial import parse_serial
from harness.core.pictures.frames import CheckedPicture, FrameClass, check_picture
from harness.model.spec import ARCHES, Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.pictures.oracle import Oracle
from harness.platform.pictures.screen import take_picture

pytestmark = [pytest.mark.qemu, pytest.mark.full]

MODE = (320, 240)
FIRST, FRAMES, WARMUP = 20_000, 40_000, 16
INDICES = 1 << 16
"""Values of a ring's index (VIRTIO 1.2 §2.7.6)."""
WRAPPED = FIRST + INDICES // 2
"""The first frame whose two commands come after the wrap, or a few frames later."""
LOOK_S = 0.1
END_S = 150.0
HIGH_MIB = 5 << 10


def checked_pictures(machine: Qemu, until: int) -> list[CheckedPicture]:
    """Captures of a guest that draws, every pixel against the oracle, until a frame of this number or later is seen."""
    oracle = Oracle(*MODE)
    checked: list[CheckedPicture] = []
    machine.wait_first_flush()
    while not checked or (checked[-1].frame or until) < until:
        time.sleep(LOOK_S if checked else 0)
        checked.append(check_picture(take_picture(machine).pixels, oracle.picture))
    return checked


@pytest.mark.parametrize("event_idx", ["off", "on"])
@pytest.mark.parametrize("arch", sorted(ARCHES))
def test_frames_go_on_when_the_indices_of_the_ring_wrap(tmp_path: Path, arch: str, event_idx: str) -> None:
    kernel = build_kernel(Switches.of({"ARCH": arch, "EVENT_IDX": event_idx})).path
    params = RunParams(frames=FRAMES, warmup=WARMUP, mode=MODE, first=FIRST, records=100)
    machine = Machine(arch, vcpus=1, maxcpus=2)
    with Qemu(RunSpec(kernel, machine, params), tmp_path / "run", TIMING_EVENTS) as guest:
        checked = checked_pictures(guest, WRAPPED + WARMUP)
        assert guest.wait_end(END_S).clean
    assert {one.kind for one in checked} == {FrameClass.INTACT}, checked
    assert FIRST <= (checked[0].frame or 0) < WRAPPED, "both sides of the wrap were looked at"
    log = parse_serial(guest.console.content())
    assert log.finished and log.problems == () and log.timeouts == ()
    totals = {key: log.total(key) for key in ("frames", "completions", "timeouts", "rekicks")}
    assert totals == {"frames": FRAMES, "completions": 2 * FRAMES, "timeouts": 0, "rekicks": 0}
    assert 2 * FRAMES > INDICES
    last = log.records.column("frame")
    assert last is not None and int(last[-1]) == FIRST + WARMUP + FRAMES - 1
    trace = parse_trace(guest.trace_path.read_bytes())
    assert device_complaints(trace) == () and trace.problems == ()
    assert len(trace.of(FLUSH)) == len(trace.of(TRANSFER_2D)) >= WARMUP + FRAMES


def test_a_machine_with_ram_above_4_gib_shows_the_right_pictures(tmp_path: Path) -> None:
    """The canvas lies low all the same: addresses above 4 GiB are not reached."""
    kernel = build_kernel(Switches()).path
    machine = Machine(vcpus=1, maxcpus=2, memory_mib=HIGH_MIB)
    with Qemu(RunSpec(kernel, machine, RunParams(frames=2000, mode=MODE)), tmp_path / "run") as guest:
        checked = checked_pictures(guest, 500)
        assert guest.wait_end(END_S).clean
    assert {one.kind for one in checked} == {FrameClass.INTACT}, checked
