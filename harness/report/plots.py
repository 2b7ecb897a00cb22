"""gnuplot scripts for the pictures of a report. Scripts hold their data inline; every text in them is escaped.

Colours are placeholders that :func:`themed` turns into CSS variables, so that one SVG serves light and dark pages.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import escape

from harness.core.arrays import F64
from harness.platform.pictures.gnuplot import PlotError, plot_svg
from harness.report.view import Plot

INK, MUTED, FIRST, SECOND, THIRD = "#010203", "#020304", "#030405", "#040506", "#050607"
_VARIABLES = {INK: "--ink", MUTED: "--muted", FIRST: "--series-1", SECOND: "--series-2", THIRD: "--series-3"}
SERIES = (FIRST, SECOND, THIRD)
WIDTH, HEIGHT, FONT = 760, 320, 14
NARROW_WIDTH, NARROW_HEIGHT, NARROW_FONT = 380, 260, 12
AROUND_PX, KEY_PX, ROW_PX = 130, 30, 26
"""Heights of a plot of named rows: title, axis and its name; a key below; a row, whose name touches no other."""
KEY_BELOW = "set key below center horizontal height 1"
DRAWN = 1500
"""Points of a series in a drawing; a browser gets twice as many."""


def quoted(text: str) -> str:
    """A gnuplot string: single quotes doubled, controls gone; nothing inside is interpreted."""
    return "'" + "".join(c for c in text if c.isprintable()).replace("'", "''") + "'"


def themed(svg: str, caption: str = "", narrow: bool = False) -> str:
    """Colours as CSS variables, sizes that fit the page, names of its own; the narrow drawing is for phones."""
    for colour, variable in _VARIABLES.items():
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        svg = re.sub(rf"rgb\(\s*{red},\s*{green},\s*{blue}\s*\)", f"var({variable})", svg)
        svg = svg.replace(colour, f"var({variable})").replace(colour.upper(), f"var({variable})")
    svg = svg.replace('fill="black"', 'fill="var(--ink)"').replace('stroke="black"', 'stroke="var(--ink)"')
    svg = svg.replace("flood-color='white'", "style='flood-color: var(--paper)'")
    svg = re.sub(r"<title>.*?</title>|<desc>.*?</desc>", "", svg, flags=re.DOTALL)
    prefix = f"p{hashlib.sha256(svg.encode()).hexdigest()[:8]}{'n' if narrow else 'w'}-"
    svg = re.sub(r"""(\bid=['"])""", rf"\1{prefix}", svg)
    svg = re.sub(r"""((?:href=['"]|url\())#""", rf"\1#{prefix}", svg)
    kind = (
        'class="plot narrow" aria-hidden="true"'
        if narrow
        else f'class="plot" role="img" aria-label="{escape(caption)}"'
    )
    return re.sub(r'<svg\s+(?:width="\d+"\s+height="\d+"\s+)?', f"<svg {kind} ", svg, count=1)


WIDE_ALONE = " # wide"
"""Ends the line of a label for which a phone has no room."""
NARROW_KEY = "set key below center horizontal samplen 1.2 height 1"


NARROW_NAME = 22
"""Longest name, in characters, that stands left of a phone's plot."""
_ON_PAPER = "set style textbox opaque noborder"
"""Text with the page's colour behind it: lines of the plot end at it."""
_NAMED_TIC = re.compile(r"('(?:[^']|'')*') (\d+)(?:, |$)")


def _names_inside(found: re.Match[str]) -> str:
    """Long names of rows above their lines, inside the plot, instead of left of it."""
    names = [(one[1].replace("%%", "%"), one[2]) for one in _NAMED_TIC.finditer(found[1])]
    if max((len(name) - 2 for name, _ in names), default=0) <= NARROW_NAME:
        return found[0]
    labels = [f"set label {name} at graph 0.02, first {row} offset 0,0.9 left front boxed" for name, row in names]
    return "\n".join(["unset ytics", _ON_PAPER, *labels])


def narrowed(script: str) -> str:
    """The same plot for a phone: narrower, with its key below."""

    def smaller(found: re.Match[str]) -> str:
        return f"size {NARROW_WIDTH},{max(NARROW_HEIGHT, int(found[1]))}"

    script = re.sub(rf"size {WIDTH},(\d+)", smaller, script)
    script = script.replace(f"Sans,{FONT}'", f"Sans,{NARROW_FONT}'")
    script = re.sub(rf"^set label .*{WIDE_ALONE}$\n", "", script, flags=re.MULTILINE)
    script = re.sub(r"^set ytics \((.*)\)$", _names_inside, script, flags=re.MULTILINE)
    script = re.sub(r"^set xlabel .*$", r"\g<0> offset 0,0.7", script, flags=re.MULTILINE)
    return re.sub(r"^set key (?!textcolor).*$", NARROW_KEY, script, flags=re.MULTILINE)


@dataclass(frozen=True)
class Script:
    """A plot before it is drawn. ``chart`` is what a browser needs to let it be zoomed, as JSON."""

    stem: str
    text: str
    caption: str
    chart: str = ""


def drawn(scripts: Sequence[Script], folder: Path) -> tuple[dict[str, Plot], tuple[str, ...]]:
    """Draw plots by their stems, and keep their scripts in ``folder``; with what could not be drawn."""
    plots: dict[str, Plot] = {}
    missing: list[str] = []
    for one in scripts:
        try:
            wide, narrow = (plot_svg(text) for text in (one.text, narrowed(one.text)))
        except PlotError as error:
            missing.append(error.message)
            continue
        (folder / f"{one.stem}.gnuplot").write_text(one.text, encoding="utf-8")
        shown = themed(wide, one.caption), themed(narrow, narrow=True)
        plots[one.stem] = Plot(shown[0], one.caption, shown[1], one.chart)
    return plots, tuple(dict.fromkeys(missing))


def chart(
    axes: tuple[str, str, str],
    series: Mapping[str, Sequence[float | None]],
    across: Sequence[float],
    limits: Sequence[tuple[float, str]] = (),
    points: bool = False,
) -> str:
    """What a browser draws: axes as (across, up, unit), and series by name over the same places.

    Unknown and infinite values are left out of the drawing.
    """
    rounded = [
        [None if v is None or not math.isfinite(v) else float(f"{v:.5g}") for v in values]
        for values in (across, *series.values())
    ]
    plain = {
        "x": axes[0],
        "y": axes[1],
        "unit": axes[2],
        "names": list(series),
        "data": rounded,
        "limits": [list(one) for one in limits],
        "points": points,
    }
    text = json.dumps(plain, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def head(title: str, xlabel: str, ylabel: str, height: int = HEIGHT) -> list[str]:
    """Terminal, borders and labels that all plots share."""
    return [
        f"set terminal svg size {WIDTH},{height} dynamic enhanced font 'DejaVu Sans,{FONT}'",
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


def named_tics(labels: Sequence[str]) -> str:
    """Rows named from the top down, the last at 1. Labels of tics are the only text that gnuplot reads as a format."""
    named = ", ".join(f"{quoted(label.replace('%', '%%'))} {len(labels) - i}" for i, label in enumerate(labels))
    return f"set ytics ({named})"


BINS = 61


def _binned(frame_ms: Mapping[str, F64]) -> tuple[F64, dict[str, F64]]:
    """Centres of bins, and the share of each arm's frames in them; the longest 0.5 % lie beyond the last."""
    everything = np.concatenate(list(frame_ms.values()))
    low, high = float(np.min(everything)), float(np.quantile(everything, 0.995))
    edges = np.linspace(low, max(high, low * 1.01), BINS)
    shares = {name: np.histogram(v, edges)[0] / max(len(v), 1) * 100 for name, v in frame_ms.items()}
    return (edges[1:] + edges[:-1]) / 2, shares


def distribution(frame_ms: Mapping[str, F64]) -> Script:
    """Frame times of each arm as a histogram."""
    centres, shares = _binned(frame_ms)
    lines = head("frame time distribution", "frame time, ms", "share of frames, %")
    parts = []
    for number, (name, values) in enumerate(shares.items()):
        lines += block(f"d{number}", [(float(x), float(y)) for x, y in zip(centres, values)])
        style = f"linecolor rgb '{SERIES[number % 3]}' linewidth 2 dashtype {number + 1}"
        parts.append(f"$d{number} using 1:2 with histeps {style} title {quoted(name)}")
    text = "\n".join([*lines, "set yrange [0:*]", "plot " + ", ".join(parts)]) + "\n"
    live = chart(
        ("frame time, ms", "share of frames, %", "%"), {n: v.tolist() for n, v in shares.items()}, centres.tolist()
    )
    return Script("distribution", text, "How often each frame time occurred, by arm.", live)


def frame_series(frame_ms: F64, name: str) -> Script:
    """Frame times in their order, with the median."""
    lines = head(f"frame times, {name}", "frame", "frame time, ms")
    thinned = np.arange(0, len(frame_ms), max(len(frame_ms) // DRAWN, 1))
    lines += block("frames", [(float(i), float(frame_ms[i])) for i in thinned])
    median = float(np.median(frame_ms))
    lines += [
        f"set yrange [0:{max(float(np.quantile(frame_ms, 0.999)) * 1.15, median * 2):.6g}]",
        f"plot $frames using 1:2 with points pointtype 7 pointsize 0.25 linecolor rgb '{FIRST}' title 'frame', "
        f"{median:.6g} with lines linecolor rgb '{SECOND}' linewidth 1.5 title 'median {median:.2f} ms'",
    ]
    finer = np.arange(0, len(frame_ms), max(len(frame_ms) // (2 * DRAWN), 1))
    live = chart(
        ("frame", "frame time, ms", "ms"),
        {name: frame_ms[finer].tolist()},
        finer.tolist(),
        [(median, f"median {median:.2f} ms")],
        points=True,
    )
    return Script("frames", "\n".join(lines) + "\n", f"Every frame of {name} in its order: pacing and freezes.", live)


@dataclass(frozen=True)
class PlottedChange:
    """One comparison as a point with an interval, per cent of frame time."""

    label: str
    change: float
    low: float
    high: float


def ratio_plot(ratios: Sequence[PlottedChange], limit: float | None) -> Script:
    """Changes of frame time with their intervals, one line each; the limit dashed and named."""
    bounded = [ratio for ratio in ratios if all(math.isfinite(v) for v in (ratio.change, ratio.low, ratio.high))]
    height = 150 + 40 * max(len(bounded), 1)
    lines = head("frame time against the reference", "change of frame time, % (right of 0: slower)", "", height)
    rows: list[tuple[float | str, ...]] = [
        (100 * one.change, float(len(bounded) - i), 100 * one.low, 100 * one.high) for i, one in enumerate(bounded)
    ]
    lines += block("r", rows)
    lines += [named_tics([one.label for one in bounded])]
    lines += [f"set yrange [0.4:{len(bounded) + 0.9}]", "unset key", "unset grid"]
    ends = [0.0, *(100 * end for one in bounded for end in (one.low, one.high)), 100 * (limit or 0.0)]
    space = 0.08 * (max(ends) - min(ends) or 1.0)
    lines += [f"set xrange [{min(ends) - space:.6g}:{max(ends) + space:.6g}]"]
    lines += [f"set arrow from 0, graph 0 to 0, graph 1 nohead linecolor rgb '{MUTED}'"]
    if limit is not None:
        at = 100 * limit
        lines += [f"set arrow from {at:.4g}, graph 0 to {at:.4g}, graph 1 nohead dashtype 2 linecolor rgb '{SECOND}'"]
        side = "right offset -0.6,0" if at > (max(ends) + min(ends)) / 2 else "left offset 0.6,0"
        words = quoted(f"limit {at:+.3g} %")
        lines += [f"set label {words} at {at:.4g}, graph 0.94 {side} textcolor rgb '{SECOND}'"]
    lines += [f"plot $r using 1:2:3:4 with xerrorbars pointtype 7 pointsize 0.8 linewidth 2 linecolor rgb '{FIRST}'"]
    return Script(
        "ratio", "\n".join(lines) + "\n", "Change of frame time with its 95 % interval; the gate's limit dashed."
    )


def launches_plot(effects: Sequence[float], batches: Sequence[int], limit: float | None = None) -> Script:
    """Every launch's own effect, in order; the confirming batch in another shape."""
    lines = head("effect of each launch", "launch", "change of frame time, %")
    lines += block(
        "l", [(float(i), 100 * effect, float(batch)) for i, (effect, batch) in enumerate(zip(effects, batches), 1)]
    )
    ends = [0.0, 100 * (limit or 0.0), *(100 * effect for effect in effects)]
    space = 0.08 * (max(ends) - min(ends) or 1.0)
    lines += [
        f"set xrange [0.5:{len(effects) + 0.5}]",
        f"set xzeroaxis linecolor rgb '{MUTED}'",
        f"set yrange [{min(ends) - space:.6g}:{max(ends) + space:.6g}]",
    ]
    if limit is not None:
        at = 100 * limit
        reach = f"from graph 0, first {at:.4g} to graph 1, first {at:.4g}"
        lines += [f"set arrow {reach} nohead dashtype 2 linecolor rgb '{SECOND}'"]
        place = f"at graph 0.01, first {at:.4g} offset 0,0.6"
        lines += [f"set label {quoted(f'limit {at:+.3g} %')} {place} textcolor rgb '{SECOND}'"]
    lines += [
        f"plot $l using 1:($3==0?$2:NaN) with points pointtype 7 pointsize 0.5 linecolor rgb '{FIRST}' title 'launch', "
        f"$l using 1:($3==1?$2:NaN) with points pointtype 9 pointsize 0.7 linecolor rgb '{THIRD}' title 'confirming'",
    ]
    parts: dict[str, list[float | None]] = {
        name: [100 * effect if (batch == 1) == later else None for effect, batch in zip(effects, batches)]
        for name, later in (("launch", False), ("confirming", True))
    }
    shown = {name: values for name, values in parts.items() if any(v is not None for v in values)}
    limits = [(100 * limit, f"limit {100 * limit:+.3g} %")] if limit is not None else []
    live = chart(("launch", "change of frame time, %", "%"), shown, range(1, len(effects) + 1), limits, points=True)
    return Script("launches", "\n".join(lines) + "\n", "Each launch is one sample: their spread is the noise.", live)
