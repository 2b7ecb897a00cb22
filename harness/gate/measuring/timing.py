"""Wall-clock comparison: what launches of candidate and reference, side by side, came to.

Two machines run at once, one core each, every thread pinned, QEMU's main loop at real-time priority where that is
allowed; they change cores every slice, so that core and role cancel. Roles, launch order and first core are drawn
again for each launch, because the launch itself is the unit of noise. Where threads cannot be pinned, or there is one
core only, machines take turns instead (SIGSTOP), and the result says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.core.arrays import F64
from harness.core.comparison.lottery import launch_groups, lottery_advice
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, Decision, Plan
from harness.core.comparison.undisturbed import LOW
from harness.gate.measuring.launch import MeasuredLaunch
from harness.gate.measuring.protocol import Protocol
from harness.model.record import HostLoad, Launch
from harness.model.spec import RunSpec

TIMING_S = 3600.0
"""How long a guest draws in a timing launch, which is ended from outside."""


@dataclass(frozen=True)
class Timing:
    """All launches of a comparison, and their decision."""

    launches: tuple[MeasuredLaunch, ...]
    decision: Decision
    plan: Plan
    protocol: Protocol
    seconds: float
    host: HostLoad = HostLoad()
    tlb: str = ""
    """Whether both arms warmed QEMU's table of translations, in words."""
    layout: str = ""
    """The link orders, in words, or why there was only one."""

    @property
    def advice(self) -> tuple[str, ...]:
        """Advice for authors of kernels whose launches fall into groups."""
        found = []
        for role in (CANDIDATE, REFERENCE):
            medians = [float(np.median(one.frame_ms[role])) for one in self.launches if len(one.frame_ms[role])]
            found.append(lottery_advice(launch_groups(medians), role))
        alarmed = any(one.launch.batch for one in self.launches)
        told = (self.layout,) if alarmed and self.layout.startswith(NOT_RELINKED) else ()
        return (*(text for text in found if text and self.tlb != WARM), *told)

    @property
    def estimator(self) -> str:
        """Which estimator summed up the launches, and why, in words."""
        return estimator_words([one.launch for one in self.launches])

    def frame_ms(self, role: str) -> F64:
        """All frame times of a role, shape (n,)."""
        return np.concatenate([launch.frame_ms[role] for launch in self.launches])

    def boot_ms(self, role: str) -> float:
        """Median time from launch to first flush."""
        return float(np.median([launch.boot_ms[role] for launch in self.launches]))


NOT_RELINKED = "launched in one link order"
WARM = "translations warmed in both arms"


def alike(arms: Mapping[str, RunSpec], tlb: Mapping[str, str]) -> tuple[Mapping[str, RunSpec], str]:
    """Both arms warm or both cold: when one arm cannot warm its translations, neither does. Also in words."""
    warm = [role for role in arms if tlb.get(role) == "warm"]
    if len(warm) == len(arms):
        return arms, WARM
    cooled = {
        role: replace(spec, params=replace(spec.params, tlb="cold")) if role in warm else spec
        for role, spec in arms.items()
    }
    unable = " and ".join(role for role in arms if role not in warm and not tlb.get(role))
    why = f": the {unable} cannot warm them" if unable else ""
    return cooled, f"translations cold in both arms{why}"


def estimator_words(launches: Sequence[Launch]) -> str:
    """Which estimator summed up the launches, and why."""
    undisturbed = [launch for launch in launches if launch.undisturbed is not None]
    if not undisturbed:
        return "slice medians"
    (reason, _) = Counter(launch.preempted for launch in undisturbed).most_common(1)[0]
    used = Counter(launch.summed_by or LOW for launch in undisturbed).most_common()
    if len(undisturbed) < len(launches):
        used.append(("slice medians", sum(not launch.preempted for launch in launches)))
    share = ", ".join(f"{name} in {count}" if len(used) > 1 else name for name, count in used)
    of_all = f" of {len(launches)} launches" if len(used) > 1 else ""
    return f"{share}{of_all}, because of {reason} (most often)"
