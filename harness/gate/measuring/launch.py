"""One launch of both arms, side by side: machines started, pinned, exchanged, and what their traces say."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType, TracebackType

import numpy as np

from harness.core.arrays import F64, I64
from harness.core.comparison.lost_time import SwitchLog, kept_ms
from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.core.comparison.undisturbed import preempted, undisturbed_effect
from harness.core.device.frame_groups import FrameRule
from harness.core.device.frametimes import presented_frames, stamp_rows
from harness.core.device.trace import parse_trace
from harness.core.guest.serial import parse_serial
from harness.core.timing.pacing import TooFewFrames, frame_pacing
from harness.gate.measuring.protocol import Protocol
from harness.gate.measuring.target_window import rule_of
from harness.model.record import Launch, LaunchLoad, Slice
from harness.model.spec import RunSpec
from harness.model.target import NO
from harness.platform.host.context_switches import ContextSwitches
from harness.platform.host.hostclock import ClockWatch
from harness.platform.host.hostload import (
    HostMoment,
    ThreadTimes,
    host_moment,
    launch_load,
    main_delay,
    on_core_ns,
    outside_delay,
    stolen_share,
    thread_times,
    threads_of,
)
from harness.platform.machine.pin import pin_process, prefer_main_thread
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.machine.readiness import wait_ready
from harness.platform.machine.trace_file import read_trace

BOOT_BYTES_MAX = 65536
"""Bytes of the serial log in which a boot line is searched for."""
EMPTY_MOST = 0.15
"""Share of an arm's slices that may lack frames: two of fourteen."""
EMPTY_SLICES = "frames that slices do not hold"
CoreSpan = tuple[int, int, str, int]
"""A slice: start_ns, end_ns (host time since the epoch), role, core."""


@dataclass(frozen=True)
class MeasuredLaunch:
    """One launch: what the comparison uses, and the frame times it was made from."""

    launch: Launch
    frame_ms: Mapping[str, F64]
    """By role: frame times while the machine ran, in order, shape (n,)."""
    boot_ms: Mapping[str, float]
    trace_log: Mapping[str, bytes]
    """Figures of this launch by role, for a replay."""
    spans: tuple[CoreSpan, ...]
    load: LaunchLoad = LaunchLoad()
    tlb: Mapping[str, str] = field(default_factory=dict)
    """By role: ``warm`` or ``cold``, as the kernel says; empty of one that does not."""


class ClockStepped(Exception):
    """The host's clock was set or slewed while launches were measured: their times mean nothing."""


@dataclass(frozen=True)
class PairSpec:
    """One pair of machines to launch."""

    arms: Mapping[str, RunSpec]
    folder: Path
    batch: int = 0
    layout: int = 0
    """The other order in which its kernels are linked; 0 for their own."""


def measure_launch(
    arms: Mapping[str, RunSpec], folder: Path, protocol: Protocol, rng: np.random.Generator, batch: int
) -> MeasuredLaunch:
    """Launch both arms once and measure all slices; raises as :func:`measure_launches`."""
    return measure_launches([PairSpec(arms, folder, batch)], protocol, rng)[0]


def measure_launches(
    pairs: Sequence[PairSpec], protocol: Protocol, rng: np.random.Generator
) -> tuple[MeasuredLaunch, ...]:
    """Launch pairs of both arms, all at once, each on two cores of its own, and measure all slices.

    Raises
    ------
    GuestError
        When a guest shows no frame, panics or stops during the window.
    ClockStepped, CoreVanished
        When the host does not let them be measured; they may be measured again.
    """
    with ExitStack() as stack:
        running = [_Pair(stack, one, protocol, number, rng) for number, one in enumerate(pairs)]
        for pair in running:
            pair.wait_ready()
        time.sleep(protocol.settle_s)
        for pair in running:
            pair.watch = stack.enter_context(_Watch(pair.machines, pair.cores))
        clock = ClockWatch()
        _slices(running, protocol)
        if stepped := clock.problem():
            raise ClockStepped(stepped)
        for pair in running:
            pair.watch.end()
        for pair in running:
            pair.check_alive()
    return tuple(pair.measured(protocol) for pair in running)


