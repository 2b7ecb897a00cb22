"""Meanings of an arm's words."""

from pathlib import Path

import pytest

from harness.commands import ab
from harness.gate.approved.references import BASELINES_DIR
from harness.gate.arm_pairs import pair_words
from harness.gate.kernels import build_arm
from harness.model.arms import Source, parse_arm
from harness.model.result import Arm
from harness.model.spec import Switches, UsageError
from harness.settings import Arguments
from harness.tests.printer import Transcript


def test_switches_build_the_working_tree() -> None:
    arm = parse_arm("A", "BARRIER=seqcst_spin LOG=frame", {"ARCH": "aarch64", "LOG": "none"})
    assert arm.source is Source.TREE
    assert arm.switches.get("BARRIER") == "seqcst_spin"
    assert arm.switches.get("LOG") == "frame", "the arm's own words override the common ones"
    assert arm.switches.arch == "aarch64"


def test_named_combination_takes_further_switches() -> None:
    arm = parse_arm("A", "case-1-logged SPIN=none", {})
    assert (arm.switches.get("LOG"), arm.switches.get("FILL"), arm.switches.get("SPIN")) == ("frame", "pixel", "none")


def test_baseline_is_named_by_barrier_unless_named() -> None:
    assert parse_arm("A", "baseline", {"BARRIER": "linux"}).where == "linux"
    assert parse_arm("A", "baseline:mine", {}).where == "mine"


@pytest.mark.parametrize("text", ["HEAD~3", "v1.2", "origin/main", "0123abc BARRIER=linux"])
def test_anything_else_is_a_revision(text: str) -> None:
    arm = parse_arm("A", text, {})
    assert (arm.source, arm.where) == (Source.REVISION, text.split()[0])


def test_a_kernel_file_takes_no_switches(tmp_path: Path) -> None:
    kernel = tmp_path / "old.elf"
    kernel.write_bytes(b"")
    assert parse_arm("A", str(kernel), {}).source is Source.FILE
    with pytest.raises(UsageError, match="cannot change it"):
        parse_arm("A", f"{kernel} LOG=none", {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("HEAD HEAD~1", "more than one source"),
        ("BARRIER=wrong", "valid: acquire_progress"),
        ("NOSUCH=1", "no such switch"),
        ("LOG=", "has no value"),
    ],
)
def test_nonsense_is_refused_with_what_is_valid(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_arm("A", text, {})


def test_arms_are_called_by_what_differs() -> None:
    arms = {
        "A": Arm(Switches().but(BARRIER="seqcst_spin").everything(), "", {}),
        "B": Arm(Switches().everything(), "", {}),
        "C": Arm(Switches().but(LOG="frame").everything(), "", {}),
    }
    assert pair_words(arms, "A", "B") == "acquire_progress (B) against seqcst_spin (A)"
    assert pair_words(arms, "B", "C") == "LOG=frame (C) against LOG=deferred (B)"
    assert pair_words({"A": arms["B"], "B": arms["B"]}, "A", "B") == "B against A"


def test_arms_of_different_architectures_are_refused_with_both_named(tmp_path: Path) -> None:
    for arch in ("aarch64", "riscv64"):
        (tmp_path / f"{arch}.bin").write_bytes(b"kernel")
        text = f'arch = "{arch}"\nimage = {{ kernel = "{arch}.bin" }}\n'
        (tmp_path / f"{arch}.toml").write_text(text, encoding="utf-8")
    given = {"A": str(tmp_path / "aarch64.toml"), "B": str(tmp_path / "riscv64.toml")}
    with pytest.raises(UsageError, match="cannot be compared in time: A is for aarch64, B is for riscv64"):
        ab.main(Arguments("ab", given), Transcript())
    with pytest.raises(UsageError, match="cannot be compared in time: A is for aarch64, B is for x86_64"):
        ab.main(Arguments("ab", {**given, "B": "default"}), Transcript())


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
def test_a_kernel_of_this_tree_in_a_file_is_for_the_architecture_that_it_was_built_for(arch: str) -> None:
    kernel = BASELINES_DIR / arch / "acquire_progress" / "kernel.elf"
    mine = build_arm(parse_arm("A", str(kernel), {"ARCH": arch}), "", Transcript())
    assert (mine.path, mine.target) == (kernel, None)
    other = "riscv64" if arch == "aarch64" else "aarch64"
    with pytest.raises(UsageError, match=f"B: .*kernel.elf is for {arch}, and ARCH is {other}: give ARCH={arch}"):
        build_arm(parse_arm("B", str(kernel), {"ARCH": other}), "", Transcript())
