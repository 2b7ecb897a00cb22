"""The pictures stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.core.budget import NO_TIME
from harness.core.pictures.frames import bad_share_bound
from harness.core.wording import percent
from harness.gate.measured import Measured, Order
from harness.gate.measuring.pictures import Pictures, load_verification, picture_incidents, verify_pictures
from harness.gate.stage import Session, Stage
from harness.model.record import Incident, PicturesRecord
from harness.model.result import Frames, Result
from harness.model.spec import Display
from harness.platform.pictures.golden_pictures import golden_of

ORDER = 20
LEAST_S = 1.5
"""Without the captures."""
LATER_SHARE = 1.5
"""Time kept for the later stages, as a multiple of the least that they take."""


def _enough(frames: Frames) -> str:
    """What the pictures say that there was time for."""
    bound = percent(bad_share_bound(frames.bad, frames.checked))
    return f"of so few, fewer than {bound} can be wrong; PICTURES= asks for more, with more BUDGET="


class PicturesStage(Stage[Pictures, PicturesRecord]):
    """Captures at random moments of a run of their own, every pixel compared."""

    beside = True
    brings, keeps = Pictures, PicturesRecord

    def measure(self, session: Session, measured: Measured) -> Pictures:
        order = session.order
        spec = order.run_spec(order.candidate, order.params)
        switches = order.candidate.switches
        if switches is not None and switches.get("CURSOR") == "hw" and spec.machine.display is Display.NONE:
            spec = replace(spec, machine=replace(spec.machine, viewer=spec.head))
        limit_s = session.left_s - session.later_s * LATER_SHARE
        golden = golden_of(order.candidate.target)
        pictures = verify_pictures(
            spec, session.folder, order.pictures, order.random_state, session.progress, golden, limit_s=limit_s
        )
        if pictures.cut_short:
            checked = pictures.frames.checked
            why = NO_TIME if checked < order.pictures_least else _enough(pictures.frames)
            session.leave_out(self.name, f"{order.pictures - checked} of {order.pictures}: {why}")
        return pictures

    def incidents(self, brought: Pictures, order: Order) -> tuple[Incident, ...]:
        return tuple(picture_incidents(brought))

    def record(self, brought: Pictures) -> PicturesRecord:
        return PicturesRecord(brought.verification.sentence, brought.film, brought.captured_per_s)

    def replay(self, folder: Path, result: Result, record: PicturesRecord) -> Pictures | None:
        """Verify the captures again; only the result has the findings of geometry and golden list."""
        if result.frames is None:
            return None
        verification = load_verification(folder)
        frames = replace(verification.frames, findings=result.frames.findings, evidence=result.frames.evidence)
        return Pictures(verification, frames, record.film, record.captured_per_s)
