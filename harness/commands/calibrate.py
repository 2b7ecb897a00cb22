"""Measure the gate itself: false alarms and power."""

from __future__ import annotations

import math
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.cluster.bundle import Provisions
from harness.cluster.crew import crew_for, result_of_job
from harness.core.comparison.limits import AIM
from harness.core.wording import percent, signed_percent
from harness.gate.calibration.budgeted import drawing_time
from harness.gate.calibration.evidence import HOSTS, evidence_text, provenance_of, recording_from_evidence
from harness.gate.calibration.places import CALCULATED, SAME, SMALLEST, CalibrationPlace, place_from
from harness.gate.calibration.planted import pairs_of_images, planted_effects
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
from harness.gate.calibration.recording import CalibrationRecording, estimator_rows, record
from harness.gate.calibration.shards import RecordedPart, hosts_of, hosts_words, joined, part_sizes
from harness.gate.calibration.simulate import autocorrelated, bimodal, heavy_tailed, normal, with_outliers
from harness.gate.judging.metrics import RULES
from harness.gate.measuring.protocol import choose_protocol
from harness.model.cluster_request import ClusterRequest
from harness.model.errors import HarnessError
from harness.model.job import PAIR, Job, Wish
from harness.model.result import NextStep, Result, ResultError
from harness.model.spec import ROOT, Machine, Switches, UsageError, Verdict
from harness.platform.files.atomic import write_whole
from harness.platform.files.bounded import read_bounded, why_unread
from harness.platform.files.store import RunFolder
from harness.platform.host.cpus import on_cores
from harness.platform.host.identity import host_facts
from harness.platform.host.leases import lease_cores
from harness.platform.host.load import competing_load
from harness.platform.kernels.build import source_state
from harness.platform.machine.pin import probe_rights
from harness.platform.pictures.virgl import chosen_device
from harness.report.printer import Printer
from harness.report.told import TellingPrinter, next_lines, write_told
from harness.report.view import Link
from harness.settings import Arguments, settings_of

