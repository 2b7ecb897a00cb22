"""What a page shows of a run through several modes."""

from __future__ import annotations

from harness.model.modes_record import AskedMode, ModeSize, ModesRecord
from harness.report.view import Section, TableRow, columns, table, texts


def modes_section(record: ModesRecord) -> Section:
    """Each mode: its pictures, how soon it was shown, and the gap in the frames."""
    checked, intact = (sum(getattr(one, name) for one in record.asked) for name in ("checked", "intact"))
    through = ", ".join(_size(one.size) for one in record.asked)
    lead = [f"One run through {through}: {intact} of {checked} pictures right, those of each change included."]
    lead += [f"Wrong: {text}." for text in record.bad]
    lead += [f"Refused: {text}." for text in record.refused]
    lead += [f"Not by EDID: {text}." for text in record.notes]
    head = columns("mode", "#pictures", "#right", "#shown after, ms", "#gap, ms")
    closing = (
        "Shown after: from the display's change to the first frame of that size; the kernel makes its new scene beside "
        "the frames of the old one. Gap: from the last frame of the old size to that frame.",
    )
    return Section(
        "Modes", lead=tuple(lead), table=table(head, [_row(record, one) for one in record.asked]), closing=closing
    )


def _row(record: ModesRecord, asked: AskedMode) -> TableRow:
    change = next((one for one in record.changes if asked.asked_ns and one.size == asked.size), None)
    times = ("–", "–") if change is None else (f"{change.shown_ns / 1e6:.0f}", f"{change.gap_ns / 1e6:.1f}")
    return TableRow(texts(_size(asked.size), str(asked.checked), str(asked.intact), *times))


def _size(size: ModeSize) -> str:
    return f"{size[0]}x{size[1]}"
