"""The refusals stage."""

from __future__ import annotations

from harness.gate.measured import Measured, Order
from harness.gate.measuring.refusals import measure_refusals
from harness.gate.stage import Session, Stage
from harness.model.record import Cause, Incident
from harness.model.refusals_record import RefusalsRecord
from harness.model.spec import Device, Verdict
from harness.platform.kernels.build import build_kernel

ORDER = 17
LEAST_S = 6.0
ON_REQUEST = True
_TOLD = 3


class RefusalsStage(Stage[RefusalsRecord, RefusalsRecord]):
    """Malformed commands of the 2D protocol, each of which the device must refuse and the driver report."""

    brings = keeps = RefusalsRecord

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        if order.candidate.source is None or order.candidate.switches is None:
            return "only a kernel that is built here has the suite that sends malformed commands"
        gl = order.machine.device is Device.GPU_GL
        return "malformed commands are those of the 2D device" if gl else None

    def measure(self, session: Session, measured: Measured) -> RefusalsRecord:
        candidate = session.order.candidate
        source, switches = candidate.source, candidate.switches
        assert source is not None and switches is not None
        built = build_kernel(switches, compiler=source.compiler, tree=source.tree, test=True, commit=source.commit)
        return measure_refusals(built.path, switches.arch, session.folder / self.name)

    def incidents(self, brought: RefusalsRecord, order: Order) -> tuple[Incident, ...]:
        texts = [*brought.failed, *(f"the driver does not report {one.sent}" for one in brought.wrong if one.as_wanted)]
        found = [Incident(Verdict.GUEST_FAILED, f"{self.name}: {text}", Cause.DEVICE) for text in texts[:_TOLD]]
        if not brought.answers and not found:
            found.append(Incident(Verdict.INCONCLUSIVE, f"{self.name}: no command was sent", Cause.INSTRUMENT))
        return tuple(found)
