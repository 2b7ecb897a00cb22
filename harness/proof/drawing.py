"""A cycle as a picture: two threads, four accesses, and the edges that close it."""

from __future__ import annotations

import textwrap
from html import escape

from harness.proof.decided.decide import Cycle
from harness.proof.decided.devices import DevicePair

WIDTH, HEIGHT = 356, 226
"""As wide as a phone: nothing scrolls."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 2, 200, 32, 172
_BOX_WIDTH, _BOX_HEIGHT, _LINE = 154, 48, 15
_LETTERS, _LINES = 23, 2
"""Longest line in a box, and lines there; the whole text is the box's title and is printed below the picture."""
_CUTS = {
    "x86_64": {"WR": "mfence"},
    "aarch64": {"WW": "dmb ishst", "RR": "dmb ishld", "RW": "dmb ishld", "WR": "dmb ish"},
    "riscv64": {"WW": "fence w,w", "RR": "fence r,r", "RW": "fence r,w", "WR": "fence w,r"},
}
"""The weakest fence between two accesses, by their letters."""

_DEVICE_WORDS = {
    DevicePair.READ_READ: ("reads the index, new", "reads the word, old"),
    DevicePair.READ_WRITE: ("reads the index, new", "writes the word"),
    DevicePair.WRITE_WRITE: ("writes the word", "writes the index"),
    DevicePair.READ_THEN_INDEX: ("reads the word, the later one", "writes the index"),
    DevicePair.WRITE_READ: ("writes its flags", "reads the index, old"),
}


def _box(x: int, y: int, text: str) -> str:
    # An access is "W available index, virtqueue_publish+0x44: strh w4, [x1, #2]".
    parts = text.partition(": ")[0].split(", ", 1)
    lines = [line for part in parts for line in textwrap.wrap(part, _LETTERS)]
    if len(lines) > _LINES:
        lines[_LINES - 1 :] = [f"{lines[_LINES - 1][: _LETTERS - 2]}…"]
    return (
        f'<g><title>{escape(text)}</title><rect x="{x}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="5" '
        f'fill="none" stroke="currentColor"/>{_text(x + 8, y + 20, lines)}</g>'
    )


def _text(x: int, y: int, lines: list[str]) -> str:
    """Lines below each other, the first on this base line."""
    spans = (f'<tspan x="{x}" y="{y + number * _LINE}">{escape(line)}</tspan>' for number, line in enumerate(lines))
    return f'<text font-size="11.5">{"".join(spans)}</text>'


def _arrow(points: str, style: str = "") -> str:
    return f'<polyline points="{points}" fill="none" stroke="currentColor" marker-end="url(#tip)" {style}/>'


def draw_cycle(cycle: Cycle) -> str:
    """One cycle as SVG, in the text colour of the page. A broken line is an order that is not kept."""
    above, below = _DEVICE_WORDS[cycle.device]
    if cycle.in_flight:
        above, below = "reads the index, new", "reads or writes the word too"
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" fill="currentColor" '
        'font-family="system-ui, DejaVu Sans, sans-serif">',
        f"<title>{escape(cycle.question)}: {escape(cycle.what)}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker></defs>',
        f'<text x="{_LEFT}" y="20" font-weight="650" font-size="13">driver</text>',
        f'<text x="{_RIGHT}" y="20" font-weight="650" font-size="13">device</text>',
        _box(_LEFT, _TOP, cycle.first),
        _box(_LEFT, _BOTTOM, cycle.second),
        _box(_RIGHT, _TOP, above),
        _box(_RIGHT, _BOTTOM, below),
        *_downwards(cycle),
        *_across(cycle),
        "</svg>",
    ]
    return "".join(parts)


def _downwards(cycle: Cycle) -> list[str]:
    """Program order of the driver and of the device."""
    fence = _CUTS[cycle.program.arch].get(cycle.first[:1] + cycle.second[:1], "")
    driver = "not kept" + (f"; {fence} cuts it" if fence else " in order")
    if cycle.in_flight:
        driver = "in this order;no fence helps"
    elif cycle.by_device:
        driver = "kept"
    words = {_LEFT: driver, _RIGHT: "not kept in order" if cycle.by_device else "kept"}
    broken = None if cycle.in_flight else _RIGHT if cycle.by_device else _LEFT
    found = []
    for x, word in words.items():
        line = f"{x + 14},{_TOP + _BOX_HEIGHT} {x + 14},{_BOTTOM}"
        found.append(_arrow(line, 'stroke-dasharray="5 4"' if x == broken else ""))
        words_y = (_TOP + _BOX_HEIGHT + _BOTTOM) // 2
        found.append(_text(x + 24, words_y, [part.strip() for part in word.split(";")]))
    return found


def _across(cycle: Cycle) -> list[str]:
    """What one side sees of the other."""
    left, upper, lower = _LEFT + _BOX_WIDTH, _TOP + _BOX_HEIGHT // 2, _BOTTOM + _BOX_HEIGHT // 2
    if cycle.in_flight:
        lines = (f"{left},{upper} {_RIGHT},{upper}", f"{left},{lower} {_RIGHT},{lower}")
    else:
        lines = (f"{left},{lower} {_RIGHT},{upper}", f"{_RIGHT},{lower} {left},{upper}")
    return [_arrow(line) for line in lines]
