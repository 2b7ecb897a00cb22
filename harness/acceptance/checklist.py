"""Evidence for the checklist, read from a measured window."""

from __future__ import annotations

import re

import numpy as np

from harness.acceptance.evidence import DiskLoad, EventCounts, FrameRateChange, InputEvidence, Roulette
from harness.core.comparison.statistics import Decision
from harness.gate.measuring.latency import Latency, clock_error_ms
from harness.gate.measuring.window import Window, window_incidents
from harness.model.spec import BUILT_IN

PROBED = "virtio-gpu: driver probe succeeded"
_PATH = re.compile(r"^virtio-gpu: (2d|virgl transfer)$", re.MULTILINE)


def findings_of(window: Window) -> tuple[str, ...]:
    """Everything that is wrong with a run."""
    return tuple(one.text for one in window_incidents(window, BUILT_IN))


def counted(window: Window, source: str) -> EventCounts:
    """Events of every frame, by what the guest counted. Pure."""
    records = window.serial.records
    findings = findings_of(window)
    fences, completions, frames = (records.column(key) for key in ("fences", "completions", "frame"))
    if not len(records) or frames is None or fences is None or completions is None:
        presented = len(window.presented.time_ns)
        return EventCounts(presented, 0, 0, 0, 0.0, 0.0, 0.0, (0, 0), 0.0, findings, source)
    numbers = np.asarray(frames, np.int64)
    return EventCounts(
        presented=len(window.presented.time_ns) - int(numbers[0]),
        records=len(records),
        gaps=int((np.diff(numbers) - 1).clip(0).sum()),
        lost=window.serial.total("overflow") or 0,
        fences=window.serial.per_frame("fences") or 0.0,
        spins=window.serial.per_frame("spins") or 0.0,
        completions=window.serial.per_frame("completions") or 0.0,
        completions_range=(int(completions.min()), int(completions.max())),
        most_fences_a_completion=float((fences / np.maximum(completions, 1)).max()),
        findings=findings,
        source=source,
    )


def changed(decision: Decision, source: str) -> FrameRateChange:
    """A ratio of frame times as a change of the frame rate."""
    low, high = 1 / decision.high - 1, 1 / decision.low - 1 if decision.low else float("inf")
    return FrameRateChange(1 / decision.ratio - 1, low, high, decision.launches, source)


def mean_fps(window: Window) -> float:
    """Frames a second by the trace, warm-up left out; 0 where there is no frame."""
    seconds = float(window.frame_ms.sum()) / 1e3
    return len(window.frame_ms) / seconds if seconds else 0.0


def roulette_of(window: Window, serial_log: str, source: str) -> Roulette:
    """A long run, by the trace and by what the kernel said while it started.

    All of its frames count: a seeming warm-up may be caused by the host, and cutting it would shorten the run.
    """
    frame_ms = window.presented.intervals_ms
    seconds = float(frame_ms.sum()) / 1e3
    path = _PATH.search(serial_log)
    boot = dict(window.serial.boot.fields) if window.serial.boot else {}
    return Roulette(
        seconds=seconds,
        frames=len(frame_ms),
        fps=len(frame_ms) / seconds if seconds else 0.0,
        probed=PROBED in serial_log.splitlines(),
        path=path[1] if path else "",
        preempt=boot.get("preempt", ""),
        fallback=window.fallback,
        findings=tuple(text for text in findings_of(window) if not window.fallback or window.fallback not in text),
        source=source,
    )


def disk_load_of(window: Window, source: str) -> DiskLoad:
    """Requests and timeouts, by the guest's summary and its complaints."""
    totals = {key: window.serial.total(f"blk_{key}") or 0 for key in ("requests", "bytes", "timeouts")}
    said = sum(timeout.device == "blk" for timeout in window.serial.timeouts)
    return DiskLoad(
        requests=totals["requests"],
        timeouts=max(totals["timeouts"], said),
        mib=totals["bytes"] / (1 << 20),
        seconds=(window.serial.total("elapsed_ns") or 0) / 1e9,
        findings=findings_of(window),
        source=source,
    )


def input_of(found: Latency, source: str) -> InputEvidence:
    """Each key's way to the screen, on the host's clock."""
    shown, latency_ms = found.record.shown, found.parts_ms("latency_ns")
    median, tail = (float(np.percentile(latency_ms, share)) if shown else 0.0 for share in (50, 95))
    return InputEvidence(
        pressed=len(found.record.sent),
        shown=len(shown),
        late=sum(one.late_frames > 0 for one in shown),
        median=median,
        tail=tail,
        clock_error=clock_error_ms(shown) or 0.0,
        monitor=float(np.median(found.parts_ms("sent_ns"))) if shown else 0.0,
        findings=(*findings_of(found.window), *found.record.problems),
        source=source,
    )
