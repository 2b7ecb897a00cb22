"""A change that approves itself says so, whichever command compares it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.commands import ab, approve
from harness.front.words import parse
from harness.gate.approved import references
from harness.gate.approved.references import approval_notices
from harness.gate.measured import ArmKernel, Measured, Order
from harness.model.arms import parse_arm
from harness.model.spec import BUILT_IN, ROOT, Machine, RunParams, Switches
from harness.platform.files.locks import Busy, lock
from harness.platform.files.store import RunFolder
from harness.platform.kernels.build import git
from harness.robustness.samples import fill_baseline
from harness.settings import MEASURING
from harness.tests.printer import RecordingPrinter

KERNEL = ArmKernel("A", Path("a.elf"), "ab" * 32, Switches(), BUILT_IN)
ORDER = Order(KERNEL, KERNEL, Machine(), RunParams())
SOURCE: dict[str, object] = {"git": "0" * 40, "dirty": False, "baselines_changed": False}


@pytest.fixture(params=[0, 1, 2])
def approvals(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """As many commits change baselines/."""
    count = int(request.param)
    monkeypatch.setattr(references, "baselines_in_commits", lambda target: (target or "origin/main", count))
    return count


def test_commits_that_change_baselines_are_told(approvals: int) -> None:
    said = approval_notices(SOURCE, "release")
    beginning = {0: None, 1: "1 commit changes baselines/ since release: ", 2: "2 commits change baselines/ since"}
    begins = beginning[approvals]
    assert len(said) == bool(begins)
    assert begins is None or said[0].startswith(begins) and "BASELINE_REF=release" in said[0]


def test_a_tree_that_changes_baselines_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "baselines_in_commits", lambda target: ("", 0))
    said = approval_notices({**SOURCE, "baselines_changed": True})
    assert said == ("this tree changes baselines/: what it is judged by is not what was committed",)


def test_ab_tells_it_too(approvals: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ab, "source_state", lambda: SOURCE)
    requests = [parse_arm("A", "", {}), parse_arm("B", "baseline", {})]
    compared = [ab.ComparedArm("B", Measured(ORDER))]
    with RunFolder("ab") as run:
        result = ab._result(run, requests, Measured(ORDER), compared, "")
    told = [text for text in result.notices if "baselines/ since origin/main" in text]
    assert len(told) == bool(approvals), result.notices
    assert not any("BASELINE_REF" in text for text in told), "which ab does not take"


def test_two_approvals_at_once_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_baseline(tmp_path)
    monkeypatch.setattr(approve, "BASELINES_DIR", tmp_path / "baselines")
    monkeypatch.setattr(approve, "RESULTS_DIR", tmp_path)
    monkeypatch.setattr(approve, "LOCK_WAIT_S", 0.0)
    words = parse(["approve", "REASON=new", f"RESULT={tmp_path / 'run'}"])
    with lock(tmp_path / ".approve.lock", wait_s=0, purpose="approve"), pytest.raises(Busy, match="approve"):
        approve.main(words, RecordingPrinter())


NO_BASELINE = {"boot", "latency", "explain", "bench", "bisect", "calibrate", "proof"}
"""Commands that measure and read no approved kernel of this tree."""


@pytest.mark.parametrize("command", sorted(set(MEASURING) - NO_BASELINE))
def test_every_command_that_reads_a_baseline_tells_it(command: str) -> None:
    assert "approval_notices(source" in (ROOT / "harness" / "commands" / f"{command}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "baselines").glob("*/*/baseline.json")), ids=lambda path: "-".join(path.parts[-3:-1])
)
def test_the_commit_of_an_approved_kernel_is_in_the_history(path: Path) -> None:
    """Otherwise it cannot be built again with another compiler: an approval must not be rebased."""
    if not (ROOT / ".git").exists() or git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("a clone without its history")
    commit = json.loads(path.read_text(encoding="utf-8"))["commit"]
    git("merge-base", "--is-ancestor", commit, "HEAD")
