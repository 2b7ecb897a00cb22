"""Make a saved result the baseline."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import replace
from pathlib import Path

from harness.core.comparison.statistics import CANDIDATE
from harness.gate.approved.references import BASELINES_DIR, NoBaseline, read_baseline
from harness.gate.approved.target_approval import approve_target
from harness.gate.judging.metrics import ABSOLUTE, EXACT, stored_names
from harness.model.baseline import (
    FILE_NAME,
    KERNEL_NAME,
    Baseline,
    approval_refusals,
    baseline_name,
    baseline_to_json,
    differences,
    link_ratio,
    succeed,
    switches_refusal,
)
from harness.model.errors import StoreError
from harness.model.result import Arm, Result
from harness.model.spec import ON_PROGRESS_BARRIERS, Verdict, switch_table
from harness.platform.files.atomic import uninterrupted, whole_folder
from harness.platform.files.locks import lock
from harness.platform.files.store import RESULTS_DIR, load_result, saved_run
from harness.platform.kernels.build import is_image, kernel_tree_hash
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 40
EXAMPLES = ('REASON="faster fills"', 'REASON="linux, first" BASELINE=linux RESULT=results/latest')
NEXT = "git add baselines, and commit"

KERNEL_BYTES_MAX = 256 << 10
LOCK_WAIT_S = 30.0


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``approve REASON="…" [RESULT=results/…] [BASELINE=name] [ALLOW_DIRTY=1]``."""
    folder = saved_run(arguments.path("RESULT"))
    result = load_result(folder)
    if result.run is not None and result.run.target is not None:
        return approve_target(folder, result, arguments.text("REASON"), arguments.path("BASELINE_STORE"), out)
    tree = kernel_tree_hash()
    refused = [*approval_refusals(result, arguments.text("REASON"), arguments.flag("ALLOW_DIRTY"), tree)]
    if not refused:
        candidate = result.arms[CANDIDATE]
        asked = arguments.text("BASELINE")
        name = baseline_name(asked or candidate.switches.get("BARRIER", ""))
        defaults = {switch.name: switch.values for switch in switch_table().values()}
        refused += _refused_kernel(folder / "candidate.elf", candidate)
        refused += filter(None, [switches_refusal(candidate.switches, name, bool(asked), defaults)])
    for why in refused:
        out.line(f"not approved: {why}")
    if refused:
        return Verdict.USAGE
    with lock(RESULTS_DIR / ".approve.lock", wait_s=LOCK_WAIT_S, purpose="approve"), uninterrupted():
        _approve(_baseline(result, candidate, name, arguments.text("REASON"), tree), result, folder, out)
    return Verdict.PASS


def _approve(new: Baseline, result: Result, folder: Path, out: Printer) -> None:
    """Replace the baseline, and say so; interrupts are ignored meanwhile."""
    try:
        earlier: Baseline | None = read_baseline(new.arch, new.name)[0]
    except NoBaseline:
        earlier = None
    new = replace(new, ratio=link_ratio(result, earlier))
    for line in differences(earlier, new):
        out.line(f"  {line}")
    where = write_baseline(succeed(earlier, new), folder / "candidate.elf", folder)
    out.line(f"approved {new.label}: {new.reason}")
    out.line(f"commit it: git add {where.relative_to(BASELINES_DIR.parent)}")


def _refused_kernel(kernel: Path, candidate: Arm) -> list[str]:
    if not is_image(kernel, candidate.kernel_sha256):
        return [f"{kernel} is not the kernel that was measured: run 'make perf' again"]
    if kernel.stat().st_size > KERNEL_BYTES_MAX:
        return [f"{kernel} has {kernel.stat().st_size} bytes, at most {KERNEL_BYTES_MAX} may be stored"]
    return []


def _baseline(result: Result, candidate: Arm, name: str, reason: str, tree: str) -> Baseline:
    exact = set(stored_names(EXACT))
    if candidate.switches.get("BARRIER") not in ON_PROGRESS_BARRIERS:
        exact.discard("fences_per_frame")
    assert result.fingerprint is not None
    return Baseline(
        arch=candidate.switches["ARCH"],
        name=name,
        reason=reason.strip(),
        approved=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        commit=str(result.source.get("git", "")),
        kernel_tree=tree,
        compiler=candidate.build.get("compiler", ""),
        kernel_sha256=candidate.kernel_sha256,
        scene=candidate.scene,
        switches={key: value for key, value in candidate.switches.items() if key != "ARCH"},
        exact={key: metric for key, metric in candidate.metrics.items() if key in exact},
        absolute={key: metric for key, metric in candidate.metrics.items() if key in stored_names(ABSOLUTE)},
        host=result.fingerprint,
        dirty=bool(result.source.get("dirty")),
        tools={"qemu": result.fingerprint.qemu},
    )


def write_baseline(baseline: Baseline, kernel: Path, result_folder: Path) -> Path:
    """Replace ``baselines/<arch>/<name>/`` at once; returns its path."""
    target = BASELINES_DIR / baseline.arch / baseline.name
    try:
        with whole_folder(target) as scratch:
            (scratch / FILE_NAME).write_text(baseline_to_json(baseline), encoding="utf-8")
            # No bound needed: a kernel just hashed, and pictures of the run.
            shutil.copyfile(kernel, scratch / KERNEL_NAME)
            for picture in sorted(result_folder.glob("golden-*.png")):
                shutil.copyfile(picture, scratch / picture.name)
    except OSError as error:
        raise StoreError(f"baseline {baseline.label} is as it was: {error.strerror}", target) from error
    return target
