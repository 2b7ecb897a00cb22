"""Counts of each part of a frame: a machine with the counting plugin, and what its files say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.counts.frame_counts import PARTS, added, parts_of, scaled
from harness.model.record import CountedFrames, PartCounts
from harness.model.spec import RunSpec
from harness.platform.files.bounded import KERNEL_BYTES_MAX, LOG_BYTES_MAX, read_bounded
from harness.platform.machine.count_plugin import LOG_ITEMS, plugin_arguments
from harness.platform.machine.qemu import Qemu
from harness.platform.machine.qemu_command import TRACE_LOG

ACCOUNT = "blocks.txt"
EVENTS = ("virtio_queue_notify",)


@dataclass(frozen=True)
class Counting:
    """Everything needed to count the parts of one kernel's frames."""

    plugin: Path
    marks: Mapping[str, int]
    """Addresses, by event and function."""


@contextmanager
def counted_machine(spec: RunSpec, folder: Path, counting: Counting | None) -> Iterator[Qemu]:
    """A running machine, with the plugin where parts are to be counted."""
    if counting is None:
        with Qemu(spec, folder, ()) as machine:
            yield machine
        return
    image = read_bounded(spec.kernel, KERNEL_BYTES_MAX)
    extra = plugin_arguments(counting.plugin, folder / ACCOUNT, spec.machine, image, counting.marks)
    loaded = replace(spec, machine=replace(spec.machine, extra=(*spec.machine.extra, *extra)))
    with Qemu(loaded, folder, EVENTS, paused=True) as machine:
        machine.qmp.execute("human-monitor-command", **{"command-line": f"log {LOG_ITEMS}"})
        machine.qmp.execute("cont")
        yield machine


def read_parts(folder: Path, transferred_bytes: float) -> CountedFrames:
    """Read the files of an ended machine and delete them, because they are large.

    Raises
    ------
    OSError, ValueError
        When they are missing or damaged.
    """
    account, log = folder / ACCOUNT, folder / TRACE_LOG
    try:
        parts, frames = parts_of(read_bounded(account).decode("ascii"), read_bounded(log, LOG_BYTES_MAX))
    finally:
        account.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
    return CountedFrames(frames, parts, transferred_bytes)


def together(counted: Sequence[CountedFrames]) -> CountedFrames:
    """The mean of stretches of frames."""
    frames = sum(one.frames for one in counted)
    parts = {
        part: _mean([(one.parts.get(part, PartCounts()), one.frames / frames) for one in counted]) for part in PARTS
    }
    return CountedFrames(frames, parts, sum(one.transferred_bytes * one.frames for one in counted) / frames)


def _mean(weighted: Sequence[tuple[PartCounts, float]]) -> PartCounts:
    total = PartCounts()
    for counts, share in weighted:
        total = added(total, scaled(counts, share))
    return total
