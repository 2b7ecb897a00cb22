"""The serial log of a guest, parsed into frozen records.

Accepted format, one line a record, ``\\n`` or ``\\r\\n`` at its end, nothing before its tag but what
:mod:`harness.core.guest.serial_noise` takes away::

    ^\\[BOOT\\]( KEY=WORD)+$
    ^\\[VIRTIO PERF\\] …                    see :mod:`harness.core.guest.records`
    ^\\[PERF SUMMARY\\]( KEY=WORD)+$
    ^\\[PANIC\\] TEXT$
    ^\\[DONE\\]( KEY=WORD)+$                 with a key ``status``
    ^virtio-(blk|gpu): (request|command) timeout TEXT$

``KEY`` is ``[A-Za-z_][A-Za-z0-9_.]*``, ``WORD`` any bytes but blanks, fields are separated by single spaces. All
other lines are the guest's own talk and are ignored, KTAP lines excepted (:mod:`harness.core.guest.ktap`). Tagged lines
that do not match, and records that contradict each other, become a :class:`~harness.core.guest.records.Problem`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.core.arrays import I64
from harness.core.guest.ktap import Suites, parse_ktap
from harness.core.guest.records import KEY, PERF_TAG, FrameRecords, Problem, Problems, parse_blocks
from harness.core.guest.serial_noise import without_noise
from harness.model.spec import Limits

_FIELDS = re.compile(rb"(?: " + KEY + rb"=[^ \t]*)+")
_PERF_BLOCK = re.compile(rb"(?:\[VIRTIO PERF\].*\n)+")
_TAGS = (b"[BOOT]", PERF_TAG, b"[PERF SUMMARY]", b"[PANIC]", b"[DONE]")
_TIMEOUT_TAGS = (
    b"virtio-blk: request timeout",
    b"virtio-blk: command timeout",
    b"virtio-gpu: request timeout",
    b"virtio-gpu: command timeout",
)
_KTAP_MARKS = (b"TAP version", b"\nok ", b"\nnot ok ", b"\n1..")


@dataclass(frozen=True)
class Words:
    """A line of key=word fields: ``[BOOT]``, ``[PERF SUMMARY]`` or ``[DONE]``."""

    fields: tuple[tuple[str, str], ...]
    line: int

    def get(self, key: str) -> str | None:
        return dict(self.fields).get(key)


@dataclass(frozen=True)
class Timeout:
    """A request or command that the guest gave up on."""

    device: str
    """``blk`` or ``gpu``."""
    text: str
    line: int

    @property
    def words(self) -> str:
        """What happened, for people."""
        return f"virtio-{self.device}: a {'disk request' if self.device == 'blk' else 'command'} was never answered"


@dataclass(frozen=True)
class SerialLog:
    """All that one serial log says."""

    boot: Words | None
    records: FrameRecords
    summary: Words | None
    panics: tuple[str, ...]
    done: Words | None
    """None when the guest did not end with it."""
    timeouts: tuple[Timeout, ...]
    suites: Suites | None
    problems: tuple[Problem, ...]
    problem_counts: Mapping[str, int] = field(default_factory=dict)
    """How many of each kind there were; ``problems`` holds only the first of each."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """Sums that a kernel of another protocol printed (``serial.perf`` of its target)."""

    @property
    def finished(self) -> bool:
        """The guest said that it ended well."""
        return self.done is not None and self.done.get("status") == "ok"

    def total(self, key: str) -> int | None:
        """Sum of a counter over the run: by the summary, which has every frame, else over the records; None without."""
        said = self._summed(key)
        return self._recorded(key) if said is None else said

    def per_frame(self, key: str) -> float | None:
        """Mean of a counter over all frames of the summary, else over the recorded ones; None where neither has it."""
        total, frames = self._summed(key), self._summed("frames")
        if total is None or not frames:
            total, frames = self._recorded(key), len(self.records)
        return None if total is None else total / frames

    @property
    def counted_frames(self) -> int:
        """Frames that :meth:`per_frame` divides by."""
        return self._summed("frames") or len(self.records)

    def _summed(self, key: str) -> int | None:
        said = self.summary.get(key) if self.summary else None
        return int(said) if said is not None and said.isdecimal() and len(said) <= 20 else None

    def _recorded(self, key: str) -> int | None:
        if key in self.counters:
            return self.counters[key]
        values = self.records.column(key)
        return int(values.sum(dtype=object)) if values is not None and len(values) else None


def parse_serial(log: bytes, *, ended: bool = True, limits: Limits = Limits()) -> SerialLog:
    """Parse a whole serial log.

    Parameters
    ----------
    log : bytes
        What came out of the port, as it came.
    ended : bool
        The guest has ended: a last line without its newline is then half a line, and a problem.
    limits : Limits
        ``serial_line_bytes`` bounds a line.
    """
    problems = Problems()
    # A newline before every line lets plain substring search, much faster than a regex, find the tags.
    text = b"\n" + _without_half_line(without_noise(log.replace(b"\r\n", b"\n")), ended, problems)
    newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
    _check_lines(text, newlines, limits, problems)
    blocks, text = _without_perf_blocks(text, newlines)
    newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
    _check_strays(text, newlines, problems)
    records = parse_blocks(blocks, problems)
    words = _parse_words(text, newlines, problems)
    summary, done = words.get("[PERF SUMMARY]"), words.get("[DONE]")
    if summary is not None:
        _check_summary(summary, records, problems)
    if done is not None and done.get("status") is None:
        problems.add("malformed", done.line, "[DONE] without status=")
    timeouts = [
        Timeout(tag[7:10].decode(), _decode(content[12:]), line)
        for tag in _TIMEOUT_TAGS
        for line, content in _tagged(text, newlines, tag)
    ]
    return SerialLog(
        words.get("[BOOT]"),
        records,
        summary,
        tuple(_decode(content[7:].strip()) for _, content in _tagged(text, newlines, b"[PANIC]")),
        done,
        tuple(sorted(timeouts, key=lambda timeout: timeout.line)),
        parse_ktap(_decode(text[1:])) if any(mark in text for mark in _KTAP_MARKS) else None,
        problems.sorted(),
        dict(problems.counts),
    )


def _without_half_line(text: bytes, ended: bool, problems: Problems) -> bytes:
    """The text up to and with its last newline; what follows is half a line."""
    end = text.rfind(b"\n") + 1
    rest = text[end:]
    if rest and ended:
        problems.add("half-line", text.count(b"\n") + 1, f"the log ends inside a line: {_decode(rest[:80])!r}")
    return text[:end]


def _check_lines(text: bytes, newlines: I64, limits: Limits, problems: Problems) -> None:
    """Overlong lines, and bytes that are not UTF-8."""
    lengths = np.diff(newlines) - 1
    for index in np.flatnonzero(lengths > limits.serial_line_bytes):
        problems.add("overlong", int(index) + 1, f"a line of {int(lengths[index])} bytes")
    if not text.isascii():
        for line, content in enumerate(text.split(b"\n")):
            try:
                content.decode("utf-8")
            except UnicodeDecodeError as error:
                problems.add("not-text", line, f"not UTF-8 at byte {error.start}: {_decode(content[:60])!r}")


def _check_strays(text: bytes, newlines: I64, problems: Problems) -> None:
    """Tags that do not start a line. Those inside ``[VIRTIO PERF]`` lines are already problems of these lines."""
    for tag in _TAGS:
        if text.count(tag) == text.count(b"\n" + tag):
            continue
        for match in re.finditer(rb"(?<!\n)" + re.escape(tag), text):
            line = _line_at(newlines, match.start())
            problems.add("malformed", line, f"{tag.decode()} inside a line: two writers, or lost bytes")


def _line_at(newlines: I64, offset: int) -> int:
    """Number, from 1, of the line at an offset, where offset 0 is the newline put before line 1."""
    return int(np.searchsorted(newlines, offset))


def _tagged(text: bytes, newlines: I64, tag: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of every line that starts with a tag."""
    start = text.find(b"\n" + tag)
    while start >= 0:
        end = text.index(b"\n", start + 1)
        yield _line_at(newlines, start + 1), text[start + 1 : end]
        start = text.find(b"\n" + tag, end)


