"""Where in a TOML file something stands: its parser keeps no lines, and a complaint needs one."""

from __future__ import annotations

import re


def line_of(text: str, where: str) -> int:
    """The line, from 1, where a dotted key is set, or its table opened; 1 when it cannot be found.

    A key inside an inline table is found where it stands, when its table is written over several lines, else at the
    table's own line.
    """
    best, table = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            table = re.sub(r"[\s\"']", "", header[1])
            path = table
        elif setting := re.match(r"\s*([\w.\"' -]+?)\s*=", line):
            key = re.sub(r"[\s\"']", "", setting[1])
            path = f"{table}.{key}".lstrip(".")
        else:
            continue
        if path == where or path.startswith(f"{where}."):
            return number
        if where.startswith(f"{path}."):
            best = number
    return best
