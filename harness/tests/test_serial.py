"""The serial parser: sound logs, each kind of damage, and anything at all."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.guest.records import PROBLEMS_KEPT
from harness.core.guest.serial import SerialLog, parse_serial
from harness.tests.fuzz import damaged, fuzz

BOOT = b"[BOOT] kernel=roulette arch=x86_64 cpus=2 barrier=acquire_progress scene=12ab records=1\n"
SOUND = (
    BOOT
    + b"virtio-gpu: driver probe succeeded\n"
    + b"".join(
        b"[VIRTIO PERF] fences=2 spins=%d completions=2 frame=%d t_ns=%d timeouts=0\n" % (270 + n, n, 3_000_000 * n)
        for n in range(20, 26)
    )
    + b"[PERF SUMMARY] frames=6 fences=12 spins=1755 completions=12\n"
    + b"[DONE] status=ok\n"
)


def _kinds(log: SerialLog) -> set[str]:
    return set(log.problem_counts)


def _record(**fields: int) -> bytes:
    merged = {"fences": 2, "spins": 271, "completions": 2} | fields
    return b"[VIRTIO PERF] " + " ".join(f"{key}={value}" for key, value in merged.items()).encode() + b"\n"


def test_a_sound_log_has_everything_and_no_problem() -> None:
    log = parse_serial(SOUND)
    assert log.problems == ()
    assert log.boot is not None and log.boot.get("barrier") == "acquire_progress"
    assert len(log.records) == 6
    assert list(log.records.columns["spins"]) == [290, 291, 292, 293, 294, 295]
    assert list(log.records.lines) == [3, 4, 5, 6, 7, 8]
    assert log.records.columns["frame"][-1] == 25
    assert log.summary is not None and log.summary.get("frames") == "6"
    assert log.finished


FIRMWARE = (
    b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16.2)\r\n\xff\xfe\x00 iPXE\r\n"
    + b"=" * 5000
    + b"\r\nBooting from ROM.."
)


@pytest.mark.parametrize(
    "around",
    [
        lambda line: b"\x1b[32m" + line + b"\x1b[0m",
        lambda line: b"[    1.234567] " + line,
        lambda line: b"<6>[   12.345678][    T1] " + line,
        lambda line: b"\x1b[1;33m[    0.000001]\x1b[0m " + line,
    ],
)
@pytest.mark.parametrize("before", [b"", FIRMWARE])
def test_what_stands_around_lines_is_no_damage(around: Callable[[bytes], bytes], before: bytes) -> None:
    log = parse_serial(before + b"".join(around(line) + b"\r\n" for line in SOUND.split(b"\n")[:-1]))
    assert log.problems == () and log.finished and len(log.records) == 6
    assert log.boot is not None and log.boot.get("barrier") == "acquire_progress"
    assert log.boot.line == before.count(b"\n") + 1, "lines keep their numbers"


def test_firmware_before_the_first_line_is_no_damage() -> None:
    assert parse_serial(FIRMWARE + SOUND).problems == ()


def test_noise_after_the_first_line_is_damage() -> None:
    damaged_kinds = _kinds(parse_serial(SOUND.replace(b"[PERF", b"\xff\xfe[PERF")))
    assert {"malformed", "not-text"} <= damaged_kinds
    assert "malformed" in _kinds(parse_serial(b"[PANIC] early\nnoise [BOOT] kernel=x\n")), "not firmware any more"


def test_a_foreign_kernels_bare_record_parses() -> None:
    log = parse_serial(b"[VIRTIO PERF] fences=2 spins=271 completions=2\n")
    assert {key: int(values[0]) for key, values in log.records.columns.items()} == {
        "fences": 2,
        "spins": 271,
        "completions": 2,
    }
    assert log.problems == () and not log.finished


def test_carriage_returns_and_unknown_keys_do_not_matter() -> None:
    log = parse_serial(SOUND.replace(b"\n", b"\r\n").replace(b"timeouts=0", b"timeouts=0 l2.misses_9=7"))
    assert log.problems == ()
    assert set(log.records.columns["l2.misses_9"]) == {7}


def test_the_largest_number_parses_exactly_and_the_next_does_not() -> None:
    log = parse_serial(_record(t_ns=2**64 - 1) + _record(t_ns=2**64))
    assert list(log.records.columns["t_ns"]) == [2**64 - 1]
    assert log.problem_counts == {"overflow": 1}
    assert log.problems[0].line == 2


def test_a_frame_number_has_32_bits() -> None:
    log = parse_serial(_record(frame=2**32 - 1) + _record(frame=2**32))
    assert log.problem_counts == {"overflow": 1} and len(log.records) == 1


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"[VIRTIO PERF] fences=2 spins=271\n", "malformed"),
        (b"[VIRTIO PERF] spins=271 fences=2 completions=2\n", "malformed"),
        (b"[VIRTIO PERF]  fences=2 spins=271 completions=2\n", "malformed"),
        (b"[VIRTIO PERF] fences=-2 spins=271 completions=2\n", "malformed"),
        (b"[VIRTIO PERF] fences=2 spins=0x1 completions=2\n", "malformed"),
        (b"[VIRTIO PERF] fences= spins=271 completions=2\n", "malformed"),
        (b"[VIRTIO PERF] fences=2 spins=271 completions=2 frame\n", "malformed"),
        (b"[VIRTIO PERF] fences=2 spins=271 completions=2 spins=9\n", "malformed"),
        (b"noise [VIRTIO PERF] fences=2 spins=271 completions=2\n", "malformed"),
        (b"[VIRTIO PERF] fences=2 spi[VIRTIO PERF] fences=2 spins=271 completions=2\n", "malformed"),
        (b"[VIRTIO PERF] fences=2 spins=271 completions=2 frame=9", "half-line"),
        (b"[VIRTIO PERF] fences=2 spins=271 completions=%s\n" % (b"9" * 30), "overflow"),
        (b"[BOOT] kernel\n", "malformed"),
        (b"[DONE] ok\n", "malformed"),
        (b"[DONE] state=ok\n", "malformed"),
        (b"[BOOT] a=1 a=2\n", "malformed"),
        (BOOT, "duplicate"),
        (b"x" * 5000 + b"\n", "overlong"),
        (b"caf\xe9\n", "not-text"),
    ],
)
def test_what_is_wrong_is_named_and_not_taken(line: bytes, kind: str) -> None:
    sound = BOOT + _record(frame=7)
    log = parse_serial(sound + line)
    assert kind in _kinds(log)
    assert log.problems[-1].line == 3
    assert len(log.records) == 1


def test_the_first_boot_line_counts() -> None:
    log = parse_serial(b"[BOOT] a=1\n[BOOT] a=2\n")
    assert log.boot is not None and log.boot.get("a") == "1"


def test_half_a_line_of_a_living_guest_is_no_problem() -> None:
    log = parse_serial(_record(frame=1) + b"[VIRTIO PERF] fen", ended=False)
    assert log.problems == () and len(log.records) == 1


@pytest.mark.parametrize(
    ("frames", "kind"),
    [((1, 2, 2, 3), "duplicate"), ((1, 2, 5, 6), "missing"), ((1, 3, 2, 4), "out-of-order"), ((1, 2, 3, 4), None)],
)
def test_frame_numbers_must_rise_by_one(frames: tuple[int, ...], kind: str | None) -> None:
    log = parse_serial(b"".join(_record(frame=frame) for frame in frames))
    assert kind in _kinds(log) if kind else not log.problems
    assert len(log.records) == len(frames)


def test_time_must_not_go_back() -> None:
    assert _kinds(parse_serial(_record(t_ns=5) + _record(t_ns=4))) == {"out-of-order"}
    assert not parse_serial(_record(t_ns=4) + _record(t_ns=4)).problems


def test_keys_that_some_records_lack_are_no_column() -> None:
    log = parse_serial(_record(frame=1, t_ns=5) + _record(frame=2))
    assert log.records.column("t_ns") is None
    assert list(log.records.columns["frame"]) == [1, 2]
    assert log.problem_counts == {"contradiction": 1} and log.problems[0].line == 2


@pytest.mark.parametrize(
    ("summary", "sound"),
    [
        (b"frames=2 fences=4 spins=542 completions=4", True),
        (b"frames=2 fences=5 spins=542 completions=4", False),
        (b"frames=1", False),
        (b"frames=3 fences=99", True),
        (b"elapsed_ns=5", True),
    ],
)
def test_the_summary_must_agree_with_the_records(summary: bytes, sound: bool) -> None:
    log = parse_serial(_record(frame=1) + _record(frame=2) + b"[PERF SUMMARY] " + summary + b"\n")
    assert _kinds(log) == (set() if sound else {"contradiction"})


def test_totals_come_from_the_summary_which_has_every_frame() -> None:
    records = _record(frame=1, timeouts=1) + _record(frame=2, timeouts=1)
    assert parse_serial(records).total("timeouts") == 2
    assert parse_serial(records + b"[PERF SUMMARY] frames=9 timeouts=5\n").total("timeouts") == 5
    assert parse_serial(records).total("rekicks") is None and parse_serial(b"").total("fences") is None


def test_a_count_a_frame_is_of_all_frames_where_a_summary_says_so() -> None:
    records = _record(frame=8) + _record(fences=4, frame=9)
    summary = b"[PERF SUMMARY] frames=10 fences=50\n"
    assert parse_serial(records).per_frame("fences") == 3.0 and parse_serial(records).counted_frames == 2
    assert parse_serial(records + summary).per_frame("fences") == 5.0
    assert parse_serial(records + summary).counted_frames == 10
    assert parse_serial(records + summary).per_frame("completions") == 2.0
    assert parse_serial(b"").per_frame("fences") is None
    assert parse_serial(b"[PERF SUMMARY] frames=0 fences=50\n").per_frame("fences") is None


def test_panics_and_timeouts_are_found_in_order() -> None:
    log = parse_serial(
        b"virtio-gpu: command timeout after 5000 ms\n[PANIC] kernel/main.c:12 <no> gpu\n"
        b"virtio-blk: request timeout sector 9\nvirtio-gpu: command times\n"
    )
    assert log.panics == ("kernel/main.c:12 <no> gpu",)
    assert [(timeout.device, timeout.line) for timeout in log.timeouts] == [("gpu", 1), ("blk", 3)]
    assert log.timeouts[0].text == "command timeout after 5000 ms"


def test_a_flood_of_problems_is_counted_but_not_all_told() -> None:
    log = parse_serial(b"[VIRTIO PERF] no\n" * 1000)
    assert log.problem_counts == {"malformed": 1000} and len(log.problems) == PROBLEMS_KEPT


STRICT = re.compile(rb"^\[VIRTIO PERF\] fences=(\d+) spins=(\d+) completions=(\d+)((?: [A-Za-z_][A-Za-z0-9_.]*=\d+)*)$")


def _strict_records(text: bytes) -> list[tuple[int, dict[str, int]]]:
    """Records by the format as written down, one line at a time."""
    found = []
    for number, line in enumerate(text.replace(b"\r\n", b"\n").split(b"\n")[:-1], 1):
        if not STRICT.match(line):
            continue
        words = [word.decode().split("=") for word in line[14:].split(b" ")]
        fields = {key: int(value) for key, value in words}
        fits = all(value < (2**32 if key == "frame" else 2**64) for key, value in fields.items())
        if fits and len(fields) == len(words):
            found.append((number, fields))
    return found


@fuzz
@given(damaged(SOUND, b"[VIRTIO PERF] ", b"\r\n", b"=99999999999999999999", b" frame=4294967296", b" x1=5", b"=", b"0"))
@pytest.mark.slow
def test_whatever_is_damaged_no_record_is_invented_lost_or_silently_dropped(text: bytes) -> None:
    log = parse_serial(text)
    expected = _strict_records(text)
    assert list(log.records.lines) == [number for number, _ in expected]
    for key, values in log.records.columns.items():
        assert [int(value) for value in values] == [fields[key] for _, fields in expected]
    tags = text.count(b"[VIRTIO PERF]")
    if tags > len(expected):
        assert _kinds(log) & {"malformed", "overflow", "half-line"}


@fuzz
@given(st.binary(max_size=400))
def test_any_bytes_parse(text: bytes) -> None:
    parse_serial(text)
