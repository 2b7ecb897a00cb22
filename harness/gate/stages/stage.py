"""What a stage of a session is: when it runs, how it measures, what of it is kept, and how that is read again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from harness.core import budget
from harness.gate.measured import Measured, Order
from harness.model.record import Incident, RunRecord
from harness.model.result import Result


class Session:
    """What a running session offers to its stages."""

    def __init__(self, order: Order, folder: Path, progress: Callable[[str], None]) -> None:
        self.later_s = 0.0
        """What the stages after this one take at the least."""
        self.done_s = 0.0
        """What the stages that were run take on two idle cores."""
        self.order = order
        self.folder = folder
        self.progress = progress
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the session began."""
        return time.monotonic() - self._begun

    @property
    def slowness(self) -> float:
        """How much longer than on two idle cores everything takes here, as far as it has been seen."""
        return max(self.seconds / self.done_s, 1.0) if self.done_s else 1.0

    @property
    def left_s(self) -> float:
        """Of the budget, for all that is still to come; the report has its own time."""
        return self.order.budget_s - self.seconds - budget.CLOSING_S


class Stage:
    """One stage. A field of :class:`Measured` and one of :class:`RunRecord` hold what it brings."""

    name = ""
    long = False
    """Skipped when an earlier stage has shown that the guest fails."""

    def least_s(self, order: Order) -> float:
        """What it takes on two idle cores, about."""
        return budget.stage_s(self.name, order.pictures)

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        """Why it cannot run in this session; empty when it does not apply, None when it can."""
        return None

    def measure(self, session: Session, measured: Measured) -> Measured:
        """Run, and add what came of it.

        Raises
        ------
        GuestError
            When the guest fails: the session records an incident.
        """
        raise NotImplementedError

    def incidents(self, measured: Measured) -> tuple[Incident, ...]:
        """What its finished measurement shows to be wrong."""
        return ()

    def record(self, measured: Measured, run: RunRecord) -> RunRecord:
        """Add what a replay needs."""
        raise NotImplementedError

    def replay(self, folder: Path, result: Result, run: RunRecord, measured: Measured) -> Measured:
        """Add what :meth:`measure` had brought, from the record and the run's files.

        Raises
        ------
        ValueError, KeyError, OSError, HarnessError
            When either is damaged.
        """
        raise NotImplementedError
