"""Input to frame as pictures: the way of some inputs drawn out in time, and how often each latency occurred."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.model.latency_record import ShownInput
from harness.report.plots import FIRST, INK, MUTED, SECOND, THIRD, Script, block, chart, head, named_tics, quoted

TIMELINE_MOST = 24
PARTS: Sequence[tuple[str, str, str]] = (
    ("queue_ns", "queue", INK),
    ("wait_ns", "wait for a frame", MUTED),
    ("draw_ns", "draw", FIRST),
    ("device_ns", "device, to the flush", SECOND),
)
"""Field, name and colour of each part, in the order in which an input goes through them."""
BINS = 30


def spread(shown: Sequence[ShownInput], most: int = TIMELINE_MOST) -> list[ShownInput]:
    """Some inputs, evenly spread over the run, the longest one among them."""
    if len(shown) <= most:
        return list(shown)
    longest = max(range(len(shown)), key=lambda at: shown[at].latency_ns)
    picked = {round(at * (len(shown) - 1) / (most - 1)) for at in range(most)}
    return [shown[at] for at in sorted(picked | {longest})]


def timeline(shown: Sequence[ShownInput]) -> Script:
    """One bar an input, from QEMU's event at 0 to the flush, its parts one after the other."""
    some = spread(shown)
    lines = head("input → frame → flush", "ms since the key was pressed", "", 180 + 22 * len(some))
    plotted = []
    begin = np.zeros(len(some))
    for number, (name, label, colour) in enumerate(PARTS):
        lengths = np.array([getattr(one, name) / 1e6 for one in some])
        rows = [
            (float(start + length / 2), float(len(some) - row), float(length / 2), 0.36)
            for row, (start, length) in enumerate(zip(begin, lengths))
        ]
        lines += block(f"t{number}", rows)
        style = f"fillstyle solid 0.9 noborder linecolor rgb '{colour}'"
        plotted.append(f"$t{number} using 1:2:3:4 with boxxyerror {style} title {quoted(label)}")
        begin = begin + lengths
    late = [(float(end), float(len(some) - row)) for row, (one, end) in enumerate(zip(some, begin)) if one.late_frames]
    if late:
        lines += block("late", late)
        plotted.append(
            f"$late using 1:2 with points pointtype 2 pointsize 0.8 linecolor rgb '{THIRD}' title 'read late'"
        )
    lines += [
        named_tics([f"{one.number} in frame {one.frame}" for one in some]),
        f"set yrange [0.3:{len(some) + 0.7}]",
        f"set xrange [0:{max(float(np.max(begin)) * 1.02, 0.1):.6g}]",
        "unset grid",
        "set key below left vertical samplen 1.2",
        "plot " + ", ".join(plotted),
    ]
    words = "Each input from QEMU's event to the flush of the first frame that shows it, on the host's clock."
    return Script("latency-timeline", "\n".join(lines) + "\n", words)


def latency_distribution(shown: Sequence[ShownInput]) -> Script:
    """How often each latency occurred."""
    latency_ms = np.array([one.latency_ns / 1e6 for one in shown])
    edges = np.linspace(0.0, max(float(np.max(latency_ms)) * 1.02, 0.1), BINS + 1)
    counts = np.histogram(latency_ms, edges)[0]
    centres = (edges[1:] + edges[:-1]) / 2
    lines = head("input to frame", "from key to flush, ms", "inputs")
    lines += block("d", [(float(x), float(y)) for x, y in zip(centres, counts)])
    median, tail = (float(np.percentile(latency_ms, share)) for share in (50, 95))
    for at, label in ((median, "median"), (tail, "95 %")):
        lines += [f"set arrow from {at:.5g}, graph 0 to {at:.5g}, graph 1 nohead dashtype 2 linecolor rgb '{SECOND}'"]
        words = quoted(f" {label} {at:.1f} ms")
        place = "graph 0.95" if label == "median" else "graph 0.87"
        lines += [f"set label {words} at {at:.5g}, {place} left textcolor rgb '{SECOND}'"]
    lines += ["unset key", "set yrange [0:*]", f"plot $d using 1:2 with histeps linewidth 2 linecolor rgb '{FIRST}'"]
    live = chart(
        ("from key to flush, ms", "inputs", ""),
        {"inputs": counts.tolist()},
        centres.tolist(),
    )
    return Script("latency", "\n".join(lines) + "\n", "How long inputs took to the screen.", live)
