"""A result as other programs want it: JUnit, GitHub annotations, github-action-benchmark."""

from __future__ import annotations

import json

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.core.text import neutral
from harness.model.result import Gate, Result
from harness.model.spec import Verdict

BIGGER_IS_BETTER = ("fps_trace", "fps_window", "fps_low_1pct")


def plain(text: str) -> str:
    """Text without what XML 1.0 forbids."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def junit(result: Result) -> str:
    """One test case a gate and one a problem; what was not judged is skipped."""
    suite = TestSuite(f"harness.{result.command}")
    for gate in result.gates:
        case = TestCase(f"{gate.metric} ({gate.kind})", classname=result.command)
        if gate.verdict is None:
            case.result = [Skipped(plain(gate.why))]
        elif gate.verdict is not Verdict.PASS:
            case.result = [Failure(plain(gate.why), gate.verdict.value)]
        suite.add_testcase(case)
    for problem in result.problems:
        case = TestCase(plain(problem)[:120], classname=result.command)
        case.result = [Error(plain(problem), result.verdict.value)]
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    xml.update_statistics()
    text = xml.tostring()
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)


def _command(kind: str, text: str) -> str:
    """A GitHub workflow command; the escapes are those of its toolkit."""
    return f"::{kind}::" + neutral(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def github_lines(result: Result) -> tuple[str, ...]:
    """Lines for the log of a GitHub job: the verdict, and every gate that failed."""
    kind = {Verdict.PASS: "notice", Verdict.INCONCLUSIVE: "warning"}.get(result.verdict, "error")
    failed: list[Gate] = [gate for gate in result.gates if gate.verdict not in (None, Verdict.PASS)]
    return (
        _command(kind, plain(result.sentence)),
        *(_command("warning", plain(f"{gate.metric}: {gate.why}")) for gate in failed),
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
