"""From measured arms to a verdict: all gates, the worst verdict, and one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.core.comparison.statistics import Decision
from harness.core.wording import amount
from harness.gate.judging.basis import Basis
from harness.gate.judging.count_gates import BY_COUNTS
from harness.gate.judging.further_gates import NO_PICTURES, picture_gate, scene_gate, stored_fps_gate
from harness.gate.judging.gates import KINDS, NO_COMPARISON, NO_DATA
from harness.gate.judging.judge import judge_metric
from harness.gate.judging.still import stopped_gate
from harness.model.record import Incident
from harness.model.result import Gate
from harness.model.spec import Verdict
from harness.report.words import label_of

NO_FRAME_RATE = "no frame rate from the trace"
UNMEASURED = frozenset({NO_DATA, NO_COMPARISON, NO_PICTURES, NO_FRAME_RATE})
"""The sentence on gates for which nothing was measured."""
STORED_FPS_TOLERANCE = 0.35
"""How far below its stored frame rate the same host may fall: whole runs differ by 11 % (one sigma) on one host."""


@dataclass(frozen=True)
class Judgement:
    """A verdict with its gates."""

    verdict: Verdict
    sentence: str
    gates: tuple[Gate, ...]
    notices: tuple[str, ...]
    problems: tuple[str, ...]


def judge(basis: Basis) -> Judgement:
    """Judge everything; the worst gate or incident is the verdict. Without measured FPS and pictures nothing passes."""
    judged = _gates(basis)
    incidents = sorted(basis.incidents, key=lambda one: (-one.verdict.severity, one.cause.rank))
    candidates = [gate.verdict for gate in judged if gate.verdict] + [incident.verdict for incident in incidents]
    verdict = Verdict.worst(candidates or [Verdict.INCONCLUSIVE])
    notices = tuple(f"{label_of(gate.metric)}: {gate.why}" for gate in judged if gate.why.startswith("warning:"))
    return Judgement(
        verdict,
        _sentence(verdict, judged, incidents, basis),
        judged,
        notices,
        tuple(incident.text for incident in incidents),
    )


def _gates(basis: Basis) -> tuple[Gate, ...]:
    if basis.candidate is None:
        return (Gate("fps_trace", "ratio", Verdict.INCONCLUSIVE, "the candidate was not measured"),)
    found = [_attributed(judge_metric(rule, basis.candidate, basis), basis) for rule in basis.rules]
    if basis.still is not None and "fps_trace" not in basis.candidate.metrics:
        found.append(stopped_gate(basis.still, basis.stored_fps))
    elif "fps_trace" not in basis.candidate.metrics:
        found.append(Gate("fps_trace", "equal", Verdict.INCONCLUSIVE, NO_FRAME_RATE))
    found.append(picture_gate(basis.frames))
    if basis.reference is not None:
        found.append(scene_gate(basis.candidate.scene, basis.reference.scene))
    if basis.stored_fps and "fps_trace" in basis.candidate.metrics:
        fps = basis.candidate.metrics.get("fps_window")
        found.append(stored_fps_gate(basis.stored_fps, basis.same_host, fps, STORED_FPS_TOLERANCE, _host_s(basis)))
    return tuple(found)


def _attributed(gate: Gate, basis: Basis) -> Gate:
    """A regression against a kernel of another compiler says nothing about the source."""
    if not basis.other_compiler or not KINDS[gate.kind].by_cost or gate.verdict is not Verdict.REGRESSION:
        return gate
    return replace(gate, verdict=Verdict.INCONCLUSIVE, why=f"{gate.why}; but {basis.other_compiler}")


def _host_s(basis: Basis) -> Decision | str | None:
    """Facts that tell the host's influence from the kernel's."""
    return basis.same_kernel or basis.decision


def _sentence(verdict: Verdict, judged: Sequence[Gate], incidents: Sequence[Incident], basis: Basis) -> str:
    """The verdict in one sentence for people."""
    for incident in incidents:
        if incident.verdict is verdict:
            return f"{verdict.value}: {incident.text}"
    if verdict is Verdict.PASS:
        return _passed(judged, basis)
    causes = [gate for gate in judged if gate.verdict is verdict]
    if not causes:
        return f"{verdict.value}: nothing was measured"
    if verdict is Verdict.INCONCLUSIVE and basis.left_out and all(gate.why in UNMEASURED for gate in causes):
        return f"{verdict.value}: nothing failed, but not everything was measured: {_left_out(basis.left_out)}"
    others = len(causes) - 1
    more = {0: "", 1: "; 1 more gate"}.get(others, f"; {others} more gates")
    ended = " failed" if verdict is not Verdict.INCONCLUSIVE else " undecided"
    return f"{verdict.value}: {_cause(causes[0])}{more}{ended if more else ''}"


def _left_out(stages: Sequence[str]) -> str:
    several = f"{', '.join(stages[:-1])} and {stages[-1]} were" if len(stages) > 1 else f"{stages[0]} was"
    return f"{several} not asked for"


def _cause(gate: Gate) -> str:
    """Why a gate did not pass, in words that need no context."""
    if gate.metric == "fps_trace" and gate.kind == "ratio" and gate.value is not None:
        if gate.verdict is Verdict.REGRESSION:
            return gate.why.replace(" slower", " slower than the baseline", 1)
        return gate.why
    if gate.kind == "rise" and gate.value is not None:
        # It names what rose, and of the functions the first.
        return re.sub(r"\): ([^,]+ \S+ \([^)]*\)).*", r"), most of it in \1", gate.why)
    said_by_itself = gate.metric in ("pictures", "scene")
    return gate.why if said_by_itself and gate.value is not None else f"{label_of(gate.metric)}: {gate.why}"


def _first_words(judged: Sequence[Gate], judged_as: str) -> str:
    """The gates that a never approved kernel passed."""
    floor = any(gate.metric == "fps_trace" and gate.kind == "floor" and gate.verdict for gate in judged)
    passed = "floor and pictures pass" if floor else "pictures pass, and gates.fps_floor declares no floor"
    seen = f" ({judged_as})" if judged_as else ""
    return f"{passed}{seen}; approve to gate on change"


def _rate_words(judged: Sequence[Gate], basis: Basis) -> str:
    """The frame rate with its comparison, or that the screen stands still."""
    fps = next((gate for gate in judged if gate.metric == "fps_trace" and gate.value is not None), None)
    if fps is None:
        return basis.still.words if basis.still is not None else NO_FRAME_RATE
    until = f" until {basis.still.words}" if basis.still is not None else ""
    words = f"{amount(fps.value or 0.0)} frames/s{until}"
    if fps.kind == "ratio" and fps.why.startswith(BY_COUNTS):
        return f"{fps.why}; {words}"
    compared = fps.kind == "ratio" and (basis.decision is not None or basis.same_kernel)
    return f"{words}, {fps.why}" if compared else words


def _passed(judged: Sequence[Gate], basis: Basis) -> str:
    frames, words = basis.frames, _rate_words(judged, basis)
    if basis.first:
        return f"pass: {words}; {_first_words(judged, frames.judged_as if frames else '')}"
    if frames is None:
        return f"pass: {words}; 0 of 0 pictures right"
    return f"pass: {words}; {frames.intact} of {frames.checked} pictures {frames.judged_as or 'right'}"