ORDER = 140
EXAMPLES = (
    "",
    "LAUNCHES=20 EFFECTS=3,10",
    "LOAD=10 KEEP=1",
    "CORES=1 KEEP=1",
    "FOREIGN=1 KEEP=1",
    "FROM=baselines/x86_64/calibration.json",
    "CLUSTER=tls://scheduler:8786",
)
NEXT = "KEEP=1 keeps the evidence under baselines/"
TAKES = ("switches",)
MEASURES = True
WRITES = ("page",)
BUDGETS_S = (15.0, 30.0, 60.0, 120.0)
EVIDENCE = "calibration.json"
PART_LEAST_S, PART_DRAWS = 20.0, 20
"""The least budget of a part; sessions that another host draws from it, while the whole is judged here."""
PART_LIMIT_S, LAUNCH_S = 7200.0, 6.0
"""A part is ended after this time; what a launch of all effects takes, until that is known."""


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``calibrate [LAUNCHES=62] [BUDGET=s] [EFFECTS=2,5,10] [LOAD=n] [CORES=n] [PIN=0] [FOREIGN=1] [KEEP=1]``.

    With FROM the launches of earlier evidence are judged again, without QEMU.
    """
    switches = Switches.of(arguments.switches)
    place = CalibrationPlace(
        arguments.integer("LOAD"),
        arguments.integer("CORES"),
        arguments.flag("PIN"),
        arguments.flag("FOREIGN"),
        arguments.flag("VIRGL"),
    )
    evidence_path, begun = arguments.path("FROM"), time.monotonic()
    until_s = begun + arguments.number("BUDGET") if arguments.has("BUDGET") else math.inf
    draws = arguments.integer("DRAWS")
    with RunFolder("calibrate") as run:
        provenance: dict[str, Any] | None = None
        shared: dict[str, Any] = {}
        if evidence_path is not None:
            recording, provenance = _read(evidence_path)
            place = place_from(provenance["place"])
            notices = tuple(provenance["notices"])
        elif arguments.cluster is not None:
            recording, shared = _shared(arguments.cluster, place, switches, arguments, run, out)
            notices = (place.title, hosts_words(shared[HOSTS]))
        else:
            if math.isfinite(until_s):
                drawing = drawing_time(len(arguments.integers("EFFECTS")))
                recording = _recorded(switches, place, arguments, run.path, out, until_s - drawing.seconds(draws))
                draws = drawing.within(until_s - time.monotonic(), draws)
            else:
                recording = _recorded(switches, place, arguments, run.path, out, until_s)
            words = f"{len(recording.series[0].effects)} launches an effect"
            notices = (recording.protocol.words if recording.protocol else "", place.title, words)
        arch = str((provenance or {}).get("switches", {}).get("ARCH", switches.arch))
        out.progress("calibrate: replaying sessions")
        rates = _rates(recording, place, draws, arguments.integer("RANDOM_STATE"))
        promised = targets(rates.cells, recording.series, place)
        told = TellingPrinter(out)
        _say(told, recording, rates, ", ".join(notices))
        result = replace(_result(run, promised, notices), seconds=time.monotonic() - begun)
        provenance = provenance or {**provenance_of(result, switches, place), **shared}
        result = replace(result, next_steps=_next(result, place, provenance["switches"], arguments))
        evidence = evidence_text(provenance, recording, rates.cells, rates.references, rates.made_up, promised)
        write_whole(run.path / EVIDENCE, evidence)
        if arguments.flag("KEEP"):
            write_whole(ROOT / "baselines" / arch / f"{place.name}.json", evidence)
        write_told(told, result, run.path, arguments.again, [Link("evidence", EVIDENCE)])
        folder = run.commit(result)
        for line in (result.sentence, *next_lines(result)):
            out.line(line)
        out.line(f"evidence: {folder / EVIDENCE}")
        out.line(f"report: {folder / 'report.html'}")
        return result.verdict


def _next(
    result: Result, place: CalibrationPlace, switches: Mapping[str, str], arguments: Arguments
) -> tuple[NextStep, ...]:
    """More launches of the same kernel at the same place, where the promises were missed."""
    if result.verdict is Verdict.PASS:
        return ()
    kept = {name: text for name, text in arguments.given.items() if name not in ("FROM", "DRAWS", "LAUNCHES")}
    launches = max(2 * arguments.integer("LAUNCHES"), int(settings_of("calibrate")["LAUNCHES"].default))
    usual = Switches.of({}).everything()
    switched = {name: text for name, text in switches.items() if name in usual and text != usual[name]}
    wanted = switched | place.settings() | kept | {"LAUNCHES": str(launches)}
    words = [f"{name}={text}" for name, text in wanted.items()]
    why = "few launches say little of rare errors: record more, with nothing else running"
    return (NextStep(why, shlex.join(["make", "calibrate", *words])),)


@dataclass(frozen=True)
class _Rates:
    """Results of simulated sessions."""

    cells: list[DetectionRates]
    references: list[ReferenceMethodRates]
    made_up: list[Synthetic]


def _recorded(
    switches: Switches, place: CalibrationPlace, arguments: Arguments, folder: Path, out: Printer, until_s: float
) -> CalibrationRecording:
    """Launches of every effect on the host as it is prepared for this place, until then on the monotonic clock."""
    quiet = arguments.text("QUIET") == "wait"
    with on_cores(place.cores), lease_cores(progress=out.progress, quiet=quiet):
        rights = probe_rights()
        rights = rights if place.pins else replace(rights, affinity=False, realtime=False)
        machine, _ = chosen_device(Machine(arch=switches.arch, vcpus=1, maxcpus=2), place.gl)
        protocol = choose_protocol(rights, machine)
        pairs = pairs_of_images(place, arguments.integer("LAUNCHES"))
        out.progress("calibrate: building")
        effects, compiler = arguments.integers("EFFECTS"), arguments.text("CC")
        built = planted_effects(switches, machine, place.foreign, effects, compiler, pairs)
        processes = len(protocol.cores) if place.load == 1 else place.load
        with competing_load(processes):
            random_state, launches = arguments.integer("RANDOM_STATE"), arguments.integer("LAUNCHES")
            left_s = max(until_s - time.monotonic(), 0.0)
            return record(built, launches, folder, protocol, random_state, out.progress, left_s)


def _shared(
    hosts: ClusterRequest,
    place: CalibrationPlace,
    switches: Switches,
    arguments: Arguments,
    run: RunFolder,
    out: Printer,
) -> tuple[CalibrationRecording, dict[str, Any]]:
    """Launches that several hosts recorded, and who they are."""
    sizes = part_sizes(arguments.integer("LAUNCHES"))
    own = {"LAUNCHES", "RANDOM_STATE", "DRAWS", "BUDGET", "KEEP"}
    common = [f"{key}={text}" for key, text in arguments.without_cluster().items() if key not in own]
    needs = (PAIR, f"arch:{switches.arch}", *(["gl"] if place.gl else []))
    budget_s = arguments.number("BUDGET") if arguments.has("BUDGET") else math.inf
    wishes = []
    for number, size in enumerate(sizes):
        words = ["calibrate", *common, f"LAUNCHES={size}", f"DRAWS={PART_DRAWS}"]
        words.append(f"RANDOM_STATE={arguments.integer('RANDOM_STATE') + number}")
        part_s = max(budget_s * size / sum(sizes), PART_LEAST_S)
        words += [f"BUDGET={part_s:.1f}"] if math.isfinite(part_s) else []
        job = Job(f"calibrate {run.path.name}", f"part {number + 1}", tuple(words), "", PART_LIMIT_S, needs)
        wishes.append(Wish(job, min(part_s, size * LAUNCH_S)))
    parts: dict[str, RecordedPart] = {}
    with crew_for(hosts, Provisions(), "calibrate", out.progress) as crew:
        for end in crew.run(wishes):
            result_of_job(end)
            try:
                recording, _ = _read(Path(end.folder) / EVIDENCE)
                parts[end.job.label] = RecordedPart(end.host, recording)
            except UsageError as error:  # too few of its launches were sound
                out.line(f"note: {end.job.label} by {end.host} is left out: {error}")
            out.progress(f"calibrate: {end.job.label} of {len(sizes)} by {end.host}")
        crew.page.keep(run.path)
    for text in crew.notices:
        out.line(f"note: {text}")
    ordered = [parts[wish.job.label] for wish in wishes if wish.job.label in parts]
    if not ordered:
        raise HarnessError("no part of the calibration can be used: see the results beside this one")
    return joined(ordered), {HOSTS: [asdict(one) for one in hosts_of(ordered)]}


def _rates(recording: CalibrationRecording, place: CalibrationPlace, draws: int, random_state: int) -> _Rates:
    """Sessions drawn from the launches, and the reference methods on the same."""
    rng = np.random.default_rng(random_state)
    series = _replayed(recording.series, relinks=not place.foreign)
    usual = next(rule.smallest for rule in RULES if rule.primary)
    cells = [
        protocol_rates(
            one,
            budget_s,
            recording.each_s,
            draws,
            rng,
            SMALLEST.get(one.name, usual),
            None if one.name in SMALLEST else AIM,
            relinks=not place.foreign,
        )
        for one in series
        for budget_s in BUDGETS_S
    ]
    references = [
        reference_method_rates(one, budget_s, recording.each_s, draws // 4, rng)
        for one in series
        for budget_s in (30.0, 60.0)
    ]
    made_up = [synthetic(name, draw, draws * 2, rng) for name, draw in _SYNTHETIC.items()]
    return _Rates(cells, references, made_up)


_SYNTHETIC = {
    "normal": normal(0.025),
    "heavy tails": heavy_tailed(0.025),
    "bimodal": bimodal(0.025),
    "outliers": with_outliers(0.025),
    "autocorrelated": autocorrelated(0.025),
}


def _read(path: Path) -> tuple[CalibrationRecording, dict[str, Any]]:
    try:
        return recording_from_evidence(read_bounded(path).decode(), str(path))
    except ResultError as error:
        raise UsageError(f"FROM={error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"FROM={path}: cannot be read: {why_unread(error)}") from error


def _replayed(recorded: tuple[Series, ...], relinks: bool) -> list[Series]:
    """The series to draw from: A/A around no effect, with exact sizes calculated in, and each planted fault.

    Of link orders that take turns only the common centre is moved: few launches of each say little of its own.
    """
    if relinks:
        same, planted = recorded[0].around(0.0), list(recorded[1:])
    else:
        same = recorded[0].without_sampling_error(0.0)
        centres = [float(np.mean([pair.centre for pair in one.pairs])) for one in recorded[1:]]
        planted = [one.without_sampling_error(centre) for one, centre in zip(recorded[1:], centres)]
    return [same, *(same.slowed(f"{SAME} + {size}", share) for size, share in CALCULATED.items()), *planted]


def _say(out: Printer, recording: CalibrationRecording, rates: _Rates, how: str) -> None:
    out.line(f"{how}; {recording.each_s:.2f} s a launch")
    _say_launches(out, recording)
    _say_sessions(out, rates.cells)
    _say_references(out, rates)
    rows = [
        [one.name, str(one.sessions)]
        + [percent(one.false_alarms, 2), percent(one.power_3pct, 1), percent(one.coverage, 1)]
        for one in rates.made_up
    ]
    header = ["made-up launches", "sessions", "false alarms", "3% found", "95% interval held"]
    out.table("synthetic, 2.5 % a launch, 70 launches", header, rows)


def _say_launches(out: Printer, recording: CalibrationRecording) -> None:
    rows = []
    for one in recording.series:
        median, pairs = np.median(one.effects), [np.median(pair.effect) for pair in one.pairs]
        figures = [signed_percent(np.expm1(median), 2), percent(one.effects.std(), 2)]
        by_pair = " ".join(signed_percent(np.expm1(pair), 2) for pair in pairs)
        rows.append([one.name, str(len(one.effects)), *figures, by_pair])
    out.table("launches", ["injected", "launches", "median", "sd", "by pair of images"], rows)
    rows = [[name, percent(sd, 1), percent(robust, 1)] for name, sd, robust in estimator_rows(recording.series[0])]
    if rows:
        out.table("one launch's effect, the same kernel", ["estimator", "sd", "robust sd"], rows)


def _say_sessions(out: Printer, cells: Sequence[DetectionRates]) -> None:
    rows = []
    for cell in cells:
        bounds = f"{percent(cell.slower.low, 1)} to {percent(cell.slower.high, 1)}"
        shares = [percent(share, 1) for share in (cell.faster.share, cell.unchanged, cell.undecided)]
        found = [percent(cell.slower.share, 1), bounds, *shares, f"{cell.median_s:.0f} s"]
        rows.append([cell.series, f"{cell.budget_s:g} s", *found])
    out.table(
        f"sessions, {cells[0].slower.draws} a row",
        ["injected", "budget", "slower", "95% bounds", "faster", "unchanged", "undecided", "median time"],
        rows,
    )


def _say_references(out: Printer, rates: _Rates) -> None:
    """What simpler methods would have said of the same launches."""
    ours = {(cell.series, cell.budget_s): cell.slower.share for cell in rates.cells}
    rows = [
        [reference.series, f"{reference.budget_s:g} s", percent(ours[reference.series, reference.budget_s], 1)]
        + [percent(reference.mann_whitney, 1), percent(reference.mean_3pct, 1), percent(reference.mean_5pct, 1)]
        for reference in rates.references
    ]
    out.table(
        "called slower, on the same launches",
        ["injected", "budget", "this gate", "Mann-Whitney", "mean > 3%", "mean > 5%"],
        rows,
    )


def _result(run: RunFolder, promised: tuple[Promise, ...], notices: Sequence[str]) -> Result:
    missed = [target for target in promised if not target.met]
    verdict = Verdict.INCONCLUSIVE if missed else Verdict.PASS
    told = [f"{target.words}: {percent(target.reached)}" for target in (missed or promised)]
    many = f"missed {len(missed)} of {len(promised)} promises, the first: {told[0]}" if missed else "; ".join(told)
    return Result(
        command="calibrate",
        verdict=verdict,
        sentence=f"{verdict.value}: {many}",
        problems=tuple(told[1:]) if missed else (),
        started=run.started,
        seconds=0.0,
        host=replace(host_facts(), cores=len(os.sched_getaffinity(0))),
        source=source_state(),
        notices=tuple(notices),
    )
