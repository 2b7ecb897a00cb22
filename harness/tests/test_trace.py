"""The trace parser."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.trace import FLUSH, NOTIFY, Trace, parse_trace
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
    assert trace.problems == () and trace.refusals == () and trace.foreign_lines == 0
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
    assert [each.function for each in trace.refusals] == ["virtio_gpu_resource_flush"]
    assert trace.foreign_lines == 1


def test_half_a_last_line_is_dropped_and_told() -> None:
    trace = parse_trace(LINES[:-40])
    assert len(trace.of(FLUSH)) == 2
    assert any("inside a line" in problem for problem in trace.problems)


@pytest.mark.parametrize(("log", "words"), [(b"", "no trace events"), (b"virtio_gpu_cmd_res_flush res 0x1\n", "-msg")])
def test_nothing_usable_is_a_problem(log: bytes, words: str) -> None:
    assert words in " ".join(parse_trace(log).problems)


def test_a_clock_that_steps_back_is_told_once_and_thread_skew_is_not() -> None:
    late = b"4242@1700000000.000000:virtio_queue_notify vdev 0x1 n 0 vq 0x2\n"
    assert not parse_trace(LINES[: LINES.index(b"4242@1700000000.0036")] + late).problems
    stepped = LINES + LINES.replace(b"@17", b"@16")
    problems = parse_trace(stepped).problems
    assert len(problems) == 1 and "stepped back by 100000000003.501 ms" in problems[0]


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
    assert trace.problems == () and trace.foreign_lines == 0
    assert len(trace.of(FLUSH)) >= 3 and len(trace.transfers) >= 3
