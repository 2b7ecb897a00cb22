"""A stage of a session: when it runs, how it measures, which part is kept, and how that is read again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from harness.core import budget
from harness.gate.measured import Measured, Order
from harness.model.record import Incident, StageRecord
from harness.model.result import Result

B = TypeVar("B")
R = TypeVar("R", bound=StageRecord)


class Session:
    """Services of a running session for its stages."""

    def __init__(self, order: Order, folder: Path, progress: Callable[[str], None]) -> None:
        self.later_s = 0.0
        """The least time of the stages after this one."""
        self.done_s = 0.0
        """Time of the stages that were run, on two idle cores."""
        self.order = order
        self.folder = folder
        self.progress = progress
        self.left_out: dict[str, str] = {}
        self._begun = time.monotonic()

    def leave_out(self, what: str, why: str) -> None:
        """Say why a stage, or a part of one, brought nothing."""
        self.left_out[what] = why

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
        """The rest of the budget, for all remaining stages; the report has its own time."""
        return self.order.budget_s - self.seconds - budget.CLOSING_S


class Stage(Generic[B, R]):
    """One stage. It brings a ``B`` to the session and keeps an ``R`` in the result."""

    long = False
    """Skipped when an earlier stage has shown that the guest fails."""
    beside = False
    """May run on cores of its own while the comparison runs: it reads no clock."""
    brings: type[B]
    keeps: type[R]

    def __init__(self, name: str) -> None:
        self.name = name

    def least_s(self, order: Order) -> float:
        """Its time on two idle cores, about."""
        return budget.stage_s(self.name, min(order.pictures, order.pictures_least))

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        """Why it cannot run in this session; empty when it does not apply, None when it can."""
        return None

    def measure(self, session: Session, measured: Measured) -> B | None:
        """Run; None when the session has been told why there is nothing.

        Raises
        ------
        GuestError
            When the guest fails: the session records an incident.
        """
        raise NotImplementedError

    def incidents(self, brought: B, order: Order) -> tuple[Incident, ...]:
        """Incidents that its finished measurement shows."""
        return ()

    def record(self, brought: B) -> R:
        """The record for a replay; the whole measurement, unless a stage says otherwise."""
        assert isinstance(brought, self.keeps)
        return brought

    def replay(self, folder: Path, result: Result, record: R) -> B | None:
        """The measurement as :meth:`measure` made it, from the record and the run's files.

        Raises
        ------
        ValueError, KeyError, OSError, HarnessError
            When either is damaged.
        """
        assert isinstance(record, self.brings)
        return record

    def seen(self, measured: Measured) -> tuple[Incident, ...]:
        """Its incidents in a session; none where it did not run."""
        brought = measured.of(self.brings)
        return () if brought is None else self.incidents(brought, measured.order)
