"""How long explaining takes, and whether planted causes are found with their size."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path

from harness.benchmarks import Figure, Measure, run_own
from harness.explain.ablate import Bench, ablate
from harness.explain.attribution import BLK, DEVICE, DRAW, LOG, POLL
from harness.explain.effects import Changes, Worth, label
from harness.explain.growth import grown
from harness.explain.measure_parts import compare_parts
from harness.gate.measuring.protocol import choose_protocol
from harness.model.errors import QemuError
from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.pin import probe_rights
from harness.platform.pictures.virgl import with_virgl

WHOLE_S, QUICK_S = 360.0, 60.0
PLANTED_S = 40.0
SLOW_PER_CENT = 40
PARTS_S = 12.0
BLK_LOAD = 64
"""MiB/s."""
MACHINE = Machine(vcpus=1, maxcpus=2)
BLK_MACHINE = Machine(vcpus=2, disk_mib=64)


def _whole(folder: Path) -> list[Figure]:
    """the whole of explain"""
    return [Figure("make explain", _seconds([]), "s", WHOLE_S)]


def _quick(folder: Path) -> list[Figure]:
    """explain QUICK=1"""
    return [Figure("make explain QUICK=1", _seconds(["QUICK=1"]), "s", QUICK_S)]


def _seconds(words: list[str]) -> float:
    begun = time.monotonic()
    run_own(["explain", *words], 3 * WHOLE_S)
    return time.monotonic() - begun


def _planted(folder: Path) -> list[Figure]:
    """switches with a known effect, taken out"""
    base = build_kernel(Switches().but(LOG="frame", FILL="pixel"))
    changes: list[Changes] = [(("LOG", "deferred"),), (("FILL", "fast"),), (("PREEMPT", "global"),)]
    bench = Bench(MACHINE, choose_protocol(probe_rights()), pairs=0)
    found = ablate(base, changes, bench, folder / "planted", PLANTED_S, lambda text: None)
    worths = {label(effect.changes): effect.worth for effect in found.effects}
    right = [Worth.FASTER, Worth.FASTER, Worth.NOISE]
    hits = sum(worths.get(label(one)) is worth for one, worth in zip(changes, right))
    return [Figure("planted switches told as faster, faster, noise", hits, "of 3", 3, at_most=False)]


def _parts(folder: Path) -> list[Figure]:
    """time planted in one part of a frame at a time"""
    default = RunSpec(build_kernel(Switches()).path, MACHINE)
    planted = {
        DRAW: _but(default, FILL="pixel"),
        LOG: _but(default, LOG="frame"),
        POLL: _but(default, BATCH="off"),
        BLK: replace(default, machine=BLK_MACHINE, params=RunParams(blk=BLK_LOAD)),
    }
    with contextlib.suppress(QemuError):
        planted[DEVICE] = replace(default, machine=with_virgl(MACHINE)[0])
    right = []
    for part, spec in planted.items():
        most = grown(compare_parts(default, spec, folder / part, PARTS_S, lambda text: None))
        right += [part] if most is not None and most.part == part else []
    found = [Figure(f"planted parts told: {' '.join(planted)}", len(right), f"({' '.join(right)})", 5, at_most=False)]
    slow = replace(_but(default, FAULT="slow_draw"), params=RunParams(slow=SLOW_PER_CENT))
    changes = compare_parts(default, slow, folder / "size", PARTS_S, lambda text: None)
    draw = next(change for change in changes if change.part == DRAW)
    planted_ms = draw.reference_ms * SLOW_PER_CENT / 100
    outside = max(draw.low_ms - planted_ms, planted_ms - draw.high_ms, 0.0)
    what = f"{planted_ms:.3f} ms of drawing planted, {draw.low_ms:.3f} to {draw.high_ms:.3f} found: outside by"
    return [*found, Figure(what, outside, "ms", 0)]


def _but(spec: RunSpec, **changes: str) -> RunSpec:
    return replace(spec, kernel=build_kernel(Switches().but(**changes)).path)


FIGURES: tuple[Measure, ...] = (_whole, _quick, _planted, _parts)
