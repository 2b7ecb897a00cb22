"""A guest's last words about its own end, in one line for a headline. Pure."""

from __future__ import annotations

import re

from harness.core.guest.serial_noise import without_noise
from harness.core.text import neutral

LENGTH_MOST = 160
COMPLAINT = re.compile(
    rb"^virtio-(?:gpu|blk): (?:data corrupt|no |error|response|fence not|the device|a feature|a disk|its |blk= )"
    rb"[^\r\n]*",
    re.MULTILINE,
)
"""A line in which a driver says what went wrong."""
_TIMEOUT = re.compile(rb"^virtio-(?:gpu|blk): (?:request|command) timeout[^\r\n]*", re.MULTILINE)
_PANIC = re.compile(rb"^\[PANIC\][^\r\n]*", re.MULTILINE)
_OTHER = re.compile(rb"^(?!\[(?:BOOT|VIRTIO PERF|PERF SUMMARY|PANIC|DONE)\])[^\r\n]*[^\s\0][^\r\n]*", re.MULTILINE)
"""A line with text that is not a record."""


def last_words(log: bytes) -> str:
    """The panic, else a driver's last complaint, else the last line that is not a record; maybe empty.

    At most ``LENGTH_MOST`` characters, and nothing in them that a terminal or a CI service would obey.
    """
    said = without_noise(log)
    panic = _PANIC.search(said)
    complaints = [found for kind in (COMPLAINT, _TIMEOUT) for found in kind.finditer(said)]
    if panic is not None:
        line = panic[0]
    elif complaints:
        line = max(complaints, key=lambda found: found.start())[0]
    else:
        others = _OTHER.findall(said)
        line = others[-1] if others else b""
    return headline(line)


def headline(line: bytes) -> str:
    """A guest's line, cut and made harmless."""
    text = neutral(line.decode("utf-8", "backslashreplace").strip())
    return text if len(text) <= LENGTH_MOST else text[: LENGTH_MOST - 1] + "…"
