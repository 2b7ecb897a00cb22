"""gnuplot scripts for the pictures of a report. Scripts hold their data inline; every text in them is escaped.

Colours are placeholders that :func:`themed` turns into CSS variables, so that one SVG serves light and dark pages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

INK, MUTED, FIRST, SECOND, THIRD = "#010203", "#020304", "#030405", "#040506", "#050607"
_VARIABLES = {INK: "--ink", MUTED: "--muted", FIRST: "--series-1", SECOND: "--series-2", THIRD: "--series-3"}
SERIES = (FIRST, SECOND, THIRD)
WIDTH, HEIGHT = 760, 300


def quoted(text: str) -> str:
    """A gnuplot string: single quotes doubled, controls gone; nothing inside is interpreted."""
    return "'" + "".join(c for c in text if c.isprintable()).replace("'", "''") + "'"


def themed(svg: str) -> str:
    """Colours as CSS variables, sizes that fit the page."""
    for colour, variable in _VARIABLES.items():
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        svg = re.sub(rf"rgb\(\s*{red},\s*{green},\s*{blue}\s*\)", f"var({variable})", svg)
        svg = svg.replace(colour, f"var({variable})").replace(colour.upper(), f"var({variable})")
    svg = svg.replace('fill="black"', 'fill="var(--ink)"').replace('stroke="black"', 'stroke="var(--ink)"')
    svg = re.sub(r'<svg\s+(?:width="\d+"\s+height="\d+"\s+)?', '<svg class="plot" role="img" ', svg, count=1)
    return re.sub(r"<title>.*?</title>|<desc>.*?</desc>", "", svg, flags=re.DOTALL)


def head(title: str, xlabel: str, ylabel: str, height: int = HEIGHT) -> list[str]:
    """Terminal, borders and labels that all plots share."""
    return [
        f"set terminal svg size {WIDTH},{height} dynamic enhanced font 'DejaVu Sans,12'",
        "set termoption noenhanced",
        f"set title {quoted(title)} textcolor rgb '{INK}'",
        f"set xlabel {quoted(xlabel)} textcolor rgb '{MUTED}'",
        f"set ylabel {quoted(ylabel)} textcolor rgb '{MUTED}'",
        f"set border 3 linecolor rgb '{MUTED}'",
        f"set tics nomirror textcolor rgb '{MUTED}'",
        f"set grid ytics linecolor rgb '{MUTED}' linewidth 0.3 dashtype 3",
        f"set key textcolor rgb '{INK}' top right",
    ]


def block(name: str, rows: Sequence[Sequence[float | str]]) -> list[str]:
    """Inline data ``$name``, one line a row."""
    lines = [" ".join(f"{value:.6g}" if isinstance(value, float) else str(value) for value in row) for row in rows]
    return [f"${name} << EOD", *lines, "EOD"]


def distribution_script(frame_ms: Mapping[str, F64]) -> str:
    """Frame times of each arm as a histogram, the share of frames in a bin; the longest 0.5 % are left of the edge."""
    everything = np.concatenate(list(frame_ms.values()))
    low, high = float(np.min(everything)), float(np.quantile(everything, 0.995))
    edges = np.linspace(low, max(high, low * 1.01), 61)
    centres = (edges[1:] + edges[:-1]) / 2
    lines = head("frame time distribution", "frame time, ms", "share of frames, %")
    drawn = []
    for number, (name, values) in enumerate(frame_ms.items()):
        shares = np.histogram(values, edges)[0] / max(len(values), 1) * 100
        lines += block(f"d{number}", [(float(x), float(y)) for x, y in zip(centres, shares)])
        style = f"linecolor rgb '{SERIES[number % 3]}' linewidth 2 dashtype {number + 1}"
        drawn.append(f"$d{number} using 1:2 with histeps {style} title {quoted(name)}")
    return "\n".join([*lines, "set yrange [0:*]", "plot " + ", ".join(drawn)]) + "\n"


def series_script(frame_ms: F64, name: str) -> str:
    """Frame times in their order, with the median."""
    lines = head(f"frame times, {name}", "frame", "ms")
    thinned = np.arange(0, len(frame_ms), max(len(frame_ms) // 3000, 1))
    lines += block("frames", [(float(i), float(frame_ms[i])) for i in thinned])
    median = float(np.median(frame_ms))
    lines += [
        f"set yrange [0:{max(float(np.quantile(frame_ms, 0.999)) * 1.1, median * 2):.6g}]",
        f"plot $frames using 1:2 with points pointtype 7 pointsize 0.25 linecolor rgb '{FIRST}' title 'frame', "
        f"{median:.6g} with lines linecolor rgb '{SECOND}' linewidth 1.5 title 'median {median:.2f} ms'",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Ratio:
    """One comparison as a point with an interval, per cent of frame time."""

    label: str
    change: float
    low: float
    high: float


def ratio_script(ratios: Sequence[Ratio], limit: float | None) -> str:
    """Changes of frame time with their intervals, one line each; the limit dashed."""
    bounded = [ratio for ratio in ratios if all(math.isfinite(v) for v in (ratio.change, ratio.low, ratio.high))]
    lines = head(
        "frame time against the reference", "change, % (right of 0: slower)", "", 110 + 34 * max(len(bounded), 1)
    )
    rows: list[tuple[float | str, ...]] = [
        (100 * one.change, float(len(bounded) - i), 100 * one.low, 100 * one.high) for i, one in enumerate(bounded)
    ]
    lines += block("r", rows)
    tics = ", ".join(f"{quoted(one.label)} {len(bounded) - i}" for i, one in enumerate(bounded))
    lines += [f"set ytics ({tics})", f"set yrange [0.4:{len(bounded) + 0.6}]", "unset key", "unset grid"]
    lines += [f"set arrow from 0, graph 0 to 0, graph 1 nohead linecolor rgb '{MUTED}'"]
    if limit is not None:
        at = 100 * limit
        lines += [f"set arrow from {at:.4g}, graph 0 to {at:.4g}, graph 1 nohead dashtype 2 linecolor rgb '{SECOND}'"]
    lines += [f"plot $r using 1:2:3:4 with xerrorbars pointtype 7 pointsize 0.8 linewidth 2 linecolor rgb '{FIRST}'"]
    return "\n".join(lines) + "\n"


def launches_script(effects: Sequence[float], batches: Sequence[int]) -> str:
    """Every launch's own effect, in order; the confirming batch in another shape."""
    lines = head("effect of each launch", "launch", "frame time, %")
    lines += block(
        "l", [(float(i), 100 * effect, float(batch)) for i, (effect, batch) in enumerate(zip(effects, batches))]
    )
    lines += [
        f"set xzeroaxis linecolor rgb '{MUTED}'",
        f"plot $l using 1:($3==0?$2:NaN) with points pointtype 7 pointsize 0.5 linecolor rgb '{FIRST}' title 'launch', "
        f"$l using 1:($3==1?$2:NaN) with points pointtype 9 pointsize 0.7 linecolor rgb '{SECOND}' title 'confirming'",
    ]
    return "\n".join(lines) + "\n"
