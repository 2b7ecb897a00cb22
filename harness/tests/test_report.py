"""What people and services read of a result: the page, the comment, JUnit and annotations, hostile guests included."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.model.result import Gate, NextStep, Result
from harness.model.spec import Verdict
from harness.report.machine import github_lines, junit
from harness.report.markdown import MARKER, cell, markdown
from harness.report.page import render_page
from harness.report.view import view_of

HOSTILE = (
    "::set-output name=x::y ##[add-mask]secret \x1b[31mred\x1b[0m \u202eevil @everyone #12 https://x.example/a "
    "www.x.example :bug: <script>alert(1)</script> <img src=x> `code` | cell | [link](http://y.example) &copy; "
    "![i](x) **b**"
)


def gate(metric: str, verdict: Verdict | None, why: str = "because", kind: str = "ratio") -> Gate:
    return Gate(metric, kind, verdict, why, 900.0, 1000.0, -0.1, -0.11, -0.09, 0.015)


RESULT = Result(
    "perf",
    Verdict.REGRESSION,
    "regression: 11.1 % slower",
    "2026-11-28T12:00:00+00:00",
    31.4,
    gates=(
        gate("boot_ms", Verdict.PASS, kind="bound"),
        gate("spins_per_frame", None, kind="report"),
        gate("frame_ms_p99", Verdict.INCONCLUSIVE),
        gate("fps_trace", Verdict.REGRESSION),
    ),
    problems=("one thing went wrong",),
    next_steps=(NextStep("find what grew", "make explain RESULT=results/x"),),
    notices=("a note",),
    words=("FAULT=slow_draw",),
)
FOREIGN = replace(
    RESULT,
    sentence=HOSTILE,
    problems=(HOSTILE,),
    notices=(HOSTILE,),
    gates=(gate(HOSTILE, Verdict.REGRESSION, HOSTILE), gate("x", None, HOSTILE)),
    next_steps=(NextStep(HOSTILE, HOSTILE),),
    words=(HOSTILE,),
)


def test_failed_rows_come_first_and_reported_ones_apart() -> None:
    view = view_of(RESULT)
    assert [row.metric for row in view.judged] == ["fps_trace", "frame_ms_p99", "boot_ms"]
    assert [row.metric for row in view.reported] == ["spins_per_frame"]
    assert view.judged[0].change == "+11.1 % (+9.9 to +12.4 %)", "of frame time, + is slower"
    assert view.reproduce == "make perf FAULT=slow_draw"


def test_page_and_comment_say_what_to_do_before_the_figures(tmp_path: Path) -> None:
    page, comment = render_page(RESULT, tmp_path, ()), markdown(RESULT)
    for text in (page, comment):
        assert text.index("11.1 % slower") < text.index("fps")
        assert "make explain RESULT=results/x" in text and "make perf FAULT=slow_draw" in text
    assert page.index("make explain") < page.index("What was judged") < page.index("spins_per_frame")
    assert comment.startswith(MARKER.format(command="perf"))
    assert comment.index("<details>") < comment.index("spins")


def test_each_row_of_the_comment_is_one_line_of_its_table() -> None:
    rows = [line for line in markdown(FOREIGN).splitlines() if line.startswith("|")]
    assert rows and {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {7, 6}


def complaints(text: str, kind: str) -> list[str]:
    """What a guest's text reaches in an output: a CI service's commands, terminals, markup, mentions and links."""
    found = []
    if kind != "html" and (re.search(r"(?m)^::", text) or "##[" in text):
        found.append("a command of a CI service")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text):
        found.append("a control or bidi character")
    outside = re.sub(r"`[^`\n]*`", "", text) if kind == "md" else text
    if re.search(r"(?<!\\)<(script|img)", outside):
        found.append("an element")
    if kind == "md":
        patterns = {
            "mention": r"@\w",
            "issue": r"#\d",
            "link": r"://|\bwww\.\w",
            "emoji": r":[\w+-]+:",
            "entity": r"(?<!\\)&",
        }
        found += [name for name, pattern in patterns.items() if re.search(pattern, outside)]
        if re.search(r"(?<!\\)[*_]{2}|(?<!\\)\]\(", outside):
            found.append("markup")
    return found


def test_the_checker_sees_what_is_hostile() -> None:
    assert len(complaints(HOSTILE, "md")) >= 8
    assert complaints("::error::x", "log") and not complaints("plain words", "md")


def test_nothing_of_a_guest_reaches_a_page_a_comment_or_a_log(tmp_path: Path) -> None:
    assert complaints(markdown(FOREIGN), "md") == []
    page = render_page(FOREIGN, tmp_path, ())
    assert complaints(page, "html") == [] and "alert(1)" in page
    assert complaints(junit(FOREIGN), "xml") == []
    first, *rest = github_lines(FOREIGN)
    for line in (first, *rest):
        assert complaints(line.split("::", 2)[2], "log") == [] and "\n" not in line


@pytest.mark.parametrize("text", ["a|b", "@team", "x https://e.example", ":bug:", "#7", "&lt;", "line\nline"])
def test_a_cell_shows_the_text_and_nothing_else(text: str) -> None:
    shown = re.sub(r"\\([^\w\s])", r"\1", cell(text).replace("<!-- -->", ""))
    assert shown == " ".join(text.split())


def test_junit_has_what_jenkins_and_gitlab_read() -> None:
    root = ElementTree.fromstring(junit(RESULT))
    assert root.tag == "testsuites" and set(root.attrib) <= {"name", "time", "tests", "failures", "errors"}
    (suite,) = root
    assert suite.get("timestamp") == "2026-11-28T12:00:00" and float(suite.get("time", "0")) == 31.4
    cases = {case.get("name"): case for case in suite}
    assert [one.tag for one in cases["fps_trace (ratio)"]] == ["failure"]
    assert [one.tag for one in cases["boot_ms (bound)"]] == []
    (skipped,) = cases["frame_ms_p99 (ratio)"]
    assert skipped.tag == "skipped" and "inconclusive: because" in (skipped.get("message") or "")
    assert [one.tag for one in cases["problem 1"]] == ["error"]
    assert suite.get("tests") == "5" and suite.get("failures") == "1" and suite.get("errors") == "1"
    strict = ElementTree.fromstring(junit(RESULT, strict=True))
    assert strict.get("errors") == "2"


def test_each_failure_is_one_titled_annotation() -> None:
    lines = github_lines(RESULT)
    assert lines[0] == "::error title=perf%3A regression::regression: 11.1 % slower".replace("11.1 %", "11.1 %25")
    assert [line.split("::")[1] for line in lines[1:]] == ["warning title=frame_ms_p99", "warning title=fps_trace"]
