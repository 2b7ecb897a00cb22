"""Input to frame: each key's way, by traces and records that are made up, and by real runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.device.latency import CLOCK_GOAL_NS, InputLatency, input_latency
from harness.core.device.trace import KEY_EVENT, parse_trace
from harness.core.guest.records import FrameRecords
from harness.core.timing.align import Alignment
from harness.core.timing.percentiles import percentile
from harness.core.timing.sources import Numbered, Sources
from harness.gate.measuring.latency import KEYS, clock_words, measure_latency
from harness.model.latency_record import SentKey, ShownInput
from harness.model.spec import Machine, RunParams, RunSpec, Switches, UsageError
from harness.platform.kernels.build import build_kernel
from harness.platform.pictures.gnuplot import plot_svg
from harness.report.latency_plots import spread, timeline
from harness.report.plots import narrowed
from harness.tests.programs import run_harness

PERIOD_US = 16_000
DRAW_US, FLUSH_US = 3_000, 5_000
FRAMES = 40
EPOCH_US = 1_700_000_000_000_000
OFFSET_US = 1_000_000
"""Offset of the host's clock against the guest's."""


def host_line(at_us: int, text: str) -> str:
    return f"1@{(EPOCH_US + at_us) // 1_000_000}.{(EPOCH_US + at_us) % 1_000_000:06d}:{text}\n"


def log_of(pressed_us: list[int], dropped: frozenset[int] = frozenset()) -> bytes:
    """What QEMU traces: frames that it pops, and keys, each into the other queue unless it is dropped."""
    lines: list[tuple[int, str]] = []
    for frame in range(FRAMES):
        at = OFFSET_US + frame * PERIOD_US + FLUSH_US
        lines.append((at, host_line(at, "virtqueue_pop vq 0x10 elem 0x1 in_num 1 out_num 1")))
        lines.append((at + 1, host_line(at + 1, "virtio_gpu_cmd_res_flush res 0x1, w 640, h 480, x 0, y 0")))
        lines.append((at + 9, host_line(at + 9, "virtqueue_flush vq 0x10 count 1")))
    for number, at in enumerate(pressed_us):
        name = KEYS[number % len(KEYS)][0]
        lines.append((at, host_line(at, f"input_event_key_qcode con 0, key qcode {name}, down 1")))
        lines.append((at, host_line(at, f"input_event_key_qcode con 0, key qcode {name}, down 0")))
        used = "virtio_input_queue_full queue full" if number in dropped else "virtqueue_flush vq 0x20 count 1"
        lines.append((at + 20, host_line(at + 20, used)))
    return "".join(text for _, text in sorted(lines, key=lambda one: one[0])).encode()


def keys_of(pressed_us: list[int]) -> tuple[SentKey, ...]:
    return tuple(
        SentKey(KEYS[number % len(KEYS)][1], (EPOCH_US + at - 100) * 1000, (EPOCH_US + at + 60) * 1000)
        for number, at in enumerate(pressed_us)
    )


def shown_by(pressed_us: list[int], reads_us: int, dropped: frozenset[int] = frozenset()) -> list[int]:
    """The newest input of each frame, in a kernel that reads this long after the frame's start (may be negative)."""
    taken = [at + 20 for number, at in enumerate(pressed_us) if number not in dropped]
    return [sum(at <= OFFSET_US + frame * PERIOD_US + reads_us for at in taken) for frame in range(FRAMES)]


def analysed(
    pressed_us: list[int],
    reads_us: int = 0,
    dropped: frozenset[int] = frozenset(),
    codes: list[int] | None = None,
    newest: list[int] | None = None,
) -> InputLatency:
    trace = parse_trace(log_of(pressed_us, dropped))
    assert not trace.problems and not trace.unreadable
    sent = keys_of(pressed_us)
    newest = shown_by(pressed_us, reads_us, dropped) if newest is None else newest
    kept = [one.code for number, one in enumerate(sent) if number not in dropped]
    codes = [kept[count - 1] if count else 0 for count in newest] if codes is None else codes
    begin = np.arange(FRAMES) * PERIOD_US * 1000
    columns = {
        "frame": np.arange(FRAMES, dtype=np.uint64),
        "t_ns": begin.astype(np.uint64),
        "render_ns": np.full(FRAMES, DRAW_US * 1000, np.uint64),
        "input": np.array(newest, np.uint64),
        "input_code": np.array(codes, np.uint64),
    }
    alignment = Alignment(0, (EPOCH_US + OFFSET_US) * 1000, 0.0, 5000.0, 0.0, FRAMES)
    shown_ns = (EPOCH_US + OFFSET_US + FLUSH_US + 1) * 1000 + begin
    sources = Sources(None, None, None, alignment, numbered=Numbered(np.arange(FRAMES), shown_ns))
    return input_latency(trace, sources, FrameRecords(columns, np.arange(1, FRAMES + 1)), sent)


