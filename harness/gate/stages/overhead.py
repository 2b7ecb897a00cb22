"""The overhead stage."""

from __future__ import annotations

from harness.gate.measured import Measured, Order
from harness.gate.measuring.observer_overhead import TooFewStretches, measure_observer_overhead
from harness.gate.measuring.window import Window
from harness.gate.stage import Session, Stage
from harness.model.record import ObserverOverhead

ORDER = 30
LEAST_S = 3.0
QUADS = 8
"""About two seconds: an interval of a few per cent, which bench narrows."""


class OverheadStage(Stage[ObserverOverhead, ObserverOverhead]):
    """Observer overhead."""

    long = True
    brings = keeps = ObserverOverhead

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        switches = order.candidate.switches
        prints = order.candidate.capabilities.records and (switches is None or switches.get("LOG") == "deferred")
        if measured.of(Window) is None or not prints:
            return ""
        # It qualifies the times of a comparison, and says nothing where there is none.
        return "" if order.asks_for("timing") and order.loads_the_same else None

    def measure(self, session: Session, measured: Measured) -> ObserverOverhead | None:
        spec = session.order.run_spec(session.order.candidate, session.order.params)
        try:
            return ObserverOverhead(measure_observer_overhead(spec, session.folder / self.name, QUADS))
        except TooFewStretches as error:
            session.leave_out(self.name, f"this host was too busy: {error.message}")
            return None
