"""Frames taken apart: short observed windows of one kernel, or of two that take turns."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from harness.explain.attribution import FrameAccount, take_apart
from harness.explain.growth import PartChange, part_changes
from harness.gate.measuring.window import Window, observe
from harness.model.errors import GuestError
from harness.model.spec import RunSpec

PAIR_WINDOW_S = 0.35
FEWEST_PAIRS, MOST_PAIRS = 3, 10


def account_of(window: Window) -> FrameAccount | None:
    """An observed window, taken apart; None when it shows fewer than two frames."""
    records = window.serial.records if len(window.serial.records) else None
    return take_apart(window.trace, window.presented, records, window.sources.alignment, window.warm.frames)


def take_run_apart(spec: RunSpec, folder: Path, window_s: float = PAIR_WINDOW_S) -> FrameAccount:
    """Run a kernel for a moment and take its frames apart.

    Raises
    ------
    GuestError
        When the guest fails or shows fewer than two frames.
    """
    account = account_of(observe(spec, folder, None, window_s))
    if account is None:
        raise GuestError("the guest showed fewer than two frames", folder / "trace.log")
    return account


def compare_parts(
    reference: RunSpec, candidate: RunSpec, folder: Path, budget_s: float, progress: Callable[[str], None]
) -> tuple[PartChange, ...]:
    """Let two kernels take turns, each first as often as the other, until the budget or enough pairs are reached.

    Raises
    ------
    GuestError
        When a guest fails.
    """
    ends_s = time.monotonic() + budget_s
    accounts: tuple[list[FrameAccount], list[FrameAccount]] = ([], [])
    longest_s = 0.0
    for pair in range(MOST_PAIRS):
        begun = time.monotonic()
        if pair >= FEWEST_PAIRS and begun + longest_s > ends_s:
            break
        progress(f"frames taken apart, pair {pair + 1}")
        for side in (0, 1) if pair % 2 == 0 else (1, 0):
            place = folder / f"{pair}-{side}"
            accounts[side].append(take_run_apart((reference, candidate)[side], place))
            shutil.rmtree(place, ignore_errors=True)
        longest_s = max(longest_s, time.monotonic() - begun)
    return part_changes(*accounts)
