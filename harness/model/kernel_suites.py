"""The suites inside the kernel, read from ``kernel/``, where each one registers itself."""

from __future__ import annotations

import functools
import re

from harness.model.spec import KERNEL_DIR

_SUITE = re.compile(r"^KTEST_SUITE(?:_BY_NAME)?\((\w+),", re.MULTILINE)


@functools.cache
def suite_names() -> tuple[str, ...]:
    """Every suite, by name in the order of the alphabet; some belong to one architecture."""
    # No bound needed: sources of this tree.
    files = [*(KERNEL_DIR / "test").glob("ktest_*.c"), *(KERNEL_DIR / "arch").rglob("*.c")]
    # No bound needed: sources of this tree.
    return tuple(sorted({name for path in files for name in _SUITE.findall(path.read_text(encoding="utf-8"))}))
