"""The user's changes to the table of metrics, from a TOML file.

The file holds any of the keys of :class:`Rule` that may be overridden::

    by_counts = false        # equal counts do not pass what the clock left undecided

    gates = { ordering = "report" }    # say what 'make proof' finds; "must": fail by it; "off": do not ask

    [metrics.fps_trace.ratio]
    smallest = 0.02          # relative: 2 %

    [metrics.fps_low_1pct.ratio]
    kind = "report"

    [report]
    commit_url = "https://example.org/kernel/commit/{commit}"    # what reports link
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomllib

from harness.gate.judging.metrics import RULES, Rule
from harness.model.spec import UsageError
from harness.model.toml_lines import line_of
from harness.platform.files.bounded import read_bounded, why_unread

ORDERING_WORDS = ("must", "report", "off")
_OVERRIDABLE: Mapping[str, type] = {"kind": str, "smallest": float, "limit": float, "warn": float}


def load_rules(path: Path | None, rules: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The table of metrics with the user's changes.

    Parameters
    ----------
    rules
        What is changed.

    Raises
    ------
    UsageError
        When the file cannot be read, or holds an impossible rule.
    """
    return rules_from_toml(_config(path), str(path), rules) if path is not None else rules


def load_commit_url(path: Path | None) -> str:
    """Where a commit is shown: ``commit_url`` of the file's table ``report``, with ``{commit}`` in it; else empty.

    Raises
    ------
    UsageError
        When it is not such an address.
    """
    if path is None:
        return ""
    found = _parsed(_config(path), str(path)).get("report", {})
    url = found.get("commit_url", "") if isinstance(found, dict) else None
    if url == "" and not found:
        return ""
    if not isinstance(url, str) or not re.fullmatch(r"https?://\S+", url) or "{commit}" not in url:
        raise UsageError(f'{path}: report: must hold commit_url = "https://…/{{commit}}"')
    return url


def load_by_counts(path: Path | None) -> bool:
    """``by_counts`` of the file: whether equal counts pass a comparison that the clock left undecided.

    Raises
    ------
    UsageError
        When it is neither true nor false.
    """
    if path is None:
        return True
    found = _parsed(_config(path), str(path)).get("by_counts", True)
    if not isinstance(found, bool):
        raise UsageError(f"{path}: by_counts: {found!r} is neither true nor false")
    return found


def load_ordering(path: Path | None) -> str:
    """``ordering`` of the file's table ``gates``: "must", "report" or "off"; empty where it does not say.

    Raises
    ------
    UsageError
        When it is another word.
    """
    if path is None:
        return ""
    gates = _parsed(_config(path), str(path)).get("gates", {})
    found = gates.get("ordering", "") if isinstance(gates, dict) else None
    if found not in ("", *ORDERING_WORDS):
        raise UsageError(f'{path}: gates: must hold ordering = "must", "report" or "off"')
    return str(found)


def _config(path: Path) -> str:
    try:
        return read_bounded(path).decode("utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"CONFIG={path}: cannot be read: {why_unread(error)}") from error


def _parsed(text: str, origin: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{origin}: {error}") from error


def rules_from_toml(text: str, origin: str, rules: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The table with a user's changes.

    Parameters
    ----------
    text : str
        The whole TOML file; tables other than ``metrics`` are ignored.
    origin : str
        The file's name, for messages.

    Raises
    ------
    UsageError
        Naming the file, the line and the key of what is wrong.
    """
    tables = _parsed(text, origin).get("metrics", {})
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
    return UsageError(f"{origin}:{line_of(text, where)}: {where}: {why}")


def _names(rules: tuple[Rule, ...]) -> str:
    return " ".join(dict.fromkeys(rule.metric for rule in rules))
