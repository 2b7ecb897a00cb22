"""The latency stage."""

from __future__ import annotations

from pathlib import Path

from harness.gate.judging.metrics import no_records
from harness.gate.measured import ArmKernel, Measured, Order
from harness.gate.measuring.latency import Latency, clock_words, latency_of, measure_latency, pace_of
from harness.gate.measuring.window import assemble, window_incidents
from harness.gate.stage import Session, Stage
from harness.model.latency_record import LatencyRecord
from harness.model.record import Cause, Incident
from harness.model.result import Result
from harness.model.spec import Verdict
from harness.platform.files.bounded import LOG_BYTES_MAX, read_bounded
from harness.platform.machine.qemu_command import QEMU_LOG, TRACE_LOG

ORDER = 15
LEAST_S = 8.0
ON_REQUEST = True


def _reads_keys(kernel: ArmKernel) -> bool:
    """Whether it takes the word that asks for a keyboard, and prints the records that number inputs."""
    switches = kernel.switches.everything() if kernel.switches is not None else {}
    return kernel.capabilities.command_line and no_records(kernel.capabilities, switches) is None


class LatencyStage(Stage[Latency, LatencyRecord]):
    """One run with a keyboard: from a key to the frame that shows it."""

    brings, keeps = Latency, LatencyRecord

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        return None if _reads_keys(order.candidate) else ""

    def measure(self, session: Session, measured: Measured) -> Latency:
        order = session.order
        spec = order.run_spec(order.candidate, order.params)
        window, sent = measure_latency(spec, session.folder / self.name, order.random_state, order.inputs, order.gap_s)
        return latency_of(window, sent, pace_of(order.params))

    def incidents(self, brought: Latency, order: Order) -> tuple[Incident, ...]:
        kernel, record = order.candidate, brought.record
        found = window_incidents(brought.window, kernel.capabilities, kernel.scene, kernel.target)
        texts = [Incident(Verdict.GUEST_FAILED, text, Cause.SOURCES) for text in record.problems]
        clock = clock_words(record.shown)
        if clock:
            texts.append(Incident(Verdict.INCONCLUSIVE, clock, Cause.INSTRUMENT))
        if not record.shown and not texts and not found:
            texts.append(Incident(Verdict.INCONCLUSIVE, "no input was shown in a recorded frame", Cause.INSTRUMENT))
        return tuple(Incident(one.verdict, f"{self.name}: {one.text}", one.cause) for one in (*found, *texts))

    def record(self, brought: Latency) -> LatencyRecord:
        return brought.record

    def replay(self, folder: Path, result: Result, record: LatencyRecord) -> Latency:
        serial, trace = (read_bounded(folder / self.name / name, LOG_BYTES_MAX) for name in ("serial.log", TRACE_LOG))
        said = folder / self.name / QEMU_LOG
        window = assemble(record.observed, serial, trace, read_bounded(said) if said.is_file() else b"")
        return latency_of(window, record.sent, record.pace_hz)
