"""A result for other programs: JUnit, GitHub annotations, github-action-benchmark.

GitLab shows the text of a failed case and drops its message; Jenkins shows both. So the text says everything: what
happened, and what to do next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.core.text import neutral
from harness.model.result import Gate, NextStep, Result
from harness.model.spec import Verdict

BIGGER_IS_BETTER = ("fps_trace", "fps_window", "fps_low_1pct")
THE_RUN = "the run as a whole"
TITLE_MOST = 120


def plain(text: str) -> str:
    """Text without what XML 1.0 forbids, and without commands for a runner that prints it into a log."""
    kept = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return neutral(kept.replace("\t", " "))


def junit(result: Result, strict: bool = False) -> str:
    """One test case a gate, and one for the run; what was not judged, or could not be decided, is skipped.

    Names stay the same from run to run. With ``strict`` what could not be decided is an error.
    """
    suite = TestSuite(plain(f"harness.{result.command}"))
    for name, gate in _named(result):
        suite.add_testcase(_case(name, result, gate.verdict, gate.why, strict))
    suite.add_testcase(_run_case(result, strict))
    suite.timestamp = _timestamp(result.started)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    xml.update_statistics()
    suite.time = round(result.seconds, 3)
    suite._elem.attrib.pop("disabled", None)
    xml._elem.attrib.update({"time": f"{result.seconds:.3f}", "name": "harness"})
    for surplus in ("skipped", "disabled"):
        xml._elem.attrib.pop(surplus, None)
    text = xml.tostring()
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)


def _named(result: Result) -> Iterator[tuple[str, Gate]]:
    """Each gate with its name: metric and kind, and of a comparison the arms' letters."""
    seen: dict[str, int] = {}
    for gate in result.gates:
        name = f"{gate.metric} ({gate.kind})"
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name} {seen[name]}", gate


def _case(name: str, result: Result, verdict: Verdict | None, why: str, strict: bool) -> TestCase:
    case = TestCase(plain(name), classname=plain(f"harness.{result.command}"), time=0.0)
    said = plain(why)
    if verdict is None:
        case.result = [Skipped(said)]
    elif verdict is Verdict.INCONCLUSIVE:
        ended = Error(said, verdict.value) if strict else Skipped(f"inconclusive: {said}")
        case.result = [_with_text(ended, said, result.next_steps)]
    elif verdict is not Verdict.PASS:
        ended = Failure(said, verdict.value) if verdict is Verdict.REGRESSION else Error(said, verdict.value)
        case.result = [_with_text(ended, said, result.next_steps)]
    return case


def _with_text(ended: Error | Failure | Skipped, said: str, steps: Sequence[NextStep]) -> Error | Failure | Skipped:
    """An ending of a case whose text is what happened and what to do next, a line each."""
    lines = [said, *(f"next: {step.why}: {step.command}" if step.command else f"next: {step.why}" for step in steps)]
    ended._elem.text = plain("\n".join(lines))
    return ended


def _run_case(result: Result, strict: bool) -> TestCase:
    """Besides the gates: problems of the run, or that nothing could be judged."""
    explained = any(gate.verdict is result.verdict for gate in result.gates)
    if result.problems:
        return _case(THE_RUN, result, result.verdict, "\n".join(result.problems), strict)
    return _case(THE_RUN, result, Verdict.PASS if explained else result.verdict, result.sentence, strict)


def _timestamp(started: str) -> str:
    """UTC without a zone, as the format has it."""
    try:
        when = datetime.fromisoformat(started.replace("Z", "+00:00"))
    except ValueError:
        return "1970-01-01T00:00:00"
    zoned = when.astimezone(timezone.utc) if when.tzinfo else when
    return zoned.replace(tzinfo=None).isoformat(timespec="seconds")


def _command(kind: str, title: str, text: str) -> str:
    """A GitHub workflow command; the escapes are those of its toolkit."""
    message = neutral(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    named = neutral(title[:TITLE_MOST]).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    named = named.replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={named}::{message}"


def github_lines(result: Result) -> tuple[str, ...]:
    """Lines for the log of a GitHub job: one for each failure, or one for the verdict where nothing failed."""
    failed = [gate for gate in result.gates if gate.verdict not in (None, Verdict.PASS)]
    kinds = {Verdict.PASS: "notice", Verdict.INCONCLUSIVE: "warning"}
    lines = [
        _command(kinds.get(gate.verdict or Verdict.PASS, "error"), f"{result.command}: {gate.metric}", gate.why)
        for gate in failed
    ]
    told = {gate.why for gate in failed}
    lines += [
        _command(kinds.get(result.verdict, "error"), f"{result.command}: {result.verdict.value}", text)
        for text in result.problems
        if text not in told
    ]
    if not lines:
        lines.append(
            _command(kinds.get(result.verdict, "error"), f"{result.command}: {result.verdict.value}", result.sentence)
        )
    return tuple(lines)


def benchmark_json(result: Result) -> str:
    """What github-action-benchmark reads as ``customBiggerIsBetter``: frame rates with their arms."""
    rows = [
        {"name": f"{name} {metric}", "unit": found.unit, "value": found.value, "extra": f"n={found.n} {found.source}"}
        for name, arm in result.arms.items()
        for metric, found in arm.metrics.items()
        if metric in BIGGER_IS_BETTER
    ]
    return json.dumps(rows, indent=1) + "\n"
