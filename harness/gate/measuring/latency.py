"""A run with a keyboard: keys pressed through the monitor at random phases, and when a frame showed each."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.core.arrays import F64
from harness.core.device.latency import CLOCK_GOAL_NS, input_latency
from harness.core.pictures.stamp import decode_frame
from harness.gate.measuring.window import Window, observe
from harness.model.errors import GuestError, QemuError, QmpError
from harness.model.latency_record import LatencyRecord, SentKey, ShownInput
from harness.model.spec import RunParams, RunSpec, UsageError
from harness.platform.files.bounded import LOG_BYTES_MAX, read_bounded
from harness.platform.machine.qemu import FRAME_EVENTS, Qemu
from harness.platform.machine.qemu_command import KEYBOARD_DEVICE
from harness.platform.machine.trace_events import INPUT_EVENTS

INPUTS = 60
GAP_S = 0.05
PACE_HZ = 60
"""The pace of a run that declares none; it shows a frame's wait for its time."""
KEYS: Sequence[tuple[str, int]] = (
    ("a", 30),
    ("b", 48),
    ("c", 46),
    ("d", 32),
    ("e", 18),
    ("f", 33),
    ("g", 34),
    ("h", 35),
)
"""QEMU's name of a key, and its code in Linux's evdev, which virtio-input uses (VIRTIO 1.2 5.8.6). Pressed in turn, so
that a key that is lost or counted twice shows itself by the next one's code."""
_TAIL_S = 1.0
_FLOOD_S = 0.001
"""What one key of a flood takes, about."""
_NO_KEYBOARD = ("input=1 needs a keyboard", "unknown key: input=1")
_NO_HANDLER = "handler not found"


@dataclass(frozen=True)
class Latency:
    """What the stage brings: the run, and each input's way."""

    window: Window
    record: LatencyRecord

    def parts_ms(self, name: str) -> F64:
        """One part of every input, by its field's name, in ms, shape (n,)."""
        return np.array([getattr(one, name) / 1e6 for one in self.record.shown], np.float64)


def pace_of(params: RunParams) -> int:
    """Frames a second of a run with keys."""
    return PACE_HZ if params.pace is None else params.pace


def measure_latency(
    spec: RunSpec, folder: Path, random_state: int, inputs: int = INPUTS, gap_s: float = GAP_S
) -> tuple[Window, tuple[SentKey, ...]]:
    """Run the kernel with a keyboard and press keys.

    Parameters
    ----------
    inputs
        Keys to press; of a flood as many as there is time for.
    gap_s
        Mean time between two; 0 presses them as fast as the monitor takes them.

    Raises
    ------
    UsageError
        When this machine or this kernel has no keyboard.
    GuestError
        When the guest fails.
    """
    spec = replace(spec, params=replace(spec.params, input=1, pace=pace_of(spec.params)))
    window_s = inputs * (gap_s + _FLOOD_S) / 0.6 + _TAIL_S
    sent: list[SentKey] = []

    def press(machine: Qemu) -> None:
        until_s = time.monotonic() + window_s * 0.6
        chance = random.Random(random_state)
        for number in range(inputs):
            if gap_s:
                time.sleep(chance.uniform(0.5, 1.5) * gap_s)
            if time.monotonic() > until_s:
                return
            sent.append(_press(machine, *KEYS[number % len(KEYS)]))

    try:
        window = observe(spec, folder, decode_frame, window_s, (*FRAME_EVENTS, *INPUT_EVENTS), press)
    except (GuestError, QemuError) as error:
        raise _translated(error, folder) from error
    return window, tuple(sent)


def _press(machine: Qemu, name: str, code: int) -> SentKey:
    """Press a key and let it go, in one command."""
    key = {"type": "qcode", "data": name}
    events = [{"type": "key", "data": {"down": down, "key": key}} for down in (True, False)]
    with machine.watched():
        asked_ns = time.time_ns()
        try:
            machine.qmp.execute("input-send-event", events=events)
        except QmpError as error:
            if _NO_HANDLER in error.message:
                raise UsageError("this machine offers no keyboard: QEMU has no keyboard device") from error
            raise
        return SentKey(code, asked_ns, time.time_ns())


def _translated(error: GuestError | QemuError, folder: Path) -> Exception:
    """A lack of the machine or the kernel as what it is: a request that cannot be fulfilled."""
    if isinstance(error, QemuError):
        lacking = KEYBOARD_DEVICE in error.message
        return UsageError(f"this machine offers no keyboard: {error.message}") if lacking else error
    said = b""
    if error.evidence is not None:
        with suppress(OSError):
            said = read_bounded(error.evidence, LOG_BYTES_MAX)[-65536:]
    if any(words.encode() in said or words in error.message for words in _NO_KEYBOARD):
        return UsageError("this machine does not offer the keyboard that latency needs, or the kernel has no driver")
    return error


def latency_of(window: Window, sent: tuple[SentKey, ...], pace_hz: int) -> Latency:
    """What the run says of each input. Pure: a saved run is replayed through it."""
    found = input_latency(window.trace, window.sources, window.serial.records, sent)
    record = LatencyRecord(window.observed, sent, found.shown, found.dropped, found.unseen, found.problems, pace_hz)
    return Latency(window, record)


def clock_error_ms(shown: Sequence[ShownInput]) -> float | None:
    """To within how much times are known at 95 % of the inputs; None without inputs."""
    return float(np.percentile([one.error_ns for one in shown], 95)) / 1e6 if shown else None


def clock_words(shown: Sequence[ShownInput]) -> str:
    """Why the clocks are not good enough; empty when they are."""
    error_ms = clock_error_ms(shown)
    if error_ms is None or error_ms * 1e6 <= CLOCK_GOAL_NS:
        return ""
    return (
        f"at 95 % of the inputs their times are known to within {error_ms:.2f} ms only, where "
        f"{CLOCK_GOAL_NS / 1e6:g} ms are allowed: the host was too busy"
    )
