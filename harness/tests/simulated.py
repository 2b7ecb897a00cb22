"""Pretended launches with a planted truth.

The model has what was seen on real machines: two processes that differ by a few per cent for as long as they live,
cores that are not alike, a host whose speed wanders for both, frames that remember their predecessors, and now and then
a frame that takes many times as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from harness.core.arrays import F64
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, Launch, Slice, launch_effect

FRAME_NS = 2.9e6
_SLOW_SHARE, _SLOW_PHI, _FAST_PHI = 0.25, 0.97, 0.277
"""A mixture of two autoregressions with correlation 0.45 at lag 1 and 0.19 at lag 10."""


@dataclass(frozen=True)
class HostNoise:
    """How noisy the pretended machine is; standard deviations of log frame time."""

    launch_sd: float = 0.025
    """Standard deviation of one launch's effect: half of the variance belongs to each process."""
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
    longer: int = 1
    """Each frame takes as long as this many usual ones, and has the noise of all of them."""


def simulate_launch(rng: np.random.Generator, effect: float, noise: HostNoise = HostNoise()) -> Launch:
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


def _frames(rng: np.random.Generator, noise: HostNoise) -> F64:
    """Log frame times around 0, autocorrelated, with spikes, shape (slots, frames)."""
    if noise.longer > 1:
        return _long_frames(rng, noise)
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


def _long_frames(rng: np.random.Generator, noise: HostNoise) -> F64:
    """The same for frames that are many usual ones long."""
    count = noise.slots * noise.frames * noise.longer
    series = np.zeros(count)
    for phi, share in ((_SLOW_PHI, _SLOW_SHARE), (_FAST_PHI, 1 - _SLOW_SHARE)):
        steps = rng.normal(0, math.sqrt(share * (1 - phi**2)), count)
        series += lfilter([1.0], [1.0, -phi], steps)
    series *= noise.frame_sd
    spikes = rng.random(count) < noise.spike_share
    series[spikes] += np.log(rng.uniform(2, 20, int(spikes.sum())))
    frames: F64 = np.log(np.exp(series).reshape(noise.slots, noise.frames, noise.longer).mean(axis=2))
    return frames


def effects_of(launches: Sequence[Launch]) -> F64:
    """Effects of launches that can be paired, shape (n,)."""
    effects: F64 = np.array([launch_effect(launch) for launch in launches])
    sound: F64 = effects[np.isfinite(effects)]
    return sound
