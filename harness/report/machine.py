"""A result as other programs want it: JUnit, GitHub annotations, github-action-benchmark."""

from __future__ import annotations

import json

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.core.text import neutral
from harness.model.result import Gate, Result
from harness.model.spec import Verdict

BIGGER_IS_BETTER = ("fps_trace", "fps_window", "fps_low_1pct")


def junit(result: Result, *, strict: bool = False) -> str:
    """One test case a gate and one a problem; what was not judged, or not decided, is skipped with its reason.

    Parameters
    ----------
    strict
        What was not decided is an error instead.
    """
    suite = TestSuite(f"harness.{result.command}")
    suite.timestamp = result.started.partition("+")[0]
    for gate in result.gates:
        case = TestCase(f"{neutral(gate.metric)} ({gate.kind})", classname=result.command, time=0.0)
        case.result = _judged(gate, strict)
        suite.add_testcase(case)
    for number, problem in enumerate(result.problems, 1):
        case = TestCase(f"problem {number}", classname=result.command, time=0.0)
        case.result = [Error(neutral(problem), result.verdict.value)]
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    xml.update_statistics()
    suite.time = xml.time = round(result.seconds, 3)
    # junit-10.xsd of Jenkins knows no such attribute there.
    xml._elem.attrib.pop("skipped", None)
    text = xml.tostring()
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)


def _judged(gate: Gate, strict: bool) -> list[Skipped | Failure | Error]:
    why = neutral(gate.why)
    if gate.verdict is None:
        return [Skipped(why)]
    if gate.verdict is Verdict.INCONCLUSIVE:
        return [Error(why, gate.verdict.value)] if strict else [Skipped(f"inconclusive: {why}")]
    return [] if gate.verdict is Verdict.PASS else [Failure(why, gate.verdict.value)]


def _command(kind: str, title: str, text: str) -> str:
    """A GitHub workflow command; the escapes are those of its toolkit."""

    def escaped(words: str) -> str:
        return neutral(words).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    name = escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={name}::{escaped(text)}"


def github_lines(result: Result) -> tuple[str, ...]:
    """Lines for the log of a GitHub job: the verdict, and every gate that failed."""
    kind = {Verdict.PASS: "notice", Verdict.INCONCLUSIVE: "warning"}.get(result.verdict, "error")
    failed = [gate for gate in result.gates if gate.verdict not in (None, Verdict.PASS)]
    return (
        _command(kind, f"{result.command}: {result.verdict.value}", neutral(result.sentence)),
        *(_command("warning", neutral(gate.metric), neutral(gate.why)) for gate in failed),
    )


def benchmark_json(result: Result) -> str:
    """What github-action-benchmark reads as ``customBiggerIsBetter``: frame rates with their arms."""
    rows = [
        {"name": f"{name} {metric}", "unit": found.unit, "value": found.value, "extra": f"n={found.n} {found.source}"}
        for name, arm in result.arms.items()
        for metric, found in arm.metrics.items()
        if metric in BIGGER_IS_BETTER
    ]
    return json.dumps(rows, indent=1) + "\n"
