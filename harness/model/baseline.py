"""The stored baseline: ``baselines/<arch>/<name>/baseline.json``, its schema, validation and succession.

Files are read and written elsewhere; this module turns text into a :class:`Baseline` and back. Readers of older files
go through :mod:`harness.model.upgrade`.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.model import codec
from harness.model.codec import CodecError
from harness.model.result import Fingerprint, Metric, Result, ResultError
from harness.model.spec import Device, UsageError, Verdict

SCHEMA = 1
FILE_NAME = "baseline.json"
KERNEL_NAME = "kernel.elf"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEX = re.compile(r"[0-9a-f]{13,}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Approval:
    """An earlier baseline of this name: its provenance and its figures."""

    approved: str
    """UTC, ISO 8601."""
    reason: str
    commit: str
    kernel_sha256: str
    figures: Mapping[str, float]
    """Exact and absolute metrics by name."""
    ratio: float | None = None
    """Frame rate against the baseline before it, measured when it was approved: a link of a chain, on any host."""


@dataclass(frozen=True)
class Baseline:
    """One approved kernel with what is known of it."""

    arch: str
    name: str
    reason: str
    """Why a person approved it."""
    approved: str
    """UTC, ISO 8601."""
    commit: str
    """The commit it was built from; empty without git."""
    kernel_tree: str
    """Hash over names and contents of the folder ``kernel/``."""
    compiler: str
    """The compiler's own first line of ``--version``."""
    kernel_sha256: str
    """Hash of the stored ELF."""
    scene: str
    switches: Mapping[str, str]
    exact: Mapping[str, Metric]
    absolute: Mapping[str, Metric]
    host: Fingerprint
    dirty: bool = False
    """Approved from a tree with changes that no commit holds."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """Versions of QEMU, linker and harness."""
    ratio: float | None = None
    """Frame rate against the baseline before it, when it was approved."""
    history: tuple[Approval, ...] = ()
    """Earlier approvals, oldest first."""
    schema: int = SCHEMA

    @property
    def label(self) -> str:
        return f"{self.arch}/{self.name}"

    def same_host(self, host: Fingerprint) -> bool:
        """Absolute figures of this baseline mean something there."""
        return self.host == host

    def drift(self) -> float | None:
        """Frame rate against the oldest approval - 1, by the chain of measured ratios; None when a link is missing."""
        ratios = [approval.ratio for approval in self.history[1:]] + ([self.ratio] if self.history else [])
        if not ratios or any(ratio is None for ratio in ratios):
            return None
        return math.prod(ratio for ratio in ratios if ratio is not None) - 1


def check_kernel(baseline: Baseline, elf: bytes) -> None:
    """Compare the stored ELF with the hash that was approved.

    Raises
    ------
    ResultError
        When they differ.
    """
    found = hashlib.sha256(elf).hexdigest()
    if found != baseline.kernel_sha256:
        raise ResultError(
            f"baseline {baseline.label}: {KERNEL_NAME} has sha256 {found[:12]}…, approved was "
            f"{baseline.kernel_sha256[:12]}…: restore it from git or run 'make approve'"
        )


def baseline_to_json(baseline: Baseline) -> str:
    """The text of ``baseline.json``: sorted, one field a line, so that differences are readable."""
    return codec.to_json(baseline, sort_keys=True)


def baseline_from_plain(plain: Mapping[str, Any], label: str) -> Baseline:
    """A baseline of the current schema from its JSON form.

    Parameters
    ----------
    label : str
        ``arch/name``: what the file must say of itself.

    Raises
    ------
    CodecError
        Naming the first place that does not fit.
    ResultError
        When it is another one.
    """
    baseline = codec.from_plain(Baseline, plain)
    _check(baseline)
    if baseline.label != label:
        raise ResultError(f"baseline {label} says that it is {baseline.label}: it was copied or renamed")
    return baseline


def _check(baseline: Baseline) -> None:
    """Forms that types alone do not say."""
    if not _HEX64.fullmatch(baseline.kernel_sha256):
        raise CodecError("is not a SHA-256", ("kernel_sha256",))
    for name in ("commit", "kernel_tree"):
        value = getattr(baseline, name)
        if value and not _REVISION.fullmatch(value):
            raise CodecError("is not a hash", (name,))
    if not baseline.reason.strip():
        raise CodecError("no reason was given", ("reason",))
    for name, metric in {**baseline.exact, **baseline.absolute}.items():
        if not math.isfinite(metric.value):
            raise CodecError("is not finite", (name,))


def succeed(earlier: Baseline | None, new: Baseline) -> Baseline:
    """The new baseline with the figures of the one that it replaces, and of all before, in its history."""
    if earlier is None:
        return new
    figures = {name: metric.value for name, metric in {**earlier.absolute, **earlier.exact}.items()}
    link = Approval(
        earlier.approved, earlier.reason, earlier.commit, earlier.kernel_sha256, figures, ratio=earlier.ratio
    )
    return replace(new, history=(*earlier.history, link))


def baseline_name(name: str) -> str:
    """A name of a baseline, which is a folder's: nothing that could lead elsewhere.

    Raises
    ------
    UsageError
        When it is none.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"BASELINE={name[:80]}: 1 to 64 letters, digits, - and _ only")
    return name