PRESSED_US = [OFFSET_US + PERIOD_US * at + 700 * at % PERIOD_US + 2000 for at in range(2, 30, 3)]


def test_an_input_s_parts_add_up_to_its_way_to_the_flush() -> None:
    found = analysed(PRESSED_US)
    assert not found.problems and not found.dropped and len(found.shown) == len(PRESSED_US)
    for one, at in zip(found.shown, PRESSED_US):
        begins = (at + 20 - OFFSET_US - 1) // PERIOD_US + 1
        flushed_us = OFFSET_US + begins * PERIOD_US + FLUSH_US + 1
        assert one.frame == begins and one.event_ns == (EPOCH_US + at) * 1000
        assert one.latency_ns == (flushed_us - at) * 1000
        assert (one.queue_ns, one.draw_ns, one.device_ns) == (20_000, DRAW_US * 1000, (FLUSH_US - DRAW_US + 1) * 1000)
        assert one.sent_ns == 100_000 and one.error_ns == 21_000 and one.late_frames == 0


def test_a_key_that_is_read_behind_the_drawing_is_late() -> None:
    """A kernel reads after drawing, for the next frame: late is what came between there and the next start."""
    found = analysed(PRESSED_US, reads_us=DRAW_US - PERIOD_US)
    late = [one for one in found.shown if one.late_frames]
    between = [at for at in PRESSED_US if (at - OFFSET_US) % PERIOD_US > DRAW_US]
    assert between and len(late) == len(between) and {one.late_frames for one in late} == {1}


def test_a_key_that_comes_while_a_frame_begins_is_not_late() -> None:
    """Whether it was there in time is not certain: the clocks are known to within 5 us, the answer comes after 60."""
    edge = OFFSET_US + 5 * PERIOD_US
    for before_us in (0, 20, 60):
        newest = [0] * 6 + [1] * (FRAMES - 6)
        found = analysed([edge - before_us], newest=newest)
        assert [one.late_frames for one in found.shown] == [0], before_us
    found = analysed([edge - 90], newest=[0] * 6 + [1] * (FRAMES - 6))
    assert [one.late_frames for one in found.shown] == [1]


def test_several_keys_of_one_frame_are_all_shown_by_it() -> None:
    at = OFFSET_US + 3 * PERIOD_US + 4000
    found = analysed([at, at + 900, at + 1900])
    assert [one.frame for one in found.shown] == [4, 4, 4] and not found.problems


def test_keys_that_the_device_drops_are_counted_and_not_numbered() -> None:
    dropped = frozenset({1, 4})
    found = analysed(PRESSED_US, dropped=dropped)
    assert found.dropped == 2 and len(found.shown) == len(PRESSED_US) - 2 and not found.problems
    kept = [at for number, at in enumerate(PRESSED_US) if number not in dropped]
    assert [one.event_ns for one in found.shown] == [(EPOCH_US + at) * 1000 for at in kept]


def test_another_key_than_was_pressed_is_a_contradiction() -> None:
    newest = shown_by(PRESSED_US, 0)
    found = analysed(PRESSED_US, codes=[99 if count == 3 else KEYS[(count - 1) % 8][1] for count in newest])
    assert any("input 3 was key" in text and "99" in text for text in found.problems)


def test_more_keys_than_were_pressed_is_a_contradiction() -> None:
    newest = [count * 2 for count in shown_by(PRESSED_US, 0)]
    found = analysed(PRESSED_US, codes=[30] * FRAMES, newest=newest)
    assert any("the guest counts" in text for text in found.problems)


def test_keys_that_no_frame_shows_are_told() -> None:
    found = analysed(PRESSED_US, codes=[0] * FRAMES, newest=[0] * FRAMES)
    assert not found.shown and found.problems == (f"{len(PRESSED_US)} of {len(PRESSED_US)} keys are in no frame",)


def test_keys_that_qemu_never_saw_are_told() -> None:
    trace = parse_trace(log_of(PRESSED_US[:-1]))
    nothing = FrameRecords({}, np.zeros(0, np.int64))
    found = input_latency(trace, Sources(None, None, None, None), nothing, keys_of(PRESSED_US))
    assert found.problems == (f"{len(PRESSED_US)} keys were sent, QEMU saw {len(PRESSED_US) - 1}",)


