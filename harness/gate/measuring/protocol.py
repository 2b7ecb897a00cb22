"""How launches are measured on this host: pinned and exchanged, or in turns; on which cores."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from harness.core.comparison.undisturbed import PREEMPTED_FROM, STOLEN_FROM
from harness.core.wording import signed_percent
from harness.model.record import LaunchLoad, Lease
from harness.model.spec import Machine
from harness.platform.host.leases import held_lease
from harness.platform.machine.pin import PinRights

WARM_UP_FRAMES = 16
"""In which a kernel that can warms QEMU's table of translations."""


@dataclass(frozen=True)
class Protocol:
    """How one launch is measured."""

    slice_s: float = 0.04
    slices: int = 14
    settle_s: float = 0.18
    guard_s: float = 0.002
    """At the start of each slice, while threads arrive on their core."""
    swap: bool = True
    """Pin one machine to each of two cores and exchange them; False: machines take turns."""
    realtime: bool = True
    cores: tuple[int, ...] = (0, 1)
    """Each pair of machines uses two of them."""
    pairs: int = 1
    """How many run at once."""
    slowed: float = 0.0
    """How much longer frames were with this many pairs than with one, relative."""
    notices: tuple[str, ...] = ()
    """Reasons why the cores are not ideal."""

    @property
    def measured_s(self) -> float:
        """How long a launch is measured, from the first frame on."""
        return self.settle_s + self.slices * self.slice_s

    @property
    def most_pairs(self) -> int:
        """For how many there are cores."""
        return max(len(self.cores) // 2, 1) if self.swap else 1

    def cores_of(self, pair: int) -> tuple[int, ...]:
        """The two cores of one pair; a single one where there is no other."""
        return self.cores[2 * pair : 2 * pair + 2] or self.cores[:1]

    @property
    def words(self) -> str:
        if not self.swap:
            return "machines took turns: fewer than two cores, or no right to pin threads"
        used = self.cores[: 2 * self.pairs]
        several = f"{self.pairs} pairs at once (frames {signed_percent(self.slowed, 0)} beside one pair), "
        where = f"pinned to cores {', '.join(map(str, used[:-1]))} and {used[-1]}"
        how = f"{where}, exchanged every {self.slice_s * 1e3:.0f} ms"
        return (several if self.pairs > 1 else "") + how + ("" if self.realtime else ", without real-time priority")


def choose_protocol(rights: PinRights, machine: Machine = Machine(), lease: Lease | None = None) -> Protocol:
    """The best protocol that this process has the rights for; its slices hold several frames of such a machine.

    Parameters
    ----------
    lease
        The cores to use; by default those that this process holds, or else the first and the last that it may use.
    """
    lease = lease or held_lease()
    factor = machine.frame_factor
    cores = (rights.cores[0], rights.cores[-1]) if lease is None else lease.cores
    at_once = len(rights.cores) if lease is None else lease.at_once
    notices = () if lease is None else lease.notices
    settle_s = Protocol.settle_s * factor
    protocol = Protocol(Protocol.slice_s * factor, settle_s=settle_s, cores=cores, notices=notices)
    cores = cores[: max(2, at_once // 2 * 2)]
    if min(len(set(cores)), at_once) < 2 or not rights.affinity:
        return replace(protocol, swap=False, realtime=False)
    return replace(protocol, realtime=rights.realtime)


QUIET = (20, 0.02, 0.1)
"""Slices of a launch, seconds of one, and seconds before them.

Chosen by what a second of launching tells: the variance of a launch times its length. On two cores of a quiet 16-core
Xeon that was 0.6 and 0.7 with fourteen slices of 20 ms and 0.7 and 0.8 with twenty, 1.0 and 1.1 with fourteen of 40 ms,
and 4 or more with slices of 10 ms, into which a scheduler hardly fits its exchange.
"""
LOADED = (24, 0.04, 0.18)
"""The same where the host preempts: 1.8 and 1.9, of 1.7 and 4.2 with fourteen slices. Low quantiles need frames."""
CROWDED = (60, 0.04, 0.18)
"""The same where little of a core is left: 310 on average (four pairs of cores), of 540 with fourteen slices (two) and
450 with twenty-four (six). Twice as many slices gave 170, but too few launches within a minute for two batches."""
CROWDED_FROM = 0.6
"""Run delay from which on little of a core is left."""


def protocol_beside_load(protocol: Protocol, load: LaunchLoad) -> Protocol:
    """Launches as long as tells most beside what the host did during one of them; machines in turns as before.

    Parameters
    ----------
    load
        Of that launch. Its effect plays no part.
    """
    if not protocol.swap:
        return protocol
    delay = max(load.run_delay or 0.0, load.stolen or 0.0)
    busy = delay >= PREEMPTED_FROM or (load.stolen or 0.0) >= STOLEN_FROM
    slices, slice_s, settle_s = CROWDED if delay >= CROWDED_FROM else LOADED if busy else QUIET
    factor = protocol.slice_s / Protocol.slice_s
    return replace(protocol, slices=slices, slice_s=slice_s * factor, settle_s=settle_s * factor)


FRAMES_A_SLICE = 8
FEWEST_A_SLICE = 4
"""Where eight frames would make a slice longer than ``LONG_SLICE_S``."""
LONG_SLICE_S = 0.25
FRAMES_A_LAUNCH = 28
SETTLE_FRAMES = 6
LONG_FRAMES, LONG_SETTLE_FRAMES = 16, 2
"""A launch of frames that fill such slices: the launch is the unit of noise, so that many short ones tell more; what
disturbs a short frame is averaged within a long one."""


def fitted_protocol(protocol: Protocol, frame_ms: float) -> Protocol:
    """Slices that hold several frames, however long these are, and as many slices as a launch has frames for."""
    frame_s = frame_ms / 1e3
    needed_s = max(FEWEST_A_SLICE * frame_s, min(FRAMES_A_SLICE * frame_s, LONG_SLICE_S))
    if needed_s <= protocol.slice_s:
        return protocol
    long = FEWEST_A_SLICE * frame_s > LONG_SLICE_S
    launch_frames, settle_frames = (LONG_FRAMES, LONG_SETTLE_FRAMES) if long else (FRAMES_A_LAUNCH, SETTLE_FRAMES)
    # Exchanges balance in twos, turns in fours.
    step, fewest = (2, 4) if protocol.swap else (4, 8)
    wanted_s = max(protocol.slices * protocol.slice_s, launch_frames * frame_s)
    slices = min(max(math.ceil(wanted_s / needed_s / step) * step, fewest), protocol.slices)
    return replace(protocol, slice_s=needed_s, slices=slices, settle_s=max(protocol.settle_s, settle_frames * frame_s))


def surviving_protocol(protocol: Protocol, allowed: Collection[int]) -> Protocol:
    """The protocol for the cores that are left when some may not be used any more."""
    kept = tuple(core for core in protocol.cores if core in allowed)
    gone = " ".join(str(core) for core in protocol.cores if core not in allowed)
    # Pairs stay on leased cores; cores beside them serve only where no pair is left.
    spare = sorted(set(allowed) - set(kept)) if len(kept) < 2 else []
    cores = (*kept, *spare)[: len(kept) // 2 * 2 or 2]
    protocol = replace(protocol, pairs=max(min(protocol.pairs, len(cores) // 2), 1))
    notices = (*protocol.notices, f"core {gone} vanished while measuring") if gone else protocol.notices
    if len(cores) < 2:
        return replace(protocol, cores=cores, notices=notices, swap=False, realtime=False)
    return replace(protocol, cores=cores, notices=notices)
