"""Time that a machine lost because others had its cores, frame by frame.

A thread that is taken off its core while it could go on is preempted; one that waits for something is not. A machine
loses time while one of its threads is preempted and none of them runs. What remains of a frame is its time on a host
with nothing else to do: waiting for a timer or for the device is a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import F64, I8, I64

GONE_IDLE, GONE_PREEMPTED, ON_CORE = 0, 1, 2
"""What a thread is from a switch on."""


@dataclass(frozen=True)
class SwitchLog:
    """A thread's context switches over a stretch of host time (ns since the epoch)."""

    began_ns: int
    ended_ns: int
    times_ns: I64
    """Shape (n,), rising."""
    states: I8
    """What the thread is from each of these on, shape (n,)."""


def lost_ns(logs: Sequence[SwitchLog], times_ns: I64) -> F64:
    """Time lost from the logs' beginning until each of these times, shape (n,).

    Parameters
    ----------
    logs
        Of all threads of one machine.
    times_ns
        Rising, within the logs' stretch, shape (n,).
    """
    marks = np.unique(np.concatenate([np.array([log.began_ns for log in logs]), *(log.times_ns for log in logs)]))
    states = np.stack([_states_from(log, marks) for log in logs])
    losing = np.any(states == GONE_PREEMPTED, axis=0) & ~np.any(states == ON_CORE, axis=0)
    ends = np.append(marks[1:], max(log.ended_ns for log in logs))
    total = np.concatenate([[0.0], np.cumsum(np.where(losing, ends - marks, 0))])
    base = int(marks[0])
    found: F64 = np.interp((times_ns - base).astype(np.float64), np.append(marks, ends[-1]) - float(base), total)
    return found


def kept_ms(times_ns: I64, frames: I64, logs: Sequence[SwitchLog]) -> F64:
    """Frame times without what was lost, shape (n,).

    Parameters
    ----------
    times_ns
        When frames ended, rising, shape (m,).
    frames
        Places in ``times_ns``, above 0: a frame lasts from the end of the one before it. Shape (n,).
    logs
        Of all threads of the machine, over all of these frames.
    """
    ended, began = times_ns[frames], times_ns[frames - 1]
    kept: F64 = (ended - began - (lost_ns(logs, ended) - lost_ns(logs, began))) / 1e6
    return kept


def _states_from(log: SwitchLog, marks: I64) -> I8:
    """What a thread is from each mark on. Before its first switch it was what that one ended."""
    if not len(log.times_ns):
        return np.full(len(marks), GONE_IDLE, np.int8)
    first = GONE_IDLE if log.states[0] == ON_CORE else ON_CORE
    states = np.concatenate([np.array([first], np.int8), log.states])
    found: I8 = states[np.searchsorted(log.times_ns, marks, side="right")]
    return found
