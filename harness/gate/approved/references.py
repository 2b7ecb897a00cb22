"""The approved kernel that a candidate is compared with: found, checked and, where needed, rebuilt.

Same compiler here as recorded: the stored ELF. Another compiler: the recorded commit, rebuilt with the local one, so
that only the source differs. Without that commit: the stored ELF after all, and a notice that says what that means.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.gate.measured import ArmKernel, KernelSource
from harness.model.baseline import FILE_NAME, KERNEL_NAME, Baseline, baseline_name, check_kernel
from harness.model.errors import BuildError
from harness.model.result import ResultError
from harness.model.spec import BUILT_IN, ROOT, Switches, UsageError
from harness.model.upgrade import load_baseline
from harness.platform.files.atomic import clear_leftovers, write_whole
from harness.platform.files.bounded import read_bounded
from harness.platform.kernels.build import (
    baselines_in_commits,
    build_kernel,
    candidate_compiler,
    checkout_revision,
    compiler_command,
    compiler_identity,
    git,
    git_bytes,
)

BASELINES_DIR = ROOT / "baselines"
NO_COMMIT = "its commit is not recorded"


class NoBaseline(Exception):
    """There is nothing to compare with; the message says how to make it."""


@dataclass(frozen=True)
class Reference:
    """An approved kernel, ready to run."""

    kernel: ArmKernel
    baseline: Baseline
    notices: tuple[str, ...]
    other_compiler: str = ""
    """In words, where the candidate's compiler is another one and the reference could not be built with it."""


def approval_notices(source: Mapping[str, object], target: str = "", judges: bool = True) -> tuple[str, ...]:
    """A notice of a change that approves itself, in its commits or in its tree.

    Parameters
    ----------
    source
        State of the checkout.
    target
        The revision to count commits from; by default a branch that this one may be meant for.
    judges
        The command judges by a baseline, and takes ``BASELINE_REF``.
    """
    notices = []
    target, approvals = baselines_in_commits(target)
    if approvals:
        many = "1 commit changes" if approvals == 1 else f"{approvals} commits change"
        remedy = (
            f"BASELINE_REF={target} judges by what it had approved" if judges else "a baseline may be its own approval"
        )
        notices.append(f"{many} baselines/ since {target}: {remedy}")
    if source.get("baselines_changed"):
        remedy = "what it is judged by" if judges else "what stands there"
        notices.append(f"this tree changes baselines/: {remedy} is not what was committed")
    return tuple(notices)


def read_baseline(arch: str, name: str, root: Path = BASELINES_DIR) -> tuple[Baseline, bytes]:
    """A stored baseline and its kernel, checked against each other.

    Raises
    ------
    NoBaseline
        When there is none of that name.
    UsageError
        When that is not a name.
    ResultError
        When it is damaged, or of a schema that this harness does not know.
    """
    folder = root / arch / baseline_name(name)
    clear_leftovers(folder)
    try:
        text = read_bounded(folder / FILE_NAME).decode("utf-8")
        elf = read_bounded(folder / KERNEL_NAME)
    except FileNotFoundError as error:
        raise NoBaseline(f"no baseline {arch}/{name}: run 'make approve REASON=\"…\"' after this run") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"baseline {arch}/{name} cannot be read: {error}") from error
    baseline = load_baseline(text, f"{arch}/{name}")
    check_kernel(baseline, elf)
    return baseline, elf


def source_of(baseline: Baseline, arch: str, compiler: str) -> KernelSource | None:
    """The source from which an approved kernel can be linked again with this compiler; None where its commit is not
    recorded."""
    alike = baseline.compiler == compiler_identity(compiler_command(Switches(arch), compiler))
    return KernelSource(compiler, baseline.commit) if baseline.commit and alike else None


def keep_baseline(baseline: Baseline, folder: Path, root: Path = BASELINES_DIR) -> None:
    """Copy what a run was judged by into its folder, for a replay after the baseline has changed."""
    target = folder / "baselines" / baseline.arch / baseline.name
    if target.exists():
        return
    target.mkdir(parents=True)
    for name in (FILE_NAME, KERNEL_NAME):
        # No bound needed: a baseline just read.
        shutil.copyfile(root / baseline.arch / baseline.name / name, target / name)


