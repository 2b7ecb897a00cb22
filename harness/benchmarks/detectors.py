"""The detectors on thousands of damaged and clean pictures, by kind of damage; and the exact stage, over and over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.benchmarks import Figure, Measure
from harness.core.pictures.detector_accuracy import Confusion, measure_exact, measure_judge
from harness.gate.measuring.exact import count_instructions
from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.pictures.oracle import Oracle

MODES = ((320, 240), (641, 487), (1024, 768))
DAMAGED, CLEAN = 2004, 2000
EXACT_RUNS = 20
RANDOM_STATE = 5


def _exact(folder: Path) -> list[Figure]:
    """the exact detector on 4,004 pictures"""
    confusion, wrong = measure_exact([Oracle(*mode).picture for mode in MODES], DAMAGED, CLEAN, RANDOM_STATE)
    return [
        Figure(f"exact detector: damaged pictures found ({_kinds(confusion)})", *_found(confusion), 100, at_most=False),
        Figure(f"exact detector: false alarms among {confusion.clean.planted}", confusion.clean.found, "pictures", 0),
        Figure("exact detector: damage called by another name", len(wrong), "pictures", 0),
    ]


def _judge(folder: Path) -> list[Figure]:
    """the judging detector on 4,000 pictures"""
    confusion = measure_judge([Oracle(*mode).picture for mode in MODES], 2000, CLEAN, RANDOM_STATE)
    what = f"judging detector: gross damage found ({_kinds(confusion)})"
    alarms = f"judging detector: false alarms among {confusion.clean.planted}"
    return [
        Figure(what, *_found(confusion), 99, at_most=False),
        Figure(alarms, 100 * confusion.false_alarm_share, "%", 0.1),
    ]


def _found(confusion: Confusion) -> tuple[float, str]:
    return 100 * confusion.found_share, "%"


def _kinds(confusion: Confusion) -> str:
    return ", ".join(f"{table.kind} {table.found}/{table.planted}" for table in confusion.damaged)


def _exact_stage(folder: Path) -> list[Figure]:
    """the exact stage, run again and again"""
    plain = RunSpec(build_kernel(Switches()).path, Machine(vcpus=1, maxcpus=2))
    slow = replace(plain, kernel=build_kernel(Switches().but(FAULT="slow_draw")).path, params=RunParams(slow=1))
    seen = set()
    for run in range(EXACT_RUNS):
        counts = count_instructions({"plain": plain}, folder / f"exact-{run}")["plain"]
        seen.add((counts.frames, tuple(counts.per_frame)))
    risen = count_instructions({"slow": slow}, folder / "exact-slow")["slow"].mean / (
        sum(counts.per_frame) / len(counts.per_frame)
    )
    return [
        Figure(f"different counts in {EXACT_RUNS} runs of the exact stage", len(seen), "", 1),
        Figure("work that slow=1 adds, as the exact stage sees it", 100 * (risen - 1), "%", 0.1, at_most=False),
    ]


FIGURES: tuple[Measure, ...] = (_exact, _judge, _exact_stage)
