"""``[VIRTIO PERF]`` lines, parsed into columns, and the problems that a guest's log may have.

Accepted format, one line a record, nothing before it::

    ^\\[VIRTIO PERF\\] fences=UINT spins=UINT completions=UINT( KEY=UINT)*$

``KEY`` is ``[A-Za-z_][A-Za-z0-9_.]*``, ``UINT`` decimal digits below 2**64 (below 2**32 for ``frame=``). No key twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import I64, U64

PERF_TAG = b"[VIRTIO PERF]"
KEY = rb"[A-Za-z_][A-Za-z0-9_.]*"
REQUIRED_KEYS = ("fences", "spins", "completions")
PROBLEMS_KEPT = 20
"""Problems told one by one, of each kind; the rest are only counted."""

_RECORD = re.compile(rb"\[VIRTIO PERF\] (fences=\d+ spins=\d+ completions=\d+(?: " + KEY + rb"=\d+)*)")
_DIGITS = b"0123456789"
_ALL_BUT_DIGITS_BLANK = bytes(code if code in _DIGITS else 32 for code in range(256))
_SAFE_DIGITS = 19
"""This many digits always fit 64 bits."""


@dataclass(frozen=True)
class Problem:
    """Something in the log that cannot be what a sound guest wrote."""

    kind: str
    """``malformed``, ``half-line``, ``overlong``, ``overflow``, ``duplicate``, ``out-of-order``, ``missing``,
    ``not-text``, ``contradiction``."""
    line: int
    """Counted from 1; 0 is the log as a whole."""
    text: str


class Problems:
    """Collects problems: keeps the first of each kind, counts all."""

    def __init__(self) -> None:
        self._kept: list[Problem] = []
        self.counts: dict[str, int] = {}

    def add(self, kind: str, line: int, text: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= PROBLEMS_KEPT:
            self._kept.append(Problem(kind, line, text))

    def sorted(self) -> tuple[Problem, ...]:
        return tuple(sorted(self._kept, key=lambda problem: problem.line))


@dataclass(frozen=True)
class FrameRecords:
    """All ``[VIRTIO PERF]`` lines in the order of the log, as columns.

    ``columns`` maps a key to its values, shape (n,), uint64; a key that some record lacks is not a column.
    ``lines`` are the line numbers, counted from 1, shape (n,).
    """

    columns: Mapping[str, U64]
    lines: I64

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, key: str) -> U64 | None:
        """Values of a key, shape (n,), or None when not every record has it."""
        return self.columns.get(key)


@dataclass(frozen=True)
class _Block:
    """Consecutive records of one shape. ``values`` has shape (records, keys), ``lines`` (records,)."""

    keys: tuple[str, ...]
    values: U64
    lines: I64


def parse_blocks(blocks: list[tuple[int, bytes]], problems: Problems) -> FrameRecords:
    """Parse blocks of consecutive lines that start with the tag, each given with the number of its first line.

    Blocks whose lines all have one shape are taken at once, others line by line.
    """
    parsed: list[_Block] = []
    for first, text in blocks:
        uniform = _uniform_block(text, first)
        if uniform is not None:
            parsed.append(uniform)
            continue
        for line, content in enumerate(text[:-1].split(b"\n"), first):
            single = _single_record(content, line, problems)
            if single is not None:
                parsed.append(single)
    return _joined(parsed, problems)


def _uniform_block(text: bytes, first: int) -> _Block | None:
    """A block whose lines all have the keys of its first line, in order; None when they do not."""
    head = text[: text.index(b"\n")]
    if not _RECORD.fullmatch(head):
        return None
    keys = [word.partition(b"=")[0] for word in head[len(PERF_TAG) + 1 :].split(b" ")]
    shape = head.translate(None, _DIGITS)
    count = text.count(b"\n")
    if len(set(keys)) != len(keys) or shape != PERF_TAG + b" " + b"= ".join(keys) + b"=":
        return None
    if text.translate(None, _DIGITS) != (shape + b"\n") * count:
        return None
    codes = np.frombuffer(text, np.uint8)
    digit = (codes >= 48) & (codes <= 57)
    starts = np.flatnonzero(digit[1:] > digit[:-1]) + 1
    ends = np.flatnonzero(digit[:-1] > digit[1:]) + 1
    # A line stripped of its digits cannot show that each key has one run of digits, right after its '='.
    if len(starts) != len(keys) * count or not np.all(codes[starts - 1] == ord("=")):
        return None
    if int(np.max(ends - starts)) > _SAFE_DIGITS:
        return None
    numbers = np.fromstring(text.translate(_ALL_BUT_DIGITS_BLANK), np.uint64, sep=" ")
    names = tuple(key.decode() for key in keys)
    values = numbers.reshape(count, len(keys))
    if "frame" in names and int(np.max(values[:, names.index("frame")])) >> 32:
        return None
    return _Block(names, values, np.arange(first, first + count, dtype=np.int64))


def _single_record(content: bytes, line: int, problems: Problems) -> _Block | None:
    """One line as a block of one, or None and a problem."""
    matched = _RECORD.fullmatch(content)
    if not matched:
        shown = content[:100].decode("utf-8", "backslashreplace")
        problems.add("malformed", line, f"[VIRTIO PERF] that does not match its format: {shown!r}")
        return None
    words = [word.partition("=") for word in matched[1].decode().split(" ")]
    keys = tuple(key for key, _, _ in words)
    if len(set(keys)) != len(keys):
        problems.add("malformed", line, "[VIRTIO PERF] names a key twice")
        return None
    for key, _, digits in words:
        significant = digits.lstrip("0")
        if len(significant) > 20 or int(significant or "0") >= 1 << (32 if key == "frame" else 64):
            problems.add("overflow", line, f"[VIRTIO PERF] {key}= does not fit its type")
            return None
    return _Block(keys, np.array([[int(word[2]) for word in words]], np.uint64), np.array([line], np.int64))


def _joined(blocks: list[_Block], problems: Problems) -> FrameRecords:
    """Join blocks into columns; report keys that not all records have, and an impossible order."""
    if not blocks:
        return FrameRecords({key: np.zeros(0, np.uint64) for key in REQUIRED_KEYS}, np.zeros(0, np.int64))
    lines = np.concatenate([block.lines for block in blocks])
    shapes = {block.keys: int(block.lines[0]) for block in reversed(blocks)}
    common = [key for key in blocks[0].keys if all(key in keys for keys in shapes)]
    uncommon = sorted({key for keys in shapes for key in keys} - set(common))
    if uncommon:
        line = next(line for keys, line in shapes.items() if not set(uncommon) <= set(keys))
        problems.add("contradiction", line, f"records differ in their keys: {' '.join(uncommon)} not in all of them")
    columns = {key: np.concatenate([block.values[:, block.keys.index(key)] for block in blocks]) for key in common}
    if "frame" in columns:
        _check_order(columns["frame"], lines, problems)
    if "t_ns" in columns:
        times = columns["t_ns"]
        for index in np.flatnonzero(times[1:] < times[:-1]):
            problems.add("out-of-order", int(lines[index + 1]), "t_ns= goes back")
    return FrameRecords(columns, lines)


def _check_order(frames: U64, lines: I64, problems: Problems) -> None:
    """Frame numbers must rise by one, and each may be recorded once."""
    signed = frames.astype(np.int64)
    steps = np.diff(signed)
    for index in np.flatnonzero(steps != 1):
        step, line, frame = int(steps[index]), int(lines[index + 1]), int(signed[index + 1])
        if step == 0:
            problems.add("duplicate", line, f"frame {frame} recorded twice in a row")
        elif step < 0:
            problems.add("out-of-order", line, f"frame {frame} recorded after frame {frame - step}")
        else:
            problems.add("missing", line, f"{step - 1} frames without a record before frame {frame}")
