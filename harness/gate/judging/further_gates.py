"""Gates that judge no single metric: pictures, the scene, and the frame rate that the baseline stores."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.comparison.statistics import Decision
from harness.core.pictures.frames import bad_share_bound
from harness.core.wording import amount, percent
from harness.gate.judging.gates import NOT_APPLICABLE
from harness.model.result import Frames, Gate, Metric
from harness.model.spec import Verdict

NO_PICTURES = "no pictures were checked"


def right_words(frames: Frames) -> str:
    """``250 of 250 pictures right (fewer than 1.2 % can be wrong)``."""
    bound = percent(bad_share_bound(frames.bad, frames.checked))
    return (
        f"{frames.intact} of {frames.checked} pictures {frames.judged_as or 'right'} (fewer than {bound} can be wrong)"
    )


def picture_gate(frames: Frames | None) -> Gate:
    """All pictures checked must be intact, and some must have been checked."""
    if frames is None or not frames.checked:
        return Gate("pictures", "equal", Verdict.INCONCLUSIVE, NO_PICTURES)
    bad = [f"{count} {kind}" for kind, count in frames.counts.items() if count and kind not in ("checked", "intact")]
    if frames.bad:
        verdict, why = Verdict.GUEST_FAILED, f"{frames.bad} of {frames.checked} pictures wrong: {', '.join(bad)}"
    else:
        verdict, why = Verdict.PASS, right_words(frames)
    return Gate("pictures", "equal", verdict, why, value=float(frames.bad), reference=0.0, limit=0.0)


def scene_gate(candidate: str, reference: str) -> Gate:
    """Both arms must draw the same scene, or their times cannot be compared."""
    if not candidate or not reference:
        return Gate("scene", "equal", None, f"{NOT_APPLICABLE}a kernel that does not name its scene")
    if candidate == reference:
        return Gate("scene", "equal", Verdict.PASS, "same scene")
    why = f"the scene changed ({reference} to {candidate}): look at it and run 'make approve' again"
    return Gate("scene", "equal", Verdict.INCONCLUSIVE, why)


def stored_fps_gate(
    stored: Mapping[str, float],
    same_host: bool,
    candidate: Metric | None,
    tolerance: float,
    decision: Decision | str | None = None,
) -> Gate:
    """Today's unpinned frame rate against the one stored with the baseline, on the same host.

    The comparison inside this session tells a shortfall of the kernel from one of the host, which is only reported.

    Parameters
    ----------
    decision
        Of that comparison; in words, why both arms are the same kernel.
    """
    metric = "fps_window"
    figure = stored.get(metric)
    if figure is None or candidate is None:
        return Gate(metric, "bound", None, f"{NOT_APPLICABLE}the baseline stores no frame rate")
    if not same_host:
        return Gate(metric, "bound", None, f"{NOT_APPLICABLE}stored on another host", reference=figure)
    limit = figure * (1 - tolerance)
    verdict: Verdict | None = Verdict.PASS
    why = f"{amount(candidate.value)} frames/s; the machine of the baseline (same CPU model) had {amount(figure)}"
    if candidate.value < limit and decision is None:
        verdict = Verdict.INCONCLUSIVE
        why += "; nothing measured in this session tells the kernel's part from the host's"
    elif candidate.value < limit and (isinstance(decision, str) or (decision and decision.low < 1 + tolerance)):
        verdict = None
        reason = decision if isinstance(decision, str) else "as slow here today"
        why = f"warning: {why}; the approved kernel is {reason}, so it is the host"
    elif candidate.value < limit:
        verdict = Verdict.REGRESSION
    change = candidate.value / figure - 1
    return Gate(metric, "bound", verdict, why, candidate.value, figure, change, limit=limit)
