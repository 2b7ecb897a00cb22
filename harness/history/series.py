"""The part of a run that history keeps: points, each in a series whose values may be compared with each other.

Three scopes decide what may be compared. *Absolute* figures (frames a second) mean something on one host only, so the
series carries the host's fingerprint. *Ratio* figures were measured against a reference in the same session and hold on
any host; across approvals they are chained, so that they always refer to the oldest approved kernel: the fixed anchor
that makes slow creep visible. *Exact* figures (instructions) repeat on any host, but belong to one compiler.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.gate.judging.gates import KINDS
from harness.gate.judging.metrics import names_of
from harness.model import codec
from harness.model.baseline import Baseline
from harness.model.result import Metric, Result, ResultError
from harness.model.spec import Switches, UsageError, Verdict
from harness.model.upgrade import metric_now

LINE_SCHEMA = 1
"""Schema of the JSON lines in which runs are exported, queued and imported."""

ABSOLUTE, RATIO, EXACT = "absolute", "ratio", "exact"
SCOPES = (ABSOLUTE, RATIO, EXACT)

STEP, CREEP = "step", "creep"
"""Kinds of change: between two runs, or over many."""
NEW, ACKNOWLEDGED, FIXED, WITHDRAWN = "new", "acknowledged", "fixed", "withdrawn"
"""The life of a finding: withdrawn is what later runs no longer support."""

_CHAINED = "fps_trace"
"""The metric whose ratio to the baseline before it every approval records."""


@dataclass(frozen=True, order=True)
class SeriesKey:
    """Which series a point belongs to."""

    cell: str
    """What was measured: ``x86_64 acquire_progress 2d default``."""
    metric: str
    scope: str
    context: str
    """What the values of this series share: a host, an anchor kernel, or a compiler."""

    @property
    def label(self) -> str:
        return f"{self.cell}: {self.metric} ({self.scope}, {self.context})"


@dataclass(frozen=True)
class SeriesPoint:
    """A figure of a run; ``value`` is None where it is not a number. ``low`` and ``high`` bound 95 %, or are None."""

    metric: str
    scope: str
    context: str
    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Key that is unique within a run."""
        return self.metric, self.scope, self.context


@dataclass(frozen=True)
class HistoryRun:
    """One run as history keeps it."""

    run_id: str
    """Unique over all machines: the results folder's name and the first digits of its content's hash."""
    cell: str
    started: str
    """UTC, ISO 8601, by the clock of the host; runs are ordered by their arrival in the history, not by this."""
    verdict: str
    sentence: str
    commit: str
    """Commit of this tree or, for a target, of the repository in which its file lies."""
    dirty: bool
    host: str
    compiler: str
    folder: str
    """Name of the results folder on the host that measured."""
    seconds: float
    points: tuple[SeriesPoint, ...]


@dataclass(frozen=True)
class Finding:
    """A change that the history shows, with what people said of it."""

    series_id: int
    kind: str
    """``step`` or ``creep``."""
    status: str
    before_seq: int
    """The last run that is surely before the change."""
    at_seq: int
    """The most likely first run with it."""
    after_seq: int
    """The first run that surely has all of it."""
    found_seq: int
    """The newest run of the history when it was found."""
    change: float
    """Relative; ``low`` and ``high`` bound a 95 % interval."""
    low: float
    high: float
    p: float
    worse: bool | None
    level_before: float
    """In the unit in which drift is judged."""
    note: str = ""
    """Why the code may not be the cause."""
    reason: str = ""
    """Why it was acknowledged, or by what it was fixed."""
    accepted: float = 0.0
    """The change that was acknowledged."""
    fixed_seq: int | None = None
    """The run that brought the level from before back."""
    companions: tuple[tuple[str, float], ...] = ()
    """Other metrics that moved at the same time: name and relative change."""
    host: str = ""
    """The only hosts that show it; empty when all do."""
    id: int | None = None
    """Its number in the history; None before it is stored."""

    @property
    def open(self) -> bool:
        """Not acknowledged, and still present."""
        return self.status == NEW


def anchor_of(baseline: Baseline) -> tuple[str, float]:
    """The oldest approved kernel that a chain of measured ratios reaches, and the baseline's frame rate against it.

    Returns
    -------
    anchor : str
        First 12 digits of the anchor kernel's SHA-256.
    factor : float
        Frame rate of the baseline divided by that of the anchor; 1 when the baseline is its own anchor.
    """
    approvals = [(link.kernel_sha256, link.ratio) for link in baseline.history]
    approvals.append((baseline.kernel_sha256, baseline.ratio if baseline.history else None))
    factor = 1.0
    anchor = approvals[-1][0]
    for index in range(len(approvals) - 1, 0, -1):
        ratio = approvals[index][1]
        if ratio is None or not ratio > 0:
            break
        factor *= ratio
        anchor = approvals[index - 1][0]
    return anchor[:12], factor


