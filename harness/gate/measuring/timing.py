"""Wall-clock comparison: candidate and reference side by side in many short launches.

Two machines run at once, one core each, every thread pinned, QEMU's main loop at real-time priority where that is
allowed; they change cores every slice, so that core and role cancel. Roles, launch order and first core are drawn
anew for each launch, because the launch itself is the unit of noise. Where threads cannot be pinned, or there is one
core only, machines take turns instead (SIGSTOP), and the result says so.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.core.arrays import F64
from harness.core.lottery import launch_groups, lottery_advice
from harness.core.statistics import CANDIDATE, REFERENCE, Decision, Next, Plan, decide, next_look
from harness.gate.measuring.launch import MeasuredLaunch, measure_launch
from harness.gate.measuring.protocol import Protocol, fitted_protocol, surviving_protocol
from harness.model.record import HostLoad, Launch
from harness.model.spec import RunSpec
from harness.platform.hostload import host_load, host_moment
from harness.platform.pin import CoreVanished

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

    @property
    def advice(self) -> tuple[str, ...]:
        """Advice for authors of kernels whose launches fall into groups."""
        found = []
        for role in (CANDIDATE, REFERENCE):
            medians = [float(np.median(one.frame_ms[role])) for one in self.launches if len(one.frame_ms[role])]
            found.append(lottery_advice(launch_groups(medians), role))
        return tuple(text for text in found if text and self.tlb != WARM)

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
    share = (
        ""
        if len(undisturbed) == len(launches)
        else f" in {len(undisturbed)} of {len(launches)} launches, else slice medians"
    )
    return f"low quantiles of frames of the same number{share}, because of {reason} (most often)"


def compare(
    arms: Mapping[str, RunSpec],
    folder: Path,
    protocol: Protocol,
    budget_s: float,
    progress: Callable[[str], None],
    seed: int,
    smallest: float = 0.015,
) -> Timing:
    """Launch pairs until the decision is reached or the budget is used up.

    Parameters
    ----------
    arms
        ``candidate`` and ``reference``.
    budget_s
        Time for all launches. The first launch, which warms caches and is not used, says how many fit.
    seed
        Of the randomised roles and cores.
    """
    rng = np.random.default_rng(seed)
    begun, before = time.monotonic(), host_moment(protocol.cores)
    protocol, each_s, said = _warm_up(arms, folder, protocol, rng)
    arms, tlb = alike(arms, said)
    plan = Plan(launches=max(int((budget_s - each_s) / each_s), 1), smallest=smallest)
    measured: list[MeasuredLaunch] = []
    batch = 0
    while True:
        launches = [one.launch for one in measured]
        decision = decide(launches, plan)
        if measured and decision.next is Next.STOP:
            break
        if decision.next is Next.CONFIRM:
            batch = 1
        first = sum(1 for launch in launches if launch.batch == 0)
        wanted = next_look(first, len(launches) - first, plan) or min(plan.launches - len(launches), plan.fewest)
        if wanted <= 0 or time.monotonic() - begun + each_s > budget_s * 1.1:
            break
        for _ in range(wanted):
            number = len(measured)
            try:
                measured.append(measure_launch(arms, folder / f"launch-{number:03d}", protocol, rng, batch))
            except CoreVanished:
                protocol = surviving_protocol(protocol, os.sched_getaffinity(0))
                continue
            progress(f"timing: launch {number + 1} of at most {plan.launches}; {decision.words}")
            each_s = (time.monotonic() - begun) / (len(measured) + 1)
            if time.monotonic() - begun + each_s > budget_s * 1.1:
                break
    host = host_load(before, host_moment(protocol.cores), protocol.cores, [one.load for one in measured])
    decision = decide([one.launch for one in measured], plan)
    return Timing(tuple(measured), decision, plan, protocol, time.monotonic() - begun, host, tlb)


def _warm_up(
    arms: Mapping[str, RunSpec], folder: Path, protocol: Protocol, rng: np.random.Generator
) -> tuple[Protocol, float, Mapping[str, str]]:
    """The protocol with slices for this frame time, what a launch takes, and what either arm says of translations.

    A guest whose frames do not fit into the usual slices is measured for longer.
    """
    each_s, said = 0.1, dict.fromkeys(arms, "")
    for longer in (1, 4, 16):
        begun, looked = time.monotonic(), replace(protocol, slice_s=protocol.slice_s * longer)
        try:
            measured = measure_launch(arms, folder / "warm-up", looked, rng, 0)
        except CoreVanished:
            protocol = surviving_protocol(protocol, os.sched_getaffinity(0))
            continue
        each_s = max(time.monotonic() - begun, 0.1)
        said = dict(measured.tlb)
        known = [float(np.median(times)) for times in measured.frame_ms.values() if len(times) >= 4]
        if len(known) == len(measured.frame_ms):
            fitted = fitted_protocol(protocol, max(known))
            return fitted, max(each_s + fitted.measured_s - looked.measured_s, 0.1), said
    return protocol, each_s, said
