"""Animation error, deadlines and overruns: on hand-made frames and on frames with planted hiccups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.arrays import I64, U64
from harness.core.timing.animation import PARTS, TooFewSteps, animation, overrun_words, overruns
from harness.gate.judging.basis import Basis
from harness.gate.judging.judge import judge_metric
from harness.gate.judging.metrics import RULES
from harness.model.metric import Metric
from harness.model.result import Arm
from harness.model.spec import Verdict

PACE_HZ = 50
PERIOD_NS = 20_000_000


def paced(frames: int) -> I64:
    """Flush times of a run that keeps its pace exactly."""
    return np.arange(frames, dtype=np.int64) * PERIOD_NS


def test_a_run_that_keeps_its_pace_has_no_error() -> None:
    seen = animation(paced(100), np.arange(7, 107), PACE_HZ)
    assert seen.percentile_ms(99) == 0 and seen.repeats == seen.drops == 0
    assert np.all(seen.displayed_ms == 20)


def test_a_planted_hiccup_is_read_with_its_size() -> None:
    shown = paced(100)
    shown[40] += 5_000_000
    error = animation(shown, np.arange(100), PACE_HZ).error_ms
    assert error[39] == pytest.approx(5) and error[40] == pytest.approx(-5)
    assert np.count_nonzero(error) == 2


def test_a_frame_that_misses_its_deadline_repeats_the_one_before() -> None:
    shown = paced(100)
    shown[40:] += PERIOD_NS
    seen = animation(shown, np.arange(100), PACE_HZ)
    assert (seen.repeats, seen.drops) == (1, 0)
    assert seen.error_ms[39] == pytest.approx(20) and np.count_nonzero(seen.error_ms) == 1


def test_a_late_first_frame_does_not_make_the_others_late() -> None:
    shown = paced(100)
    shown[0] += 9_000_000
    seen = animation(shown, np.arange(100), PACE_HZ)
    assert (seen.repeats, seen.drops) == (0, 0)


def test_frames_that_come_together_drop_the_earlier() -> None:
    shown = paced(100)
    shown[40] = shown[41] - 1_000_000
    seen = animation(shown, np.arange(100), PACE_HZ)
    assert (seen.repeats, seen.drops) == (1, 1)


def test_a_number_that_is_never_shown_is_dropped_and_an_error_of_one_period() -> None:
    numbers = np.arange(100)
    numbers[40:] += 1
    seen = animation(paced(100), numbers, PACE_HZ)
    assert seen.drops == 1 and seen.error_ms[39] == pytest.approx(-20)


@given(st.lists(st.integers(1, 10**8), min_size=1, max_size=50))
def test_an_unpaced_run_that_shows_each_number_once_has_no_error(steps_ns: list[int]) -> None:
    shown = np.concatenate([[0], np.cumsum(steps_ns)]).astype(np.int64)
    assert not np.any(animation(shown, np.arange(len(shown))).error_ms)


def test_an_unpaced_run_that_skips_a_number_has_one() -> None:
    numbers = np.array([0, 1, 3, 4])
    seen = animation(np.arange(4, dtype=np.int64) * 2_000_000, numbers)
    assert seen.error_ms.tolist() == [0, -2, 0] and seen.drops == 1


@pytest.mark.parametrize("shown", [[], [5]])
def test_one_frame_is_no_animation(shown: list[int]) -> None:
    with pytest.raises(TooFewSteps):
        animation(np.array(shown, np.int64), None, PACE_HZ)


def test_times_that_do_not_rise_and_numbers_of_other_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="do not rise"):
        animation(np.array([5, 5], np.int64), None, PACE_HZ)
    with pytest.raises(ValueError, match="3 frame numbers of 2 frames"):
        animation(paced(2), np.arange(3), PACE_HZ)


def columns(frames: int = 50) -> dict[str, U64]:
    """Records of frames that draw for 2 ms and wait for 1 ms."""
    times = {"render_ns": 2_000_000, "submit_ns": 10_000, "notify_ns": 20_000, "wait_ns": 1_000_000, "log_ns": 0}
    return {
        "frame": np.arange(100, 100 + frames, dtype=np.uint64),
        **{key: np.full(frames, ns, np.uint64) for key, ns in times.items()},
    }


@pytest.mark.parametrize("part", PARTS)
def test_the_part_that_was_late_is_named(part: str) -> None:
    records = columns()
    records[PARTS[part]][7] += 25_000_000
    (late,) = overruns(records, 20)
    assert (late.frame, late.part) == (107, part) and late.excess_ms == pytest.approx(25)
    assert late.late_ms == pytest.approx(25 + 3.03 - 20)
    words = overrun_words((late,), 50)
    assert words == f"1 of 50 frames missed their deadline: 1 by {part} (up to 8.0 ms)"


def test_frames_in_time_are_no_overrun_and_records_without_parts_tell_none() -> None:
    assert overruns(columns(), 20) == () and overrun_words((), 50) == ""
    assert overruns({"frame": np.arange(5, dtype=np.uint64)}, 0.001) == ()


def test_the_gate_finds_a_planted_hiccup_and_passes_a_clean_pair() -> None:
    rule = next(rule for rule in RULES if rule.metric == "animation_error_ms_p99" and rule.kind == "growth")
    figure = {name: Metric(ms, "ms", "trace", n=8) for name, ms in (("clean", 0.2), ("noisy", 1.9), ("hiccup", 4.1))}
    arms = {name: Arm({}, "0", {rule.metric: one}) for name, one in figure.items()}

    def verdict(candidate: str) -> Verdict | None:
        return judge_metric(rule, arms[candidate], Basis(arms[candidate], arms["clean"])).verdict

    assert verdict("hiccup") is Verdict.REGRESSION
    assert verdict("clean") is Verdict.PASS and verdict("noisy") is Verdict.PASS


def test_an_unpaced_run_says_why_it_has_no_animation_error() -> None:
    rule = next(rule for rule in RULES if rule.metric == "animation_error_ms_p99")
    bare = Arm({}, "0", {})
    gate = judge_metric(rule, bare, Basis(bare, bare))
    assert gate.verdict is None and "0 by construction" in gate.why
