"""The files under baselines/: commit and compiler make every approved kernel again, to the byte."""

from __future__ import annotations

import pytest

from harness.gate.approved.references import BASELINES_DIR, read_baseline
from harness.model.spec import Switches
from harness.platform.kernels.build import build_kernel, checkout_revision, compiler_command, compiler_identity, git

APPROVED = sorted(path.parent.relative_to(BASELINES_DIR).parts for path in BASELINES_DIR.glob("*/*/baseline.json"))


def test_both_strategies_of_the_seed_case_are_approved_on_every_architecture() -> None:
    wanted = {(arch, name) for arch in ("x86_64", "aarch64", "riscv64") for name in ("seqcst_spin", "acquire_progress")}
    assert wanted <= set(APPROVED)


@pytest.mark.parametrize(("arch", "name"), APPROVED)
@pytest.mark.slow
def test_an_approved_kernel_is_made_again_to_the_byte(arch: str, name: str) -> None:
    baseline, stored = read_baseline(arch, name)
    assert not baseline.dirty, "approved from a tree with uncommitted changes"
    if git("rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("a shallow clone does not have the commit: fetch the whole history")
    switches = Switches.of({**baseline.switches, "ARCH": arch})
    local = compiler_identity(compiler_command(switches, "gcc"))
    if local != baseline.compiler:
        pytest.skip(f"approved with {baseline.compiler}, here is {local}")
    tree, commit = checkout_revision(baseline.commit)
    assert commit == baseline.commit
    assert build_kernel(switches, tree=tree, commit=commit).path.read_bytes() == stored
