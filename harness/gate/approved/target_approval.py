"""Approving a run of a target: what is shown to the person, and what is kept."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

from harness.core.comparison.statistics import CANDIDATE
from harness.gate.approved.references import NoBaseline
from harness.gate.approved.target_references import (
    STORE_DIR,
    measured_images,
    read_target_baseline,
    write_target_baseline,
)
from harness.gate.judging.metrics import ABSOLUTE, stored_names
from harness.gate.measured import ArmKernel
from harness.model.baseline import differences, link_ratio
from harness.model.errors import StoreError
from harness.model.result import Result
from harness.model.spec import Verdict
from harness.model.target import capabilities_of
from harness.model.target_baseline import new_baseline, succeed_target, target_refusals
from harness.model.target_file import target_of
from harness.platform.files.atomic import uninterrupted, write_whole
from harness.platform.files.locks import lock
from harness.platform.files.store import RESULTS_DIR
from harness.platform.kernels.targets import file_of
from harness.report.pictures import gallery_of
from harness.report.printer import Printer
from harness.report.render import page
from harness.report.view import ReportView, Section

LOCK_WAIT_S = 30.0
PAGE_FILE = "approved.html"
"""In the run's folder: the pictures that were approved with it."""
SEEN = "seen-*.png"
"""Pictures of a run of a target at full size, under ``pictures/``."""


def approve_target(folder: Path, result: Result, reason: str, store: Path | None, out: Printer) -> Verdict:
    """Make a saved run the baseline of its target.

    Parameters
    ----------
    folder
        Of the run.
    store
        For large images; by default under ``results/``.
    """
    for why in (refused := target_refusals(result, reason)):
        out.line(f"not approved: {why}")
    if refused:
        return Verdict.USAGE
    assert result.run is not None and result.run.target is not None
    record, arm = result.run.target, result.arms[CANDIDATE]
    file = file_of(record.file)
    target = replace(target_of(record), folder=str(file.parent))
    kernel = ArmKernel(CANDIDATE, file, arm.kernel_sha256, None, capabilities_of(target), target=target, record=record)
    try:
        images = measured_images(folder, kernel)
    except StoreError as error:
        out.line(f"not approved: {error.message}")
        return Verdict.USAGE
    pictures = sorted((folder / "pictures").glob(SEEN))
    stored = {name: metric for name, metric in arm.metrics.items() if name in stored_names(ABSOLUTE)}
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    with lock(RESULTS_DIR / ".approve.lock", wait_s=LOCK_WAIT_S, purpose="approve"), uninterrupted():
        try:
            earlier = read_target_baseline(target)
        except NoBaseline:
            earlier = None
        new = new_baseline(result, record, reason, now, stored)
        new = replace(
            new, baseline=replace(new.baseline, ratio=link_ratio(result, earlier.baseline if earlier else None))
        )
        for line in differences(earlier.baseline if earlier else None, new.baseline):
            out.line(f"  {line}")
        where = write_target_baseline(target, succeed_target(earlier, new), images, pictures, store or STORE_DIR)
    out.line(f"{_counted(pictures)} approved with it: look at {_show(folder, result, target.name, pictures)}")
    for image in where[1:]:
        out.line(f"  kept outside git: {image}")
    out.line(f"approved {target.name}: {reason.strip()}")
    out.line(f"commit it: git add {where[0]}")
    return Verdict.PASS


def _counted(pictures: list[Path]) -> str:
    return "1 picture is" if len(pictures) == 1 else f"{len(pictures)} pictures are"


def _show(folder: Path, result: Result, name: str, pictures: list[Path]) -> Path:
    """Write the page on which a person sees what is approved; returns its place."""
    lead = "These are what golden pictures are learned from: approve no picture that is wrong."
    section = Section("Pictures", lead=(lead,), evidence=gallery_of(pictures))
    view = ReportView(
        command="approve",
        verdict=result.verdict,
        headline=f"{name}: {_counted(pictures)} approved",
        started=result.started,
        seconds=result.seconds,
        sections=(section,),
        notices=(f"the run: {result.sentence}",),
    )
    write_whole(folder / PAGE_FILE, page(view))
    return folder / PAGE_FILE
