"""A host clock that does not run evenly."""

from __future__ import annotations

import time

import pytest

from harness.platform.host.hostclock import ClockWatch, clock_problem

SECOND_NS = 10**9


@pytest.mark.parametrize("apart_ns", [0, 1_500_000, -1_500_000, 3_000_000])
def test_a_clock_that_ntp_disciplines_is_even(apart_ns: int) -> None:
    assert clock_problem(3 * SECOND_NS + apart_ns, 3 * SECOND_NS) == ""


@pytest.mark.parametrize("apart_ns", [20_000_000, -20_000_000, 3600 * SECOND_NS, -3600 * SECOND_NS])
def test_a_step_and_a_slew_are_named(apart_ns: int) -> None:
    assert f"by {apart_ns / 1e6:+.1f} ms within 3.0 s" in clock_problem(3 * SECOND_NS + apart_ns, 3 * SECOND_NS)


def test_this_host_s_clock_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = ClockWatch()
    assert watch.problem() == ""
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 50_000_000)
    assert "by +50." in watch.problem() or "by +49." in watch.problem()