def check_revision(revision: str) -> None:
    """Raise UsageError where BASELINE_REF names no revision."""
    try:
        git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except BuildError as error:
        raise UsageError(f"BASELINE_REF={revision}: no such revision here; a shallow clone has few") from error


def baselines_of_revision(revision: str, arch: str, name: str, scratch: Path) -> Path:
    """The folder ``baselines`` as another revision has it, this baseline only, under ``scratch``."""
    check_revision(revision)
    folder = scratch / "baselines" / arch / baseline_name(name)
    folder.mkdir(parents=True, exist_ok=True)
    for file in (FILE_NAME, KERNEL_NAME):
        target = folder / file
        try:
            blob = git("rev-parse", "--verify", "--end-of-options", f"{revision}:baselines/{arch}/{name}/{file}")
        except BuildError as error:
            raise NoBaseline(f"{revision} has no baseline {arch}/{name}: {error.message}") from error
        write_whole(target, git_bytes("cat-file", "blob", blob))
    return scratch / "baselines"


def find_reference(
    candidate: Switches,
    name: str,
    compiler: str,
    scratch: Path,
    revision: str = "",
    allow_rebuild: bool = True,
    *,
    alike: bool = False,
) -> Reference:
    """The reference for a candidate.

    Parameters
    ----------
    name
        Of the baseline.
    compiler
        ``gcc`` or ``clang``, as the candidate was built with.
    scratch
        A folder for what has to be unpacked.
    revision
        Take the baseline from this revision instead of the working tree.
    alike
        Build the approved source with the candidate's switches, so that the two kernels differ in their source alone.

    Raises
    ------
    NoBaseline, ResultError, BuildError
    """
    root = baselines_of_revision(revision, candidate.arch, name, scratch) if revision else BASELINES_DIR
    baseline, _ = read_baseline(candidate.arch, name, root)
    notices = [f"baseline {baseline.label} taken from {revision}"] if revision else []
    switches = Switches.of({**baseline.switches, "ARCH": candidate.arch})
    stored = ArmKernel(
        "reference",
        root / candidate.arch / name / KERNEL_NAME,
        baseline.kernel_sha256,
        switches,
        BUILT_IN,
        compiler=baseline.compiler,
        commit=baseline.commit,
        source=source_of(baseline, candidate.arch, compiler),
    )
    if alike and switches != candidate:
        return _alike(baseline, candidate, compiler, notices)
    local = candidate_compiler(candidate, compiler)
    if local == baseline.compiler:
        return Reference(stored, baseline, tuple(notices))
    if not allow_rebuild:
        return _unlike(stored, baseline, notices, local, NO_COMMIT)
    try:
        kernel = _rebuilt(baseline, switches, compiler)
    except BuildError as error:
        return _unlike(stored, baseline, notices, local, error.message)
    notices.append(f"reference rebuilt from {kernel.commit[:12]} with {local}: approved was {baseline.compiler}")
    return Reference(kernel, baseline, tuple(notices))


def _rebuilt(baseline: Baseline, switches: Switches, compiler: str) -> ArmKernel:
    """The approved source, built here."""
    if not baseline.commit:
        raise BuildError(NO_COMMIT)
    tree, commit = checkout_revision(baseline.commit)
    built = build_kernel(switches, compiler=compiler, tree=tree, commit=commit)
    source = KernelSource(compiler, commit)
    return ArmKernel("reference", built.path, built.sha256, switches, BUILT_IN, built.compiler, commit, source=source)


def _alike(baseline: Baseline, switches: Switches, compiler: str, notices: list[str]) -> Reference:
    """The approved source, built with the switches of a candidate that has others than the approved kernel."""
    try:
        kernel = _rebuilt(baseline, switches, compiler)
    except BuildError as error:
        raise NoBaseline(
            f"the source of {baseline.label} does not build with these switches: {error.message}"
        ) from error
    where = f"{kernel.commit[:12]}, the source of {baseline.label}"
    notices.append(f"reference built from {where}, with the candidate's switches")
    return Reference(kernel, baseline, tuple(notices))


def _unlike(stored: ArmKernel, baseline: Baseline, notices: list[str], local: str, why: str) -> Reference:
    """The stored kernel, used instead of one that this compiler would have built."""
    words = f"the reference was built by {baseline.compiler}, the candidate by {local}"
    notices.append(f"{words} ({why}): a difference may be the compiler's")
    return Reference(stored, baseline, tuple(notices), words)
