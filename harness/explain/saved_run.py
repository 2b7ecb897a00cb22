"""A saved run of the gate, opened for an explanation: its two kernels and their switches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.core.counts.functions import FunctionChange
from harness.explain.effects import Changes
from harness.model.baseline import KERNEL_NAME
from harness.model.errors import GuestError
from harness.model.record import ExactRecord
from harness.model.result import ReplayError, Result
from harness.model.spec import RunParams, Switches, UsageError, Verdict
from harness.platform.files.store import load_result
from harness.platform.kernels.build import is_image

CANDIDATE_FILE = "candidate.elf"
WINDOW_FILES = ("window/serial.log", "window/trace.log")


@dataclass(frozen=True)
class SavedRun:
    """A regression with both of its kernels."""

    result: Result
    folder: Path
    candidate: Path
    reference: Path
    candidate_switches: Switches
    reference_switches: Switches
    notices: tuple[str, ...] = ()
    """Parts that the run lacks, but that are not needed."""

    @property
    def slower(self) -> float | None:
        """Change of frame time that the gate found, as a ratio; None when it was another gate that failed."""
        gate = next(
            (gate for gate in self.result.gates if gate.metric == "fps_trace" and gate.change is not None), None
        )
        return 1 / (1 + gate.change) - 1 if gate is not None and gate.change is not None else None

    @property
    def params(self) -> RunParams:
        """The command line of both guests."""
        return self.result.run.params if self.result.run else RunParams()

    @property
    def functions(self) -> tuple[FunctionChange, ...]:
        """Functions whose instruction counts differ, where the run looked for them."""
        exact = self.result.run.of(ExactRecord) if self.result.run else None
        return exact.functions if exact else ()

    @property
    def restorations(self) -> tuple[Changes, ...]:
        """Each switch that the candidate sets differently, back to what the reference has."""
        ours, theirs = self.candidate_switches.everything(), self.reference_switches.everything()
        return tuple(((name, theirs[name]),) for name in ours if ours[name] != theirs[name])


def open_regression(folder: Path) -> SavedRun:
    """Open a run that ended in a regression.

    Raises
    ------
    UsageError
        When it is not a run of ``perf``, or nothing got slower in it.
    GuestError
        When its guest failed: there are no frames to compare.
    ReplayError
        When a file that an explanation needs is missing or damaged.
    """
    result = load_result(folder)
    if result.command != "perf":
        raise UsageError(f"{folder.name} is a run of {result.command}: explain takes runs of perf")
    if result.verdict is Verdict.GUEST_FAILED:
        said = result.problems[0] if result.problems else result.sentence
        raise GuestError(f"{folder.name} has no frames to compare, its guest failed: {said}")
    if result.verdict is not Verdict.REGRESSION:
        raise UsageError(f"{folder.name} says {result.verdict.value}: there is no regression in it to explain")
    switches = [_switches(result, role, folder) for role in (CANDIDATE, REFERENCE)]
    baseline = result.run.judged_by.baseline if result.run else ""
    paths = [folder / CANDIDATE_FILE, folder / "baselines" / baseline / KERNEL_NAME]
    for role, path in zip((CANDIDATE, REFERENCE), paths):
        if not baseline or not path.is_file():
            raise ReplayError(f"{folder.name} cannot be explained: the {role}'s kernel is missing ({path.name})")
    if not is_image(paths[0], result.arms[CANDIDATE].kernel_sha256):
        raise ReplayError(f"{folder.name} cannot be explained: {CANDIDATE_FILE} is not the kernel that was measured")
    gone = [name for name in WINDOW_FILES if not (folder / name).is_file()]
    notices = (f"{folder.name} lacks {' and '.join(gone)}: what they said is measured again",) if gone else ()
    return SavedRun(result, folder, paths[0], paths[1], switches[0], switches[1], notices)


def _switches(result: Result, role: str, folder: Path) -> Switches:
    arm = result.arms.get(role)
    if arm is None or not arm.switches:
        raise ReplayError(f"{folder.name} cannot be explained: it does not say which switches its {role} has")
    return Switches.of(arm.switches)
