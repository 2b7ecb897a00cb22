"""Make a saved result the baseline."""

from __future__ import annotations

import datetime
import shutil
import tempfile
from pathlib import Path

from harness.core.statistics import CANDIDATE
from harness.gate.metrics import ABSOLUTE, EXACT, stored_names
from harness.gate.references import BASELINES_DIR, NoBaseline, read_baseline
from harness.model.baseline import (
    FILE_NAME,
    KERNEL_NAME,
    Baseline,
    approval_refusals,
    baseline_to_json,
    differences,
    succeed,
)
from harness.model.errors import StoreError
from harness.model.result import Arm, Result
from harness.model.spec import ON_PROGRESS_BARRIERS, Verdict
from harness.platform.build import kernel_tree_hash, sha256_of
from harness.platform.host import fingerprint
from harness.platform.store import load_result, saved_run
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 40
EXAMPLES = ('REASON="faster fills"', 'REASON="linux, first" BASELINE=linux RESULT=results/latest')
NEXT = "git add baselines, and commit"

KERNEL_BYTES_MAX = 256 << 10


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``approve REASON="…" [RESULT=results/…] [BASELINE=name] [ALLOW_DIRTY=1]``."""
    folder = saved_run(arguments.path("RESULT"))
    result = load_result(folder)
    refused = approval_refusals(result, arguments.text("REASON"), arguments.flag("ALLOW_DIRTY"))
    for why in refused:
        out.line(f"not approved: {why}")
    if refused:
        return Verdict.USAGE
    candidate = result.arms[CANDIDATE]
    name = arguments.text("BASELINE") or candidate.switches.get("BARRIER", "")
    kernel = folder / "candidate.elf"
    new = _baseline(result, candidate, name, arguments.text("REASON"), kernel)
    try:
        earlier: Baseline | None = read_baseline(new.arch, name)[0]
    except NoBaseline:
        earlier = None
    for line in differences(earlier, new):
        out.line(f"  {line}")
    where = write_baseline(succeed(earlier, new), kernel, folder)
    out.line(f"approved {new.label}: {new.reason}")
    out.line(f"commit it: git add {where.relative_to(BASELINES_DIR.parent)}")
    return Verdict.PASS


def _baseline(result: Result, candidate: Arm, name: str, reason: str, kernel: Path) -> Baseline:
    if not kernel.is_file() or sha256_of(kernel) != candidate.kernel_sha256:
        raise StoreError(f"{kernel} is not the kernel that was measured: run 'make perf' again")
    if kernel.stat().st_size > KERNEL_BYTES_MAX:
        raise StoreError(f"{kernel} has {kernel.stat().st_size} bytes, at most {KERNEL_BYTES_MAX} may be stored")
    exact = set(stored_names(EXACT))
    if candidate.switches.get("BARRIER") not in ON_PROGRESS_BARRIERS:
        exact.discard("fences_per_frame")
    fps = next((gate for gate in result.gates if gate.metric == "fps_trace" and gate.kind == "ratio"), None)
    version, accelerator = (result.qemu.version, result.qemu.accelerator) if result.qemu else ("", "")
    return Baseline(
        arch=candidate.switches["ARCH"],
        name=name,
        reason=reason.strip(),
        approved=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        commit=str(result.source.get("git", "")),
        kernel_tree=kernel_tree_hash(),
        compiler=candidate.build.get("compiler", ""),
        kernel_sha256=candidate.kernel_sha256,
        scene=candidate.scene,
        switches={key: value for key, value in candidate.switches.items() if key != "ARCH"},
        exact={key: metric for key, metric in candidate.metrics.items() if key in exact},
        absolute={key: metric for key, metric in candidate.metrics.items() if key in stored_names(ABSOLUTE)},
        host=fingerprint(version, accelerator),
        dirty=bool(result.source.get("dirty")),
        tools={"qemu": version},
        ratio=1 + fps.change if fps is not None and fps.change is not None else None,
    )


def write_baseline(baseline: Baseline, kernel: Path, result_folder: Path) -> Path:
    """Write ``baselines/<arch>/<name>/`` under another name first; returns its path."""
    target = BASELINES_DIR / baseline.arch / baseline.name
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{baseline.name}-", dir=target.parent))
    try:
        (scratch / FILE_NAME).write_text(baseline_to_json(baseline), encoding="utf-8")
        shutil.copyfile(kernel, scratch / KERNEL_NAME)
        for picture in sorted(result_folder.glob("golden-*.png")):
            shutil.copyfile(picture, scratch / picture.name)
        scratch.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        scratch.rename(target)
    except OSError as error:
        raise StoreError(f"baseline {baseline.label} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
