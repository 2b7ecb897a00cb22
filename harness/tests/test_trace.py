"""The trace parser."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.device.trace import FLUSH, NOTIFY, Trace, parse_trace
from harness.tests.fuzz import damaged, fuzz

LINES = """\
4242@1700000000.000100:virtio_queue_notify vdev 0x55e63df1d2f0 n 0 vq 0x55e63df1e2f0
4242@1700000000.000150:virtqueue_pop vq 0x55e63df1e2f0 elem 0x7f3c10 in_num 1 out_num 1
4242@1700000000.000200:virtio_gpu_cmd_res_xfer_toh_2d res 0x1
4242@1700000000.000600:virtio_gpu_cmd_res_flush res 0x1, w 1024, h 768, x 0, y 0
4242@1700000000.000700:virtqueue_fill vq 0x55e63df1e2f0 elem 0x7f3c10 len 24 idx 0
4242@1700000000.003600:virtio_gpu_cmd_res_flush res 0x1, w 64, h 32, x 16, y 700
4242@1700000000.003601:virtio_gpu_cmd_get_display_info
""".encode()


def test_events_carry_time_order_and_arguments() -> None:
    trace = parse_trace(LINES)
    assert not (trace.problems or trace.refusals or trace.clock_steps or trace.unreadable)
    flushes = trace.of(FLUSH)
    assert list(flushes.time_ns) == [1700000000000600000, 1700000000003600000]
    assert list(flushes.args["y"]) == [0, 700] and list(flushes.args["w"]) == [1024, 64]
    assert trace.of(NOTIFY).args["vq"][0] == 0x55E63DF1E2F0
    assert np.all(np.diff(flushes.offset) > 0) and len(trace.transfers) == 1
    assert len(trace.of("virtio_gpu_cmd_get_display_info")) == 1
    assert len(trace.of("no_such_event")) == 0


def test_a_refused_command_is_told_from_other_messages() -> None:
    refusal = b"virtio_gpu_resource_flush: flush bounds outside resource bounds for resource 1: 0 0 9 9 vs 4 4\n"
    trace = parse_trace(LINES + refusal + b"qemu: something else\n")
    assert [(each.function, each.by_virtio) for each in trace.refusals] == [
        ("virtio_gpu_resource_flush", True),
        ("qemu", False),
    ]
    assert trace.refusals[0].words == refusal.decode().rstrip()


def test_half_a_last_line_is_dropped_and_told() -> None:
    trace = parse_trace(LINES[:-40])
    assert len(trace.of(FLUSH)) == 2
    assert any("inside a line" in problem for problem in trace.problems)


def test_no_events_are_a_problem_of_the_guest_not_of_the_format() -> None:
    trace = parse_trace(b"")
    assert "no trace events" in trace.problems and not trace.unreadable


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (b"virtio_gpu_cmd_res_flush res 0x1\n", "-msg"),
        (b"[12:00:01] virtio_gpu_cmd_res_flush res 0x1, w 4, h 4, x 0, y 0\n", "a format that is not known here"),
        (b"1700000000 cpu3 virtqueue_pop vq 0x1 elem 0x2 in_num 1 out_num 1\n", "a format that is not known here"),
    ],
)
def test_events_that_cannot_be_read_are_the_instrument_s_fault(log: bytes, words: str) -> None:
    trace = parse_trace(log)
    assert words in trace.unreadable and not len(trace.of(FLUSH)) and trace.refusals == ()


def _newer(log: bytes) -> bytes:
    """The same log as QEMU writes it from 10.1 on: GLib's ISO 8601, whose fraction is missing when it is nought."""

    def stamp(match: re.Match[bytes]) -> bytes:
        at = datetime.fromtimestamp(int(match[1]), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        return (at + (f".{match[2].decode()}" if int(match[2]) else "") + "Z ").encode()

    return re.sub(rb"(?m)^\d+@(\d+)\.(\d{6}):", stamp, log)


def test_both_formats_of_qemu_say_the_same() -> None:
    log = LINES + b"4242@1700000001.000000:virtio_gpu_cmd_res_flush res 0x1, w 64, h 32, x 16, y 700\n"
    old, new = parse_trace(log), parse_trace(_newer(log))
    assert b"@" not in _newer(log) and not (new.problems or new.refusals or new.unreadable)
    assert new.events.keys() == old.events.keys()
    for kind, events in old.events.items():
        assert np.array_equal(new.of(kind).time_ns, events.time_ns)
        for name, column in events.args.items():
            assert np.array_equal(new.of(kind).args[name], column)


@pytest.mark.parametrize("stamp", [b"", b"2025-11-28T10:56:44.123456Z ", b"2025-11-28T10:56:44Z "])
def test_complaints_are_read_with_and_without_stamps(stamp: bytes) -> None:
    said = [b"virtio_gpu_resource_flush: bounds", b"Invalid read at addr 0x8, size 4", b"invalid access at 0x9"]
    trace = parse_trace((_newer(LINES) if stamp else LINES) + b"".join(stamp + line + b"\n" for line in said))
    assert [one.words.encode() for one in trace.refusals] == said
    assert [one.by_virtio for one in trace.refusals] == [True, False, False]


def test_a_clock_that_steps_back_is_told_once_and_thread_skew_is_not() -> None:
    late = b"4242@1700000000.000000:virtio_queue_notify vdev 0x1 n 0 vq 0x2\n"
    assert not parse_trace(LINES[: LINES.index(b"4242@1700000000.0036")] + late).problems
    stepped = LINES + LINES.replace(b"@17", b"@16")
    trace = parse_trace(stepped)
    assert len(trace.clock_steps) == 1 and "stepped back by 100000000003.501 ms" in trace.clock_steps[0]
    assert trace.problems == ()


def test_arguments_of_another_version_do_not_mix() -> None:
    trace = parse_trace(LINES + b"4242@1700000000.004000:virtio_gpu_cmd_res_flush res 0x1, rect 5\n")
    assert len(trace.of(FLUSH)) == 2 and "1 virtio_gpu_cmd_res_flush" in trace.problems[0]


@pytest.mark.parametrize(
    "tail", [b":virtio_gpu_cmd_res_flush res 0x1, w 9, h 9, x 0, y 0", b"x res 0x1, w 9, h 9, x 0, y 0"]
)
def test_an_event_s_name_ends_at_a_blank(tail: bytes) -> None:
    trace = parse_trace(LINES + b"4242@1700000000.004000:virtio_gpu_cmd_res_flush" + tail + b"\n")
    assert len(trace.of(FLUSH)) == 2


def test_an_event_with_words_in_between_is_not_taken() -> None:
    line = b"4242@1700000000.004000:virtio_gpu_cmd_res_flush res 0x1, w 9, lost h 9, x 0, y 0\n"
    trace = parse_trace(LINES + line)
    assert len(trace.of(FLUSH)) == 2 and trace.problems


def test_64_bit_arguments_wrap_and_longer_ones_do_not_count() -> None:
    line = b"1@1.000000:virtio_gpu_fence_ctrl fence 0x%s, type 0x104\n"
    trace = parse_trace(line % (b"f" * 16) + line % (b"f" * 17))
    assert list(trace.of("virtio_gpu_fence_ctrl").args["fence"]) == [-1]
    assert trace.problems


def _check(trace: Trace, text: bytes) -> None:
    strict = re.findall(
        rb"(?m)^\d{1,10}@\d{1,11}\.\d{6}:virtio_gpu_cmd_res_flush(?: |$)", text[: text.rfind(b"\n") + 1]
    )
    assert len(trace.of(FLUSH)) <= len(strict)
    if len(trace.of(FLUSH)) < len(strict):
        assert trace.problems
    for events in trace.events.values():
        assert all(len(column) == len(events) == len(events.offset) for column in events.args.values())


@fuzz
@given(damaged(LINES * 2, b"4242@", b":virtio_gpu_cmd_res_flush ", b"0x", b" -1", b"\n", b"@99999999999.999999:"))
@pytest.mark.slow
def test_damage_is_counted(text: bytes) -> None:
    _check(parse_trace(text), text)


@fuzz
@given(st.binary(max_size=300))
def test_any_bytes_parse(text: bytes) -> None:
    _check(parse_trace(text), text)


DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("trace-*.log")))
def test_a_recorded_log_parses_whole(name: str) -> None:
    trace = parse_trace((DATA / name).read_bytes())
    assert not (trace.problems or trace.refusals or trace.clock_steps or trace.unreadable)
    assert len(trace.of(FLUSH)) >= 3 and len(trace.transfers) >= 3
