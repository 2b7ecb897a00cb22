"""Complaints of the machine's devices about the guest: QEMU's guest_errors in the trace, and its own error messages.

Drivers under test speak to virtio devices: what these complain of is a failure. Other devices count from the first GPU
command on, because firmware and probing kernels access devices that do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harness.core.device.trace import FLUSH, SET_SCANOUT, TRANSFERS, Refusal, Trace

COMPLAINTS_MAX = 3

_STDERR = re.compile(
    rb"^(?:\d{4}-\d\d-\d\dT[\d:.]+Z )?(?:qemu-system-[\w.-]+: )?("
    rb"Looped descriptor|Guest moved used index|Guest says index|Guest index inconsistent"
    rb"|Incorrect order for descriptors|Desc next is|Invalid size for indirect|Cannot map|Virtqueue size exceeded"
    rb"|Failed to map descriptor|virtio(?!-gpu-pci: )[\w/-]*:? |vrend_\w+: (?=.*(?:[Ee]rror|[Ii]llegal))"
    rb"|virgl\w*: (?=.*[Ee]rror))([^\n]*)$",
    re.MULTILINE,
)
"""What device and renderer code of QEMU 7.2 to 10 reports when a driver breaks the rules (hw/virtio/virtio.c,
hw/block/virtio-blk.c; vrend_renderer.c of virglrenderer)."""


def device_complaints(trace: Trace, qemu_log: bytes = b"", others: bool = True) -> tuple[str, ...]:
    """Sentences, the first of each kind, in the order in which the device spoke; at most ``COMPLAINTS_MAX``.

    Parameters
    ----------
    trace
        Of the run.
    qemu_log
        QEMU's standard error output.
    others
        Devices other than virtio devices count, too.
    """
    words = [one.words for one in _counting(trace) if others or one.by_virtio]
    words += [(match[1] + match[2]).decode("utf-8", "backslashreplace").strip() for match in _STDERR.finditer(qemu_log)]
    return tuple(_sentences(words))[:COMPLAINTS_MAX]


def _counting(trace: Trace) -> Iterator[Refusal]:
    commands = [trace.of(kind).offset for kind in (FLUSH, SET_SCANOUT, *TRANSFERS)]
    first = min((int(offsets[0]) for offsets in commands if len(offsets)), default=None)
    for refusal in trace.refusals:
        if refusal.by_virtio or (first is not None and refusal.offset > first):
            yield refusal


def _sentences(words: Iterable[str]) -> Iterator[str]:
    """One for each kind of complaint: numbers aside, the same text."""
    counts: dict[str, tuple[str, int]] = {}
    for text in words:
        kind = re.sub(r"0x[0-9a-f]+|\d+", "#", text)
        said, count = counts.get(kind, (text, 0))
        counts[kind] = (said, count + 1)
    for said, count in counts.values():
        times = "" if count == 1 else f", {count} times"
        yield f"the device refused what the guest asked{times}: {said[:160]}"
