"""What the latency stage keeps: keys pressed, and when a frame showed each."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.record import Observed, StageRecord


@dataclass(frozen=True)
class SentKey:
    """One key pressed by the monitor's ``input-send-event``; host times since the epoch."""

    code: int
    """As the guest sees it, of Linux's evdev."""
    asked_ns: int
    """Before the command was sent."""
    answered_ns: int
    """Once its answer had come: the device has the key."""


@dataclass(frozen=True)
class ShownInput:
    """One input on its way to the screen; its parts add up to the time from QEMU's event to the flush."""

    number: int
    """Keys pressed, from 1, as the guest counts them."""
    frame: int
    """The first frame that shows it."""
    event_ns: int
    """When QEMU had the event, host time since the epoch."""
    queue_ns: int
    """Through the device into the guest's event queue."""
    wait_ns: int
    """There, until a frame begins that takes it."""
    draw_ns: int
    device_ns: int
    """From the end of drawing to the frame's last flush."""
    sent_ns: int
    """From the harness's request to the event: the monitor's own delay, no part of the latency."""
    error_ns: int
    """How far any of these times can be from the true one."""
    late_frames: int = 0
    """How many frames began without it although it was in the queue."""

    @property
    def latency_ns(self) -> int:
        return self.queue_ns + self.wait_ns + self.draw_ns + self.device_ns


@dataclass(frozen=True)
class LatencyRecord(StageRecord, stage="latency"):
    """One run with keys; serial log and trace beside it are all that a replay needs besides."""

    observed: Observed
    sent: tuple[SentKey, ...]
    shown: tuple[ShownInput, ...]
    dropped: int = 0
    """Keys for which the guest's queue had no room: the device drops them."""
    unseen: int = 0
    """Keys that came before the first recorded frame, or too near the end."""
    problems: tuple[str, ...] = ()
    """What guest and host say of the same keys and cannot both be true."""
    pace_hz: int = 0
