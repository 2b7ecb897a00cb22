"""The exact stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.core.budget import FUNCTIONS_S
from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.core.counts.functions import FunctionChange
from harness.gate.judging.metrics import follows_display, no_records
from harness.gate.measured import COUNTS, ArmKernel, Measured, Order
from harness.gate.measuring.exact import count_everything
from harness.gate.measuring.functions import compare_functions
from harness.gate.measuring.host_costs import fitted_costs
from harness.gate.measuring.window import Window
from harness.gate.stage import Session, Stage
from harness.model.errors import GuestError
from harness.model.record import EXACT_PARTS, ExactCount, ExactRecord
from harness.model.result import Result
from harness.model.spec import RunSpec

ORDER = 40
LEAST_S = 3.0


FOLLOWS = "a kernel that follows its display asks the device once a frame, which the reference does not"


def _counts(kernel: ArmKernel) -> bool:
    """Whether it takes the words that ask for exact counts, and prints the records that hold them."""
    switches = kernel.switches.everything() if kernel.switches is not None else {}
    return kernel.capabilities.command_line and no_records(kernel.capabilities, switches) is None


def _follows(kernel: ArmKernel) -> bool:
    return kernel.switches is not None and follows_display(kernel.switches.everything())


class ExactStage(Stage[ExactRecord, ExactRecord]):
    """Guest instructions a frame and all else that its parts make QEMU do; of more instructions, by function."""

    beside = True
    long = True
    brings = keeps = ExactRecord

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        if not _counts(order.candidate) or order.machine.accelerator != "tcg":
            return ""
        reference = order.reference
        if reference is None or not _counts(reference) or _follows(order.candidate) == _follows(reference):
            return None
        return FOLLOWS

    def measure(self, session: Session, measured: Measured) -> ExactRecord:
        order = session.order
        specs = self._specs(order)
        found = count_everything(specs, session.folder / self.name)
        if order.loads_the_same:
            found = found.shared(CANDIDATE, REFERENCE)
        if found.problem:
            session.leave_out(COUNTS, found.problem)
        costs = fitted_costs(found.parts.get(CANDIDATE), measured.of(Window))
        record = ExactRecord(found.counts, counted=found.parts, costs=costs)
        try:
            return replace(record, functions=self._functions(specs, session, found.counts))
        except GuestError as error:
            session.leave_out("functions", error.message)
            return record

    def _specs(self, order: Order) -> dict[str, RunSpec]:
        specs = {CANDIDATE: order.run_spec(order.candidate, order.params)}
        if order.reference and _counts(order.reference) and not order.loads_the_same:
            specs[REFERENCE] = order.run_spec(order.reference, order.params)
        return specs

    def _functions(
        self, specs: Mapping[str, RunSpec], session: Session, arms: Mapping[str, ExactCount]
    ) -> tuple[FunctionChange, ...]:
        """Where a candidate executes more; unknown functions leave the verdict as it is."""
        most = 1 + session.order.smallest_exact
        if REFERENCE not in arms or arms[CANDIDATE].mean <= arms[REFERENCE].mean * most:
            return ()
        if session.left_s < session.later_s + FUNCTIONS_S:
            return ()
        session.progress(f"exact: by function, about {FUNCTIONS_S:.0f} s")
        return compare_functions(specs[REFERENCE], specs[CANDIDATE], session.folder / "functions")

    def replay(self, folder: Path, result: Result, record: ExactRecord) -> ExactRecord:
        for role, count in record.arms.items():
            parts = (count.parts.get(part, ()) for part in EXACT_PARTS)
            if not count.frames or any(len(part) != len(count.frames) for part in parts):
                raise ValueError(f"exact counts of the {role} are not one a frame")
        return record