class _Pair:
    """Two machines while they run, and where they ran when."""

    watch: "_Watch"

    def __init__(
        self, stack: ExitStack, spec: PairSpec, protocol: Protocol, number: int, rng: np.random.Generator
    ) -> None:
        self.spec = spec
        self.cores = protocol.cores_of(number)
        self.roles = [CANDIDATE, REFERENCE]
        rng.shuffle(self.roles)
        self.first_core = int(rng.integers(2))
        self.machines: dict[str, Qemu] = {}
        self.started: dict[str, int] = {}
        self.spans: list[CoreSpan] = []
        for role in self.roles:
            self.started[role] = time.time_ns()
            self.machines[role] = Qemu(spec.arms[role], spec.folder / role, TIMING_EVENTS)
            stack.callback(self.machines[role].kill)
            self.machines[role].spawn()
        # Both prepare their machines at once.
        for place, role in enumerate(self.roles):
            _settle_in(stack.enter_context(self.machines[role]), protocol, self.core(place))

    def core(self, turn: int) -> int:
        """The core, of both, at this turn."""
        return self.cores[(self.first_core + turn) % len(self.cores)]

    def wait_ready(self) -> None:
        for machine in self.machines.values():
            wait_ready(machine)

    def check_alive(self) -> None:
        for machine in self.machines.values():
            _check_alive(machine)

    def measured(self, protocol: Protocol) -> MeasuredLaunch:
        """From the files of the ended machines."""
        logs = {role: read_trace(machine.trace_path, machine.limits) for role, machine in self.machines.items()}
        tlb = {role: tlb_of(machine.console.content()) for role, machine in self.machines.items()}
        stamped = {role for role, spec in self.spec.arms.items() if spec.capabilities.stamp}
        rules = {role: rule_of(spec.target) for role, spec in self.spec.arms.items()}
        load, guard_s, switches = self.watch.load(self.spans), protocol.guard_s, self.watch.switches
        sliced = slice_launch(logs, self.spans, self.started, self.spec.batch, guard_s, stamped, load, rules, switches)
        return replace(sliced, tlb=tlb, launch=replace(sliced.launch, layout=self.spec.layout))


def _check_alive(machine: Qemu) -> None:
    """Raise when a guest has died, or hangs; one whose screen may stand still may do so."""
    target = machine.spec.target
    if target is None or target.pictures.static == NO:
        machine.wait_progress()
    else:
        machine.check()


def tlb_of(serial_log: bytes) -> str:
    """The note on translations in a kernel's boot line: ``warm``, ``cold``, or nothing."""
    boot = parse_serial(serial_log[:BOOT_BYTES_MAX]).boot
    return dict(boot.fields).get("tlb", "") if boot else ""


