"""Pretended measurements with a planted truth, and sessions replayed on them or on recorded launches.

The model has what was seen on real machines: two processes that differ by a few per cent for as long as they live,
cores that are not alike, a host whose speed wanders for both, frames that remember their predecessors, and now and then
a frame that takes many times as long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.core.statistics import (
    CANDIDATE,
    REFERENCE,
    Decision,
    Launch,
    Next,
    Plan,
    Slice,
    decide_effects,
    launch_effect,
    next_look,
)

F64 = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], F64]
"""Launch effects: generator, count → shape (count,)."""

FRAME_NS = 2.9e6
_SLOW_SHARE, _SLOW_PHI, _FAST_PHI = 0.25, 0.97, 0.277
"""A mixture of two autoregressions with correlation 0.45 at lag 1 and 0.19 at lag 10."""


@dataclass(frozen=True)
class Noise:
    """How noisy the pretended machine is; standard deviations of log frame time."""

    launch_sd: float = 0.025
    """Of one launch's effect: half of the variance belongs to each process."""
    frame_sd: float = 0.06
    core_sd: float = 0.02
    """Difference between cores, for the launch's life."""
    host_sd: float = 0.05
    """Speed of the host, for both processes alike, wandering from slice to slice."""
    drift: float = 0.0
    """Slowing down of the host from one slice to the next, relative."""
    spike_share: float = 0.01
    """Frames that take 2 to 20 times as long."""
    slots: int = 14
    frames: int = 14
    """Frames a slice."""


def simulate_launch(rng: np.random.Generator, effect: float, noise: Noise = Noise()) -> Launch:
    """One launch: two processes at once on two cores, swapped after every slice.

    Parameters
    ----------
    effect : float
        The truth: log frame time, candidate minus reference.
    """
    processes = rng.normal(0, noise.launch_sd / math.sqrt(2), 2) + np.array([effect, 0.0])
    cores = rng.normal(0, noise.core_sd, 2)
    host = np.cumsum(rng.normal(0, noise.host_sd / math.sqrt(noise.slots), noise.slots))
    host += noise.drift * np.arange(noise.slots)
    frames = np.stack([_frames(rng, noise) for _ in (CANDIDATE, REFERENCE)])
    swapped = int(rng.integers(2))
    slices = []
    for slot in range(noise.slots):
        for side, role in enumerate((CANDIDATE, REFERENCE)):
            core = (side + slot + swapped) % 2
            level = processes[side] + cores[core] + host[slot]
            median = float(np.median(np.exp(frames[side, slot] + level))) * FRAME_NS
            slices.append(Slice(slot, core, role, median, noise.frames))
    return Launch(tuple(slices))


def _frames(rng: np.random.Generator, noise: Noise) -> F64:
    """Log frame times around 0, autocorrelated, with spikes, shape (slots, frames)."""
    count = noise.slots * noise.frames
    series = np.zeros(count)
    for phi, share in ((_SLOW_PHI, _SLOW_SHARE), (_FAST_PHI, 1 - _SLOW_SHARE)):
        steps = rng.normal(0, math.sqrt(share * (1 - phi**2)), count)
        value = rng.normal(0, math.sqrt(share))
        for index in range(count):
            value = phi * value + steps[index]
            series[index] += value
    series *= noise.frame_sd
    spikes = rng.random(count) < noise.spike_share
    series[spikes] += np.log(rng.uniform(2, 20, int(spikes.sum())))
    frames: F64 = series.reshape(noise.slots, noise.frames)
    return frames


def effects_of(launches: Sequence[Launch]) -> F64:
    """Effects of launches that can be paired, shape (n,)."""
    effects: F64 = np.array([launch_effect(launch) for launch in launches])
    sound: F64 = effects[np.isfinite(effects)]
    return sound


def run_session(effects: F64, plan: Plan) -> Decision:
    """Measure until the protocol says stop, on effects that are already known, shape (at least plan.launches,)."""
    batches = np.zeros(len(effects), np.int64)
    first, second = 0, 0
    decision = decide_effects(effects[:0], batches[:0], plan)
    while decision.next is not Next.STOP and (more := next_look(first, second, plan)):
        if decision.next is Next.CONFIRM or second:
            batches[first + second :] = 1
            second += more
        else:
            first += more
        taken = first + second
        decision = decide_effects(effects[:taken], batches[:taken], plan)
    return decision


def normal(sd: float) -> Draw:
    """Independent launches of normal noise."""
    return lambda rng, count: rng.normal(0, sd, count)


def heavy_tailed(sd: float, freedom: float = 3.0) -> Draw:
    """Student's t, scaled to this standard deviation."""
    scale = sd / math.sqrt(freedom / (freedom - 2))
    return lambda rng, count: rng.standard_t(freedom, count) * scale


def bimodal(sd: float) -> Draw:
    """Two kinds of launches, 1.8 standard deviations apart."""
    return lambda rng, count: rng.choice((-0.9, 0.9), count) * sd + rng.normal(0, sd * math.sqrt(1 - 0.81), count)


def with_outliers(sd: float, share: float = 0.05, size: float = 12.0) -> Draw:
    """Normal launches, some of which are many times as noisy."""

    def draw(rng: np.random.Generator, count: int) -> F64:
        series: F64 = rng.normal(0, sd, count) * np.where(rng.random(count) < share, size, 1.0)
        return series

    return draw


def autocorrelated(sd: float, phi: float = 0.2) -> Draw:
    """Launches that remember the one before."""

    def draw(rng: np.random.Generator, count: int) -> F64:
        series = np.zeros(count)
        value = rng.normal(0, sd)
        for index in range(count):
            value = phi * value + rng.normal(0, sd * math.sqrt(1 - phi**2))
            series[index] = value
        return series

    return draw


def resampled(recorded: F64) -> Draw:
    """Launches drawn with replacement from recorded effects, shape (n,), centred on no effect."""
    centred: F64 = recorded - np.median(recorded)

    def draw(rng: np.random.Generator, count: int) -> F64:
        chosen: F64 = rng.choice(centred, count)
        return chosen

    return draw
