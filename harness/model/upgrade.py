"""Reading of stored results and baselines of any schema: the one place that knows older ones.

Each step turns the plain form of one schema into that of the next; reading an old file runs the steps in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.model import baseline, codec, result
from harness.model.baseline import Baseline, baseline_from_plain
from harness.model.codec import CodecError
from harness.model.result import ReplayError, Result, ResultError, result_from_plain

Plain = dict[str, Any]
UpgradeStep = Callable[[Plain], Plain]

RENAMED_METRICS: Mapping[str, str] = {
    "perturbation": "overhead_events",
    "perturbation_records": "overhead_records",
    "perturbation_screendumps": "overhead_screendumps",
}
"""By their first names, which results before schema 4 and histories before schema 2 have."""
_FIRST_NAMES = {now: first for first, now in RENAMED_METRICS.items()}


def metric_now(name: str) -> str:
    """The present name of a metric that a stored file names."""
    return RENAMED_METRICS.get(name, name)


def metric_at_first(name: str) -> str:
    """The first name of a metric: it stays when the metric is renamed, so digests are made of it."""
    return _FIRST_NAMES.get(name, name)


def _runs_of_details(plain: Plain) -> Plain:
    """Schema 1 kept what a session measured in ``details``, sequences by position."""
    noted = plain.get("details", {})
    if plain.get("command") == "perf":
        runs = {"candidate": _run(noted)}
        details: Plain = {}
    elif plain.get("command") == "ab":
        runs = {name: _run(one) for name, one in noted.items()}
        details = {}
    else:
        runs, details = {}, noted
    return {**plain, "runs": runs, "details": details}


def _run(noted: Plain) -> Plain:
    judged_by = {name: noted[name] for name in ("baseline", "same_host", "no_reference") if name in noted}
    run: Plain = {"params": noted.get("params", {}), "judged_by": judged_by}
    run |= {name: noted[name] for name in ("seed", "device", "window", "exact") if name in noted}
    run["skipped"] = _renamed(noted["skipped"])
    run["incidents"] = [{"verdict": verdict, "text": text} for verdict, text in noted.get("stopped", [])]
    if "perturbation" in noted:
        run["overhead"] = noted["perturbation"]
    if "pictures" in noted:
        run["pictures"] = {name: noted["pictures"][name] for name in ("sentence", "film", "captured_per_s")}
    names = ("name", "reference", "candidate")
    run["functions"] = [dict(zip(names, one, strict=True)) for one in noted.get("functions", [])]
    if "timing" in noted:
        run["timing"] = _timing(noted["timing"])
    return run


def _renamed(skipped: Plain) -> Plain:
    return {"overhead" if stage == "perturbation" else stage: why for stage, why in skipped.items()}


def _timing(noted: Plain) -> Plain:
    names = ("slot", "core", "role", "median_ns", "n")
    launches = [
        {
            "launch": {
                "slices": [dict(zip(names, one, strict=True)) for one in launch["slices"]],
                "batch": launch["batch"],
                "paired": launch["paired"],
            },
            "boot_ms": launch["boot_ms"],
        }
        for launch in noted["launches"]
    ]
    return {name: noted[name] for name in ("protocol", "seconds", "plan")} | {"launches": launches}


def _stages_of_fields(plain: Plain) -> Plain:
    """Schema 2 kept each stage in fields of the run."""
    return {**plain, "runs": {name: _with_stages(run) for name, run in plain.get("runs", {}).items()}}


def _with_stages(run: Plain) -> Plain:
    of_exact = ("functions", "counted", "costs")
    stages: Plain = {name: run[name] for name in ("window", "pictures") if run.get(name) is not None}
    if run.get("overhead") is not None:
        stages["overhead"] = {"share": run["overhead"]}
    if run.get("exact"):
        stages["exact"] = {"arms": run["exact"], **{name: run[name] for name in of_exact if name in run}}
    if run.get("timing") is not None:
        launches = [{**one, "launch": _undisturbed(one["launch"])} for one in run["timing"]["launches"]]
        stages["timing"] = {**run["timing"], "launches": launches}
    moved = ("window", "pictures", "overhead", "exact", "timing", *of_exact)
    return {**{name: value for name, value in run.items() if name not in moved}, "stages": stages}


def _undisturbed(launch: Plain) -> Plain:
    return {"undisturbed" if name == "twins" else name: value for name, value in launch.items()}


def _renamed_metrics(plain: Plain) -> Plain:
    """Schema 3 had other names for the cost of observing."""
    arms = {
        name: {**arm, "metrics": {metric_now(metric): found for metric, found in arm.get("metrics", {}).items()}}
        for name, arm in plain.get("arms", {}).items()
    }
    gates = [{**gate, "metric": metric_now(gate["metric"])} for gate in plain.get("gates", [])]
    return {**plain, "arms": arms, "gates": gates}


def _random_states(plain: Plain) -> Plain:
    """Schema 4 called the state that random draws start from as the kernel calls its parameter."""
    names = {"seed": "random_state"}
    runs = {
        arm: {names.get(name, name): value for name, value in run.items()} for arm, run in plain.get("runs", {}).items()
    }
    return {**plain, "runs": runs}


RESULT_STEPS: Mapping[int, UpgradeStep] = {
    1: _runs_of_details,
    2: _stages_of_fields,
    3: _renamed_metrics,
    4: _random_states,
}
"""From a schema to the next one."""
BASELINE_STEPS: Mapping[int, UpgradeStep] = {}


def load_result(text: str, label: str) -> Result:
    """Parse ``result.json`` of any schema up to the current one.

    Raises
    ------
    ReplayError
        When it is newer, or not such a file; the message says what to do.
    """
    what, remedy = f"{label} cannot be replayed: it", "run the command again"
    try:
        return result_from_plain(_upgraded(text, what, result.SCHEMA, RESULT_STEPS, remedy))
    except CodecError as error:
        raise ReplayError(f"{what} is damaged ({error}): restore it or {remedy}") from error
    except ResultError as error:
        raise ReplayError(str(error)) from error


def load_baseline(text: str, label: str) -> Baseline:
    """Parse ``baseline.json`` of any schema up to the current one; ``label`` is ``arch/name``.

    Raises
    ------
    ResultError
        When it is newer, or damaged; the message says what to do.
    """
    what = f"baseline {label}"
    try:
        plain = _upgraded(text, what, baseline.SCHEMA, BASELINE_STEPS, "run 'make approve'")
        return baseline_from_plain(plain, label)
    except CodecError as error:
        raise ResultError(f"{what} is damaged ({error}): restore it from git or run 'make approve'") from error


def _upgraded(text: str, what: str, current: int, steps: Mapping[int, UpgradeStep], remedy: str) -> Plain:
    plain = codec.parse(text)
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if isinstance(schema, bool) or not isinstance(schema, int):
        raise ResultError(f"{what} names no schema: not written by this harness; {remedy}")
    if schema > current:
        raise ResultError(f"{what} was written by schema {schema}, this is {current}: update the harness or {remedy}")
    while schema < current:
        if schema not in steps:
            raise ResultError(f"{what} was written by schema {schema}, which can no longer be read: {remedy}")
        try:
            plain = steps[schema](plain)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise CodecError(f"not of schema {schema}: {type(error).__name__}: {error}") from error
        schema += 1
        plain["schema"] = schema
    found: Plain = plain
    return found
