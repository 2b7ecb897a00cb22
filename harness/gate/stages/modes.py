"""The modes stage."""

from __future__ import annotations

from pathlib import Path

from harness.core.device.mode_changes import gap_words
from harness.gate.measured import Measured, Order
from harness.gate.measuring.modes import Modes, measure_modes, modes_of
from harness.gate.stage import Session, Stage
from harness.model.modes_record import ModesRecord
from harness.model.record import Cause, Incident
from harness.model.result import Result
from harness.model.spec import Device, Verdict
from harness.platform.files.bounded import LOG_BYTES_MAX, read_bounded
from harness.platform.machine.qemu_command import QEMU_LOG, TRACE_LOG

ORDER = 16
LEAST_S = 6.0
ON_REQUEST = True
_SHOWN_MOST = 3


class ModesStage(Stage[Modes, ModesRecord]):
    """One run whose display is given several sizes."""

    brings, keeps = Modes, ModesRecord

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        if len(order.modes) < 2:
            return ""
        gl = order.machine.device is Device.GPU_GL
        return "the display of the GL device, a window, has one size" if gl else None

    def measure(self, session: Session, measured: Measured) -> Modes:
        order = session.order
        spec = order.run_spec(order.candidate, order.params)
        return measure_modes(spec, session.folder / self.name, order.modes, session.progress)

    def incidents(self, brought: Modes, order: Order) -> tuple[Incident, ...]:
        record = brought.record
        found = [Incident(Verdict.GUEST_FAILED, text, Cause.DEVICE) for text in brought.device]
        found += [Incident(Verdict.GUEST_FAILED, text, Cause.PICTURE) for text in record.bad[:_SHOWN_MOST]]
        found += [Incident(Verdict.USAGE, f"mode {text}", Cause.DEVICE) for text in record.refused]
        slow, disturbed = gap_words(record.changes, record.asked)
        found += [Incident(Verdict.GUEST_FAILED, slow, Cause.PICTURE)] if slow else []
        clock = record.observed.clock or disturbed
        found += [Incident(Verdict.INCONCLUSIVE, clock, Cause.INSTRUMENT)] if clock else []
        return tuple(Incident(one.verdict, f"{self.name}: {one.text}", one.cause) for one in found)

    def record(self, brought: Modes) -> ModesRecord:
        return brought.record

    def replay(self, folder: Path, result: Result, record: ModesRecord) -> Modes:
        names = ("serial.log", TRACE_LOG, QEMU_LOG)
        serial, trace, said = (read_bounded(folder / self.name / name, LOG_BYTES_MAX) for name in names)
        return modes_of(record, serial, trace, said)
