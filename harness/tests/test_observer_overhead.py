"""The cost of watching, planted and found again."""

from __future__ import annotations

import time
from typing import cast

import numpy as np
import pytest

from harness.core.guest.serial import parse_serial
from harness.core.timing.instruments import capture_cost, record_cost
from harness.gate.measuring.observer_overhead import Stretch, TooFewStretches, _stretches, cost_of_watching
from harness.model.errors import GuestError, QmpError
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu

FRAME_NS = 2_000_000
STRETCH_NS = 60_000_000
EPOCH_NS = 1_700_000_000_000_000_000


def _planted(cost: float, drift: float, random_state: int = 3) -> tuple[bytes, list[Stretch]]:
    """Serial records of a guest whose frames take ``cost`` longer while it is watched, and slow down by ``drift``."""
    rng = np.random.default_rng(random_state)
    pattern = [True, False, False, True] * 10
    stretches = [(EPOCH_NS + i * STRETCH_NS, EPOCH_NS + (i + 1) * STRETCH_NS, on) for i, on in enumerate(pattern)]
    lines: list[str] = []
    now, end = 0, len(pattern) * STRETCH_NS
    while now < end:
        on = pattern[min(now // STRETCH_NS, len(pattern) - 1)]
        times = f"t_ns={now} render_ns=0 submit_ns=0 notify_ns=0"
        lines.append(f"[VIRTIO PERF] fences=2 spins=9 completions=2 frame={len(lines)} {times}")
        frame = FRAME_NS * (1 + cost * on) * (1 + drift * now / end) * rng.lognormal(0, 0.02)
        now += int(frame)
    return ("\n".join(lines) + "\n").encode(), stretches


@pytest.mark.parametrize("cost", [0.0, 0.005, 0.03])
def test_a_planted_cost_is_found_in_spite_of_drift(cost: float) -> None:
    log, stretches = _planted(cost, drift=0.2)
    found = cost_of_watching(parse_serial(log).records, EPOCH_NS, stretches)
    assert found.low is not None and found.high is not None
    assert found.low <= cost <= found.high
    assert found.high - found.low < 0.02
    assert found.n == 10


def test_records_without_times_are_no_evidence() -> None:
    log = b"[VIRTIO PERF] fences=2 spins=9 completions=2\n" * 50
    with pytest.raises(GuestError, match="no times"):
        cost_of_watching(parse_serial(log).records, EPOCH_NS, [])


class Oversleeping:
    """A machine whose guest has ended when events are switched for this many times."""

    def __init__(self, lives: int, ended: bool = True) -> None:
        self.left, self.ended = lives, ended

    def trace_event(self, name: str, on: bool) -> None:
        self.left -= 1
        if self.left < 0:
            raise QmpError("Connection reset by peer")

    def exited(self) -> bool:
        return self.left < 0 and self.ended


@pytest.mark.parametrize(("lives", "groups"), [(10_000, 3), (len(TIMING_EVENTS) * 9, 2), (0, 0)])
def test_a_guest_that_ends_before_a_busy_host_is_done_gives_what_there_is(lives: int, groups: int) -> None:
    machine = cast(Qemu, Oversleeping(lives))
    assert len(_stretches(machine, 3, 0.0001, time.monotonic() + 60)) == 4 * groups
    assert _stretches(machine, 3, 0.0001, time.monotonic()) == []


def test_a_machine_that_stands_still_is_no_busy_host() -> None:
    with pytest.raises(QmpError):
        _stretches(cast(Qemu, Oversleeping(0, ended=False)), 3, 0.0001, time.monotonic() + 60)


def test_too_few_stretches_are_said_of_the_host_not_of_the_guest() -> None:
    log, stretches = _planted(0.0, drift=0.0)
    with pytest.raises(TooFewStretches, match="2 of 2 groups"):
        cost_of_watching(parse_serial(log).records, EPOCH_NS, stretches[:8])


def test_a_picture_that_held_up_a_frame_is_told_with_its_share() -> None:
    shown_ns = np.cumsum(np.concatenate([[0], np.full(49, 2_000_000), [12_000_000], np.full(49, 2_000_000)]))
    held = [(int(shown_ns[49]) + 1, int(shown_ns[49]) + 5_000_000)]
    assert capture_cost(shown_ns, held) == pytest.approx(10 / 208)
    assert capture_cost(shown_ns, [(int(shown_ns[10]) + 1, int(shown_ns[10]) + 2)]) == 0.0
    assert capture_cost(shown_ns, [(-10, -5)]) is None
    assert capture_cost(shown_ns, []) is None and capture_cost(shown_ns[:2], held) is None


def test_the_guest_s_word_on_its_records_is_a_share_of_the_frame() -> None:
    assert record_cost(1_500, 1.5) == pytest.approx(0.001)
