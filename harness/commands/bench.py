"""Measure the figures that the project promises."""

from __future__ import annotations

import resource
import shutil
import time
from dataclasses import replace
from pathlib import Path

from harness.benchmarks import Figure, measured, measures, row_name, topics
from harness.core.comparison.statistics import State
from harness.core.wording import percent, signed_percent, span
from harness.explain.counting import COUNTED, count_events
from harness.gate.measuring.comparison import compare
from harness.gate.measuring.protocol import WARM_UP_FRAMES, choose_protocol
from harness.model.result import NextStep, Result
from harness.model.spec import Machine, RunParams, RunSpec, Switches, UsageError, Verdict, switch_table
from harness.model.values import nearest, shown
from harness.platform.files.scratch import scratch_folder
from harness.platform.files.store import RunFolder
from harness.platform.host.identity import host_facts
from harness.platform.host.leases import lease_cores
from harness.platform.kernels.build import BuiltKernel, build_kernel
from harness.platform.machine.pin import probe_rights
from harness.report.printer import Printer
from harness.report.told import TellingPrinter, next_lines, write_told
from harness.settings import Arguments

ORDER = 130
EXAMPLES = ("", "ONLY=gate,kernel", "ONLY=cluster.killed", "SWITCHES=0")
NEXT = "report.md of results/latest"
MEASURES = True

MACHINE = Machine(vcpus=1, maxcpus=2)
SWITCH_S = 14.0
SMALLEST = 0.03
SWITCHES_TITLE = f"switches, against the default ('unchanged' is within {percent(SMALLEST, 0)}; counts are of a frame)"


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``bench [ONLY=topic,topic.row] [SWITCHES=0]``: 0 when every promise is kept, 4 when one is not."""
    chosen = _chosen(arguments.text("ONLY"))
    with RunFolder("bench") as run:
        begun = time.monotonic()
        figures: list[Figure] = []
        with scratch_folder("bench") as folder:
            short: list[str] = []
            for topic in chosen:
                before = len(figures)
                for measure in measures(*topic.split(".")):
                    out.progress(f"bench: {measure.__doc__}")
                    figures += measured(measure, folder)
                short += [] if all(figure.kept for figure in figures[before:]) else [topic]
            with_table = arguments.flag("SWITCHES") if arguments.has("SWITCHES") else not arguments.has("ONLY")
            table = switch_rows(folder, out) if with_table else []
        figures.append(Figure("peak memory of the harness", _peak_mb(), "MB", 300))
        told = TellingPrinter(out)
        told.table("promises", ["", "what", "here", "promise"], [figure.row() for figure in figures])
        if table:
            told.table(SWITCHES_TITLE, SWITCH_HEADER, table)
        missed = [figure.what for figure in figures if not figure.kept]
        verdict = Verdict.INCONCLUSIVE if missed else Verdict.PASS
        promised = sum(figure.promise is not None for figure in figures)
        sentence = f"{promised - len(missed)} of {promised} promises kept"
        details = {"figures": [figure.row() for figure in figures], "switches": table}
        seconds = time.monotonic() - begun
        sentence += f": missed {', '.join(missed)}" if missed else ""
        result = Result("bench", verdict, sentence, run.started, seconds, host=host_facts(), details=details)
        if short:
            again = NextStep(
                "measure what was missed again, with nothing else running", f"make bench ONLY={','.join(short)}"
            )
            result = replace(result, next_steps=(again,))
        write_told(told, result, run.path, arguments.again)
        folder = run.commit(result)
        out.line(f"{verdict.value}: {sentence}")
        for line in next_lines(result):
            out.line(line)
        out.line(f"report: {folder / 'report.html'}")
        return verdict


def _chosen(words: str) -> list[str]:
    known = topics()
    chosen = words.split(",") if words else known
    if unknown := [word for word in chosen if word.partition(".")[0] not in known]:
        near = nearest(unknown[0], known)
        hint = f"; did you mean {near}?" if near else ""
        raise UsageError(f"ONLY={shown(words)}: choose from {', '.join(known)}{hint}")
    for topic, _, row in (word.partition(".") for word in chosen if "." in word):
        rows = [row_name(measure) for measure in measures(topic)]
        if row not in rows:
            raise UsageError(f"ONLY={shown(words)}: of {topic} choose from {', '.join(rows)}")
    return chosen


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


SWITCH_HEADER = ["switch", "frame time", "interval", "", "fences", "spins", "completions", "timeouts"]


def switch_rows(folder: Path, out: Printer) -> list[list[str]]:
    """Every value of every switch except faults, against the default, interleaved."""
    base = build_kernel(Switches())
    rows = [["default", "", "", "", *_counts(base, Switches(), folder / "count-default")]]
    for name, switch in switch_table().items():
        for value in switch.values_on(MACHINE.device)[1:] if name != "FAULT" else ():
            out.progress(f"bench: {name}={value}")
            rows.append(_switch_row(base, Switches().but(**{name: value}), folder / f"{name}-{value}"))
    return rows


def _switch_row(base: BuiltKernel, switches: Switches, folder: Path) -> list[str]:
    built = build_kernel(switches)
    params = RunParams(seconds=3600.0, records=0, warmup=WARM_UP_FRAMES)
    arms = {
        "candidate": RunSpec(built.path, MACHINE, params),
        "reference": RunSpec(base.path, MACHINE, params),
    }
    with lease_cores():
        protocol = choose_protocol(probe_rights())
        timing = compare(arms, folder, protocol, SWITCH_S, lambda text: None, random_state=1, smallest=SMALLEST)
    decision = timing.decision
    shutil.rmtree(folder, ignore_errors=True)
    interval = span(decision.low - 1, decision.high - 1) if decision.low else "too few launches"
    words = {State.CHANGED: "changed", State.UNCHANGED: "unchanged", State.UNDECIDED: "within the noise"}
    label = switches.label.removeprefix("x86_64 ")
    change = signed_percent(decision.ratio - 1) if decision.ratio > 0 else "not measured"
    counts = _counts(built, switches, folder.with_name(folder.name + "-count"))
    return [label, change, interval, words[decision.state], *counts]


def _counts(built: BuiltKernel, switches: Switches, folder: Path) -> list[str]:
    """Fences, spins, completions and timeouts a frame, by the kernel's own summary; a dash for what is not counted."""
    counts = count_events(built.path, MACHINE, folder, frames=100, params=RunParams(records=0))
    uncounted = ("fences", "spins") if switches.get("COUNTERS") == "none" else ()
    return ["—" if key in uncounted else _count_words(getattr(counts, key)) for key in COUNTED]


def _count_words(count: float) -> str:
    return f"{count:,.0f}" if count >= 1000 else f"{count:.4g}"