def test_stamps_of_two_clocks_are_told() -> None:
    trace = parse_trace(log_of(PRESSED_US))
    nothing = FrameRecords({}, np.zeros(0, np.int64))
    keys = [replace(one, asked_ns=one.asked_ns + 5_000_000) for one in keys_of(PRESSED_US)]
    found = input_latency(trace, Sources(None, None, None, None), nothing, tuple(keys))
    assert found.problems == ("QEMU stamped key 1 outside of the command that pressed it: two clocks",)


def test_a_run_without_records_says_what_is_missing() -> None:
    trace, nothing = parse_trace(log_of(PRESSED_US)), FrameRecords({}, np.zeros(0, np.int64))
    found = input_latency(trace, Sources(None, None, None, None), nothing, keys_of(PRESSED_US))
    assert not found.shown and "records lack frame t_ns" in found.problems[0]


def test_key_events_are_read_whatever_the_key() -> None:
    log = "".join(
        host_line(at, f"input_event_key_qcode con 0, key qcode {name}, down 1") for at, name in enumerate("a1z")
    )
    log += host_line(9, "input_event_key_qcode con -1, key qcode kp_enter, down 0")
    trace = parse_trace(log.encode())
    assert not trace.problems and trace.of(KEY_EVENT).args["down"].tolist() == [1, 1, 1, 0]


SHOWN = ShownInput(1, 4, 0, 20_000, 8_000_000, 3_000_000, 1_000_000, 100_000, 200_000)


def test_a_clock_that_is_not_good_enough_is_named() -> None:
    good = [SHOWN] * 96 + [replace(SHOWN, error_ns=5 * CLOCK_GOAL_NS)] * 4
    assert clock_words(good) == "" and clock_words([]) == ""
    assert "1 ms are allowed" in clock_words([replace(SHOWN, error_ns=CLOCK_GOAL_NS + 1)] * 10)


def test_a_percentile_s_interval_holds_as_often_as_it_says() -> None:
    chance = np.random.default_rng(5)
    for per_cent, truth in ((50, np.log(2)), (95, -np.log(0.05))):
        found = [percentile(chance.exponential(size=200), per_cent) for _ in range(400)]
        inside = np.mean(
            [one.low <= truth <= one.high for one in found if one.low is not None and one.high is not None]
        )
        assert 0.93 <= inside <= 1.0
    few = percentile(np.arange(5.0), 95)
    assert few.low is None and few.high is None and few.n == 5


def test_the_timeline_shows_the_longest_and_marks_the_late() -> None:
    many = [replace(SHOWN, number=at, wait_ns=at * 1000) for at in range(1, 200)]
    many[77] = replace(many[77], wait_ns=90_000_000, late_frames=1)
    some = spread(many)
    assert many[77] in some and len(some) <= 25 and some[0].number == 1 and some[-1].number == 199
    drawn = [plot_svg(text) for text in (timeline(many).text, narrowed(timeline(many).text))]
    assert all(f">{words}<" in svg for svg in drawn for words in ("queue", "device, to the flush", "read late"))
    assert "read late" in timeline(many).text and "read late" not in timeline(many[:20]).text


@pytest.mark.qemu
@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
def test_a_key_s_way_is_measured(arch: str) -> None:
    """On a busy host the clock may be too coarse to pass; no key is ever late, lost or mistaken for another."""
    ran = run_harness("latency", "--json", f"ARCH={arch}", "INPUTS=30", "MODE=640x480")
    result = json.loads(ran.out)
    assert ran.code in (0, 4), result["sentence"]
    metrics = result["arms"]["candidate"]["metrics"]
    assert metrics["input_late"]["value"] == 0 and metrics["input_dropped"]["value"] == 0
    assert metrics["input_ms_p50"]["n"] >= 25 and 0 < metrics["input_ms_p50"]["value"] < 1000


@pytest.mark.qemu
def test_a_flood_is_bounded_and_the_kernel_goes_on() -> None:
    ran = run_harness("latency", "--json", "INPUTS=3000", "GAP=0", "MODE=640x480")
    result = json.loads(ran.out)
    assert ran.code in (0, 4), result["sentence"]
    assert result["arms"]["candidate"]["metrics"]["input_ms_p50"]["n"] > 100


@pytest.mark.qemu
def test_a_machine_without_a_keyboard_is_the_caller_s_choice(tmp_path: Path) -> None:
    """The kernel says what it lacks, and the stage that the request cannot be fulfilled."""
    kernel = build_kernel(Switches.of({}))
    spec = RunSpec(kernel.path, Machine(keyboard=False), RunParams(mode=(320, 240)))
    with pytest.raises(UsageError, match="this machine does not offer the keyboard"):
        measure_latency(spec, tmp_path, 1, inputs=2)
    assert b"input=1 needs a keyboard" in (tmp_path / "serial.log").read_bytes()