class _Watch:
    """Disturbances of the machines of a launch by the host while they were measured."""

    def __init__(self, machines: Mapping[str, Qemu], cores: Collection[int]) -> None:
        self.pids = {role: machine.pid for role, machine in machines.items()}
        self.cores = cores
        self.recorders = {role: ContextSwitches(threads_of(pid)) for role, pid in self.pids.items()}
        self.switches: dict[str, tuple[SwitchLog, ...]] = {}
        self.before = self._look()
        self.after = self.before
        self.began_ns = self.ended_ns = time.time_ns()

    def __enter__(self) -> "_Watch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for recorder in self.recorders.values():
            recorder.close()

    def look(self) -> None:
        """Read the records of switches, for which there is little room."""
        for recorder in self.recorders.values():
            recorder.look()

    def end(self) -> None:
        """The measured stretch is over."""
        self.ended_ns = time.time_ns()
        self.after = self._look()
        self.switches = {role: recorder.logs() for role, recorder in self.recorders.items()}

    def load(self, spans: Sequence[CoreSpan]) -> LaunchLoad:
        """The worse of the machines, over the stretch."""
        delays = []
        for role, pid in self.pids.items():
            running_s = sum(end_ns - start_ns for start_ns, end_ns, whose, _ in spans if whose == role) / 1e9
            delays.append(outside_delay(self.before[1][role], self.after[1][role], pid, running_s))
        load = launch_load(delays, stolen_share(self.before[0], self.after[0], self.cores))
        computed = {role: on_core_ns(self.before[1][role], self.after[1][role]) for role in self.pids}
        known = {role: ns for role, ns in computed.items() if ns}
        window_ns = (self.began_ns, self.ended_ns)
        return replace(load, on_core_ns=known, window_ns=window_ns, device_delay=self._device_delay())

    def _device_delay(self) -> float | None:
        """Delay of the main loop that waited longer for a core; None when one is not known."""
        seconds = (self.ended_ns - self.began_ns) / 1e9
        found = [main_delay(self.before[1][role], self.after[1][role], pid, seconds) for role, pid in self.pids.items()]
        known = [delay for delay in found if delay is not None]
        return max(known) if known and len(known) == len(found) else None

    def _look(self) -> tuple[HostMoment, dict[str, ThreadTimes | None]]:
        return host_moment(self.cores), {role: thread_times(pid) for role, pid in self.pids.items()}


def _settle_in(machine: Qemu, protocol: Protocol, core: int) -> None:
    if not protocol.swap:
        return
    _pin(machine, core)
    if protocol.realtime:
        prefer_main_thread(machine.threads())


def _pin(machine: Qemu, core: int) -> None:
    for pid in machine.processes:
        pin_process(pid, core)


def _slices(pairs: Sequence[_Pair], protocol: Protocol) -> None:
    """Let all pairs run through their slices, side by side; each notes its own spans."""
    for slot in range(protocol.slices):
        running = [(pair, _turn(pair, slot, protocol)) for pair in pairs]
        start_ns = time.time_ns()
        time.sleep(protocol.slice_s)
        end_ns = time.time_ns()
        for pair, placed in running:
            pair.spans += [(start_ns, end_ns, role, core) for role, core in placed.items()]
            pair.watch.look()
    if not protocol.swap:
        for pair in pairs:
            for machine in pair.machines.values():
                os.kill(machine.pid, signal.SIGCONT)


