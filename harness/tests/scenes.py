"""Copies of the scene with a planted bug, built natively."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from harness.model.spec import KERNEL_DIR
from harness.platform.pictures.oracle import build_oracle

Patch = Callable[[str], str]


def replaced(old: str, new: str) -> Patch:
    """Replace a text that must be there."""

    def patch(text: str) -> str:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        return text.replace(old, new)

    return patch


def swap_red_and_blue(text: str) -> str:
    """Swap the channels of every colour constant."""
    return re.sub(r"0x([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})(?=u?\b)", r"0x\3\2\1", text)


def build_mutant(folder: Path, patches: dict[str, Patch]) -> Path:
    """Build the scene with some of its files patched."""
    kernel = folder / "kernel"
    shutil.copytree(KERNEL_DIR / "scene", kernel / "scene")
    shutil.copy(KERNEL_DIR / "options.h", kernel / "options.h")
    (kernel / "base").mkdir()
    shutil.copy(KERNEL_DIR / "base" / "minmax.h", kernel / "base" / "minmax.h")
    for name, patch in patches.items():
        path = kernel / "scene" / name
        before = path.read_text(encoding="utf-8")
        after = patch(before)
        assert after != before, f"the patch changes nothing in {name}"
        path.write_text(after, encoding="utf-8")
    # Its pictures are the same, and it is built in a quarter of the time.
    return build_oracle(kernel, flags=("-O0",))
