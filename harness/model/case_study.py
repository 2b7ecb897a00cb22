"""The case study, step by step: named combinations of switches that every command can refer to.

Each step stands for the kernel as it was after one change of its history; the steps are cumulative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.spec import Switches, UsageError


@dataclass(frozen=True)
class NamedStep:
    """One step of the case study: the combination it stands for, what changed, and what was claimed for it."""

    name: str
    changes: tuple[tuple[str, str], ...]
    changed: str
    claimed: str
    removes: str = ""
    """The suspected cause that this step removed."""


@dataclass(frozen=True)
class ClaimedFigure:
    """A figure that somebody named for one step without having measured it."""

    step: str
    what: str
    """``fps``, or a count a frame: ``fences``."""
    value: float
    at_least: bool = False
    """Named as a lower bound, not as the value."""


@dataclass(frozen=True)
class Candidate:
    """A change to the first step that was never tried, and that may explain its frame rate."""

    changes: tuple[tuple[str, str], ...]
    cause: str


CASE_START: Mapping[str, str] = {
    "FILL": "pixel",
    "BATCH": "off",
    "WAIT": "iterations",
    "PREEMPT": "global",
    "LOG": "none",
    "COUNTERS": "none",
    "BARRIER": "seqcst_spin",
}
"""The switches that every step of the case study starts from."""

CASE_STEPS: tuple[NamedStep, ...] = (
    NamedStep("case-0-seqcst", (), "full fence before every read of used->idx", "~1 FPS, 2M fences a frame"),
    NamedStep(
        "case-1-logged",
        (("LOG", "frame"), ("COUNTERS", "atomic")),
        "counters, and one serial line a frame",
        "measurement baseline",
    ),
    # No strategy has a compiler-only publish with an acquire on progress; on x86 this one is the same code.
    NamedStep(
        "case-2-acquire",
        (("BARRIER", "acquire_progress"),),
        "acquire fence only after used->idx moved",
        "30+ FPS expected",
        "the full fence before every look at used->idx",
    ),
    NamedStep("case-3-release", (), "release fence before avail->idx", "for ARM"),
    NamedStep("case-4-wmb-rmb", (("BARRIER", "linux"),), "virtio_wmb and virtio_rmb", "portability"),
    NamedStep("case-5-race-analysis", (), "analysis of the preempt guard's drop", "correctness"),
    NamedStep("case-6-percpu", (("PREEMPT", "percpu"),), "per-CPU preemption counter", "correctness"),
    NamedStep(
        "case-7-acquire-spin",
        (("BARRIER", "acquire_spin"),),
        "acquire fence before every read, none after",
        "volatile reads can be served stale",
    ),
    NamedStep(
        "case-8-unlogged",
        (("LOG", "none"),),
        "serial line a frame removed",
        "found as a cause",
        "the serial line in every frame",
    ),
    NamedStep(
        "case-9-plain-counters",
        (("COUNTERS", "none"),),
        "atomic counters removed from the poll loop",
        "found as a cause",
        "the atomic counters in the poll loop",
    ),
    NamedStep(
        "case-10-bulk-fill",
        (("FILL", "fast"),),
        "bulk fill for one store a pixel",
        "found as a cause",
        "one volatile store a pixel",
    ),
)

CASE_FIGURES: tuple[ClaimedFigure, ...] = (
    ClaimedFigure("case-0-seqcst", "fps", 1),
    ClaimedFigure("case-0-seqcst", "fences", 2_000_000),
    ClaimedFigure("case-2-acquire", "fps", 30, at_least=True),
)

CASE_CANDIDATES: tuple[Candidate, ...] = (
    Candidate((("GPU_FENCE", "on"),), "waiting for fenced commands, which virgl retires by a timer of 10 ms"),
    Candidate((("SPIN", "none"),), "a poll loop without the CPU's spin hint"),
)


def named_combination(name: str, arch: str = "x86_64") -> Switches:
    """The switches of ``default`` or of a step of the case study, all changes up to that step applied.

    Raises
    ------
    UsageError
        When there is no combination of that name.
    """
    if name == "default":
        return Switches(arch)
    settings = {"ARCH": arch} | dict(CASE_START)
    for step in CASE_STEPS:
        settings |= dict(step.changes)
        if step.name == name:
            return Switches.of(settings)
    names = " ".join(["default", *(step.name for step in CASE_STEPS)])
    raise UsageError(f"{name}: no such combination; there are {names}")
