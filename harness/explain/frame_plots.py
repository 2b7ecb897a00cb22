"""Plots of a frame taken apart: its parts stacked over the frames, and one frame drawn out as tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.explain.attribution import PARTS, FrameAccount
from harness.explain.timeline import TRACKS, TimelineSpan
from harness.report.plots import INK, MUTED, WIDE_ALONE, block, head, named_tics, quoted

COLOURS: Mapping[str, str] = {
    "draw": "#3f9172",
    "submit": "#d0a52b",
    "notify": "#dd7a35",
    "device": "#4a7fc1",
    "poll": "#c2453d",
    "log": "#9467bd",
    "blk": "#5f9ea0",
    "scheduler": "#a0603d",
    "idle": "#b5ae9e",
    "guest": "#3f9172",
    "other": "#8a8a8a",
    "wait": "#c2453d",
    "transfer": "#4a7fc1",
    "flush": "#7fb2e5",
    "gpu": "#4a7fc1",
}
"""Readable on light and dark backgrounds; plots and tables also print the names."""

FRAMES_DRAWN = 300
LABEL_WIDTH = 0.14
NARROW_LABEL_WIDTH = 0.32
"""Share of a plot's width, on a desktop and on a phone: a narrower span has its name only in the key."""
SPANS_DRAWN = 400
NARROWEST = 0.002
"""Share of a track's width: a shorter span is drawn this wide."""


def stack_script(account: FrameAccount) -> str:
    """Parts of every frame, stacked from drawing upwards; named where they are wide enough, and in the key."""
    chosen = np.unique(np.linspace(0, len(account) - 1, min(len(account), FRAMES_DRAWN)).astype(int))
    names = [name for name in PARTS if name in account.parts]
    sums = np.cumsum([np.maximum(account.parts[name][chosen], 0) for name in names], axis=0) / 1e6
    lines = head("a frame's time, by part", "frame", "ms", 380)
    rows = [[float(account.frames[at]), 0.0, *map(float, sums[:, i])] for i, at in enumerate(chosen)]
    lines += block("stack", rows)
    top = float(np.quantile(sums[-1], 0.99)) * 1.15
    first, last = float(account.frames[0]), float(account.frames[-1])
    lines += [
        f"set yrange [0:{top:.6g}]",
        f"set xrange [{first:.6g}:{max(last, first + 1):.6g}]",
        "set key outside right top vertical reverse Left invert samplen 1.2",
        "set style fill solid 0.9 noborder",
    ]
    titles = {name: quoted(f"{name} {account.part_ms(name):.2f} ms") for name in names}
    drawn = [
        f"$stack using 1:{i + 2}:{i + 3} with filledcurves linecolor rgb '{COLOURS[name]}' title {titles[name]}"
        for i, name in enumerate(names)
    ]
    return "\n".join([*lines, "plot " + ", ".join(drawn)]) + "\n"


def timeline_script(title: str, spans: Sequence[TimelineSpan]) -> str:
    """One frame in time: a track each for the guest's CPU, the device and the main loop."""
    spans = spans[:SPANS_DRAWN]
    end = max((span.end_ns for span in spans), default=1.0) / 1e6
    lines = head(title, "ms since drawing began", "", 210)
    lines += [
        named_tics(list(TRACKS)),
        f"set yrange [0.45:{len(TRACKS) + 0.55}]",
        f"set xrange [0:{end:.6g}]",
        "set key outside right top vertical Left reverse samplen 1.2",
        "set style fill solid 0.9 noborder",
    ]
    names = list(dict.fromkeys(span.name for span in spans))
    drawn = []
    for number, name in enumerate(names):
        rows = [_box(span, end) for span in spans if span.name == name]
        lines += block(f"s{number}", rows)
        style = f"linecolor rgb '{COLOURS.get(name, MUTED)}' title {quoted(name)}"
        drawn.append(f"$s{number} using 1:2:3:4:5:6 with boxxyerror {style}")
    for span in spans:
        width = (span.end_ns - span.begin_ns) / 1e6
        if width > end * LABEL_WIDTH:
            middle = (span.begin_ns + span.end_ns) / 2e6
            place = f"at first {middle:.6g}, first {_height(span):.6g} center front"
            wide = "" if width > end * NARROW_LABEL_WIDTH else WIDE_ALONE
            lines.append(f"set label {quoted(f'{span.name} {width:.2f}')} {place} textcolor rgb '#ffffff'{wide}")
    if not drawn:
        lines.append(f"set label 'nothing was recorded' at graph 0.5, graph 0.5 center textcolor rgb '{INK}'")
        drawn.append("NaN notitle")
    return "\n".join([*lines, "plot " + ", ".join(drawn)]) + "\n"


def _height(span: TimelineSpan) -> float:
    return float(len(TRACKS) - TRACKS.index(span.track))


def _box(span: TimelineSpan, end_ms: float) -> list[float | str]:
    """Centre, and the edges of a box: x, y, xlow, xhigh, ylow, yhigh."""
    begin, height = span.begin_ns / 1e6, _height(span)
    until = max(span.end_ns / 1e6, begin + end_ms * NARROWEST)
    return [(begin + until) / 2, height, begin, until, height - 0.36, height + 0.36]
