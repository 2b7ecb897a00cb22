"""Removes what firmware, terminals and printk put around a guest's lines on the serial port, before parsing.

Firmware speaks before the kernel does, a kernel may colour its lines, and one that prints through its log puts a stamp
before each. None of it is damage.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[0-9=>A-Za-z])")
"""Control sequences of a terminal (ECMA-48 §5.4), window titles, character sets and resets."""
_STAMPED = re.compile(
    rb"^(?:<\d{1,3}>)?\[ *\d+\.\d{3,9}\](?:\[ *[TC]\d+\])? "
    rb"(?=\[(?:BOOT|VIRTIO PERF|PERF SUMMARY|PANIC|DONE)\]|virtio-)",
    re.MULTILINE,
)
"""printk's prefix of a line: a level, the time, a task or a CPU."""
_FIRST_WORDS = re.compile(
    rb"\[(?:BOOT|VIRTIO PERF|PERF SUMMARY|PANIC|DONE)\]|^(?:<\d{1,3}>)?\[ *\d+\.|^virtio-|^TAP version", re.MULTILINE
)


def without_noise(log: bytes) -> bytes:
    """The serial log with the same number of lines; only the guest's own lines keep their text.

    Lines before ``[BOOT]`` are the firmware's when no line of the kernel precedes it. Its part of the ``[BOOT]`` line
    is removed as well.
    """
    if b"\x1b" in log:
        log = _ESCAPE.sub(b"", log)
    first = _FIRST_WORDS.search(log)
    if first is not None and first[0] == b"[BOOT]":
        log = b"\n" * log.count(b"\n", 0, first.start()) + log[first.start() :]
    return _STAMPED.sub(b"", log) if b"] [" in log or b"] virtio-" in log else log
