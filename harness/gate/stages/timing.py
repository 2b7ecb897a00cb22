"""Wall-clock comparison: candidate and reference side by side in many short launches.

Two machines run at once, one core each, every thread pinned, QEMU's main loop at real-time priority where that is
allowed; they change cores every slice, so that core and role cancel. Roles, launch order and first core are drawn
anew for each launch, because the launch itself is the unit of noise. Where threads cannot be pinned, or there is one
core only, machines take turns instead (SIGSTOP), and the result says so.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core.frametimes import presented_frames, stamp_rows
from harness.core.pacing import TooFewFrames, frame_pacing
from harness.core.statistics import CANDIDATE, REFERENCE, Decision, Launch, Next, Plan, Slice, decide, next_look
from harness.core.trace import parse_trace
from harness.gate.stages.protocol import Protocol, surviving_protocol
from harness.model.spec import RunSpec
from harness.platform.pin import CoreVanished, pin_process, prefer_main_thread
from harness.platform.qemu import TIMING_EVENTS, Qemu

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MeasuredLaunch:
    """One launch: what the comparison uses, and the frame times it was made from."""

    launch: Launch
    frame_ms: Mapping[str, F64]
    """By role: frame times while the machine ran, in order, shape (n,)."""
    boot_ms: Mapping[str, float]
    dropped: int
    """Frames left out because a slice began or ended inside them."""
    trace_log: Mapping[str, bytes]
    """By role, of this launch, for a replay."""
    spans: tuple[tuple[int, int, str, int], ...]
    """Slices as (start_ns, end_ns, role, core), host time since the epoch."""


def measure_launch(
    arms: Mapping[str, RunSpec], folder: Path, protocol: Protocol, rng: np.random.Generator, batch: int
) -> MeasuredLaunch:
    """Launch both arms once and measure all slices.

    Raises
    ------
    GuestError
        When a guest shows no frame, panics or stops during the window.
    """
    roles = [CANDIDATE, REFERENCE]
    rng.shuffle(roles)
    first_core = int(rng.integers(2))
    with ExitStack() as stack:
        machines: dict[str, Qemu] = {}
        started: dict[str, int] = {}
        for place, role in enumerate(roles):
            started[role] = time.time_ns()
            machines[role] = stack.enter_context(Qemu(arms[role], folder / role, TIMING_EVENTS))
            _settle_in(machines[role], protocol, protocol.cores[(first_core + place) % 2])
        for machine in machines.values():
            machine.wait_first_flush()
        time.sleep(protocol.settle_s)
        spans = _slices(machines, roles, protocol, first_core)
        for machine in machines.values():
            machine.wait_progress()
    logs = {role: machine.trace_path.read_bytes() for role, machine in machines.items()}
    stamped = {role for role, spec in arms.items() if spec.capabilities.stamp}
    return slice_launch(logs, spans, started, batch, protocol.guard_s, stamped)


def _settle_in(machine: Qemu, protocol: Protocol, core: int) -> None:
    if not protocol.swap:
        return
    _pin(machine, core)
    if protocol.realtime:
        prefer_main_thread(machine.threads())


def _pin(machine: Qemu, core: int) -> None:
    for pid in machine.processes:
        pin_process(pid, core)


def _slices(
    machines: Mapping[str, Qemu], roles: Sequence[str], protocol: Protocol, first_core: int
) -> tuple[tuple[int, int, str, int], ...]:
    spans: list[tuple[int, int, str, int]] = []
    for slot in range(protocol.slices):
        placed = {role: protocol.cores[(first_core + place + slot) % 2] for place, role in enumerate(roles)}
        if protocol.swap:
            for role, core in placed.items():
                _pin(machines[role], core)
            running = list(roles)
        else:
            running = [roles[(slot + 1) // 2 % 2]]
            for role in roles:
                os.kill(machines[role].pid, signal.SIGCONT if role in running else signal.SIGSTOP)
        start_ns = time.time_ns()
        time.sleep(protocol.slice_s)
        end_ns = time.time_ns()
        spans += [(start_ns, end_ns, role, placed[role] if protocol.swap else 0) for role in running]
    if not protocol.swap:
        for machine in machines.values():
            os.kill(machine.pid, signal.SIGCONT)
    return tuple(spans)


def slice_launch(
    logs: Mapping[str, bytes],
    spans: Sequence[tuple[int, int, str, int]],
    started_ns: Mapping[str, int],
    batch: int,
    guard_s: float,
    stamped: Collection[str] = (),
) -> MeasuredLaunch:
    """Turn traces and slice times into a launch. Pure: a saved run is replayed through it.

    Parameters
    ----------
    stamped
        Roles whose frames carry their number.
    """
    flushes: dict[str, I64] = {}
    for role, log in logs.items():
        trace = parse_trace(log)
        flushes[role] = presented_frames(trace, stamp_rows(trace) if role in stamped else ()).time_ns
    guard_ns = int(guard_s * 1e9)
    slices: list[Slice] = []
    dropped = 0
    slots = {start: slot for slot, start in enumerate(sorted({span[0] for span in spans}))}
    for start_ns, end_ns, role, core in spans:
        times = flushes[role]
        inside = times[(times >= start_ns + guard_ns) & (times <= end_ns)]
        frame_ns = np.diff(inside).astype(np.float64)
        dropped += 1
        if len(frame_ns) < 2:
            continue
        slices.append(Slice(slots[start_ns], core, role, float(np.median(frame_ns)), len(frame_ns)))
    frame_ms = {
        role: _frame_ms(flushes[role], [(span[0], span[1]) for span in spans if span[2] == role]) for role in logs
    }
    boot_ms = {role: (times[0] - started_ns[role]) / 1e6 for role, times in flushes.items() if len(times)}
    launch = Launch(tuple(slices), batch, paired=_paired(frame_ms))
    return MeasuredLaunch(launch, frame_ms, boot_ms, dropped, logs, tuple(spans))


def _frame_ms(times: I64, spans: Sequence[tuple[int, int]]) -> F64:
    """Frame times of a role, in order, shape (n,).

    Slices that follow each other at once are one stretch of running: a frame longer than a slice must not vanish
    between two of them. Where machines take turns, frames that cross a stop are left out.
    """
    stretches: list[tuple[int, int]] = []
    for start_ns, end_ns in sorted(spans):
        if stretches and start_ns - stretches[-1][1] < (end_ns - start_ns) / 2:
            stretches[-1] = (stretches[-1][0], end_ns)
        else:
            stretches.append((start_ns, end_ns))
    parts = [np.diff(times[(times >= start_ns) & (times <= end_ns)]) / 1e6 for start_ns, end_ns in stretches]
    return np.concatenate(parts) if parts else np.zeros(0)


def _paired(frame_ms: Mapping[str, F64]) -> dict[str, tuple[float, float]]:
    """Tail metrics of one launch, candidate and reference."""
    try:
        ours, theirs = (frame_pacing(frame_ms[role]) for role in (CANDIDATE, REFERENCE))
    except TooFewFrames:
        return {}
    return {
        "frame_ms_p95": (ours.p95_ms, theirs.p95_ms),
        "frame_ms_p99": (ours.p99_ms, theirs.p99_ms),
        "fps_low_1pct": (ours.low_1pct_fps, theirs.low_1pct_fps),
    }


@dataclass(frozen=True)
class Timing:
    """All launches of a comparison, and what they came to."""

    launches: tuple[MeasuredLaunch, ...]
    decision: Decision
    plan: Plan
    protocol: Protocol
    seconds: float

    def frame_ms(self, role: str) -> F64:
        """All frame times of a role, shape (n,)."""
        return np.concatenate([launch.frame_ms[role] for launch in self.launches])

    def boot_ms(self, role: str) -> float:
        """Median time from launch to first flush."""
        return float(np.median([launch.boot_ms[role] for launch in self.launches]))


def compare(
    arms: Mapping[str, RunSpec],
    folder: Path,
    protocol: Protocol,
    budget_s: float,
    progress: Callable[[str], None],
    seed: int,
    smallest: float = 0.015,
) -> Timing:
    """Launch pairs until the answer is clear or the budget is used up.

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
    begun = time.monotonic()
    measure_launch(arms, folder / "warm-up", protocol, rng, 0)
    each_s = max(time.monotonic() - begun, 0.1)
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
    return Timing(
        tuple(measured), decide([one.launch for one in measured], plan), plan, protocol, time.monotonic() - begun
    )
