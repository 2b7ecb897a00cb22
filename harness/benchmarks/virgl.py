"""The GL device, on the display that works on this machine."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks import Figure, Measure
from harness.core.device.frametimes import presented_frames
from harness.core.device.trace import parse_trace
from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.machine.trace_file import read_trace
from harness.platform.pictures.virgl import with_virgl

SECONDS = 5.0
END_S = 30.0


def _frame_rate(folder: Path) -> list[Figure]:
    """frames uploaded through virgl"""
    return [_measured(Switches(), folder / "virgl", "1024x768 on the GL device")]


def _drawn_rate(folder: Path) -> list[Figure]:
    """frames that the host's renderer draws"""
    return [_measured(Switches().but(DRAW="gpu"), folder / "drawn", "1024x768, DRAW=gpu")]


def _measured(switches: Switches, folder: Path, what: str) -> Figure:
    machine, _ = with_virgl(Machine(vcpus=1, maxcpus=2))
    params = RunParams(seconds=SECONDS, warmup=20, records=0)
    with Qemu(RunSpec(build_kernel(switches).path, machine, params), folder, TIMING_EVENTS) as guest:
        guest.wait_first_flush()
        guest.wait_end(END_S)
    times_ns = presented_frames(parse_trace(read_trace(guest.trace_path, guest.limits))).time_ns[20:]
    fps = (len(times_ns) - 1) * 1e9 / float(times_ns[-1] - times_ns[0])
    return Figure(f"{what}, {machine.display.value}", fps, "frames/s", 60, at_most=False)


FIGURES: tuple[Measure, ...] = (_frame_rate, _drawn_rate)
