"""The gate's own speed: building, booting, parsing, checking pictures, and what watching costs."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

from harness.benchmarks import Figure, Measure
from harness.core.device.trace import parse_trace
from harness.core.guest.serial import parse_serial
from harness.core.pictures.frames import check_picture
from harness.core.wording import span
from harness.gate.measuring.observer_overhead import measure_observer_overhead
from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.machine.trace_file import read_trace
from harness.platform.pictures.oracle import Oracle

MACHINE = Machine(vcpus=1, maxcpus=2)
QUADS = 100


def _build(folder: Path) -> list[Figure]:
    """building from clean"""
    tree = folder / "tree"
    shutil.copytree(Path("kernel"), tree / "kernel")
    begun = time.monotonic()
    built = build_kernel(Switches(), tree=tree)
    seconds = time.monotonic() - begun
    size = built.path.stat().st_size / 1024
    return [Figure("kernel build from clean", seconds, "s", 3), Figure("kernel as stored", size, "KiB", 256)]


def _first_flush(folder: Path) -> list[Figure]:
    """launch to first flush"""
    kernel = build_kernel(Switches()).path
    times = []
    for i in range(7):
        begun = time.monotonic()
        with Qemu(RunSpec(kernel, MACHINE, RunParams(seconds=30.0)), folder / f"boot-{i}", TIMING_EVENTS) as machine:
            machine.wait_first_flush()
            times.append((time.monotonic() - begun) * 1e3)
    return [Figure("QEMU start to first flush, median of 7", float(np.median(times)), "ms", 250)]


def _pictures(folder: Path) -> list[Figure]:
    """checking pictures"""
    oracle = Oracle(1024, 768)
    picture = oracle.picture(333)
    times = []
    for _ in range(60):
        begun = time.perf_counter()
        check_picture(picture, oracle.picture)
        times.append(time.perf_counter() - begun)
    median = float(np.median(times))
    return [
        Figure("oracle and exact compare of one 1024x768 frame", median * 1e3, "ms", 5),
        Figure("exact frame checks", 1 / median, "a second", 300, at_most=False),
    ]


def _parsers(folder: Path) -> list[Figure]:
    """parsing logs"""
    kernel = build_kernel(Switches()).path
    with Qemu(RunSpec(kernel, MACHINE, RunParams(frames=2000)), folder / "parse", TIMING_EVENTS) as machine:
        machine.wait_first_flush()
        machine.wait_end(60)
        serial = machine.console.content()
    trace = read_trace(machine.trace_path, machine.limits)
    lines = trace * (10_000 // max(trace.count(b"\n"), 1) + 1)
    lines = b"\n".join(lines.split(b"\n")[:10_000]) + b"\n"
    begun = time.perf_counter()
    parse_trace(lines)
    trace_s = time.perf_counter() - begun
    begun = time.perf_counter()
    parse_serial(serial)
    rate = len(serial) / 1e6 / (time.perf_counter() - begun)
    return [
        Figure("10,000 trace lines", trace_s, "s", 0.2),
        Figure("serial parser", rate, "MB/s", 50, at_most=False),
    ]


def _observer_overhead(folder: Path) -> list[Figure]:
    """what watching costs"""
    spec = RunSpec(build_kernel(Switches()).path, MACHINE)
    cost = measure_observer_overhead(spec, folder / "overhead", QUADS)
    assert cost.low is not None and cost.high is not None
    what = f"cost of watching ({span(cost.low, cost.high, 2)})"
    return [Figure(what, 100 * cost.value, "% of frame time", 1)]


FIGURES: tuple[Measure, ...] = (_build, _first_flush, _pictures, _parsers, _observer_overhead)
