"""JUnit as Jenkins' junit-10 schema and GitLab's parser want it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.front.endings import ending_files
from harness.model.result import Gate
from harness.model.spec import Verdict
from harness.report.machine import github_lines, junit
from harness.report.render import markdown
from harness.report.run_view import view_of
from harness.tests.test_report import gates, result

ALLOWED: Mapping[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
        {"testcase", "properties", "system-out", "system-err"},
    ),
    "testcase": ({"name"}, {"classname", "time", "group"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "skipped": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
    "failure": (set(), {"type", "message"}, set()),
}
"""By element: attributes it must have, further ones it may have, and what may stand in it."""
_TIME = re.compile(r"[0-9]{1,3}(,?[0-9]{3})*(\.[0-9]*)?")


def problems(node: ElementTree.Element) -> list[str]:
    if node.tag not in ALLOWED:
        return [f"no element {node.tag}"]
    needed, further, children = ALLOWED[node.tag]
    found = [f"{node.tag} without {name}" for name in needed - set(node.attrib)]
    found += [f"{node.tag} with {name}" for name in set(node.attrib) - needed - further]
    found += [f"{child.tag} in {node.tag}" for child in node if child.tag not in children]
    if node.tag.startswith("testsuite") and not _TIME.fullmatch(node.get("time", "0")):
        found.append(f"time {node.get('time')}")
    return found + [text for child in node for text in problems(child)]


GITLAB_STATES = {"failure": "failed", "error": "error", "skipped": "skipped"}
"""The first of these that a case holds is its state there."""


def as_gitlab(text: str) -> dict[str, tuple[str, str]]:
    """State and shown output of each case, by suite and name, as GitLab reads a file: of an element with text it keeps
    the text alone, and of one without the attributes, which it shows as they are stored."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    found: dict[str, tuple[str, str]] = {}
    for suite in root.findall("testsuite"):
        for case in suite.findall("testcase"):
            state = next((tag for tag in GITLAB_STATES if case.find(tag) is not None), "")
            element = case.find(state) if state else None
            shown = "" if element is None else element.text or str(dict(element.attrib))
            key = f"{suite.get('name')} {case.get('classname')} {case.get('name')}"
            assert key not in found, "GitLab joins cases of one name"
            found[key] = GITLAB_STATES.get(state, "success"), shown
    return found


NEXT_LINE = "next: see which part grew: make explain RESULT=results/x"
ENDED = {
    Verdict.PASS: "success",
    Verdict.REGRESSION: "failed",
    Verdict.GUEST_FAILED: "error",
    Verdict.INCONCLUSIVE: "skipped",
    Verdict.USAGE: "error",
    Verdict.HARNESS_FAILED: "error",
}


def ended(verdict: Verdict, strict: bool) -> str:
    """JUnit of a run in which one gate, or none, came to this verdict."""
    gate = Gate("fps_trace", "ratio", verdict, "what happened", 808.0, 960.0, -0.16, -0.163, -0.157, 0.015)
    judged = verdict in (Verdict.PASS, Verdict.REGRESSION, Verdict.INCONCLUSIVE)
    made = result(verdict=verdict, gates=(gate,) if judged else (), sentence=f"{verdict.value}: what happened")
    return junit(made, strict)


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("strict", [False, True])
def test_every_ending_of_a_run_is_understood_and_says_what_to_do_next(verdict: Verdict, strict: bool) -> None:
    text = ended(verdict, strict)
    assert problems(ElementTree.fromstring(text.encode())) == []
    read = as_gitlab(text)
    wanted = "error" if strict and verdict is Verdict.INCONCLUSIVE else ENDED[verdict]
    assert {state for state, _ in read.values() if state != "success"} == ({wanted} - {"success"})
    for state, shown in read.values():
        assert state == "success" or "what happened" in shown and shown.splitlines()[-1] == NEXT_LINE


@pytest.mark.parametrize("verdict", [Verdict.USAGE, Verdict.GUEST_FAILED, Verdict.HARNESS_FAILED])
def test_an_ending_without_a_result_leaves_a_comment_and_a_file_of_its_own(verdict: Verdict) -> None:
    said = [f"{verdict.value}: what happened", "  evidence: /run/serial.log"]
    files = ending_files("perf", verdict, said, "make doctor checks this machine", "make perf LOG=x", strict=True)
    assert problems(ElementTree.fromstring(files["junit.xml"].encode())) == []
    [(state, shown)] = as_gitlab(files["junit.xml"]).values()
    assert state == "error" and shown.splitlines()[-1] == "next: make doctor checks this machine"
    same = markdown(view_of(result(), Path("/nowhere"))).splitlines()[0]
    assert files["report.md"].splitlines()[0] == same, "the comment of the run before is replaced"
    for text in (files["report.md"], files["report.html"]):
        for words in ("what happened", "make doctor checks this machine", "make perf LOG=x"):
            assert words in text


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("strict", [False, True])
def test_structure_counts_and_times(verdict: Verdict, strict: bool) -> None:
    made = result(verdict=verdict, problems=("the guest said no",) if verdict is Verdict.GUEST_FAILED else ())
    root = ElementTree.fromstring(junit(made, strict).encode())
    assert problems(root) == []
    suite = root[0]
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "")) == len(cases) == 5
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(name, "")) == len(suite.findall(f"testcase/{tag}"))
    assert suite.get("timestamp") == "2026-01-02T03:04:05" and float(suite.get("time", "")) == 61.25


def test_inconclusive_is_skipped_with_its_reason_or_an_error_when_strict() -> None:
    for strict, tag in ((False, "skipped"), (True, "error")):
        root = ElementTree.fromstring(junit(result(), strict).encode())
        [case] = [c for c in root.iter("testcase") if c.get("name") == "instructions_per_frame (rise)"]
        assert [child.tag for child in case] == [tag] and "no data" in str(case[0].get("message"))


def test_a_bad_end_without_a_gate_is_in_the_case_of_the_run() -> None:
    made = result(verdict=Verdict.HARNESS_FAILED, gates=gates()[:2], sentence="harness-failed: disk full")
    root = ElementTree.fromstring(junit(made).encode())
    assert root.find("testsuite/testcase[@name='the run as a whole']/error") is not None


def test_names_do_not_depend_on_what_was_measured() -> None:
    def names(why: str, problem: str) -> list[str | None]:
        made = result(gates=gates(why), problems=(problem,))
        return [case.get("name") for case in ElementTree.fromstring(junit(made).encode()).iter("testcase")]

    assert names("19 % slower", "frame 7 is torn") == names("22 % slower", "frame 8 is torn")


def test_an_annotation_for_each_failure_with_a_title() -> None:
    lines = github_lines(result())
    assert lines == (
        "::error title=perf%3A fps_trace::19.0 %25 slower",
        "::warning title=perf%3A instructions_per_frame::the reference has no data",
    )
    passed = github_lines(result(verdict=Verdict.PASS, sentence="pass: all well", gates=gates()[:2]))
    assert passed == ("::notice title=perf%3A pass::pass: all well",)


def test_a_wrong_structure_is_found() -> None:
    assert problems(ElementTree.fromstring("<testsuites skipped='1'/>")) == ["testsuites with skipped"]
    assert problems(ElementTree.fromstring("<testsuite name='x' tests='1' failures='0' errors='0' time='x'/>"))
