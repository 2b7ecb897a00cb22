"""Metrics and their figures in words."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping

from harness.core.wording import amount, percent, signed_percent, span
from harness.model.result import Gate

LABELS: Mapping[str, str] = {
    "fps_trace": "frame rate",
    "fps_window": "frame rate, measured window",
    "fps_screendump": "frame rate by screendumps",
    "fps_guest": "frame rate by the guest's word",
    "frame_ms_p50": "frame time, median",
    "frame_ms_p95": "frame time, 95th percentile",
    "frame_ms_p99": "frame time, 99th percentile",
    "frame_ms_max": "frame time, longest",
    "fps_low_1pct": "frame rate of the slowest 1 %",
    "stutter_share": "stuttering frames",
    "timeouts": "waits that gave up",
    "rekicks": "missed notifications",
    "animation_error_ms_p50": "animation error, median",
    "animation_error_ms_p95": "animation error, 95th percentile",
    "animation_error_ms_p99": "animation error, 99th percentile",
    "deadline_repeats": "deadlines without a new frame",
    "deadline_drops": "frames never seen at a deadline",
    "deadline_overruns": "frames that worked longer than a period",
    "pace_missed": "deadlines of the declared pace without a frame",
    "host_wait": "time that QEMU waited for a core of the host",
    "input_ms_p50": "input to frame, median",
    "input_ms_p95": "input to frame, 95th percentile",
    "input_ms_p99": "input to frame, 99th percentile",
    "input_queue_ms": "input to frame: the device's queue, median",
    "input_wait_ms": "input to frame: wait for a frame, median",
    "input_draw_ms": "input to frame: drawing, median",
    "input_device_ms": "input to frame: submit and device, median",
    "input_sent_ms": "the monitor's own delay of a key, median",
    "input_clock_error_ms": "input to frame: error of the clocks, at 95 %",
    "input_late": "keys read late",
    "input_dropped": "keys that the device dropped",
    "mode_gap_ms": "longest gap at a change of the mode",
    "refusals": "malformed commands that were answered",
    "refusals_wrong": "malformed commands answered wrongly",
    "boot_ms": "time to the first frame",
    "predicted_frame_ms": "frame time predicted by counts",
    "overhead_events": "observer overhead of trace events",
    "overhead_records": "observer overhead of records",
    "overhead_screendumps": "observer overhead of screendumps",
    "pictures": "bad pictures",
}
"""Where a metric's own name does not say it."""


def when_words(started: str) -> str:
    """``2026-11-28 17:27 UTC`` of an ISO time; unchanged where it is not one."""
    try:
        when = datetime.datetime.fromisoformat(started.replace("Z", "+00:00"))
    except ValueError:
        return started
    return f"{when:%Y-%m-%d %H:%M} {f'{when:%z}' if when.utcoffset() else 'UTC'}"


def label_of(metric: str) -> str:
    """A metric's name for people; where none is given, its own name in words."""
    return LABELS.get(metric) or metric.replace("_per_frame", " a frame").replace("_", " ")


def figure(value: float | None, unit: str = "") -> str:
    """A figure with its unit; a share as per cent, a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    return percent(value) if unit == "ratio" else f"{amount(value)} {unit}".strip()


def change_words(gate: Gate) -> tuple[str, str]:
    """A gate's change as one of time (+ is slower), and its interval; of counts the change itself."""
    found = gate.frame_time
    if found is None or not math.isfinite(found.change):
        return "–", ""
    digits = 1 if not found.change or abs(found.change) >= 0.001 else 3
    bounded = math.isfinite(found.low) and math.isfinite(found.high)
    return signed_percent(found.change, digits), span(found.low, found.high) if bounded else ""
