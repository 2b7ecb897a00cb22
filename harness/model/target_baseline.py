"""The approved run of a target: its images by hash, its file as it was, and its figures.

It lies beside the target's file, in ``<name>.baseline/``: ``baseline.json``, images that are small, and pictures that a
person has seen. Large images lie in a store outside git, under their hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.model import codec
from harness.model.baseline import Baseline, picture_refusals, succeed
from harness.model.codec import CodecError
from harness.model.result import Fingerprint, Metric, Result, ResultError
from harness.model.spec import Verdict
from harness.model.target_record import ImageRecord, TargetRecord

SCHEMA = 1
FILE_NAME = "baseline.json"
FOLDER_SUFFIX = ".baseline"
SMALL_BYTES = 1 << 20
"""Images up to this size are kept in the folder."""
FIRST = "no baseline of "
"""How a run says that its target was never approved."""


@dataclass(frozen=True)
class TargetBaseline:
    """One approved target."""

    baseline: Baseline
    """Figures, reason, host and history; its hash is that of everything that boots."""
    target: TargetRecord
    schema: int = SCHEMA

    @property
    def label(self) -> str:
        return self.baseline.label


def image_name(image: ImageRecord) -> str:
    """The file name of a stored image."""
    return f"{image.role}-{image.sha256[:16]}" if image.size <= SMALL_BYTES else image.sha256


def new_baseline(
    result: Result, record: TargetRecord, reason: str, approved: str, metrics: Mapping[str, Metric]
) -> TargetBaseline:
    """The baseline that approving a result makes; the caller has asked :func:`target_refusals`."""
    arm = result.arms["candidate"]
    host = result.fingerprint or Fingerprint("", 0, "", "")
    baseline = Baseline(
        arch="targets",
        name=record.name,
        reason=reason.strip(),
        approved=approved,
        commit="",
        kernel_tree="",
        compiler="",
        kernel_sha256=arm.kernel_sha256,
        scene="",
        switches={},
        exact={},
        absolute=metrics,
        host=host,
        tools={"qemu": host.qemu},
    )
    return TargetBaseline(baseline, replace(record, file=""))


def succeed_target(earlier: TargetBaseline | None, new: TargetBaseline) -> TargetBaseline:
    """The new one with the history of the one that it replaces."""
    return replace(new, baseline=succeed(earlier.baseline if earlier else None, new.baseline))


def target_refusals(result: Result, reason: str) -> tuple[str, ...]:
    """Why this result of a target may not become its baseline; empty when it may."""
    refused: list[str] = []
    record = result.run.target if result.run is not None else None
    if not reason.strip():
        refused.append('a reason is needed: make approve REASON="…"')
    if record is None or not record.file:
        refused.append(
            "a kernel without a target file has no name: save the file that the run printed, measure TARGET="
        )
    if result.verdict not in (Verdict.PASS, Verdict.REGRESSION):
        refused.append(f"the result is {result.verdict.value}: {result.sentence}")
    candidate = result.arms.get("candidate")
    # Only a screen that stands still, and may, passes without a frame rate.
    if candidate is None or ("fps_trace" not in candidate.metrics and result.verdict is not Verdict.PASS):
        refused.append("the result has no frame rate")
    return (*refused, *picture_refusals(result))


def target_baseline_from_json(text: str, label: str) -> TargetBaseline:
    """Read a stored one.

    Raises
    ------
    ResultError
        When it is damaged, or of another schema.
    """
    try:
        found = codec.from_json(TargetBaseline, text)
    except CodecError as error:
        raise ResultError(f"baseline of {label} is damaged ({error}): restore it from git, or approve again") from error
    if found.schema != SCHEMA:
        raise ResultError(f"baseline of {label} was written by schema {found.schema}, this is {SCHEMA}: approve again")
    return found
