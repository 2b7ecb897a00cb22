"""Migration of stored results and baselines: the one place that knows older schemas.

Each step turns the plain form of one schema into that of the next; reading an old file runs the steps in a row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from harness.model import baseline, result
from harness.model.baseline import Baseline, baseline_from_json
from harness.model.result import Result, ResultError, result_from_json

Plain = dict[str, Any]
Step = Callable[[Plain], Plain]

RESULT_STEPS: Mapping[int, Step] = {}
"""From a schema to the next one; schema 1 is the first, so there is none yet."""
BASELINE_STEPS: Mapping[int, Step] = {}


def load_result(text: str, label: str) -> Result:
    """Parse ``result.json`` of any schema up to the current one.

    Raises
    ------
    ResultError
        When it is newer, or not such a file; the message says what to do.
    """
    plain = _upgraded(text, f"result {label}", result.SCHEMA, RESULT_STEPS, "run the command again")
    return result_from_json(json.dumps(plain))


def load_baseline(text: str, label: str) -> Baseline:
    """Parse ``baseline.json`` of any schema up to the current one; ``label`` is ``arch/name``.

    Raises
    ------
    ResultError
        When it is newer, or damaged; the message says what to do.
    """
    plain = _upgraded(text, f"baseline {label}", baseline.SCHEMA, BASELINE_STEPS, "run 'make approve'")
    return baseline_from_json(json.dumps(plain), label)


def _upgraded(text: str, what: str, current: int, steps: Mapping[int, Step], remedy: str) -> Plain:
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise ResultError(f"{what} is damaged ({error}): restore it or {remedy}") from error
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if isinstance(schema, bool) or not isinstance(schema, int):
        raise ResultError(f"{what} names no schema: not written by this harness; {remedy}")
    if schema > current:
        raise ResultError(f"{what} was written by schema {schema}, this is {current}: update the harness or {remedy}")
    while schema < current:
        if schema not in steps:
            raise ResultError(f"{what} was written by schema {schema}, which can no longer be read: {remedy}")
        plain = steps[schema](plain)
        schema += 1
        plain["schema"] = schema
    found: Plain = plain
    return found
