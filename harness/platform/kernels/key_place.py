"""Where a key stands in a target's file, for complaints that come after the file was read."""

from __future__ import annotations

import os
from pathlib import Path

from harness.model.target import Target
from harness.model.toml_lines import line_of
from harness.platform.files.bounded import read_bounded

SUFFIX = ".toml"
TARGET_BYTES_MAX = 1 << 20


def key_place(target: Target, key: str) -> str:
    """``FILE:LINE: KEY``; without the line where there is no file, as for the short form."""
    path = Path(target.folder) / f"{target.name}{SUFFIX}"
    try:
        text = read_bounded(path, TARGET_BYTES_MAX).decode("utf-8") if target.folder else ""
    except (OSError, UnicodeDecodeError):
        text = ""
    return f"{os.path.relpath(path)}:{line_of(text, key)}: {key}" if text else f"{target.name}{SUFFIX}: {key}"
