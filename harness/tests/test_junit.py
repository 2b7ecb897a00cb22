"""JUnit as Jenkins' junit-10 schema and GitLab's parser want it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping

import pytest

from harness.model.spec import Verdict
from harness.report.machine import github_lines, junit
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
