"""Plots of an explanation: effects of switches as points with intervals, and the frame rate along the case study."""

from __future__ import annotations

from collections.abc import Sequence

from harness.explain.effects import Effect, Worth, label
from harness.report.plots import (
    AROUND_PX,
    FIRST,
    KEY_BELOW,
    KEY_PX,
    MUTED,
    ROW_PX,
    SECOND,
    block,
    head,
    named_tics,
    quoted,
)

REACH = 2.0
"""Intervals are cut off at this multiple of the largest change: with few launches an interval may be unbounded."""
_COLOURS = {Worth.SLOWER: SECOND, Worth.FASTER: FIRST, Worth.NOISE: MUTED}
_POINTS = {Worth.SLOWER: 9, Worth.FASTER: 11, Worth.NOISE: 6}


def effects_script(effects: Sequence[Effect]) -> str:
    """One line an effect, in the order given; slower, faster and noise in colours and shapes of their own."""
    count = len(effects)
    lines = head("each switch changed alone", "change of frame time, %", "", AROUND_PX + KEY_PX + ROW_PX * count)
    drawn = []
    for worth in Worth:
        rows: list[tuple[float | str, ...]] = [
            (100 * one.change, float(count - i), 100 * one.low, 100 * one.high)
            for i, one in enumerate(effects)
            if one.worth is worth
        ]
        if rows:
            name = worth.value
            lines += block(name, rows)
            style = f"pointtype {_POINTS[worth]} pointsize 0.9 linewidth 2 linecolor rgb '{_COLOURS[worth]}'"
            drawn.append(f"${name} using 1:2:3:4 with xerrorbars {style} title {quoted(name)}")
    lines += [named_tics([label(one.changes) for one in effects])]
    lines += [f"set yrange [0.4:{count + 0.6}]", KEY_BELOW]
    reach = REACH * max(abs(one.change) for one in effects)
    low, high = max(-1.0, -reach, min(one.low for one in effects)), min(reach, max(one.high for one in effects))
    lines += [f"set xrange [{105 * min(low, 0):.6g}:{105 * max(high, 0.001):.6g}]"]
    lines += [f"set arrow from 0, graph 0 to 0, graph 1 nohead linecolor rgb '{MUTED}'"]
    return "\n".join([*lines, "plot " + ", ".join(drawn)]) + "\n"


def steps_script(rates: Sequence[tuple[str, float]]) -> str:
    """Frame rate by step as bars, in the order given, with its figure at the end."""
    count = len(rates)
    lines = head("frames a second, step by step", "frames/s", "", AROUND_PX + ROW_PX * count)
    rows: list[tuple[float | str, ...]] = [(0.0, fps, float(count - i)) for i, (_, fps) in enumerate(rates)]
    lines += block("steps", rows)
    lines += [named_tics([name for name, _ in rates])]
    most = max(fps for _, fps in rates)
    lines += [f"set yrange [0.4:{count + 0.6}]", f"set xrange [0:{most * 1.15:.6g}]"]
    lines += ["unset key", "set style fill solid 0.85 noborder", "set boxwidth 0.6"]
    bars = "$steps using (0):3:(0):2:($3-0.3):($3+0.3) with boxxyerror"
    figures = f"$steps using 2:3:(sprintf(' %.0f', $2)) with labels left offset 0.5,0 textcolor rgb '{MUTED}'"
    lines += [f"plot {bars} linecolor rgb '{FIRST}', {figures}"]
    return "\n".join(lines) + "\n"
