"""The figures that the project promises, measured here and now, each with its promise beside it."""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.analyze.frames import check_picture
from harness.analyze.serial import parse_serial
from harness.analyze.stats import State
from harness.analyze.trace import parse_trace
from harness.commands import Arguments, Printer
from harness.commands.perf import number, split_settings
from harness.drive.build import BuiltKernel, build_kernel
from harness.drive.host import host_facts
from harness.drive.oracle import Oracle
from harness.drive.pin import probe_rights
from harness.drive.qemu import TIMING_EVENTS, Qemu
from harness.drive.store import RunFolder
from harness.lanes.perturbation import measure_perturbation
from harness.lanes.timing import choose_protocol, compare
from harness.result import Result
from harness.spec import Machine, RunParams, RunSpec, Switches, Verdict, switch_table

MACHINE = Machine(vcpus=1, maxcpus=2)
QUADS = 100
SWITCH_S = 14.0


@dataclass(frozen=True)
class Figure:
    """One promise and what became of it."""

    what: str
    value: float
    unit: str
    promise: float
    at_most: bool = True

    @property
    def kept(self) -> bool:
        return self.value <= self.promise if self.at_most else self.value >= self.promise

    def row(self) -> list[str]:
        sign = "≤" if self.at_most else "≥"
        mark = "✓ kept" if self.kept else "✗ missed"
        return [mark, self.what, f"{self.value:.4g} {self.unit}", f"{sign} {self.promise:g}"]


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``bench [SWITCHES=0] [QUADS=n]``: 0 when every promise is kept, 4 when one is not."""
    settings, _ = split_settings(arguments, ["SWITCHES", "QUADS"])
    with RunFolder("bench") as run:
        begun = time.monotonic()
        figures: list[Figure] = []
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            folder = Path(scratch)
            for look in _FIGURES:
                out.progress(f"bench: {look.__doc__}")
                figures += look(folder)
            figures.append(_perturbation(folder, int(number(settings, "QUADS", QUADS, 4, 10000))))
            table = [] if settings.get("SWITCHES") == "0" else switch_rows(folder, out)
        figures.append(Figure("peak memory of the harness", _peak_mb(), "MB", 300))
        out.table("promises", ["", "what", "here", "promise"], [figure.row() for figure in figures])
        out.table("switches, against the default", SWITCH_HEADER, table)
        missed = [figure.what for figure in figures if not figure.kept]
        verdict = Verdict.INCONCLUSIVE if missed else Verdict.PASS
        sentence = f"{len(figures) - len(missed)} of {len(figures)} promises kept"
        (run.path / "report.md").write_text(_markdown(figures, table), encoding="utf-8")
        details = {"figures": [figure.row() for figure in figures], "switches": table}
        seconds = time.monotonic() - begun
        folder = run.commit(
            Result("bench", verdict, sentence, run.started, seconds, host=host_facts(), details=details)
        )
        out.line(f"{sentence}{': missed ' + ', '.join(missed) if missed else ''}")
        out.line(f"report: {folder / 'report.md'}")
        return verdict


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    trace = machine.trace_path.read_bytes()
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


def _perturbation(folder: Path, quads: int) -> Figure:
    spec = RunSpec(build_kernel(Switches()).path, MACHINE)
    cost = measure_perturbation(spec, folder / "perturbation", quads)
    what = f"cost of watching ({cost.low:+.2%} to {cost.high:+.2%})"
    return Figure(what, 100 * cost.value, "% of frame time", 1)


_FIGURES: tuple[Callable[[Path], list[Figure]], ...] = (_build, _first_flush, _pictures, _parsers)

SWITCH_HEADER = ["switch", "FPS change", "interval", "", "fences", "spins", "completions", "timeouts"]


def switch_rows(folder: Path, out: Printer) -> list[list[str]]:
    """Every value of every switch except faults, against the default, interleaved."""
    base = build_kernel(Switches())
    rows = [["default", "", "", "", *_counts(base, folder / "count-default")]]
    for name, switch in switch_table().items():
        for value in switch.values[1:] if name != "FAULT" else ():
            out.progress(f"bench: {name}={value}")
            rows.append(_switch_row(base, Switches().but(**{name: value}), folder / f"{name}-{value}"))
    return rows


def _switch_row(base: BuiltKernel, switches: Switches, folder: Path) -> list[str]:
    built = build_kernel(switches)
    params = RunParams(seconds=3600.0, records=0)
    arms = {
        "candidate": RunSpec(built.path, MACHINE, params),
        "reference": RunSpec(base.path, MACHINE, params),
    }
    timing = compare(arms, folder, choose_protocol(probe_rights()), SWITCH_S, lambda text: None, seed=1, smallest=0.03)
    decision = timing.decision
    shutil.rmtree(folder, ignore_errors=True)
    interval = f"{1 / decision.high - 1:+.1%} to {1 / decision.low - 1:+.1%}" if decision.low else "too few launches"
    words = {State.CHANGED: "changed", State.UNCHANGED: "unchanged", State.UNDECIDED: "within the noise"}
    label = switches.label.removeprefix("x86_64 ")
    change = f"{1 / decision.ratio - 1:+.1%}" if decision.ratio > 0 else "not measured"
    return [label, change, interval, words[decision.state], *_counts(built, folder.with_name(folder.name + "-count"))]


def _counts(built: BuiltKernel, folder: Path) -> list[str]:
    """Fences, spins, completions and timeouts a frame, by the kernel's own summary."""
    with Qemu(RunSpec(built.path, MACHINE, RunParams(frames=100, records=0)), folder, ()) as machine:
        machine.wait_end(60)
        summary = parse_serial(machine.console.content()).summary
    values = dict(summary.fields) if summary else {}
    frames = int(values.get("frames", "0")) or 1
    return [f"{int(values.get(key, '0')) / frames:.4g}" for key in ("fences", "spins", "completions", "timeouts")]


def _markdown(figures: list[Figure], table: list[list[str]]) -> str:
    lines = ["# Promises", "", "| | what | here | promise |", "|---|---|---:|---:|"]
    lines += ["| " + " | ".join(figure.row()) + " |" for figure in figures]
    if table:
        lines += ["", "# Switches", "", "| " + " | ".join(SWITCH_HEADER) + " |", "|---|" + "---:|" * 7]
        lines += ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join(lines) + "\n"