def approval_refusals(result: Result, reason: str, allow_dirty: bool, kernel_tree: str) -> tuple[str, ...]:
    """Why this result may not become a baseline; empty when it may.

    A regression may be approved, because a deliberate one is accepted this way. A result that is inconclusive only
    because there is no baseline may be approved, too. A failed or partial measurement may not.

    Parameters
    ----------
    kernel_tree
        Hash of ``kernel/`` as it is now.
    """
    refused: list[str] = []
    if not reason.strip():
        refused.append('a reason is needed: make approve REASON="…"')
    refused += _refused_result(result)
    if result.source.get("dirty") and not allow_dirty:
        refused.append("the tree had uncommitted changes: commit them, or ALLOW_DIRTY=1")
    if result.source.get("kernel_tree") != kernel_tree:
        refused.append("kernel/ is not what was measured: run 'make perf' again")
    if result.run is not None and result.run.device is not Device.GPU_2D:
        refused.append("measured on the GL device, whose figures cannot be a baseline for others: leave out VIRGL=1")
    if "ALIKE=1" in result.words:
        refused.append("it was not compared with the approved kernel itself: leave out ALIKE=1")
    if result.fingerprint is None:
        refused.append("it does not say on which host, with which QEMU, it was measured: run 'make perf' again")
    candidate = result.arms.get("candidate")
    if candidate is None or "fps_trace" not in candidate.metrics:
        refused.append("the result has no frame rate of a candidate")
    elif not candidate.switches.get("ARCH"):
        refused.append("a kernel from a file has no source here to be the baseline of: measure a kernel of this tree")
    else:
        if (fault := candidate.switches.get("FAULT", "none")) != "none":
            refused.append(f"FAULT={fault} is built into it: measure without")
        if "instructions_per_frame" not in candidate.metrics:
            refused.append("its instructions were not counted: run 'make perf' with all stages")
    return (*refused, *picture_refusals(result))


def picture_refusals(result: Result) -> list[str]:
    """Why the pictures of a result cannot be approved."""
    if result.frames is None or not result.frames.checked:
        return ["no pictures were checked"]
    return [f"{result.frames.bad} of {result.frames.checked} pictures were bad"] if result.frames.bad else []


def _refused_result(result: Result) -> list[str]:
    """Whether a result as a whole is one that can be approved."""
    if result.command != "perf":
        return [f"it is a result of '{result.command}', not of 'make perf'"]
    first = result.run is not None and result.run.judged_by.no_reference.startswith("no baseline")
    known = (Verdict.PASS, Verdict.REGRESSION, *([Verdict.INCONCLUSIVE] if first else []))
    return [] if result.verdict in known else [f"the result is {result.verdict.value}: {result.sentence}"]


