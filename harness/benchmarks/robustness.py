"""What attacks on the harness come to: kills, damaged files, hostile guests, and a host that stops QEMU."""

from __future__ import annotations

import json
from pathlib import Path

from harness.benchmarks import Figure, Measure
from harness.model.errors import HarnessError
from harness.platform.files.bounded import read_bounded
from harness.robustness.box_cost import box_cost_ms
from harness.robustness.checkout import Checkout
from harness.robustness.damaged_fields import KINDS, damages_of, judge_damaged
from harness.robustness.damaged_runs import READERS, read_damaged
from harness.robustness.hostile_guests import GUESTS, problems_of
from harness.robustness.killpoints import attack
from harness.robustness.random_kills import kill_at_random, prepare
from harness.robustness.stopped_qemu import POINTS, stop_at
from harness.robustness.writers import WITH_QEMU, WRITERS, covers

DAMAGED_RUNS = 500
KILLS = 50
BOX_MS = 20.0
_SHOWN = 3
"""Problems that a figure names."""


def _figure(what: str, problems: list[str]) -> Figure:
    named = "".join(f"; {one[:200]}" for one in problems[:_SHOWN])
    return Figure(f"{what}{named}", len(problems), "", 0, exactly=True)


def _kill_points(folder: Path) -> list[Figure]:
    """every write of every command, killed, interrupted, and on a full disk"""
    points = 0
    problems: list[str] = []
    for writer in (*WRITERS, *WITH_QEMU):
        for how in writer.hows:
            tally = attack(writer, folder, how)
            points += tally.points
            problems += tally.problems
    writing = sum(bool(names) for names in covers().values())
    return [_figure(f"lost or half written at {points} kill points of {writing} commands that write", problems)]


def _damaged_runs(folder: Path) -> list[Figure]:
    """saved runs, damaged, read by every command that reads one"""
    checkout = Checkout(folder / "tree")
    done = checkout.run("perf", "BUDGET=60")
    saved = (checkout.results / "latest").resolve()
    if not (saved / "result.json").is_file():
        raise HarnessError(f"no run to damage: {done.text[-200:]}")
    readings = read_damaged(saved, folder / "damaged", DAMAGED_RUNS)
    problems = [problem for reading in readings for problem in reading.problems]
    refused = sum(reading.code in (2, 5) for reading in readings)
    what = f"tracebacks over {DAMAGED_RUNS} damaged runs, each read by {len(READERS)} commands ({refused} refused)"
    return [_figure(what, problems), _damaged_fields(saved)]


def _damaged_fields(saved: Path) -> Figure:
    """Every field of a result, in every kind; of rows that are alike, the first."""
    damages = damages_of(json.loads(read_bounded(saved / "result.json")), alike=True)
    judged = judge_damaged(saved, damages)
    fields, refused = len(damages) // len(KINDS), sum(one.refused for one in judged)
    what = f"neither a replay nor a refusal, of {fields} fields damaged in {len(KINDS)} kinds ({refused} refused)"
    return _figure(what, [one.problem for one in judged if one.problem])


def _random_kills(folder: Path) -> list[Figure]:
    """commands under a real QEMU, ended at random moments"""
    checkout = prepare(folder / "kills")
    problems = [problem for number in range(KILLS) for problem in kill_at_random(checkout, number)]
    return [_figure(f"left behind, or in the way of the next run, after {KILLS} random kills", problems)]


def _hostile_guests(folder: Path) -> list[Figure]:
    """everything printed and stored of hostile guests"""
    checkout = Checkout(folder / "guests")
    problems = [problem for guest in GUESTS for problem in problems_of(guest, checkout)]
    return [_figure(f"unescaped in the outputs of {len(GUESTS)} hostile guests", problems)]


def _stops(folder: Path) -> list[Figure]:
    """QEMU, stopped for a while or ended from outside"""
    checkout = prepare(folder / "stops")
    problems = [problem for point in range(POINTS) for problem in stop_at(checkout, point)]
    return [_figure(f"blamed on the guest, of {POINTS} points at which the host stops or ends QEMU", problems)]


def _box(folder: Path) -> list[Figure]:
    """what QEMU's box costs"""
    return [Figure("processor time that QEMU's box adds to a start", box_cost_ms(folder), "ms", BOX_MS)]


FIGURES: tuple[Measure, ...] = (_kill_points, _damaged_runs, _random_kills, _hostile_guests, _stops, _box)
