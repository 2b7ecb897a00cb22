"""The kernel's own speed: the roulette whole and by damage, what a frame costs besides drawing, and its suites."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.benchmarks import Figure, Measure, run_own
from harness.explain.attribution import DEVICE, DRAW, FrameAccount
from harness.explain.measure_parts import take_run_apart
from harness.model.spec import ARCHES, Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel

SUITES_LIMIT_S = 600.0
MACHINE = Machine(vcpus=1, maxcpus=2)
TURNS = 5
SMALL = (320, 240)


def _rates(folder: Path) -> list[Figure]:
    """the roulette, whole and by damage"""
    whole = _frame_ms(RunSpec(build_kernel(Switches()).path, MACHINE), folder / "full")
    dirty = _frame_ms(RunSpec(build_kernel(Switches().but(DRAW="dirty")).path, MACHINE), folder / "dirty")
    return [
        Figure("roulette at 1024x768, DRAW=full", 1e3 / whole, "frames/s", 300, at_most=False),
        Figure("DRAW=dirty, of DRAW=full", whole / dirty, "x", 1.5, at_most=False),
    ]


def _frame_ms(spec: RunSpec, folder: Path) -> float:
    return float(np.median([take_run_apart(spec, folder / str(turn)).mean_ms for turn in range(TURNS)]))


def _outside(folder: Path) -> list[Figure]:
    """what a frame costs besides drawing"""
    spec = RunSpec(build_kernel(Switches()).path, MACHINE)
    small = replace(spec, params=RunParams(mode=SMALL))
    ratios = []
    for turn in range(TURNS):
        large, least = (take_run_apart(one, folder / f"{turn}-{one.params.mode[0]}") for one in (spec, small))
        # The smallest picture's frame is the round trip; what the device copies more of the large one is the rest.
        alone_ms = _outside_ms(least) + large.usual_ms(DEVICE) - least.usual_ms(DEVICE)
        ratios.append(_outside_ms(large) / alone_ms)
    what = "time outside drawing, of a round trip and the copy"
    return [Figure(what, float(np.median(ratios)), "x", 1.3)]


def _outside_ms(account: FrameAccount) -> float:
    return sum(account.usual_ms(part) for part in account.parts if part != DRAW)


def _suites(folder: Path) -> list[Figure]:
    """the in-kernel suites"""
    found = []
    for arch in ARCHES:
        build_kernel(Switches(arch), test=True)
    for arch, promise in (("x86_64", 10.0), ("", 40.0)):
        words = [f"ARCH={arch}"] if arch else []
        begun = time.monotonic()
        run_own(["suites", *words], SUITES_LIMIT_S)
        what = f"in-kernel suites, {arch or 'all architectures'}: boot, run, exit"
        found.append(Figure(what, time.monotonic() - begun, "s", promise))
    return found


def _ports(folder: Path) -> list[Figure]:
    """the other architectures"""
    found = []
    for arch in ("aarch64", "riscv64"):
        spec = RunSpec(build_kernel(Switches(arch)).path, replace(MACHINE, arch=arch))
        fps = 1e3 / _frame_ms(spec, folder / arch)
        found.append(Figure(f"{arch} at 1024x768", fps, "frames/s", 60, at_most=False))
    return found


FIGURES: tuple[Measure, ...] = (_rates, _outside, _suites, _ports)