def switches_refusal(switches: Mapping[str, str], name: str, named: bool, defaults: Mapping[str, Sequence[str]]) -> str:
    """Why a kernel with these switches may not bear this baseline's name; empty when it may.

    Parameters
    ----------
    named
        The name was given with BASELINE=, not taken from BARRIER.
    defaults
        By switch, its values, the default first.
    """
    barrier = switches.get("BARRIER", "")
    if name in defaults.get("BARRIER", ()) and name != barrier:
        return f"BASELINE={name} is the name for BARRIER={name}, and this kernel has BARRIER={barrier}"
    others = [
        f"{key}={value}"
        for key, value in switches.items()
        if key not in ("ARCH", "BARRIER") and key in defaults and value != defaults[key][0]
    ]
    if others and name in defaults.get("BARRIER", ()):
        said = "is the name of the kernel with default switches" if named else "would be its name"
        return f"it was built with {' '.join(others)}, but {name} {said}: give it another one, BASELINE=name"
    return ""


def link_ratio(result: Result, earlier: Baseline | None) -> float | None:
    """Frame rate against the baseline that is replaced, where it was measured and decided; None: no link of the chain.

    A kernel that replaces itself keeps its rate.
    """
    candidate, reference = result.arms.get("candidate"), result.arms.get("reference")
    if earlier is None or candidate is None:
        return None
    if candidate.kernel_sha256 == earlier.kernel_sha256:
        return 1.0
    same = reference is not None and (
        reference.kernel_sha256 == earlier.kernel_sha256
        or bool(earlier.commit)
        and reference.build.get("commit") == earlier.commit
    )
    gate = next((gate for gate in result.gates if gate.metric == "fps_trace" and gate.kind == "ratio"), None)
    if not same or gate is None or gate.verdict not in (Verdict.PASS, Verdict.REGRESSION):
        return None
    return None if gate.change is None or gate.low is None else 1 + gate.change


def differences(earlier: Baseline | None, new: Baseline) -> tuple[str, ...]:
    """The changes that approving makes, one line each, for a person to read before agreeing."""
    if earlier is None:
        return (f"{new.label} is new",)
    lines = [
        f"{name}: {_short(before)} → {_short(after)}"
        for name in ("commit", "compiler", "kernel_sha256", "scene")
        if (before := getattr(earlier, name)) != (after := getattr(new, name))
    ]
    switched = sorted(set(earlier.switches.items()) ^ set(new.switches.items()))
    for name in dict.fromkeys(name for name, _ in switched):
        lines.append(f"{name}: {earlier.switches.get(name, 'default')} → {new.switches.get(name, 'default')}")
    lines += _metric_lines(earlier.exact, new.exact, "")
    lines += _metric_lines(earlier.absolute, new.absolute, "" if earlier.host == new.host else " (another host)")
    if (drift := succeed(earlier, new).drift()) is not None:
        lines.append(f"frame rate since the first approval ({len(earlier.history) + 1} ago): {100 * drift:+.1f} %")
    return tuple(lines)


def _short(value: str) -> str:
    """Twelve digits of a hash tell two apart for a reader."""
    return value[:12] if _HEX.fullmatch(value) else value or "none"


def _metric_lines(earlier: Mapping[str, Metric], new: Mapping[str, Metric], note: str) -> Sequence[str]:
    lines = []
    for name in sorted({*earlier, *new}):
        before, after = earlier.get(name), new.get(name)
        if before is None or after is None:
            lines.append(f"{name}: {'new' if before is None else 'no longer measured'}")
        elif before.value != after.value:
            change = f" ({100 * (after.value / before.value - 1):+.2f} %)" if before.value else ""
            lines.append(f"{name}: {before.value:g} → {after.value:g} {after.unit}{change}{note}")
    return lines
