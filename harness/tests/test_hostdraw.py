"""``DRAW=gpu``: the wheel drawn by the host's renderer, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.device.trace import FLUSH, TRANSFER_2D, TRANSFERS_3D, parse_trace
from harness.model.spec import Device, Display, Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.pictures.virgl import renderer_name
from harness.tests.booted import boot_kernel
from harness.tests.programs import PACED, UNORDERED, run_perf

GL = Machine(vcpus=1, device=Device.GPU_GL, display=Display.XVFB)
FRAMES = 30
UPLOADS_MOST = 1
"""The texture is uploaded once, before the first frame."""


@pytest.mark.qemu
def test_frames_are_drawn_and_none_is_transferred(tmp_path: Path) -> None:
    kernel = build_kernel(Switches.of({"DRAW": "gpu"})).path
    spec = RunSpec(kernel, GL, RunParams(frames=FRAMES, mode=(320, 240)))
    with Qemu(spec, tmp_path, TIMING_EVENTS) as guest:
        assert guest.wait_end(60).clean
        log = guest.console.content().decode()
    assert "\nvirtio-gpu: virgl draw\nvirtio-gpu: driver probe succeeded\n" in log, log
    assert "[DONE] status=ok" in log and log.count("[VIRTIO PERF]") == FRAMES
    assert "virtio-gpu: drawn by " in log
    trace = parse_trace(guest.trace_path.read_bytes())
    uploads, submits = (len(trace.of(kind)) for kind in TRANSFERS_3D)
    assert len(trace.of(TRANSFER_2D)) == 0 and uploads <= UPLOADS_MOST, "nothing of a frame is transferred"
    assert submits > FRAMES and len(trace.of(FLUSH)) >= FRAMES


@pytest.mark.qemu
def test_the_renderer_tells_its_name() -> None:
    assert renderer_name(GL)


@pytest.mark.qemu
def test_the_device_without_a_renderer_is_named(tmp_path: Path) -> None:
    booted = boot_kernel(tmp_path, Machine(vcpus=1), RunParams(frames=1, mode=(320, 240)), {"DRAW": "gpu"})
    assert "DRAW=gpu needs virgl: it is not offered" in booted.log and "[DONE] status=ok" not in booted.log


@pytest.mark.qemu
def test_drawn_frames_are_right_within_rounding() -> None:
    code, result = run_perf("VIRGL=1", "DRAW=gpu", "STAGES=window,pictures", "PICTURES=40", *PACED)
    assert result["problems"] == [] and code == 4, result["sentence"]
    assert any("ordering: right in all" in notice for notice in result["notices"]), "the proof knows these commands"
    assert result["frames"]["intact"] == result["frames"]["checked"] == 40
    assert {"fps_trace", "fps_guest", "fps_screendump"} <= set(result["arms"]["candidate"]["metrics"])


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("fault", "says"), [("tear", "torn"), ("skip_flush", "sources disagree"), ("skip_transfer", "sources disagree")]
)
def test_a_fault_is_caught_in_drawn_frames(fault: str, says: str) -> None:
    words = ("VIRGL=1", "DRAW=gpu", "STAGES=window,pictures", "PICTURES=40", *PACED, UNORDERED, f"FAULT={fault}")
    code, result = run_perf(*words)
    assert code == 3, result["sentence"]
    assert any(says in text for text in [result["sentence"], *result["problems"]]), result["problems"]
