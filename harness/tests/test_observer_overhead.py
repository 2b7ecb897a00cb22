"""The cost of watching, planted and found again."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.instruments import capture_cost, record_cost
from harness.core.serial import parse_serial
from harness.gate.stages.observer_overhead import Stretch, cost_of_watching
from harness.model.errors import GuestError

FRAME_NS = 2_000_000
STRETCH_NS = 60_000_000
EPOCH_NS = 1_700_000_000_000_000_000


def _planted(cost: float, drift: float, seed: int = 3) -> tuple[bytes, list[Stretch]]:
    """Serial records of a guest whose frames take ``cost`` longer while it is watched, and slow down by ``drift``."""
    rng = np.random.default_rng(seed)
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


def test_a_picture_that_held_up_a_frame_is_told_with_its_share() -> None:
    shown_ns = np.cumsum(np.concatenate([[0], np.full(49, 2_000_000), [12_000_000], np.full(49, 2_000_000)]))
    held = [(int(shown_ns[49]) + 1, int(shown_ns[49]) + 5_000_000)]
    assert capture_cost(shown_ns, held) == pytest.approx(10 / 208)
    assert capture_cost(shown_ns, [(int(shown_ns[10]) + 1, int(shown_ns[10]) + 2)]) == 0.0
    assert capture_cost(shown_ns, [(-10, -5)]) is None
    assert capture_cost(shown_ns, []) is None and capture_cost(shown_ns[:2], held) is None


def test_the_guest_s_word_on_its_records_is_a_share_of_the_frame() -> None:
    assert record_cost(1_500, 1.5) == pytest.approx(0.001)
