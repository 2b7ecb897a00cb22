"""The window stage."""

from __future__ import annotations

from pathlib import Path

from harness.core.pictures.stamp import decode_frame
from harness.gate.measured import Measured, Order
from harness.gate.measuring.window import Window, assemble, observe, window_incidents
from harness.gate.stage import Session, Stage
from harness.model.record import Incident, Observed
from harness.model.result import Result
from harness.model.target_file import target_of
from harness.platform.files.bounded import LOG_BYTES_MAX, read_bounded
from harness.platform.machine.qemu_command import QEMU_LOG, TRACE_LOG

ORDER = 10
LEAST_S = 4.5


class WindowStage(Stage[Window, Observed]):
    """One ordinary run of the candidate, seen by all sources at once."""

    brings, keeps = Window, Observed

    def measure(self, session: Session, measured: Measured) -> Window:
        order = session.order
        decode = decode_frame if order.candidate.capabilities.stamp else None
        return observe(order.run_spec(order.candidate, order.params), session.folder / self.name, decode)

    def incidents(self, brought: Window, order: Order) -> tuple[Incident, ...]:
        kernel = order.candidate
        return tuple(window_incidents(brought, kernel.capabilities, kernel.scene, kernel.target))

    def record(self, brought: Window) -> Observed:
        return brought.observed

    def replay(self, folder: Path, result: Result, record: Observed) -> Window:
        serial, trace = (read_bounded(folder / self.name / name, LOG_BYTES_MAX) for name in ("serial.log", TRACE_LOG))
        said = folder / self.name / QEMU_LOG
        target = target_of(result.run.target) if result.run is not None and result.run.target is not None else None
        return assemble(record, serial, trace, read_bounded(said) if said.is_file() else b"", target=target)