def _turn(pair: _Pair, slot: int, protocol: Protocol) -> dict[str, int]:
    """Bring a pair to its place for a slice: the roles that run in it, with their cores."""
    if protocol.swap:
        placed = {role: pair.core(place + slot) for place, role in enumerate(pair.roles)}
        for role, core in placed.items():
            _pin(pair.machines[role], core)
        return placed
    runs = pair.roles[(slot + 1) // 2 % 2]
    for role in pair.roles:
        pair.machines[role].takes_turns = True
        os.kill(pair.machines[role].pid, signal.SIGCONT if role == runs else signal.SIGSTOP)
    return {runs: 0}


def slice_launch(
    logs: Mapping[str, bytes],
    spans: Sequence[CoreSpan],
    started_ns: Mapping[str, int],
    batch: int,
    guard_s: float,
    stamped: Collection[str] = (),
    load: LaunchLoad = LaunchLoad(),
    rules: Mapping[str, FrameRule] = MappingProxyType({}),
    switches: Mapping[str, Sequence[SwitchLog]] = MappingProxyType({}),
) -> MeasuredLaunch:
    """Turn traces and slice times into a launch. Pure: a saved run is replayed through it.

    Parameters
    ----------
    stamped
        Roles whose frames carry their number.
    load
        What the host did meanwhile: it decides how the launch is summed up.
    rules
        By role: what a frame is, where it is not the usual.
    switches
        By role: when its threads lost their core; empty where the host does not tell.
    """
    flushes: dict[str, I64] = {}
    for role, log in logs.items():
        trace = parse_trace(log)
        stamps = stamp_rows(trace) if role in stamped else ()
        flushes[role] = presented_frames(trace, stamps, rules.get(role, FrameRule())).time_ns
    slices, empty = _sliced(flushes, spans, int(guard_s * 1e9))
    frames = {role: _frames(flushes[role], [(span[0], span[1]) for span in spans if span[2] == role]) for role in logs}
    frame_ms = {role: times for role, (_, times) in frames.items()}
    boot_ms = {role: (times[0] - started_ns[role]) / 1e6 for role, times in flushes.items() if len(times)}
    launch = Launch(slices, batch, paired=_paired(frame_ms))
    why = preempted(load, frame_ms) or (EMPTY_SLICES if empty > EMPTY_MOST else "")
    if why:
        numbers = {role: numbers for role, (numbers, _) in frames.items()}
        kept = {role: kept_ms(flushes[role], numbers[role], logs) for role, logs in switches.items() if logs}
        arms, computed = (CANDIDATE, REFERENCE), _computed_ms(flushes, load)
        found = undisturbed_effect(numbers, frame_ms, computed, arms, kept, load.device_delay)
        effect = found.effect if np.isfinite(found.effect) else None
        launch = replace(launch, undisturbed=effect, preempted=why, summed_by=found.by, checks=found.checks)
    return MeasuredLaunch(launch, frame_ms, boot_ms, logs, tuple(spans), load)


def _sliced(flushes: Mapping[str, I64], spans: Sequence[CoreSpan], guard_ns: int) -> tuple[tuple[Slice, ...], float]:
    """Slices with their medians, and the largest share of a role's slices that hold too few frames for one.

    Frames that take long are those that leave slices empty: medians of the others would be those of the quick ones.
    """
    slices: list[Slice] = []
    slots = {start: slot for slot, start in enumerate(sorted({span[0] for span in spans}))}
    for start_ns, end_ns, role, core in spans:
        times = flushes[role]
        inside = times[(times >= start_ns + guard_ns) & (times <= end_ns)]
        frame_ns = np.diff(inside).astype(np.float64)
        if len(frame_ns) >= 2:
            slices.append(Slice(slots[start_ns], core, role, float(np.median(frame_ns)), len(frame_ns)))
    asked, held = (Counter(roles) for roles in ([span[2] for span in spans], [piece.role for piece in slices]))
    return tuple(slices), max((1 - held[role] / count for role, count in asked.items()), default=0.0)


def _computed_ms(flushes: Mapping[str, I64], load: LaunchLoad) -> dict[str, float]:
    """By role: what a frame computed, on average over the launch; only where it is known.

    Frames that the window cuts count in part: of few long frames one more or less would be a large error.
    """
    found = {}
    for role, ns in load.on_core_ns.items():
        at = flushes.get(role, np.zeros(0, np.int64))
        if len(at) >= 2:
            began, ended = np.interp(load.window_ns, at, np.arange(len(at)))
            if ended - began >= 1:
                found[role] = ns / float(ended - began) / 1e6
    return found


def _frames(times: I64, spans: Sequence[tuple[int, int]]) -> tuple[I64, F64]:
    """Numbers and times of a role's frames, in order, shape (n,) each: a frame is numbered by its place in the launch.

    Slices that follow each other at once are one stretch of running: a frame longer than a slice must not vanish
    between two of them. Where machines take turns, frames that cross a stop are left out.
    """
    stretches: list[tuple[int, int]] = []
    for start_ns, end_ns in sorted(spans):
        if stretches and start_ns - stretches[-1][1] < (end_ns - start_ns) / 2:
            stretches[-1] = (stretches[-1][0], end_ns)
        else:
            stretches.append((start_ns, end_ns))
    inside = [np.flatnonzero((times >= start_ns) & (times <= end_ns)) for start_ns, end_ns in stretches]
    numbers = np.concatenate([np.zeros(0, np.int64), *(numbers[1:] for numbers in inside)])
    return numbers, np.concatenate([np.zeros(0), *(np.diff(times[numbers]) / 1e6 for numbers in inside)])


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
