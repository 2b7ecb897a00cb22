"""What a page shows of input to frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.model.latency_record import LatencyRecord, ShownInput
from harness.report.latency_plots import PARTS
from harness.report.view import Plot, Section, TableRow, columns, table, texts

PLOTS = ("latency-timeline", "latency")
"""Stems of the plots that stand in this section."""
_ROWS = (*((field, label) for field, label, _ in PARTS), ("latency_ns", "key to flush"))


def latency_section(record: LatencyRecord, plots: Sequence[Plot] = ()) -> Section:
    """Input to frame: what was pressed, each part's share, and what is left out of it."""
    shown = record.shown
    lead = [_pressed(record)]
    if shown:
        lead.append(_clock(shown))
    late = sum(one.late_frames > 0 for one in shown)
    if late:
        most = max(one.late_frames for one in shown)
        frames = "one frame" if most == 1 else f"up to {most} frames"
        lead.append(
            f"{late} of {len(shown)} keys were in the queue when a frame began, and came to the screen {frames} later."
        )
    rows = [_row(shown, field, label) for field, label in _ROWS] if shown else []
    head = columns("part", "#median, ms", "#95 %, ms", "#longest, ms")
    return Section("Input to frame", lead=tuple(lead), plots=tuple(plots), table=table(head, rows))


def _pressed(record: LatencyRecord) -> str:
    pace = f"at {record.pace_hz} frames/s" if record.pace_hz else "unpaced"
    words = f"{len(record.sent)} keys at random moments, {pace}: {len(record.shown)} seen in a recorded frame"
    if record.dropped:
        words += f"; the device dropped {record.dropped}, for which the guest's queue had no room"
    if record.unseen:
        words += f"; {record.unseen} came before the first recorded frame or too near the end"
    return f"{words}."


def _clock(shown: Sequence[ShownInput]) -> str:
    sent, error = (np.array([getattr(one, name) for one in shown]) / 1e6 for name in ("sent_ns", "error_ns"))
    median, tail, known = float(np.median(sent)), float(np.percentile(sent, 95)), float(np.percentile(error, 95))
    return (
        f"QEMU's monitor took {median:.2f} ms to hand a key on, {tail:.2f} ms at 95 %, no part of these times. "
        f"All times are on the host's clock, and known to within {known:.2f} ms at 95 %."
    )


def _row(shown: Sequence[ShownInput], field: str, label: str) -> TableRow:
    values = np.array([getattr(one, field) for one in shown]) / 1e6
    figures = (float(np.median(values)), float(np.percentile(values, 95)), float(np.max(values)))
    return TableRow(texts(label, *(f"{value:.2f}" for value in figures)))