def run_record(result: Result, run_id: str, folder: str, cell: str, baseline: Baseline | None) -> HistoryRun:
    """The part of a result that history keeps.

    Parameters
    ----------
    folder
        Name of the results folder.
    baseline
        What the result was judged by; without it, ratios belong to no series.
    """
    host = result.fingerprint.label if result.fingerprint else ""
    arm = result.arms.get(CANDIDATE)
    points: list[SeriesPoint] = []
    if arm is not None:
        points += [
            _point(name, ABSOLUTE, host, arm.metrics[name]) for name in names_of(ABSOLUTE) if name in arm.metrics
        ]
        points += [
            _point(name, EXACT, result.compiler, arm.metrics[name]) for name in names_of(EXACT) if name in arm.metrics
        ]
    if baseline is not None:
        points += _ratios(result, baseline)
    return HistoryRun(
        run_id=run_id,
        cell=cell,
        started=result.started,
        verdict=result.verdict.value,
        sentence=result.sentence,
        commit=str(result.source.get("target_git", result.source.get("git", ""))),
        dirty=bool(result.source.get("target_dirty", result.source.get("dirty"))),
        host=host,
        compiler=result.compiler,
        folder=folder,
        seconds=result.seconds,
        points=tuple(points),
    )


def _ratios(result: Result, baseline: Baseline) -> list[SeriesPoint]:
    """One point for each gate that measured a change against the reference; the chained metric refers to the anchor.

    Approvals measured the approved kernel: their ratios do not hold for its source with other switches.
    """
    chain, (anchor, factor) = _is_approved(result, baseline), anchor_of(baseline)
    points = []
    for gate in result.gates:
        kind = KINDS.get(gate.kind)
        if kind is None or not kind.tracked or gate.change is None:
            continue
        chained = chain and gate.metric == _CHAINED
        scale = factor if chained else 1.0
        context = f"since kernel {anchor if chained else baseline.kernel_sha256[:12]}"
        low, high = (None if change is None else scale * (1 + change) for change in (gate.low, gate.high))
        points.append(SeriesPoint(gate.metric, RATIO, context, scale * (1 + gate.change), _finite(low), _finite(high)))
    return points


def _is_approved(result: Result, baseline: Baseline) -> bool:
    """Whether the reference has the switches that were approved."""
    arm = result.arms.get(REFERENCE)
    if arm is None or not arm.switches.get("ARCH"):
        return True
    try:
        return Switches.of(arm.switches) == Switches.of({**baseline.switches, "ARCH": arm.switches["ARCH"]})
    except UsageError:
        return True  # switches of another version of this tree


def _point(name: str, scope: str, context: str, metric: Metric) -> SeriesPoint:
    return SeriesPoint(name, scope, context, _finite(metric.value), _finite(metric.low), _finite(metric.high))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def record_to_plain(record: HistoryRun) -> dict[str, Any]:
    """JSON form of a run: one line of an export, or one file of the queue."""
    plain = {name: getattr(record, name) for name in HistoryRun.__dataclass_fields__ if name != "points"}
    points = [[p.metric, p.scope, p.context, p.value, p.low, p.high] for p in record.points]
    return {"schema": LINE_SCHEMA, "kind": "run", **plain, "points": points}


def record_to_line(record: HistoryRun) -> str:
    """One line of JSON, without its end."""
    return json.dumps(record_to_plain(record), allow_nan=False, separators=(",", ":"), ensure_ascii=False)


def record_from_line(line: bytes) -> HistoryRun:
    """A run from one line of an export, or one file of the queue.

    Raises
    ------
    ResultError
        When it is of a newer schema, or not such a run; the message is one short line.
    """
    try:
        plain = codec.parse_object(line.decode())
        if isinstance(schema := plain.get("schema"), int) and schema > LINE_SCHEMA:
            raise ResultError(f"a run was written by schema {schema}, this is {LINE_SCHEMA}: update the harness")
        return _record(plain)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        why = " ".join(str(error).split())[:_WHY_MOST]
        raise ResultError(f"not a run of a history: {type(error).__name__}: {why}") from error


def _record(plain: Mapping[str, Any]) -> HistoryRun:
    texts = {name: _text(plain[name], most) for name, most in _TEXTS.items()}
    if texts["verdict"] not in {verdict.value for verdict in Verdict}:
        raise ValueError(f"{texts['verdict'][:40]!r} is not a verdict")
    if datetime.datetime.fromisoformat(texts["started"]).tzinfo is None:
        raise ValueError(f"{texts['started']!r} names no time zone")
    if not isinstance(plain["dirty"], bool):
        raise ValueError("dirty is neither true nor false")
    points = tuple(_parsed_point(fields) for fields in plain["points"])
    if (seconds := _number(plain["seconds"])) is None:
        raise ValueError("seconds is not a number")
    return HistoryRun(**texts, dirty=plain["dirty"], seconds=seconds, points=points)


_TEXTS = {
    "run_id": 200,
    "cell": 500,
    "started": 40,
    "verdict": 20,
    "sentence": 20_000,
    "commit": 64,
    "host": 1000,
    "compiler": 1000,
    "folder": 500,
}
"""Texts of a run, with the most characters of each: what the tables of every database take."""
_WHY_MOST = 200


def _text(value: Any, most: int = 500) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{str(value)[:40]!r} is not text")
    if len(value) > most:
        raise ValueError(f"a text of {len(value)} characters, at most {most} are stored")
    if "\0" in value:
        raise ValueError("a text with a zero byte")
    value.encode()  # a lone surrogate cannot be stored
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{str(value)[:40]!r} is not a number")
    return _finite(float(value))


def _parsed_point(fields: Any) -> SeriesPoint:
    metric, scope, context, value, low, high = fields
    if scope not in SCOPES:
        raise ValueError(f"{str(scope)[:40]!r} is not a scope")
    return SeriesPoint(metric_now(_text(metric)), scope, _text(context), _number(value), _number(low), _number(high))
