"""Metrics: one table, from which units, rules, reports, history and baselines are derived."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.core.counts.frame_counts import SETTLED
from harness.gate.judging.figures import ArmFigures
from harness.model.metric import Metric
from harness.model.spec import Capabilities

HIGHER, LOWER, NEITHER = "higher", "lower", "neither"
ABSOLUTE, EXACT = "absolute", "exact"

Compute = Callable[[ArmFigures], Metric | None]
Lack = Callable[[Capabilities, Mapping[str, str]], str | None]
"""Why a build cannot offer a metric; None when it can."""


@dataclass(frozen=True)
class Judged:
    """One way in which a metric is judged."""

    kind: str
    """A name of :data:`harness.gate.judging.gates.KINDS`."""
    smallest: float = 0.0
    limit: float | None = None
    warn: float | None = None
    primary: bool = False
    limit_metric: str = ""
    decided_by: str = ""


@dataclass(frozen=True)
class MetricRow:
    """Everything about one metric."""

    name: str
    unit: str
    better: str
    """``higher``, ``lower`` or ``neither``."""
    compute: Compute
    judged: tuple[Judged, ...] = (Judged("report"),)
    stage: str = "window"
    """Without which it is not measured."""
    lack: Lack | None = None
    """When it is not offered."""
    scope: str = ""
    """How history compares it: ``absolute`` on one host, ``exact`` on any; empty for none of its own."""
    stored: bool = False
    """A baseline keeps it."""
    paced: bool = False
    """Only a run with ``pace=`` has it: the animation of another has no clock."""
    of_frames: bool = False
    """A frame time by the trace, which a screen that stands still lacks."""
    of_many: bool = False
    """A tail, which few frames lack."""
    failure: str = ""
    """The event in the guest when this counter exceeds its bound."""


@dataclass(frozen=True)
class Rule:
    """How one metric is judged in one way; a metric may have several rules."""

    metric: str
    kind: str
    better: str
    """``higher``, ``lower`` or ``neither``."""
    smallest: float = 0.0
    """Ratio, rise and growth: smallest relative change that matters."""
    limit: float | None = None
    """Bound: the most allowed. Floor: the least allowed. Growth: the smallest absolute change that matters."""
    warn: float | None = None
    """Floor: below this a notice is given."""
    primary: bool = False
    """The metric that the comparison protocol decides on."""
    limit_metric: str = ""
    """Bound: the metric whose value is the most allowed, of strategies that fence only on progress. Equal: the metric
    of the same kernel that must be equal where ``decided_by`` differs."""
    decided_by: str = ""
    """Equal: a switch that decides the value; kernels that differ in it are not compared."""

    @property
    def row(self) -> MetricRow:
        return row_of(self.metric)

    @property
    def unit(self) -> str:
        return self.row.unit


def no_records(capabilities: Capabilities, switches: Mapping[str, str]) -> str | None:
    if not capabilities.records:
        return "this kernel prints no records"
    return "LOG=none prints no records" if switches.get("LOG") == "none" else None


def no_counters(capabilities: Capabilities, switches: Mapping[str, str]) -> str | None:
    counts = switches.get("COUNTERS") != "none"
    return no_records(capabilities, switches) or (None if counts else "COUNTERS=none counts nothing")


def no_stamp(capabilities: Capabilities, _: Mapping[str, str]) -> str | None:
    return None if capabilities.stamp else "this kernel's pictures carry no frame number"


def no_exact_mode(capabilities: Capabilities, _: Mapping[str, str]) -> str | None:
    return None if capabilities.command_line else "this kernel has no exact mode"


def no_parts(capabilities: Capabilities, switches: Mapping[str, str]) -> str | None:
    return no_exact_mode(capabilities, switches) or "its parts were not counted"


def no_keys(capabilities: Capabilities, switches: Mapping[str, str]) -> str | None:
    return no_records(capabilities, switches) or (
        None if capabilities.command_line else "this kernel takes no word that asks for a keyboard"
    )


def follows_display(switches: Mapping[str, str]) -> bool:
    """Whether a kernel of these switches takes its mode from the display, which it then looks at once a frame."""
    return switches.get("MODES") == "on"


def no_modes(_: Capabilities, switches: Mapping[str, str]) -> str | None:
    return None if follows_display(switches) else "only a kernel with MODES=on changes its mode"


def no_suites(capabilities: Capabilities, _: Mapping[str, str]) -> str | None:
    return None if capabilities.command_line else "this kernel has no suite that sends malformed commands"


PART_SUFFIX = "_instructions"
"""End of the metric's name after the name of a frame's part."""


def _instructions_of(part: str) -> Compute:
    return lambda side: side.part(part)


def _input_ms(part: str, per_cent: float) -> Compute:
    return lambda side: side.input_ms(part, per_cent)


READ_LATE = (
    "the kernel read its keyboard late: keys were in the queue when a frame began, and only a later frame has them"
)
GAVE_UP = "the driver gave up waiting for the device"
MISSED = "the device had missed a notification and answered after the driver notified it again"

ROWS: tuple[MetricRow, ...] = (
    MetricRow(
        "fps_trace",
        "frames/s",
        HIGHER,
        lambda side: side.paced("mean_fps"),
        (Judged("ratio", smallest=0.015, primary=True), Judged("floor", limit=10.0, warn=30.0)),
        scope=ABSOLUTE,
        stored=True,
        of_frames=True,
    ),
    MetricRow("fps_window", "frames/s", HIGHER, ArmFigures.window_fps, scope=ABSOLUTE, stored=True, of_frames=True),
    MetricRow("fps_screendump", "frames/s", HIGHER, lambda side: side.rate("screendump"), lack=no_stamp),
    MetricRow("fps_guest", "frames/s", HIGHER, lambda side: side.rate("guest"), lack=no_records),
    MetricRow(
        "frame_ms_p50", "ms", LOWER, lambda side: side.paced("p50_ms"), scope=ABSOLUTE, stored=True, of_frames=True
    ),
    MetricRow(
        "frame_ms_p95",
        "ms",
        LOWER,
        lambda side: side.tail("p95_ms"),
        (Judged("ratio", smallest=0.05),),
        of_frames=True,
        of_many=True,
    ),
    MetricRow(
        "frame_ms_p99",
        "ms",
        LOWER,
        lambda side: side.tail("p99_ms"),
        (Judged("ratio", smallest=0.10),),
        scope=ABSOLUTE,
        stored=True,
        of_frames=True,
        of_many=True,
    ),
    MetricRow("frame_ms_max", "ms", LOWER, lambda side: side.paced("max_ms"), of_frames=True),
    MetricRow(
        "fps_low_1pct",
        "frames/s",
        HIGHER,
        lambda side: side.tail("low_1pct_fps"),
        (Judged("ratio", smallest=0.10),),
        scope=ABSOLUTE,
        stored=True,
        of_frames=True,
        of_many=True,
    ),
    MetricRow("stutter_share", "ratio", LOWER, lambda side: side.paced("stutter_share")),
    MetricRow(
        "completions_per_frame",
        "completions",
        NEITHER,
        lambda side: side.counted("completions"),
        (Judged("equal", limit_metric="commands_per_frame", decided_by="DRAW"),),
        lack=no_counters,
        scope=EXACT,
        stored=True,
    ),
    MetricRow("commands_per_frame", "commands", NEITHER, ArmFigures.commands, lack=no_counters),
    MetricRow(
        "fences_per_frame",
        "fences",
        LOWER,
        lambda side: side.counted("fences"),
        (Judged("bound", limit_metric="completions_per_frame"),),
        lack=no_counters,
        scope=EXACT,
        stored=True,
    ),
    MetricRow("spins_per_frame", "spins", LOWER, lambda side: side.counted("spins"), lack=no_counters, scope=ABSOLUTE),
    MetricRow(
        "timeouts",
        "waits",
        LOWER,
        lambda side: side.total("timeouts"),
        (Judged("bound", limit=0.0),),
        lack=no_records,
        scope=EXACT,
        failure=GAVE_UP,
    ),
    MetricRow(
        "rekicks",
        "notifications",
        LOWER,
        lambda side: side.total("rekicks"),
        (Judged("bound", limit=0.0),),
        lack=no_records,
        scope=EXACT,
        failure=MISSED,
    ),
    MetricRow(
        "instructions_per_frame",
        "instructions",
        LOWER,
        ArmFigures.instructions,
        (Judged("rise", smallest=0.0005),),
        stage="exact",
        lack=no_exact_mode,
        scope=EXACT,
        stored=True,
    ),
    *(
        MetricRow(
            f"{part}{PART_SUFFIX}",
            "instructions",
            LOWER,
            _instructions_of(part),
            (Judged("part", smallest=0.05),),
            stage="exact",
            lack=no_parts,
        )
        for part in SETTLED
    ),
    MetricRow(
        "predicted_frame_ms",
        "ms",
        LOWER,
        ArmFigures.predicted_ms,
        (Judged("prediction"),),
        stage="exact",
        lack=no_parts,
    ),
    MetricRow(
        "animation_error_ms_p50", "ms", LOWER, lambda side: side.animation_error(50), lack=no_records, paced=True
    ),
    MetricRow(
        "animation_error_ms_p95", "ms", LOWER, lambda side: side.animation_error(95), lack=no_records, paced=True
    ),
    MetricRow(
        "animation_error_ms_p99",
        "ms",
        LOWER,
        lambda side: side.animation_error(99),
        (Judged("growth", smallest=0.25, limit=2.0),),
        lack=no_records,
        scope=ABSOLUTE,
        paced=True,
    ),
    MetricRow(
        "deadline_repeats", "deadlines", LOWER, lambda side: side.deadlines("repeats"), lack=no_records, paced=True
    ),
    MetricRow("deadline_drops", "frames", LOWER, lambda side: side.deadlines("drops"), lack=no_records, paced=True),
    MetricRow("deadline_overruns", "frames", LOWER, ArmFigures.overruns, lack=no_records, paced=True),
    MetricRow("pace_missed", "ratio", LOWER, ArmFigures.pace_missed, paced=True),
    MetricRow("host_wait", "ratio", LOWER, ArmFigures.host_wait),
    *(
        MetricRow(
            f"input_ms_p{per_cent}",
            "ms",
            LOWER,
            _input_ms("latency_ns", per_cent),
            stage="latency",
            lack=no_keys,
            scope=ABSOLUTE,
        )
        for per_cent in (50, 95, 99)
    ),
    *(
        MetricRow(
            f"input_{part}_ms", "ms", LOWER, _input_ms(f"{part}_ns", 50), stage="latency", lack=no_keys, scope=ABSOLUTE
        )
        for part in ("queue", "wait", "draw", "device")
    ),
    MetricRow("input_sent_ms", "ms", LOWER, _input_ms("sent_ns", 50), stage="latency", lack=no_keys),
    MetricRow("input_clock_error_ms", "ms", LOWER, ArmFigures.input_clock_error, stage="latency", lack=no_keys),
    MetricRow(
        "input_late",
        "keys",
        LOWER,
        ArmFigures.input_late,
        (Judged("bound", limit=0.0),),
        stage="latency",
        lack=no_keys,
        scope=EXACT,
        failure=READ_LATE,
    ),
    MetricRow("input_dropped", "keys", LOWER, ArmFigures.input_dropped, stage="latency", lack=no_keys),
    MetricRow("mode_gap_ms", "ms", LOWER, ArmFigures.mode_gap, stage="modes", lack=no_modes, scope=ABSOLUTE),
    MetricRow("refusals", "answers", HIGHER, ArmFigures.refusals, stage="refusals", lack=no_suites, scope=EXACT),
    MetricRow(
        "refusals_wrong", "answers", LOWER, ArmFigures.wrong_refusals, stage="refusals", lack=no_suites, scope=EXACT
    ),
    MetricRow(
        "boot_ms", "ms", LOWER, ArmFigures.boot_ms, (Judged("growth", smallest=0.25, limit=50.0),), scope=ABSOLUTE
    ),
    MetricRow("overhead_events", "ratio", LOWER, ArmFigures.event_cost, scope=ABSOLUTE),
    MetricRow("overhead_records", "ratio", LOWER, ArmFigures.record_cost),
    MetricRow("overhead_screendumps", "ratio", LOWER, ArmFigures.capture_cost),
)


FRAME_METRICS = frozenset(row.name for row in ROWS if row.of_frames)
TAIL_METRICS = frozenset(row.name for row in ROWS if row.of_many)


def find_row(metric: str) -> MetricRow | None:
    """The row of a metric; None of one that this harness does not know, as older ones may have."""
    return next((row for row in ROWS if row.name == metric), None)


def row_of(metric: str) -> MetricRow:
    """The row of a metric of the table."""
    row = find_row(metric)
    assert row is not None, metric
    return row


def metrics_of(side: ArmFigures) -> dict[str, Metric]:
    """Every metric that was measured of one side, with its unit."""
    found = ((row, row.compute(side)) for row in ROWS)
    return {row.name: dataclasses.replace(one, unit=row.unit) for row, one in found if one is not None}


def names_of(scope: str) -> tuple[str, ...]:
    """Metrics that history compares so."""
    return tuple(row.name for row in ROWS if row.scope == scope)


def stored_names(scope: str) -> tuple[str, ...]:
    """Metrics that a baseline keeps: ``exact`` ones any host repeats, ``absolute`` ones only the same host."""
    return tuple(row.name for row in ROWS if row.scope == scope and row.stored)


def rules_of(rows: tuple[MetricRow, ...]) -> tuple[Rule, ...]:
    """Every way in which these metrics are judged, in the table's order."""
    return tuple(
        Rule(metric=row.name, better=row.better, **dataclasses.asdict(one)) for row in rows for one in row.judged
    )


RULES: tuple[Rule, ...] = rules_of(ROWS)


def not_offered(metric: str, capabilities: Capabilities, switches: Mapping[str, str]) -> str | None:
    """Why a build cannot offer a metric; None when it can, so that its absence is a failure to measure."""
    lack = row_of(metric).lack
    return lack(capabilities, switches) if lack is not None else None
