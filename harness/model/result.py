"""The stored result of a run: schema, JSON form, validation.

A :class:`Result` is what stages and the gate hand to the reports, and what ``results/<run>/result.json`` holds.
Readers of older files go through :mod:`harness.model.upgrade`; this module knows the current schema only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from harness.model import codec
from harness.model.metric import Metric as Metric
from harness.model.record import RunRecord
from harness.model.spec import Verdict

SCHEMA = 5


class ResultError(Exception):
    """A stored result or baseline that cannot be used; the message says why and what to do."""

    verdict = Verdict.HARNESS_FAILED


class ReplayError(ResultError):
    """A saved run that is damaged, or of a schema that is not known: what the caller named cannot be used."""

    verdict = Verdict.USAGE


@dataclass(frozen=True)
class Arm:
    """One side of a comparison."""

    switches: Mapping[str, str]
    kernel_sha256: str
    metrics: Mapping[str, Metric]
    scene: str = ""
    launches: int = 0
    build: Mapping[str, str] = field(default_factory=dict)
    """How the kernel came to be: ``compiler``, ``commit``, ``path`` …"""


@dataclass(frozen=True)
class Gate:
    """One judged metric. ``change`` is candidate / reference - 1, in the direction of the raw value."""

    metric: str
    kind: str
    """``ratio``, ``equal``, ``bound``, ``floor``, ``rise`` or ``report``."""
    verdict: Verdict | None
    """None: not applicable, or only reported."""
    why: str
    value: float | None = None
    reference: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None

    @property
    def frame_time(self) -> FrameTimeChange | None:
        """The change as one of frame time, + is slower; None without one."""
        if self.change is None:
            return None
        low, high = (math.nan if end is None else end for end in (self.low, self.high))
        if not self.metric.startswith("fps"):
            return FrameTimeChange(self.change, low, high)
        return FrameTimeChange(_inverse(self.change), _inverse(high), _inverse(low))


@dataclass(frozen=True)
class FrameTimeChange:
    """Relative, + is slower; ``low`` and ``high`` bound 95 %, and are NaN or infinite where unknown."""

    change: float
    low: float
    high: float


def _inverse(change: float) -> float:
    """A change of frame rate as one of frame time."""
    return 1 / (1 + change) - 1 if change > -1 else math.inf


@dataclass(frozen=True)
class Frames:
    """Pictures checked, by class. ``evidence`` names files relative to the result's folder."""

    checked: int = 0
    intact: int = 0
    torn: int = 0
    stale: int = 0
    frozen: int = 0
    corrupt: int = 0
    blank: int = 0
    undecodable: int = 0
    findings: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    judged_as: str = ""
    """The judgement of pictures without an oracle, in words; empty where every pixel was compared."""

    @property
    def bad(self) -> int:
        return self.checked - self.intact

    @property
    def counts(self) -> Mapping[str, int]:
        """How many pictures were checked, and how many are of each class."""
        return {one.name: value for one in fields(self) if isinstance(value := getattr(self, one.name), int)}

    @classmethod
    def together(cls, parts: Sequence[Frames]) -> Frames | None:
        """The pictures of several runs as one; None without any run."""
        if not parts:
            return None
        counts: dict[str, Any] = {name: sum(part.counts[name] for part in parts) for name in cls().counts}
        findings, evidence = (
            tuple(text for part in parts for text in getattr(part, name)) for name in ("findings", "evidence")
        )
        words = "; ".join(dict.fromkeys(part.judged_as for part in parts if part.judged_as))
        return cls(**counts, findings=findings, evidence=evidence, judged_as=words)


@dataclass(frozen=True)
class Host:
    cpu: str
    cores: int
    kernel: str
    os: str


@dataclass(frozen=True)
class QemuSetup:
    version: str
    accelerator: str
    vcpus: int
    tcg_thread: str
    command: str


@dataclass(frozen=True)
class Fingerprint:
    """The host, by fields that stay the same from day to day: absolute figures are compared where all of them agree."""

    cpu: str
    cores: int
    qemu: str
    """QEMU's version."""
    accelerator: str

    @classmethod
    def of(cls, host: Host, qemu: QemuSetup) -> Fingerprint:
        return cls(host.cpu, host.cores, qemu.version, qemu.accelerator)

    @property
    def label(self) -> str:
        """The key of series in the history."""
        return f"{self.cpu}, {self.cores} cores, QEMU {self.qemu}, {self.accelerator}"

    @classmethod
    def of_label(cls, label: str) -> Fingerprint | None:
        """The host that has this label; None when no host has such a one."""
        found = re.fullmatch(r"(.+), (\d{1,6}) cores, QEMU ([^,]+), ([^,]+)", label)
        return cls(found[1], int(found[2]), found[3], found[4]) if found else None


LOOK_AT = "look at "
"""Begins a step that names evidence."""


@dataclass(frozen=True)
class NextStep:
    """A next step after a verdict: the reason, and a shell line where one line does it."""

    why: str
    command: str = ""
    path: str = ""
    """Path in the run's folder of evidence that ``why`` names by its full path."""

    @property
    def parts(self) -> tuple[str, str, str]:
        """``why`` before the full path, that path, and what stands behind it."""
        before, path, after = self.why.partition(self.path) if self.path else (self.why, "", "")
        if not path:
            return before, "", ""
        return LOOK_AT, f"{before.removeprefix(LOOK_AT)}{path}", after


@dataclass(frozen=True)
class Result:
    """All that one command measured and concluded."""

    command: str
    verdict: Verdict
    sentence: str
    """The verdict in one sentence for people."""
    started: str
    """UTC, ISO 8601."""
    seconds: float
    host: Host | None = None
    qemu: QemuSetup | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    """``git`` (commit or ""), ``dirty`` (bool)."""
    compiler: str = ""
    arms: Mapping[str, Arm] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    frames: Frames | None = None
    notices: tuple[str, ...] = ()
    """Notices for the reader: fallbacks, adaptations, and why something was not measured."""
    problems: tuple[str, ...] = ()
    """Problems, one sentence each, worst first."""
    next_steps: tuple[NextStep, ...] = ()
    """Next steps, the most useful first."""
    words: tuple[str, ...] = ()
    """The command line as it was given, without the command itself."""
    runs: Mapping[str, RunRecord] = field(default_factory=dict)
    """Each session's measurements, by the arm that was its candidate."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Conclusions of commands that judge no session, for people and other programs; nothing reads them back."""
    schema: int = SCHEMA

    @property
    def exit_code(self) -> int:
        return self.verdict.exit_code

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Where it was measured; None when it does not say."""
        return Fingerprint.of(self.host, self.qemu) if self.host and self.qemu else None

    @property
    def run(self) -> RunRecord | None:
        """The gate's own session; None of commands that judge no candidate."""
        return self.runs.get("candidate")


def result_to_json(result: Result) -> str:
    """The text of ``result.json``."""
    return codec.to_json({**codec.to_plain(result), "exit_code": result.exit_code})


def result_from_plain(plain: Mapping[str, Any]) -> Result:
    """A result of the current schema from its JSON form.

    Raises
    ------
    CodecError
        Naming the first place that does not fit.
    """
    return codec.from_plain(Result, {name: value for name, value in plain.items() if name != "exit_code"})
