"""The case study, replayed: what its authors claimed for each step, what is measured, and which causes stand.

Every step was timed against the step before, side by side; steps whose machine code is the same were not. Pure: every
figure in its rows and words comes from the measurement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.wording import signed_percent, span
from harness.explain.effects import CLEAR, Effect, Worth
from harness.model.case_study import Candidate, ClaimedFigure, NamedStep

NEAR = 2.0
"""A measured figure within this factor of a claimed one confirms it: claims were rounded, machines differ."""


@dataclass(frozen=True)
class EventsPerFrame:
    """Events of one kernel, a frame, by its own summary."""

    frames: int
    fences: float
    spins: float
    completions: float
    timeouts: float
    frame_ms: float = 0.0
    """Mean frame time of the kernel that counted."""
    counted_in: str = ""
    """Switches that had to be set to have them counted; empty when none."""


@dataclass(frozen=True)
class StepRow:
    """One step on one device."""

    step: NamedStep
    counts: EventsPerFrame | None
    fps: float | None
    """Frames a second, mean, while measured beside another kernel."""
    effect: Effect | None
    """Change of frame time against the step before."""
    same: str = ""
    """Why there is nothing to time against the step before: no switch changed, or identical code."""
    trouble: str = ""
    """Why something is missing."""


@dataclass(frozen=True)
class CandidateRow:
    """A change to the first step that was never tried."""

    candidate: Candidate
    counts: EventsPerFrame | None
    fps: float | None
    effect: Effect | None
    """Against the first step."""
    same: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Replay:
    """All steps on one device."""

    device: str
    rows: tuple[StepRow, ...]
    candidates: tuple[CandidateRow, ...]
    closing: tuple[str, ...]
    """Sentences: which causes are confirmed, which are refuted."""
    seconds: float = 0.0


def measured_words(effect: Effect | None, same: str, trouble: str) -> str:
    """The effect of a step on the frame rate."""
    if same:
        return f"nothing to measure: {same}"
    if effect is None:
        return f"not measured{': ' + trouble if trouble else ''}"
    noise = f"{effect.words}: " if effect.worth is Worth.NOISE else ""
    return f"{noise}{_size(effect)}"


def _size(effect: Effect) -> str:
    """A change of frame time with its interval: + is slower."""
    return f"frame time {signed_percent(effect.change)} ({span(effect.low, effect.high)})"


def closing_sentences(
    rows: Sequence[StepRow], candidates: Sequence[CandidateRow], figures: Sequence[ClaimedFigure]
) -> tuple[str, ...]:
    """The paragraph at the end: claimed figures, claimed causes, causes that were never tried, and the result."""
    sentences = [_figure_sentence(figure, rows) for figure in figures]
    standing = [row for row in rows if row.step.removes and _stands(row.effect, Worth.FASTER)]
    falling = [row for row in rows if row.step.removes and row not in standing and _falls(row)]
    open_ = [row for row in rows if row.step.removes and row not in standing and row not in falling]
    if standing:
        parts = [f"{row.step.removes} ({_gain(row.effect)})" for row in standing]
        sentences.append(f"These stand as causes: {_listed(parts)}.")
    if falling:
        parts = [f"{row.step.removes} ({_no_gain(row)})" for row in falling]
        sentences.append(f"These fall: {_listed(parts)}.")
    if open_:
        parts = [f"{row.step.removes} ({_no_gain(row)})" for row in open_]
        sentences.append(f"These stay open: {_listed(parts)}.")
    sentences += [_candidate_sentence(row, figures) for row in candidates]
    sentences.append(_whole_sentence(rows, candidates, figures))
    return tuple(sentence for sentence in sentences if sentence)


def _stands(effect: Effect | None, worth: Worth) -> bool:
    return effect is not None and effect.worth is worth


def _falls(row: StepRow | CandidateRow) -> bool:
    """It is not the cause of a slow frame: the code is the same, or an effect of any size is ruled out."""
    if row.effect is None:
        return bool(row.same)
    rules_out = row.effect.low > -CLEAR if isinstance(row, StepRow) else row.effect.high < CLEAR
    return row.effect.worth is not Worth.NOISE or rules_out


def _gain(effect: Effect | None) -> str:
    assert effect is not None
    return f"without it {_size(effect)}"


def _no_gain(row: StepRow) -> str:
    if row.same:
        return row.same
    if row.effect is None:
        return f"not measured{': ' + row.trouble if row.trouble else ''}"
    noise = "" if row.effect.worth is Worth.SLOWER else ", which is noise"
    return f"without it {_size(row.effect)}{noise}"


def _listed(parts: Sequence[str]) -> str:
    return "; ".join(parts)


def _value(figure: ClaimedFigure, row: StepRow) -> float | None:
    if figure.what == "fps":
        return row.fps
    return float(getattr(row.counts, figure.what)) if row.counts is not None else None


def _figure_sentence(figure: ClaimedFigure, rows: Sequence[StepRow]) -> str:
    row = next((row for row in rows if row.step.name == figure.step), None)
    value = _value(figure, row) if row is not None else None
    unit = "FPS" if figure.what == "fps" else f"{figure.what} a frame"
    claim = f"{figure.value:,.0f}{'+' if figure.at_least else ''} {unit}"
    if value is None:
        return f"{figure.step}: {claim} claimed, not measured here."
    return f"{figure.step}: {claim} claimed, {value:,.4g} measured: the claim {_claim_fate(figure, value)}."


def _claim_fate(figure: ClaimedFigure, value: float) -> str:
    if figure.at_least:
        return "holds" if value >= figure.value else "fails"
    if value <= 0:
        return "is not confirmed: there are none"
    factor = max(value / figure.value, figure.value / value)
    if factor <= NEAR:
        return "holds"
    return f"is {factor:,.{0 if factor >= 10 else 1}f} times too {'low' if value > figure.value else 'high'}"


def _slowest_claim(figures: Sequence[ClaimedFigure]) -> ClaimedFigure | None:
    found = [figure for figure in figures if figure.what == "fps" and not figure.at_least]
    return min(found, key=lambda figure: figure.value) if found else None


def _candidate_sentence(row: CandidateRow, figures: Sequence[ClaimedFigure]) -> str:
    name = " ".join(f"{key}={value}" for key, value in row.candidate.changes)
    cause = f"{row.candidate.cause} ({name} on the first step)"
    if row.same:
        return f"Never tried: {cause}: falls, {row.same}."
    if row.effect is None:
        return f"Never tried: {cause}: not measured{': ' + row.trouble if row.trouble else ''}."
    size = _size(row.effect)
    if not _falls(row):
        return f"Never tried: {cause}: open, {size}, which is noise."
    if not _stands(row.effect, Worth.SLOWER):
        return f"Never tried: {cause}: falls as a cause, {size}."
    claim = _slowest_claim(figures)
    enough = ""
    if claim is not None and row.fps:
        near = row.fps <= claim.value * NEAR
        enough = (
            f" and explains {claim.value:g} FPS"
            if near
            else f", but at {row.fps:,.4g} FPS it does not explain {claim.value:g}"
        )
    return f"Never tried: {cause}: stands as a cause, {size}{enough}."


def _whole_sentence(
    rows: Sequence[StepRow], candidates: Sequence[CandidateRow], figures: Sequence[ClaimedFigure]
) -> str:
    """First step to last, the slowest of all, and whether waits gave up."""
    timed = [row for row in rows if row.effect is not None]
    if not timed:
        return "No step was timed, so no cause can be judged."
    factor = math.prod(1 / (1 + row.effect.change) for row in timed if row.effect is not None)
    parts = [f"From {rows[0].step.name} to {rows[-1].step.name} the frame rate changed by a factor of {factor:.2f}"]
    if len(timed) + sum(1 for row in rows if row.same) < len(rows) - 1:
        parts = [f"Over the {len(timed)} steps that were timed the frame rate changed by a factor of {factor:.2f}"]
    every: list[StepRow | CandidateRow] = [*rows, *candidates]
    rates = [row.fps for row in every if row.fps]
    claim = _slowest_claim(figures)
    if rates and claim is not None:
        slowest = min(rates)
        if slowest > claim.value * NEAR:
            parts.append(f"no measured kernel is near {claim.value:g} FPS: the slowest kernel shows {slowest:,.4g} FPS")
        else:
            parts.append(f"the slowest kernel shows {slowest:,.4g} FPS, which is what was claimed")
    counted = [row.counts for row in every if row.counts is not None]
    if counted:
        worst = max(counts.timeouts for counts in counted)
        parts.append(
            "no wait timed out"
            if worst == 0
            else f"waits timed out, up to {worst:.3g} a frame, and each timeout costs the whole limit of spins"
        )
    return "; ".join(parts) + "."
