"""The stored result of a run: schema, JSON form, validation.

A :class:`Result` is what stages and the gate hand to the reports, and what ``results/<run>/result.json`` holds.
Readers of older files go through :mod:`harness.model.upgrade`; this module knows the current schema only.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.model.spec import Verdict

SCHEMA = 1

METRIC_UNITS: Mapping[str, str] = {
    "fps_trace": "frames/s",
    "fps_window": "frames/s",
    "fps_screendump": "frames/s",
    "fps_guest": "frames/s",
    "frame_ms_p50": "ms",
    "frame_ms_p95": "ms",
    "frame_ms_p99": "ms",
    "frame_ms_max": "ms",
    "fps_low_1pct": "frames/s",
    "stutter_share": "ratio",
    "fences_per_frame": "fences",
    "spins_per_frame": "spins",
    "completions_per_frame": "completions",
    "timeouts": "waits",
    "rekicks": "doorbells",
    "instructions_per_frame": "instructions",
    "boot_ms": "ms",
    "perturbation": "ratio",
    "perturbation_records": "ratio",
    "perturbation_screendumps": "ratio",
}
"""Every metric that a result may hold, with its unit."""


class ResultError(Exception):
    """A stored result or baseline that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Metric:
    """One figure. ``low`` and ``high`` bound a 95 % interval, or are None; ``n`` counts what it was made from."""

    value: float
    unit: str
    source: str
    """``trace``, ``screendump``, ``guest`` (the guest's own word), ``icount`` or ``host``."""
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True)
class Arm:
    """One side of a comparison."""

    switches: Mapping[str, str]
    kernel_sha256: str
    metrics: Mapping[str, Metric]
    scene: str = ""
    launches: int = 0
    build: Mapping[str, str] = field(default_factory=dict)
    """How the kernel came to be: ``compiler``, ``commit``, ``path`` …"""


@dataclass(frozen=True)
class Gate:
    """One judged metric. ``change`` is candidate / reference - 1, in the direction of the raw value."""

    metric: str
    kind: str
    """``ratio``, ``equal``, ``bound``, ``floor``, ``rise`` or ``report``."""
    verdict: Verdict | None
    """None: not applicable, or only reported."""
    why: str
    value: float | None = None
    reference: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Frames:
    """Pictures checked, by class. ``evidence`` names files relative to the result's folder."""

    checked: int = 0
    intact: int = 0
    torn: int = 0
    stale: int = 0
    frozen: int = 0
    corrupt: int = 0
    blank: int = 0
    undecodable: int = 0
    findings: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def bad(self) -> int:
        return self.checked - self.intact


@dataclass(frozen=True)
class Host:
    cpu: str
    cores: int
    kernel: str
    os: str


@dataclass(frozen=True)
class Qemu:
    version: str
    accelerator: str
    vcpus: int
    tcg_thread: str
    command: str


@dataclass(frozen=True)
class Result:
    """All that one command measured and concluded."""

    command: str
    verdict: Verdict
    sentence: str
    """The verdict in one sentence for people."""
    started: str
    """UTC, ISO 8601."""
    seconds: float
    host: Host | None = None
    qemu: Qemu | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    """``git`` (commit or ""), ``dirty`` (bool)."""
    compiler: str = ""
    arms: Mapping[str, Arm] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    frames: Frames | None = None
    notices: tuple[str, ...] = ()
    """What a reader should know besides: fallbacks, adaptations, what was not measured and why."""
    problems: tuple[str, ...] = ()
    """What went wrong, one sentence each, worst first."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Sections of single stages (pacing, sources, comparison, series …), each a JSON object of its own schema."""
    schema: int = SCHEMA

    @property
    def exit_code(self) -> int:
        return self.verdict.exit_code


def _plain(value: Any) -> Any:
    """JSON form: enums by value, NaN and infinities as null, tuples as lists."""
    if isinstance(value, Verdict):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def result_to_json(result: Result) -> str:
    """The text of ``result.json``."""
    plain = _plain(result)
    plain["exit_code"] = result.exit_code
    return json.dumps(plain, indent=1, allow_nan=False) + "\n"


def result_from_json(text: str) -> Result:
    """Parse ``result.json`` of the current schema.

    Raises
    ------
    ResultError
        When the text is not such a file.
    """
    try:
        plain = json.loads(text)
        if plain["schema"] != SCHEMA:
            raise ResultError(f"result has schema {plain['schema']}, this harness writes {SCHEMA}")
        return Result(
            command=plain["command"],
            verdict=Verdict(plain["verdict"]),
            sentence=plain["sentence"],
            started=plain["started"],
            seconds=plain["seconds"],
            host=Host(**plain["host"]) if plain["host"] else None,
            qemu=Qemu(**plain["qemu"]) if plain["qemu"] else None,
            source=plain["source"],
            compiler=plain["compiler"],
            arms={name: _arm(arm) for name, arm in plain["arms"].items()},
            gates=tuple(_gate(gate) for gate in plain["gates"]),
            frames=_frames(plain["frames"]) if plain["frames"] else None,
            notices=tuple(plain["notices"]),
            problems=tuple(plain["problems"]),
            details=plain["details"],
        )
    except ResultError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultError(f"not a result of this harness: {type(error).__name__}: {error}") from error


def _arm(plain: Any) -> Arm:
    metrics = {name: Metric(**metric) for name, metric in plain["metrics"].items()}
    fields: dict[str, Any] = {**plain, "metrics": metrics}
    return Arm(**fields)


def _gate(plain: Any) -> Gate:
    fields: dict[str, Any] = {**plain, "verdict": Verdict(plain["verdict"]) if plain["verdict"] else None}
    return Gate(**fields)


def _frames(plain: Any) -> Frames:
    fields: dict[str, Any] = {**plain, "findings": tuple(plain["findings"]), "evidence": tuple(plain["evidence"])}
    return Frames(**fields)
