"""What the refusals stage keeps: malformed commands sent on purpose, and what the device answered to each."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.record import StageRecord

FIRST_ERROR = 0x1200
"""Types of responses from here on are errors (VIRTIO 1.2 5.7.6.7)."""


@dataclass(frozen=True)
class RefusedCommand:
    """One malformed command."""

    sent: str
    """In the words of the in-kernel suite."""
    command: int
    """Its type; 0 where the driver did not report an error."""
    response: int
    """Type of the device's response; 0 where there was none."""
    as_wanted: bool | None
    """Whether this is the error that the specification names; None where it names none."""
    reported: bool
    """The driver reported the error; true as well where there was none."""

    @property
    def right(self) -> bool:
        """The device answered as specified, or no answer is specified, and the driver said so."""
        return self.as_wanted is not False and self.reported


@dataclass(frozen=True)
class RefusalsRecord(StageRecord, stage="refusals"):
    """One boot of the in-kernel suite; its serial log lies beside it."""

    qemu_version: str
    answers: tuple[RefusedCommand, ...]
    failed: tuple[str, ...] = ()
    """Checks of the suite that failed, and what else was wrong with its run."""

    @property
    def wrong(self) -> tuple[RefusedCommand, ...]:
        return tuple(one for one in self.answers if not one.right)
