"""The serial log of a kernel that is not ours: only the lines that its target declares mean anything.

The guest may print anything else: prompts, escapes, any encoding, long lines, half lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from harness.core.guest.serial import SerialLog, Words, parse_serial
from harness.core.guest.serial_noise import without_noise
from harness.model.target import PROTOCOL, TargetSerial

_TAGS: Mapping[str, tuple[bytes, ...]] = {
    "boot": (b"[BOOT]",),
    "panic": (b"[PANIC]",),
    "done": (b"[DONE]",),
    "perf": (b"[VIRTIO PERF]", b"[PERF SUMMARY]"),
}
_PANIC_SHOWN = 160
_DIGITS_MAX = 18


def read_serial(log: bytes, serial: TargetSerial) -> SerialLog:
    """Content of the declared lines."""
    if all(getattr(serial, name) == PROTOCOL for name in _TAGS):
        return parse_serial(log)
    tags = tuple(tag for name, ours in _TAGS.items() if getattr(serial, name) == PROTOCOL for tag in ours)
    text = without_noise(log.replace(b"\r\n", b"\n"))
    lines = text.split(b"\n")
    # The guest may have been ended inside a line.
    kept = b"\n".join(line if tags and line.startswith(tags) else b"" for line in lines[:-1]) + b"\n"
    read = parse_serial(kept, ended=False)
    panics = _matching(lines, serial.panic)
    done = next(iter(_matching(lines, serial.done)), None)
    return replace(
        read,
        panics=(*read.panics, *panics),
        done=read.done or (Words((("status", "ok"),), 0) if done is not None else None),
        counters=_counters(lines, serial.perf),
    )


def _matching(lines: Iterable[bytes], pattern: str) -> tuple[str, ...]:
    """Lines in which a declared pattern is found, as a sentence can hold them."""
    if not pattern or pattern == PROTOCOL:
        return ()
    compiled = re.compile(pattern.encode())
    found = [line for line in lines if compiled.search(line)]
    return tuple(line.strip().decode("utf-8", "backslashreplace")[:_PANIC_SHOWN] for line in found)


def _counters(lines: Iterable[bytes], pattern: str) -> Mapping[str, int]:
    """Sums of the counters that a declared line holds; empty where it never came."""
    if not pattern or pattern == PROTOCOL:
        return {}
    compiled, sums = re.compile(pattern.encode()), dict[str, int]()
    for line in lines:
        for match in compiled.finditer(line):
            for name, digits in match.groupdict().items():
                if digits is not None and digits.isdigit() and len(digits) <= _DIGITS_MAX:
                    sums[name] = sums.get(name, 0) + int(digits)
    return sums
