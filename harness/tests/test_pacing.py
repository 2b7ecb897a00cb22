"""Frame pacing: each figure by its formula, and the hiccup that a mean hides."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.timing.pacing import TooFewFrames, frame_pacing, rolling_median


def test_figures_follow_their_formulas() -> None:
    times = np.arange(1.0, 101.0)
    pacing = frame_pacing(times)
    assert pacing.frames == 100
    assert pacing.mean_fps == pytest.approx(100 * 1000 / 5050)
    assert (pacing.p50_ms, pacing.p95_ms, pacing.p99_ms, pacing.max_ms) == pytest.approx((50.5, 95.05, 99.01, 100))
    assert pacing.low_1pct_fps == pytest.approx(1000 / 100)


def test_one_hiccup_in_a_hundred_shows_although_mean_fps_does_not_move() -> None:
    rng = np.random.default_rng(1)
    even = 3 + rng.normal(0, 0.05, 600)
    uneven = even.copy()
    uneven[50::100] += 9
    uneven -= uneven.mean() - even.mean()
    clean, hiccups = frame_pacing(even), frame_pacing(uneven)
    assert hiccups.mean_fps == pytest.approx(clean.mean_fps)
    assert clean.stutter_share == 0
    assert hiccups.stutter_share == pytest.approx(uneven[50::100].sum() / uneven.sum())
    assert hiccups.low_1pct_fps < clean.low_1pct_fps / 3


def test_a_slower_stretch_is_no_stutter() -> None:
    assert frame_pacing(np.concatenate([np.full(100, 3.0), np.full(100, 9.0)])).stutter_share == 0


def test_tails_need_a_hundred_frames() -> None:
    assert not frame_pacing(np.full(99, 3.0)).tails_known and frame_pacing(np.full(100, 3.0)).tails_known


@pytest.mark.parametrize("times", [[], [3.0], [3.0, -1.0], [3.0, float("nan")], [0.0, 0.0]])
def test_no_figures_from_no_frames(times: list[float]) -> None:
    with pytest.raises(TooFewFrames):
        frame_pacing(np.array(times))


def test_rolling_median_is_narrower_at_the_ends() -> None:
    values = np.array([5.0, 1.0, 4.0, 2.0, 3.0])
    assert list(rolling_median(values, 3)) == [3.0, 4.0, 2.0, 3.0, 2.5]
