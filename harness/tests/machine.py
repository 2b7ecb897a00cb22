"""A made-up guest under a made-up QEMU: writes the trace log and the serial log that the two would leave.

Guest and host have clocks of their own; delays are drawn at random, and every event obeys cause and effect.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.core.arrays import I64

_VQ = 0x55E63DF1E2F0


@dataclass
class MachineModel:
    """Properties of the pretended run; times in ns."""

    frames: int = 300
    random_state: int = 1
    render_ns: int = 2_300_000
    offset_ns: int = 1_700_000_000_000_000_000
    drift: float = 2e-5
    """Host seconds a guest second, minus 1."""
    warmup: int = 20
    """Frames presented before the first recorded one."""
    flush_ns: int = 0
    """Time of the device for a flush before it answers, as under OpenGL; between half and one and a half of it, at
    random."""
    skip_flush: frozenset[int] = frozenset()
    refuse_flush: frozenset[int] = frozenset()
    completion_lie: int = 0
    """Added to every frame's completions."""
    number_lie: int = 0
    """The records' frame numbers skip one number after every this many frames."""
    clock_lie: float = 0.0
    """Guest times are stretched by this share, as if frames were faster or slower."""
    published: bool = True
    """Virtqueue events are traced."""
    long_frames: dict[int, int] = field(default_factory=dict)
    """Extra drawing time by frame number."""
    paused: dict[int, int] = field(default_factory=dict)
    """By frame number: how long the guest stood still between two of the spans that it times."""
    preempted: float = 0.0
    """Share of frames in which the guest or the device stood still for up to 20 ms between two steps."""
    rectangles: int = 1
    """Transfers and flushes a frame; with several, the first covers the top stamp and the last the bottom one."""


@dataclass(frozen=True)
class MachineLogs:
    """Files of the run, and the truth."""

    trace: bytes
    serial: bytes
    flush_ns: I64
    """Host times of the flush of every frame that had one, warm-up included."""


def run_model(model: MachineModel) -> MachineLogs:
    """Let the pretended machine run."""
    rng = np.random.default_rng(model.random_state)
    trace: list[tuple[int, str]] = []
    serial: list[str] = ["[BOOT] kernel=roulette arch=x86_64"]
    flushed: list[int] = []
    guest = 300_000_000
    trace.append((_host(model, guest), "virtio_gpu_cmd_set_scanout id 0, res 0x1, w 1024, h 768, x 0, y 0"))
    for frame in range(model.warmup + model.frames):
        render = int(model.render_ns * rng.gamma(400, 1 / 400)) + model.long_frames.get(frame, 0)
        submit = int(rng.integers(3_000, 9_000))
        rang = guest + render + submit
        stalls = (rng.random(4) < model.preempted / 4) * rng.integers(200_000, 20_000_000, 4)
        unseen = model.paused.get(frame, 0)
        transfer = rang + int(10_000 + rng.exponential(25_000) + stalls[0]) + unseen
        flush = transfer + int(300_000 + rng.exponential(50_000) + stalls[1])
        shown = int(model.flush_ns * rng.uniform(0.5, 1.5)) if model.flush_ns else 0
        done = flush + int(80_000 + rng.exponential(15_000) + stalls[2]) + shown
        took = done + int(2_000 + rng.exponential(8_000) + stalls[3])
        _trace_frame(trace, model, frame, (rang, transfer, flush, done))
        if frame not in model.skip_flush and frame not in model.refuse_flush:
            flushed.append(_host(model, flush))
        if frame >= model.warmup:
            number = frame + ((frame - model.warmup) // model.number_lie if model.number_lie else 0)
            stretch = 1 + model.clock_lie
            spans = [int(value * stretch) for value in (guest, render, submit, 1_000, took - rang - 1_000 - unseen)]
            serial.append(
                f"[VIRTIO PERF] fences=2 spins={rng.integers(30, 300)} completions={2 + model.completion_lie} "
                f"frame={number} t_ns={spans[0]} render_ns={spans[1]} submit_ns={spans[2]} notify_ns={spans[3]} "
                f"wait_ns={spans[4]} timeouts=0 notifies=1"
            )
        guest = took + int(rng.exponential(20_000))
    serial.append("[DONE] status=ok")
    lines = [f"4242@{at // 10**9}.{at % 10**9 // 1000:06d}:{text}" if at else text for at, text in trace]
    return MachineLogs("\n".join([*lines, ""]).encode(), "\n".join([*serial, ""]).encode(), np.array(flushed))


def _host(model: MachineModel, guest_ns: int) -> int:
    return int(guest_ns * (1 + model.drift)) + model.offset_ns


def _trace_frame(
    trace: list[tuple[int, str]], model: MachineModel, frame: int, times: tuple[int, int, int, int]
) -> None:
    """Append the events of one frame, as QEMU 7.2 orders them."""
    rang, transfer, flush, done = times

    def event(at: int, text: str) -> None:
        trace.append((_host(model, at), text))

    if model.published:
        event(transfer - 8_000, f"virtio_queue_notify vdev 0x55e63df1d2f0 n 0 vq 0x{_VQ:x}")
        for command in range(2):
            event(transfer - 5_000 + command, f"virtqueue_pop vq 0x{_VQ:x} elem 0x7f00 in_num 1 out_num 1")
    height = 768 // model.rectangles
    for rectangle in range(model.rectangles):
        event(transfer, "virtio_gpu_cmd_res_xfer_toh_2d res 0x1")
    if model.published:
        event(transfer + 200_000, f"virtqueue_fill vq 0x{_VQ:x} elem 0x7f00 len 24 idx 0")
        event(transfer + 200_500, f"virtqueue_flush vq 0x{_VQ:x} count 1")
    for rectangle in range(model.rectangles):
        if frame in model.skip_flush:
            break
        event(flush, f"virtio_gpu_cmd_res_flush res 0x1, w 1024, h {height}, x 0, y {rectangle * height}")
        if frame in model.refuse_flush:
            trace.append((0, "virtio_gpu_resource_flush: flush bounds outside resource bounds for resource 1"))
    if model.published:
        event(done - 500, f"virtqueue_fill vq 0x{_VQ:x} elem 0x7f00 len 24 idx 0")
        event(done, f"virtqueue_flush vq 0x{_VQ:x} count 1")
