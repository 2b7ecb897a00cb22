#!/usr/bin/python3
"""Draws docs/house.svg: the rooms of harness/ and who imports whom, read from the import statements.

The drawing leaves out an arrow where a longer path says the same; its description lists every import. The output
depends on nothing but the sources, so that a test can compare it.

    ci/house.py          writes docs/house.svg
    ci/house.py -        prints it
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "harness"
PICTURE = ROOT / "docs" / "house.svg"
LEFT_OUT = {"tests", "__init__", "__main__"}

Imports = Mapping[str, frozenset[str]]
"""By room: the rooms that it imports."""

BOX_W, BOX_H, GAP_X, GAP_Y, MARGIN = 104, 34, 22, 62, 20


def room_of(path: Path) -> str:
    """``core`` of harness/core/guest/serial.py, ``cli`` of harness/cli.py."""
    parts = path.relative_to(HARNESS).parts
    return parts[0] if len(parts) > 1 else path.stem


def imported_rooms(source: str) -> Iterator[str]:
    """Rooms that a source names in its import statements, wherever these stand."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "harness":
            names = [f"harness.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        yield from (name.split(".")[1] for name in names if name.startswith("harness."))


def read_imports() -> Imports:
    """The import graph, room by room; commands are run by name, which cli's arrow stands for."""
    found: dict[str, set[str]] = {}
    for path in sorted(HARNESS.rglob("*.py")):
        room = room_of(path)
        if room not in LEFT_OUT:
            found.setdefault(room, set()).update(imported_rooms(path.read_text(encoding="utf-8")))
    found["cli"].add("commands")
    return {room: frozenset(targets - {room}) & found.keys() for room, targets in sorted(found.items())}


def below(imports: Imports, room: str) -> frozenset[str]:
    """All rooms that a room reaches, directly or not."""
    reached: set[str] = set()
    waiting = set(imports[room])
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting |= imports[one]
    return frozenset(reached)


def drawn(imports: Imports) -> list[tuple[str, str]]:
    """Arrows that no longer path stands for."""
    reach = {room: below(imports, room) for room in imports}
    return [
        (room, target)
        for room, targets in imports.items()
        for target in sorted(targets)
        if not any(target in reach[other] for other in targets - {target})
    ]


def storeys(imports: Imports) -> list[list[str]]:
    """Rooms by the longest way down to them, the highest storey first.

    Raises
    ------
    ValueError
        When rooms import each other in a circle.
    """
    reach = {room: below(imports, room) for room in imports}
    circle = sorted(room for room in imports if room in reach[room])
    if circle:
        raise ValueError(f"rooms import each other in a circle: {' '.join(circle)}")
    depth: dict[str, int] = {}
    for room in sorted(imports, key=lambda room: (-len(reach[room]), room)):
        depth[room] = 1 + max((depth[other] for other in imports if room in imports[other]), default=-1)
    return [[room for room in sorted(imports) if depth[room] == level] for level in range(max(depth.values()) + 1)]


def arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    """Path of an arrow: straight to the next storey, past more of them straight down and then across."""
    if y2 - y1 <= GAP_Y:
        return f"M{x1} {y1} {x2} {y2}"
    bend = y2 - GAP_Y
    return f"M{x1} {y1} V{bend} C{x1} {bend + GAP_Y // 2} {x2} {bend + GAP_Y // 3} {x2} {y2}"


def svg(imports: Imports) -> str:
    """The drawing."""
    rows = storeys(imports)
    width = max(len(row) for row in rows) * (BOX_W + GAP_X) - GAP_X + 2 * MARGIN
    height = len(rows) * (BOX_H + GAP_Y) - GAP_Y + 2 * MARGIN
    place: dict[str, tuple[int, int]] = {}
    for level, row in enumerate(rows):
        left = (width - len(row) * (BOX_W + GAP_X) + GAP_X) // 2
        for index, room in enumerate(row):
            place[room] = (left + index * (BOX_W + GAP_X), MARGIN + level * (BOX_H + GAP_Y))
    every = "\n".join(f"{room}: {' '.join(sorted(targets)) or '-'}" for room, targets in imports.items())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="14">',
        "<title>The rooms of harness/ and who imports whom</title>",
        f"<desc>Every import:\n{every}</desc>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#567"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for room, target in drawn(imports):
        (x1, y1), (x2, y2) = place[room], place[target]
        path = arrow(x1 + BOX_W // 2, y1 + BOX_H, x2 + BOX_W // 2, y2)
        lines.append(
            f'<path d="{path}" fill="none" stroke="#567" marker-end="url(#head)">'
            f"<title>{room} imports {target}</title></path>"
        )
    for room, (x, y) in place.items():
        lines.append(
            f'<rect x="{x}" y="{y}" width="{BOX_W}" height="{BOX_H}" rx="5" fill="#eef3f8" stroke="#345"/>'
            f'<text x="{x + BOX_W // 2}" y="{y + 22}" text-anchor="middle" fill="#123">{room}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def main() -> int:
    text = svg(read_imports())
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(text)
    else:
        PICTURE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
