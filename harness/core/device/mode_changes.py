"""Changes of the picture's size while a kernel runs: by the device's trace, and in the kernel's own words. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from harness.core.device.scanouts import scanouts_of, shown_on
from harness.core.device.trace import Trace
from harness.model.modes_record import AskedMode, ModeChange, ModeSize

GAP_MS = 50.0
"""The longest that no frame may be shown because the mode changes."""
_REFUSED = re.compile(rb"^virtio-gpu: mode (\d+x\d+ refused: [^\r\n]*)", re.MULTILINE)
_TAKEN = re.compile(rb"^virtio-gpu: mode (\d+x\d+) from frame \d+, by display info, not EDID: ([^\r\n]*)", re.MULTILINE)


def mode_changes(trace: Trace, head: int, asked: Sequence[AskedMode]) -> tuple[ModeChange, ...]:
    """Every change that a head shows, with the gap in its frames.

    Parameters
    ----------
    asked
        In the order of time, the first mode first.
    """
    scanouts, shown = scanouts_of(trace, head), shown_on(trace, head)
    flushes = np.flatnonzero(~shown.flip & shown.accepted)
    sizes = (scanouts.rectangle[:, 2:] - scanouts.rectangle[:, :2]).tolist()
    found = []
    for row in range(1, len(sizes)):
        size: ModeSize = (sizes[row][0], sizes[row][1])
        offsets = shown.events.offset[flushes]
        after = int(np.searchsorted(offsets, scanouts.offset[row]))
        if sizes[row] == sizes[row - 1] or not 0 < after < len(flushes):
            continue
        times = shown.events.time_ns[flushes]
        request = next((one for one in reversed(asked) if one.size == size and one.asked_ns <= times[after]), None)
        if request is not None:
            gap_ns = int(times[after] - times[after - 1])
            found.append(ModeChange(size, int(times[after]) - request.asked_ns, gap_ns))
    return tuple(found)


def gap_words(changes: Sequence[ModeChange], asked: Sequence[AskedMode]) -> tuple[str, str]:
    """The change whose gap is too long, and whether the host is to blame: what failed, or what was disturbed."""
    longest = max(changes, key=lambda one: one.gap_ns, default=None)
    if longest is None or longest.gap_ns <= GAP_MS * 1e6:
        return "", ""
    width, height = longest.size
    words = (
        f"no frame was shown for {longest.gap_ns / 1e6:.1f} ms at the change to {width}x{height}, "
        f"where {GAP_MS:g} ms are allowed"
    )
    waited_ns = max((one.host_wait_ns for one in asked if one.size == longest.size), default=0)
    if longest.gap_ns - waited_ns <= GAP_MS * 1e6:
        return "", f"{words}; meanwhile the machine waited for a core of the host for {waited_ns / 1e6:.1f} ms"
    return words, ""


def refusals(serial_log: bytes) -> tuple[str, ...]:
    """Sizes that the kernel refused, in its words: ``8000x8000 refused: …``."""
    return tuple(said.decode("utf-8", "replace") for said in _REFUSED.findall(serial_log))


def edid_notes(serial_log: bytes) -> tuple[str, ...]:
    """Why the kernel took sizes from the display info and not from the EDID: ``800x600: its checksum is wrong``."""
    found = (f"{size.decode()}: {why.decode('utf-8', 'replace')}" for size, why in _TAKEN.findall(serial_log))
    return tuple(dict.fromkeys(found))
