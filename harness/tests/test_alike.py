"""ALIKE=1: the approved source, built with the switches of a candidate that has others than the approved kernel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.gate.approved import references
from harness.gate.approved.references import NoBaseline, find_reference, read_baseline
from harness.history.series import RATIO, run_record
from harness.model.baseline import approval_refusals
from harness.model.errors import BuildError
from harness.model.result import Arm, Gate, Result
from harness.model.spec import Switches, Verdict
from harness.platform.kernels.build import BuiltKernel
from harness.tests.test_history import baseline

NAME = "acquire_progress"
CURSOR = Switches.of({"CURSOR": "hw"})


def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: str = "") -> list[tuple[Switches, str]]:
    """Builds, noted instead of done."""
    asked: list[tuple[Switches, str]] = []

    def build(switches: Switches, *, compiler: str, tree: Path, commit: str) -> BuiltKernel:
        asked.append((switches, commit))
        if fails:
            raise BuildError(fails)
        return BuiltKernel(tmp_path / "k.elf", "1" * 64, switches, "gcc 1", commit)

    monkeypatch.setattr(references, "build_kernel", build)
    monkeypatch.setattr(references, "checkout_revision", lambda commit: (tmp_path, commit))
    return asked


def test_other_switches_are_built_from_the_approved_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = built(monkeypatch, tmp_path)
    approved, _ = read_baseline("x86_64", NAME)
    found = find_reference(CURSOR, NAME, "gcc", tmp_path, alike=True)
    assert asked == [(CURSOR, approved.commit)] and found.kernel.switches == CURSOR
    assert found.kernel.sha256 == "1" * 64 and "with the candidate's switches" in found.notices[-1]


def test_the_same_switches_and_a_run_that_does_not_ask_keep_the_approved_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = built(monkeypatch, tmp_path)
    monkeypatch.setattr(
        references, "candidate_compiler", lambda switches, compiler: read_baseline("x86_64", NAME)[0].compiler
    )
    for switches, alike in ((Switches(), True), (CURSOR, False)):
        found = find_reference(switches, NAME, "gcc", tmp_path, alike=alike)
        assert not asked and found.kernel.sha256 == found.baseline.kernel_sha256


def test_a_source_that_does_not_know_the_switches_is_no_reference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built(monkeypatch, tmp_path, "CURSOR: unknown switch")
    with pytest.raises(NoBaseline, match="does not build with these switches: CURSOR: unknown switch"):
        find_reference(CURSOR, NAME, "gcc", tmp_path, alike=True)


@pytest.mark.parametrize(
    ("switches", "context", "value"), [({}, "a" * 12, 0.98 * 1.01), ({"CURSOR": "hw"}, "c" * 12, 1.01)]
)
def test_a_chain_of_approvals_holds_for_the_approved_kernel_alone(
    switches: dict[str, str], context: str, value: float
) -> None:
    approved = replace(baseline("c" * 64, 0.98, ("a" * 64, None)), switches={})
    arm = Arm(Switches.of(switches).everything(), "1" * 64, {})
    gate = Gate("fps_trace", "ratio", Verdict.PASS, "why", 1.0, 1.0, 0.01, 0.0, 0.02, 0.01)
    result = Result("perf", Verdict.PASS, "pass", "2026-01-01T00:00:00Z", 1.0)
    result = replace(result, arms={"candidate": arm, "reference": arm}, gates=(gate,))
    [point] = [one for one in run_record(result, "r", "r", "cell", approved).points if one.scope == RATIO]
    assert point.context == f"since kernel {context}" and point.value == pytest.approx(value)


def test_a_run_that_was_compared_so_is_not_approved() -> None:
    plain = Result("perf", Verdict.PASS, "pass", "2026-01-01T00:00:00Z", 1.0)
    said = [approval_refusals(replace(plain, words=words), "why", False, "") for words in ((), ("ALIKE=1",))]
    assert [any("leave out ALIKE=1" in why for why in refused) for refused in said] == [False, True]
