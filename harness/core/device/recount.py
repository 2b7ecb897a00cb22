"""The frame rate of a window counted a second time, from lines of QEMU's trace that nothing else of the harness reads.

It shares no code with :mod:`harness.core.device.trace` and :mod:`harness.core.device.frametimes`, and knows less: whole
flushes, each after a transfer, or flushes that a declared gap parts.
"""

from __future__ import annotations

import re

_EVENT = re.compile(
    r"@(\d+)\.(\d{6}):virtio_gpu_cmd_(res_flush|res_xfer_toh_2d)(?:[^\n]*?w (0x[0-9a-f]+|\d+), h (0x[0-9a-f]+|\d+))?"
)


def recounted_fps(trace: str, begins_ns: int, ends_ns: int, frames: int, gap_ns: int = 0) -> float | None:
    """Frames a second over the last frames of a window; None where frames are parts that nothing declared parts.

    Parameters
    ----------
    begins_ns, ends_ns
        The window, host time since the epoch; 0 means no bound.
    frames
        How many frame times the rate is made of: what came before them was warm-up.
    gap_ns
        Flushes that come closer together are one frame; 0 where each is one.
    """
    times: list[int] = []
    sizes: set[tuple[str, str]] = set()
    always = transferred = "virtio_gpu_cmd_res_xfer_toh_2d" not in trace
    for seconds, micros, kind, width, height in _EVENT.findall(trace):
        if kind != "res_flush":
            transferred = True
            continue
        time_ns = int(seconds) * 10**9 + int(micros) * 1000
        if time_ns >= begins_ns and (not ends_ns or time_ns <= ends_ns) and (transferred or gap_ns):
            times.append(time_ns)
            sizes.add((width, height))
        transferred = always
    if not gap_ns and len(sizes) > 1:
        return None
    after = [*times[1:], (times[-1] if times else 0) + gap_ns + 1]
    last = [time_ns for time_ns, next_ns in zip(times, after) if next_ns - time_ns > gap_ns]
    if frames < 1 or len(last) <= frames:
        return None
    return frames * 1e9 / (last[-1] - last[-1 - frames])