def _without_perf_blocks(text: bytes, newlines: I64) -> tuple[list[tuple[int, bytes]], bytes]:
    """Consecutive ``[VIRTIO PERF]`` lines, with the number of the first, and the text with these lines emptied."""
    blocks: list[tuple[int, bytes]] = []
    others: list[bytes] = []
    end = 0
    start = text.find(b"\n" + PERF_TAG)
    while start >= 0:
        match = _PERF_BLOCK.match(text, start + 1)
        assert match is not None
        block = match.group()
        blocks.append((_line_at(newlines, start + 1), block))
        others += [text[end : start + 1], b"\n" * block.count(b"\n")]
        end = match.end()
        start = text.find(b"\n" + PERF_TAG, end - 1)
    return blocks, b"".join([*others, text[end:]])


def _parse_words(text: bytes, newlines: I64, problems: Problems) -> dict[str, Words]:
    """The lines made of key=word fields, by tag; the first of several."""
    found: dict[str, Words] = {}
    for tag in (b"[BOOT]", b"[PERF SUMMARY]", b"[DONE]"):
        name = tag.decode()
        for line, content in _tagged(text, newlines, tag):
            fields = _fields(content[len(tag) :], name, line, problems)
            if fields is None:
                continue
            if name in found:
                hint = ": did the guest restart?" if name == "[BOOT]" else ""
                problems.add("duplicate", line, f"a second {name} line{hint}")
            else:
                found[name] = Words(fields, line)
    return found


def _check_summary(summary: Words, records: FrameRecords, problems: Problems) -> None:
    """There cannot be more records than frames. With one record for each frame, their sums must equal the summary's."""
    totals = {key: int(value) for key, value in summary.fields if value.isdecimal() and len(value) <= 20}
    frames = totals.get("frames")
    if frames is None or not len(records):
        return
    if len(records) > frames:
        problems.add("contradiction", summary.line, f"[PERF SUMMARY] frames={frames}, but {len(records)} records")
    for key, values in records.columns.items() if len(records) == frames else ():
        if key not in totals:
            continue
        counted = int(values.sum(dtype=object))
        if counted != totals[key]:
            problems.add("contradiction", summary.line, f"[PERF SUMMARY] {key}={totals[key]}, records sum to {counted}")


def _fields(content: bytes, tag: str, line: int, problems: Problems) -> tuple[tuple[str, str], ...] | None:
    """``KEY=WORD`` fields of a line, or None and a problem."""
    if not _FIELDS.fullmatch(content):
        problems.add("malformed", line, f"{tag} with fields that are not key=word: {_decode(content[:80])!r}")
        return None
    fields = tuple((key, value) for key, _, value in (word.partition("=") for word in _decode(content[1:]).split(" ")))
    if len(dict(fields)) != len(fields):
        problems.add("malformed", line, f"{tag} names a key twice")
        return None
    return fields


def _decode(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")
