"""Words of other commands on a kernel's ordering, and where it fails them."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from harness.commands.perf import asked_ordering
from harness.gate.judging.rule_file import load_ordering
from harness.gate.measured import ArmKernel
from harness.model.errors import ToolError
from harness.model.spec import BUILT_IN, ROOT, Switches, UsageError, Verdict
from harness.model.target import Target, TargetGates
from harness.platform.kernels.build import build_kernel
from harness.proof import ordering
from harness.proof.ordering import Ordering, ordering_of
from harness.proof.run import Proof, prove
from harness.tests.programs import run_perf

pytest.importorskip("unicorn")

KERNEL = ROOT / "baselines" / "x86_64" / "acquire_progress" / "kernel.elf"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "CACHE", tmp_path / "proofs")


@functools.cache
def proof_of(path: Path) -> Proof:
    return prove(path, path.name, "a" * 64, ordering.DEVICE)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hashes that were proved."""
    proved: list[str] = []

    def prove_once(path: Path, label: str, sha256: str, device: object) -> Proof:
        proved.append(sha256)
        return proof_of(path)

    monkeypatch.setattr("harness.proof.run.prove", prove_once)
    return proved


@pytest.mark.slow
def test_a_kernel_is_proved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    proved = counting(monkeypatch)
    first, second = ordering_of(KERNEL, "a" * 64), ordering_of(KERNEL, "a" * 64)
    assert first == second and first.pairs > 1000 and not first.refuted and proved == ["a" * 64]
    assert ordering_of(KERNEL, "b" * 64).sha256 == "b" * 64 and proved == ["a" * 64, "b" * 64]


def test_a_damaged_answer_is_found_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    proved = counting(monkeypatch)
    ordering_of(KERNEL, "a" * 64)
    (stored,) = (tmp_path / "proofs").iterdir()
    stored.write_text('{"sha256": 7}', encoding="utf-8")
    assert ordering_of(KERNEL, "a" * 64).pairs > 1000 and len(proved) == 2


def test_another_prover_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    proved = counting(monkeypatch)
    ordering_of(KERNEL, "a" * 64)
    monkeypatch.setattr(ordering, "_prover", lambda: "other")
    ordering_of(KERNEL, "a" * 64)
    assert len(proved) == 2


def test_a_refuted_kernel_is_wrong_and_an_undecided_one_is_no_pass() -> None:
    (wrong,) = Ordering("a" * 64, 10, ("kick-check",)).incidents()
    (unknown,) = Ordering("a" * 64, undecided="unicorn is missing").incidents()
    assert wrong.verdict is Verdict.GUEST_FAILED and "kick-check" in wrong.text
    assert unknown.verdict is Verdict.INCONCLUSIVE and "unicorn is missing" in unknown.text
    assert not Ordering("a" * 64, 10).incidents()


def test_a_missing_library_is_a_part_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Proof:
        raise ToolError("proof needs unicorn: install python3-unicorn")

    monkeypatch.setattr("harness.proof.run.prove", missing)
    assert "install python3-unicorn" in ordering_of(KERNEL, "a" * 64).words


def test_what_is_no_kernel_is_not_decided(tmp_path: Path) -> None:
    path = tmp_path / "x.elf"
    path.write_bytes(b"no kernel")
    assert "not an ELF" in ordering_of(path, "c" * 64).undecided


ENDLESS = pytest.param({"WAIT": "iterations"}, marks=pytest.mark.full)
"""Every look of a wait that counts its looks is a part of the proof."""


@pytest.mark.parametrize("switches", [ENDLESS, {"COMPLETION": "irq"}, {"PREEMPT": "global"}, {"DRAW": "gpu"}])
@pytest.mark.slow
def test_kernels_of_other_switches_are_decided(switches: dict[str, str]) -> None:
    built = build_kernel(Switches.of(switches))
    found = ordering_of(built.path, built.sha256)
    assert not found.undecided and not found.refuted


@pytest.mark.parametrize("word", ["must", "report", "off"])
def test_a_target_says_what_it_asks_for(tmp_path: Path, word: str) -> None:
    path = tmp_path / "perf.toml"
    path.write_text(f'gates = {{ ordering = "{word}" }}\n', encoding="utf-8")
    assert load_ordering(path) == word and load_ordering(None) == ""


@pytest.mark.parametrize("text", ['gates = "must"', "gates = { ordering = 1 }", 'gates = { ordering = "maybe" }', "["])
def test_another_word_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "perf.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError):
        load_ordering(path)


def kernel(switches: Switches | None, target: Target | None = None) -> ArmKernel:
    return ArmKernel("candidate", KERNEL, "a" * 64, switches, BUILT_IN, target=target)


def test_the_default_kernel_must_be_right_and_other_strategies_are_told() -> None:
    assert asked_ordering(kernel(Switches())) == "must"
    assert asked_ordering(kernel(Switches("aarch64").but(FILL="pixel"))) == "must"
    assert asked_ordering(kernel(Switches("aarch64").but(BARRIER="seqcst_spin"))) == "report"
    assert asked_ordering(kernel(Switches().but(DRAW="gpu"))) == "must"
    assert asked_ordering(kernel(None)) == "off"


def test_a_target_is_asked_only_where_its_file_asks() -> None:
    assert asked_ordering(kernel(None, Target("mine"))) == "off"
    assert asked_ordering(kernel(None, Target("mine", gates=TargetGates(ordering="must")))) == "must"


@pytest.mark.qemu
def test_perf_fails_a_kernel_whose_strategy_is_wrong_where_that_is_asked(tmp_path: Path) -> None:
    words = ("BARRIER=no_kick_fence", "STAGES=window", "BUDGET=30")
    code, result = run_perf(*words)
    assert code != 3 and any("kick-check" in notice for notice in result["notices"])
    config = tmp_path / "perf.toml"
    config.write_text('gates = { ordering = "must" }\n', encoding="utf-8")
    code, result = run_perf(*words, f"CONFIG={config}")
    assert code == 3 and "kick-check" in result["sentence"]
