"""Measure the gate itself: false alarms and power."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.statistics import CANDIDATE, REFERENCE
from harness.core.wording import percent, signed_percent
from harness.gate.calibration.power import (
    DetectionRates,
    Promise,
    ReferenceMethodRates,
    Series,
    Synthetic,
    protocol_rates,
    reference_method_rates,
    synthetic,
    targets,
)
from harness.gate.calibration.recording import (
    LOADED,
    SCHEMA,
    CalibrationRecording,
    InjectedEffect,
    record,
    recording_from_evidence,
)
from harness.gate.calibration.simulate import autocorrelated, bimodal, heavy_tailed, normal, with_outliers
from harness.gate.measuring.protocol import WARM_UP_FRAMES, choose_protocol
from harness.gate.measuring.timing import TIMING_S
from harness.gate.metrics import RULES
from harness.model.result import Result
from harness.model.spec import ROOT, Machine, RunParams, RunSpec, Switches, UsageError, Verdict
from harness.platform.atomic import write_whole
from harness.platform.build import build_kernel, source_state
from harness.platform.host import host_facts
from harness.platform.leases import lease_cores
from harness.platform.load import competing_load
from harness.platform.pin import probe_rights
from harness.platform.store import RunFolder
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 140
EXAMPLES = ("", "LAUNCHES=20 EFFECTS=3,10", "FROM=baselines/x86_64/calibration.json")
NEXT = "KEEP=1 keeps the evidence under baselines/"
TAKES = ("switches",)
MEASURES = True
BUDGETS_S = (15.0, 30.0, 60.0, 120.0)
PAIRS = 3
"""Pairs of images an effect."""


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``calibrate [LAUNCHES=62] [EFFECTS=1,2,3,5,10] [LOAD=1] [KEEP=1] [FROM=calibration.json] [SWITCH=value …]``.

    With FROM the launches of earlier evidence are judged again, without QEMU.
    """
    switches = Switches.of(arguments.switches)
    draws = arguments.integer("DRAWS")
    loaded = arguments.flag("LOAD")
    seed = arguments.integer("SEED")
    evidence_path = arguments.path("FROM")
    with RunFolder("calibrate") as run, lease_cores(progress=out.progress, quiet=arguments.text("QUIET") == "wait"):
        protocol = choose_protocol(probe_rights())
        recorded: dict[str, Any] | None = None
        if evidence_path is not None:
            recording, recorded = _read(evidence_path)
            loaded = LOADED in recorded["notices"]
        else:
            injected_effects = _injected_effects(switches, arguments.integers("EFFECTS"), arguments.text("CC"), out)
            with competing_load(len(protocol.cores)) if loaded else nullcontext():
                recording = record(
                    injected_effects, arguments.integer("LAUNCHES"), run.path, protocol, seed, out.progress
                )
        out.progress("calibrate: replaying sessions")
        rng = np.random.default_rng(seed)
        series = _replayed(recording.series)
        smallest = next(rule.smallest for rule in RULES if rule.primary)
        cells = [
            protocol_rates(one, budget, recording.each_s, draws, rng, smallest)
            for one in series
            for budget in BUDGETS_S
        ]
        references = [
            reference_method_rates(one, budget, recording.each_s, draws // 4, rng)
            for one in series
            for budget in (30.0, 60.0)
        ]
        made_up = [synthetic(name, draw, draws * 2, rng) for name, draw in _SYNTHETIC.items()]
        promised = targets(cells, loaded)
        words = f"{len(recording.series[0].effects)} launches an effect"
        notices = recorded["notices"] if recorded else [protocol.words, *([LOADED] if loaded else []), words]
        _say(out, recording, cells, references, made_up, ", ".join(notices))
        result = _result(run, promised, notices)
        evidence = _evidence(recorded or _provenance(result, switches), recording, cells, references, made_up, promised)
        write_whole(run.path / "calibration.json", evidence)
        if arguments.flag("KEEP"):
            name = f"calibration{'-loaded' if loaded else ''}.json"
            write_whole(ROOT / "baselines" / switches.arch / name, evidence)
        folder = run.commit(result)
        out.line(result.sentence)
        out.line(f"evidence: {folder / 'calibration.json'}")
        return result.verdict


_SYNTHETIC = {
    "normal": normal(0.025),
    "heavy tails": heavy_tailed(0.025),
    "bimodal": bimodal(0.025),
    "outliers": with_outliers(0.025),
    "autocorrelated": autocorrelated(0.025),
}


def _read(path: Path) -> tuple[CalibrationRecording, dict[str, Any]]:
    try:
        return recording_from_evidence(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"FROM={path}: cannot be read: {error}") from error


def _injected_effects(
    switches: Switches, effects: tuple[int, ...], compiler: str, out: Printer
) -> list[InjectedEffect]:
    """A/A and each planted slow-down, every one in several link orders on either side."""
    out.progress("calibrate: building")
    slowed = switches.but(FAULT="slow_draw")
    images: dict[tuple[str, int], RunSpec] = {}
    machine = Machine(arch=switches.arch, vcpus=1, maxcpus=2)
    params = RunParams(seconds=TIMING_S, records=0, warmup=WARM_UP_FRAMES)
    for name, which in (("plain", switches), ("slowed", slowed)):
        for order in range(1, 2 * PAIRS + 1):
            built = build_kernel(which, compiler=compiler, shuffle=order)
            images[name, order] = RunSpec(built.path, machine, params)
    injected_effects = [InjectedEffect("A/A", 0.0, _pairs(images, "plain", params))]
    for effect in effects:
        planted = replace(params, slow=effect)
        injected_effects.append(InjectedEffect(f"slow_draw={effect}%", effect / 100, _pairs(images, "slowed", planted)))
    return injected_effects


def _pairs(images: dict[tuple[str, int], RunSpec], candidate: str, params: RunParams) -> tuple[dict[str, RunSpec], ...]:
    """Candidate images 1, 3, 5 against plain images 2, 4, 6."""
    return tuple(
        {CANDIDATE: replace(images[candidate, order], params=params), REFERENCE: images["plain", order + 1]}
        for order in range(1, 2 * PAIRS + 1, 2)
    )


def _replayed(recorded: tuple[Series, ...]) -> list[Series]:
    """The series to draw from: A/A around no effect, with exactly 2 and 3 % calculated in, and each planted fault."""
    same = recorded[0].without_sampling_error(0.0)
    planted = [one.without_sampling_error(float(np.mean([pair.centre for pair in one.pairs]))) for one in recorded[1:]]
    return [same, same.slowed("A/A + 2%", 0.02), same.slowed("A/A + 3%", 0.03), *planted]


def _say(
    out: Printer,
    recording: CalibrationRecording,
    cells: list[DetectionRates],
    references: list[ReferenceMethodRates],
    made_up: list[Synthetic],
    how: str,
) -> None:
    out.line(f"{how}; {recording.each_s:.2f} s a launch")
    rows = [
        [
            one.name,
            str(len(one.effects)),
            signed_percent(np.expm1(np.median(one.effects)), 2),
            percent(one.effects.std(), 2),
        ]
        + [" ".join(signed_percent(np.expm1(np.median(pair.effect)), 2) for pair in one.pairs)]
        for one in recording.series
    ]
    out.table("launches", ["injected", "launches", "median", "sd", "by pair of images"], rows)
    rows = [
        [
            cell.series,
            f"{cell.budget_s:g} s",
            percent(cell.slower.share, 1),
            f"{percent(cell.slower.low, 1)} to {percent(cell.slower.high, 1)}",
        ]
        + [
            percent(cell.faster.share, 1),
            percent(cell.unchanged, 1),
            percent(cell.undecided, 1),
            f"{cell.median_s:.0f} s",
        ]
        for cell in cells
    ]
    out.table(
        f"sessions, {cells[0].slower.draws} a row",
        ["injected", "budget", "slower", "95% bounds", "faster", "unchanged", "undecided", "median time"],
        rows,
    )
    ours = {(cell.series, cell.budget_s): cell.slower.share for cell in cells}
    rows = [
        [reference.series, f"{reference.budget_s:g} s", percent(ours[reference.series, reference.budget_s], 1)]
        + [percent(reference.mann_whitney, 1), percent(reference.mean_3pct, 1), percent(reference.mean_5pct, 1)]
        for reference in references
    ]
    out.table(
        "called slower, on the same launches",
        ["injected", "budget", "this gate", "Mann-Whitney", "mean > 3%", "mean > 5%"],
        rows,
    )
    rows = [
        [
            one.name,
            str(one.sessions),
            percent(one.false_alarms, 2),
            percent(one.power_3pct, 1),
            percent(one.coverage, 1),
        ]
        for one in made_up
    ]
    header = ["made-up launches", "sessions", "false alarms", "3% found", "95% interval held"]
    out.table("synthetic, 2.5 % a launch, 70 launches", header, rows)


def _result(run: RunFolder, promised: tuple[Promise, ...], notices: Sequence[str]) -> Result:
    missed = [target for target in promised if not target.met]
    verdict = Verdict.INCONCLUSIVE if missed else Verdict.PASS
    said = "; ".join(f"{target.words}: {percent(target.reached, 2)}" for target in (missed or promised))
    return Result(
        command="calibrate",
        verdict=verdict,
        sentence=f"{verdict.value}: {'missed: ' if missed else ''}{said}",
        started=run.started,
        seconds=0.0,
        host=host_facts(),
        source=source_state(),
        notices=tuple(notices),
    )


def _provenance(result: Result, switches: Switches) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "started": result.started,
        "host": asdict(result.host) if result.host else None,
        "source": dict(result.source),
        "switches": switches.everything(),
        "notices": list(result.notices),
    }


def _evidence(
    provenance: dict[str, Any],
    recording: CalibrationRecording,
    cells: list[DetectionRates],
    references: list[ReferenceMethodRates],
    made_up: list[Synthetic],
    promised: tuple[Promise, ...],
) -> str:
    """Everything, recorded launches included, as JSON."""
    plain: dict[str, Any] = {
        **provenance,
        "each_s": recording.each_s,
        "launches": [
            {
                "injected": series.name,
                "planted": series.planted,
                "pairs": [
                    {
                        "effect": [round(value, 6) for value in pair.effect.tolist()],
                        "candidate_ms": [round(value, 5) for value in pair.candidate_ms.tolist()],
                        "reference_ms": [round(value, 5) for value in pair.reference_ms.tolist()],
                    }
                    for pair in series.pairs
                ],
            }
            for series in recording.series
        ],
        "sessions": [asdict(cell) for cell in cells],
        "reference_methods": [asdict(reference) for reference in references],
        "synthetic": [asdict(one) for one in made_up],
        "targets": [{**asdict(target), "met": target.met} for target in promised],
    }
    return json.dumps(plain, indent=1, allow_nan=False) + "\n"
