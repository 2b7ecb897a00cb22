"""Which metrics are judged, how, and from what size on: one table, which users override in TOML.

A TOML file holds any of the keys of :class:`Rule` that may be overridden::

    [metrics.fps_trace.ratio]
    smallest = 0.02          # relative: 2 %

    [metrics.fps_low_1pct.ratio]
    kind = "report"
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomllib

from harness.model.result import METRIC_UNITS
from harness.model.spec import Capabilities, UsageError

KINDS = ("ratio", "equal", "bound", "floor", "rise", "report")
HIGHER, LOWER, NEITHER = "higher", "lower", "neither"


@dataclass(frozen=True)
class Rule:
    """How one metric is judged in one way; a metric may have several rules."""

    metric: str
    kind: str
    better: str
    """``higher``, ``lower`` or ``neither``."""
    smallest: float = 0.0
    """Ratio and rise: smallest relative change that matters."""
    limit: float | None = None
    """Bound: the most allowed. Floor: the least allowed."""
    warn: float | None = None
    """Floor: below this a notice is given."""
    primary: bool = False
    """The metric that the comparison protocol decides on."""

    @property
    def unit(self) -> str:
        return METRIC_UNITS[self.metric]


RULES: tuple[Rule, ...] = (
    Rule("fps_trace", "ratio", HIGHER, smallest=0.015, primary=True),
    Rule("fps_trace", "floor", HIGHER, limit=10.0, warn=30.0),
    Rule("fps_window", "report", HIGHER),
    Rule("fps_screendump", "report", HIGHER),
    Rule("fps_guest", "report", HIGHER),
    Rule("frame_ms_p50", "report", LOWER),
    Rule("frame_ms_p95", "ratio", LOWER, smallest=0.05),
    Rule("frame_ms_p99", "ratio", LOWER, smallest=0.10),
    Rule("frame_ms_max", "report", LOWER),
    Rule("fps_low_1pct", "ratio", HIGHER, smallest=0.10),
    Rule("stutter_share", "report", LOWER),
    Rule("completions_per_frame", "equal", NEITHER),
    Rule("fences_per_frame", "bound", LOWER),
    Rule("spins_per_frame", "report", LOWER),
    Rule("timeouts", "bound", LOWER, limit=0.0),
    Rule("rekicks", "bound", LOWER, limit=0.0),
    Rule("instructions_per_frame", "rise", LOWER, smallest=0.0005),
    Rule("boot_ms", "report", LOWER),
    Rule("perturbation", "report", LOWER),
    Rule("perturbation_records", "report", LOWER),
    Rule("perturbation_screendumps", "report", LOWER),
)

FAILURES: Mapping[str, str] = {
    "timeouts": "the driver gave up waiting for the device",
    "rekicks": "the device had missed a notification and answered when the driver, out of patience, rang again",
}
"""Counters of waits that gave up or had to be helped: more than their bound means that the guest failed; how."""
_COUNTERS = ("fences_per_frame", "spins_per_frame", "completions_per_frame")
_OVERRIDABLE: Mapping[str, type] = {"kind": str, "smallest": float, "limit": float, "warn": float}


def not_offered(metric: str, capabilities: Capabilities, switches: Mapping[str, str]) -> str | None:
    """Why a build cannot offer a metric; None when it can, so that its absence is a failure to measure."""
    if metric in (*_COUNTERS, *FAILURES, "fps_guest"):
        if not capabilities.records:
            return "this kernel prints no records"
        if switches.get("LOG") == "none":
            return "LOG=none prints no records"
        if metric in _COUNTERS and switches.get("COUNTERS") == "none":
            return "COUNTERS=none counts nothing"
    if metric == "fps_screendump" and not capabilities.stamp:
        return "this kernel's pictures carry no frame number"
    if metric == "instructions_per_frame" and not capabilities.command_line:
        return "this kernel has no exact mode"
    return None


def rules_from_toml(text: str, origin: str, rules: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The table with a user's changes.

    Parameters
    ----------
    text : str
        The whole TOML file; tables other than ``metrics`` are not looked at.
    origin : str
        The file's name, for messages.

    Raises
    ------
    UsageError
        Naming the file, the line and the key of what is wrong.
    """
    try:
        tables = tomllib.loads(text).get("metrics", {})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{origin}: {error}") from error
    changed = {(rule.metric, rule.kind): rule for rule in rules}
    for metric, kinds in _tables(tables, "metrics", text, origin).items():
        known = [rule.kind for rule in rules if rule.metric == metric]
        if not known:
            raise _wrong(text, origin, f"metrics.{metric}", f"no such metric; there are {_names(rules)}")
        for kind, settings in _tables(kinds, f"metrics.{metric}", text, origin).items():
            where = f"metrics.{metric}.{kind}"
            if kind not in known:
                raise _wrong(text, origin, where, f"{metric} has no such rule; it has {' '.join(known)}")
            rule = changed[metric, kind]
            for key, value in _tables(settings, where, text, origin, leaves=True).items():
                rule = dataclasses.replace(rule, **{key: _checked(key, value, f"{where}.{key}", text, origin)})
            changed[metric, kind] = rule
    return tuple(changed.values())


def _checked(key: str, value: Any, where: str, text: str, origin: str) -> Any:
    """A value of the right type and range."""
    if key not in _OVERRIDABLE:
        raise _wrong(text, origin, where, f"no such key; there are {' '.join(_OVERRIDABLE)}")
    if key == "kind":
        if value != "report":
            raise _wrong(text, origin, where, 'a rule can only be turned into "report"')
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise _wrong(text, origin, where, f"{value!r} is not a number from 0 up")
    if key == "smallest" and not 0 < value < 1:
        raise _wrong(text, origin, where, f"{value!r} is not a relative change between 0 and 1, as in 0.02 for 2 %")
    return float(value)


def _tables(value: Any, where: str, text: str, origin: str, leaves: bool = False) -> Mapping[str, Any]:
    if not isinstance(value, dict) or (not leaves and any(not isinstance(item, dict) for item in value.values())):
        raise _wrong(text, origin, where, "must hold tables, as in [metrics.fps_trace.ratio]")
    return value


def _wrong(text: str, origin: str, where: str, why: str) -> UsageError:
    return UsageError(f"{origin}:{_line_of(text, where)}: {where}: {why}")


def _line_of(text: str, where: str) -> int:
    """The line, from 1, where a dotted key is set, or its table opened; 1 when it cannot be found."""
    best, table = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            table = re.sub(r"[\s\"']", "", header[1])
            path = table
        elif setting := re.match(r"\s*([\w.\"' -]+?)\s*=", line):
            key = re.sub(r"[\s\"']", "", setting[1])
            path = f"{table}.{key}".lstrip(".")
        else:
            continue
        if path == where or path.startswith(f"{where}."):
            return number
        if where.startswith(f"{path}."):
            best = number
    return best


def _names(rules: tuple[Rule, ...]) -> str:
    return " ".join(dict.fromkeys(rule.metric for rule in rules))
