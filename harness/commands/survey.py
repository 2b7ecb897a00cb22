"""Run several targets and show their drivers in one table."""

from __future__ import annotations

import datetime
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np

from harness.cluster.bundle import Provisions
from harness.cluster.crew import crew_for
from harness.core.budget import MOST_S, PICTURES_LEAST, SURVEY_STAGES, WATCH_S, budget_words, rounded_s
from harness.core.comparison.statistics import CANDIDATE
from harness.core.device.frametimes import Presented
from harness.core.device.recount import recounted_fps
from harness.core.device.trace import NOTIFY, POP, Trace
from harness.core.timing.sources import gpu_queue
from harness.core.wording import percent, signed_percent
from harness.gate.measuring.window import Window
from harness.gate.replay import load_measured
from harness.model import codec
from harness.model.codec import CodecError
from harness.model.errors import StoreError
from harness.model.job import PAIR, Job, JobCrew, Wish
from harness.model.metric import Metric
from harness.model.result import NextStep, Result, ResultError
from harness.model.spec import Device, UsageError, Verdict
from harness.model.survey import COLUMNS, NO_CELLS, NOTHING, NUMBERS, SurveyRow, SurveyRows, survey_markdown
from harness.model.target_file import target_of
from harness.platform.files.atomic import write_whole
from harness.platform.files.bounded import LOG_BYTES_MAX, read_bounded
from harness.platform.files.outputs import make_place
from harness.platform.files.store import RESULTS_DIR, load_result
from harness.platform.kernels.build import source_state
from harness.platform.kernels.targets import boot_digest, find_target, main_image, read_target, resolved
from harness.platform.machine.qemu_command import TRACE_LOG
from harness.platform.processes.pipeline import HarnessRun, ran_as_job, run_harness
from harness.proof.ordering import ordering_of
from harness.report.printer import Printer
from harness.report.render import page
from harness.report.view import ReportView, Section, TableCell, TableRow, columns, symbol_of, table, tone_of
from harness.settings import Arguments

ORDER = 45
EXAMPLES = (
    "TARGETS=ovmf,aavmf",
    "TARGETS=mine,../other/perf.toml PAGE=survey.html",
    "TARGETS=ovmf,aavmf RESUME=1",
    "TARGETS=ovmf,aavmf CLUSTER=local",
)
NEXT = "make ab TARGET=… compares two of them side by side"
WRITES = ("page",)

PAGE_FILE = RESULTS_DIR / "survey.html"
_LIMIT_S = 900.0
MARKDOWN = ".md"
_STAGES = (f"STAGES={','.join(SURVEY_STAGES)}", f"PICTURES={PICTURES_LEAST}")
_TARGET_S = 240.0
"""At the most for one target, where no budget is given: whatever boots slowly beside other load needs it."""


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``survey TARGETS=a,b,… [BUDGET=s] [PAGE=…] [RESUME=1]``."""
    names = [word.strip() for word in arguments.text("TARGETS").split(",")]
    try:
        for name in names:
            find_target(name)
    except UsageError as error:
        raise UsageError(str(error).replace("TARGET=", "TARGETS=", 1)) from error
    if len(set(names)) < len(names):
        raise UsageError(f"TARGETS={arguments.text('TARGETS')}: a target is given twice")
    begun, where = time.monotonic(), arguments.path("PAGE") or PAGE_FILE
    make_place(where)
    kept = RESULTS_DIR / f"{where.name}.rows.json"
    rows = _kept_rows(kept) if arguments.flag("RESUME") else SurveyRows()
    left = [name for name in names if rows.of(name, _digest(name)) is None]
    whole_s = arguments.number("BUDGET") if arguments.has("BUDGET") else len(left) * _TARGET_S
    for found in _every(left, whole_s, begun, arguments, out):
        others = (row for row in rows.rows if row.name != found.name)
        rows = SurveyRows((*others, replace(found, digest=_digest(found.name))))
        _write(kept, codec.to_json(rows))
    ordered = tuple(row for name in names for row in rows.rows if row.name == name)
    return _shown(ordered, where, time.monotonic() - begun, arguments, out)


def _shown(rows: tuple[SurveyRow, ...], where: Path, seconds: float, arguments: Arguments, out: Printer) -> Verdict:
    """Print and write the table; returns the worst verdict."""
    out.table("drivers", ["target", "verdict", *COLUMNS], [[row.short, row.verdict.value, *row.cells] for row in rows])
    for row in rows:
        out.line(f"{row.name}: {row.sentence}")
    verdict, steps = Verdict.worst(row.verdict for row in rows), after_survey(rows, arguments)
    for step in steps:
        out.line(f"next: {step.why}: {step.command}")
    plain = where.suffix == MARKDOWN
    _write(
        where,
        survey_markdown(rows) if plain else page(survey_view(rows, verdict, seconds, where, arguments.again, steps)),
    )
    out.line(f"page: {where.absolute()}")
    return verdict


def _every(
    names: Sequence[str], whole_s: float, begun: float, arguments: Arguments, out: Printer
) -> Iterator[SurveyRow]:
    """Measure targets, on the hosts that CLUSTER names or here, each as soon as it is known."""
    left, share_s = list(names), whole_s / max(len(names), 1)
    if arguments.cluster is not None:
        # The files of another target lie on this host alone.
        shared = [name for name in names if "/" not in name]
        left = [name for name in names if name not in shared]
        with crew_for(arguments.cluster, Provisions(), "survey", out.progress) as crew:
            yield from _shared(shared, share_s, crew, out)
            for text in crew.notices:
                out.line(f"note: {text}")
        whole_s, begun = share_s * len(left), time.monotonic()
    for number, name in enumerate(left):
        share_s = (whole_s - (time.monotonic() - begun)) / (len(left) - number)
        yield _measured(name, share_s, f"survey: {number + 1} of {len(left)}: {name}", out)


def _measured(name: str, share_s: float, what: str, out: Printer) -> SurveyRow:
    """The gate of a target, then a look at how its driver waits, within the target's share of the time."""
    out.progress(what)
    ran = run_harness(*_gate_of(name, share_s))
    out.progress(f"{what}: how it waits")
    return _row(name, ran, _wait_of(run_harness(*_watch_of(name))))


def _gate_of(name: str, share_s: float) -> tuple[tuple[str, ...], float]:
    """The gate of a target within its share of the time: words, and the limit."""
    gate_s = min(max(share_s - WATCH_S, 5.0), MOST_S["perf"])
    return ("perf", f"TARGET={name}", budget_words(gate_s), *_STAGES), _LIMIT_S + gate_s


def _watch_of(name: str) -> tuple[tuple[str, ...], float]:
    """A look at how a target's driver waits: words, and the limit."""
    return ("explain", f"TARGET={name}", "QUICK=1", budget_words(WATCH_S)), _LIMIT_S


def _shared(names: Sequence[str], share_s: float, crew: JobCrew, out: Printer) -> Iterator[SurveyRow]:
    """Let a crew measure targets: two jobs each, which may run on different hosts."""
    purpose = f"survey {datetime.datetime.now(datetime.timezone.utc).isoformat()}"
    commit = str(source_state()["git"])
    wishes, whose = [], {}
    for name in names:
        target = read_target(name)
        needs = (PAIR, f"arch:{target.arch}", *(["gl"] if target.device is Device.GPU_GL else []))
        for words, limit_s in (_gate_of(name, share_s), _watch_of(name)):
            job = Job(purpose, f"{words[0]} {name}", words, commit, limit_s, needs)
            whose[job.label] = name
            wishes.append(Wish(job, limit_s - _LIMIT_S))
    ran: dict[str, dict[str, HarnessRun]] = {}
    for end in crew.run(wishes):
        name = whose[end.job.label]
        out.progress(f"survey: {end.job.label} by {end.host}")
        ran.setdefault(name, {})[end.job.words[0]] = ran_as_job(end)
        if len(ran[name]) == 2:
            yield _row(name, ran[name]["perf"], _wait_of(ran[name]["explain"]))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _kept_rows(path: Path) -> SurveyRows:
    """Rows that an earlier survey measured; none where there was none."""
    try:
        return codec.from_json(SurveyRows, read_bounded(path).decode("utf-8"))
    except FileNotFoundError:
        return SurveyRows()
    except (OSError, ValueError, CodecError) as error:
        raise UsageError(f"RESUME=1: {path} cannot be read: {error}; leave RESUME out") from error


def _digest(name: str) -> str:
    """Hash of what a target boots now; empty where that is unknown before a build."""
    try:
        target = read_target(name)
        return boot_digest(target, resolved(target)[1])
    except UsageError:
        return ""


def _wait_of(watched: HarnessRun) -> tuple[str, str]:
    """How busy the CPU is while the device works, and how the driver waits; dashes where it was not seen."""
    if watched.folder is None:
        return NOTHING, NOTHING
    try:
        wait = load_result(watched.folder).details.get("wait", {})
    except ResultError:
        return NOTHING, NOTHING
    busy = wait.get("busy")
    return percent(busy, 0) if isinstance(busy, float) else NOTHING, wait.get("kind") or NOTHING


def _ordering(name: str) -> str:
    """What the proof says of a target's kernel, in a few words."""
    try:
        image = main_image(resolved(read_target(name))[1])
    except UsageError:
        return NOTHING
    return ordering_of(image.path, image.sha256).short if image.role == "kernel" else NOTHING


def _row(name: str, ran: HarnessRun, wait: tuple[str, str]) -> SurveyRow:
    """The gate's figures for a target's driver."""
    verdict = next((one for one in Verdict if one.exit_code == ran.exit_code), Verdict.HARNESS_FAILED)
    said = next((line for line in reversed(ran.said) if not line.startswith("verdict:")), "it said nothing")
    if ran.folder is None:
        return SurveyRow(name, verdict, NO_CELLS, said)
    try:
        result = load_result(ran.folder)
        window = load_measured(ran.folder, result).of(Window)
    except ResultError as error:
        return SurveyRow(name, verdict, NO_CELLS, str(error), str(ran.folder))
    rates = _rates(result, window)
    cells = (rates[0], _recount(result, window, ran.folder), *rates[1:], *wait, *_pictures(result), _ordering(name))
    return SurveyRow(name, verdict, cells, result.sentence, str(ran.folder))


def _rates(result: Result, window: Window | None) -> tuple[str, ...]:
    arm = result.arms.get(CANDIDATE)
    metrics: Mapping[str, Metric] = arm.metrics if arm is not None else {}
    rates = [metrics[name].value if name in metrics else None for name in ("fps_window", "frame_ms_p99")]
    counts = [_a_frame(window.trace, window.presented, kind) if window else None for kind in (POP, NOTIFY)]
    return tuple(NOTHING if value is None else f"{value:.4g}" for value in (*rates, *counts))


def _recount(result: Result, window: Window | None, folder: Path) -> str:
    """How far a count made apart lies from the frame rate."""
    fps = result.arms[CANDIDATE].metrics.get("fps_window") if CANDIDATE in result.arms else None
    target = target_of(result.run.target) if result.run is not None and result.run.target is not None else None
    if fps is None or window is None or target is None:
        return NOTHING
    observed, gap_ns = window.observed, round(target.frame.gap_ms * 1e6)
    try:
        text = read_bounded(folder / "window" / TRACE_LOG, LOG_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return NOTHING
    other = recounted_fps(text, observed.begins_ns, observed.ends_ns, fps.n, gap_ns)
    return NOTHING if other is None else signed_percent(other / fps.value - 1, 2)


def _pictures(result: Result) -> tuple[str]:
    frames = result.frames
    return (f"{frames.intact} of {frames.checked} right" if frames else NOTHING,)


def _a_frame(trace: Trace, presented: Presented, kind: str) -> float | None:
    """Queue events of the GPU's control queue a frame, over the frames of the window."""
    times = presented.time_ns
    seen = gpu_queue(trace, kind).time_ns
    if len(times) < 2 or not len(seen):
        return None
    return float(np.count_nonzero((seen > times[0]) & (seen <= times[-1]))) / (len(times) - 1)


def _headline(rows: tuple[SurveyRow, ...], verdict: Verdict) -> str:
    """How many drivers, and which of them did not pass."""
    many = "1 driver" if len(rows) == 1 else f"{len(rows)} drivers"
    others = [f"{row.name} {row.verdict.value}" for row in rows if row.verdict is not Verdict.PASS]
    return f"{verdict.value}: {many}; {', '.join(others)}" if others else f"{verdict.value}: {many}"


def after_survey(rows: tuple[SurveyRow, ...], arguments: Arguments) -> tuple[NextStep, ...]:
    """More time where that was missing; the gate by itself where a driver failed."""
    would_do = [int(found) for row in rows for found in re.findall(r"BUDGET=(\d+) would do", row.sentence)]
    if would_do:
        kept = [f"{name}={text}" for name, text in arguments.given.items() if name != "BUDGET"]
        whole_s = rounded_s(len(rows) * (max(would_do) + WATCH_S))
        command = shlex.join(["make", "survey", *kept, f"BUDGET={whole_s}"])
        return (NextStep("the time of a target was too short: give it what was missing", command),)
    failed = next((row for row in rows if row.verdict is not Verdict.PASS), None)
    if failed is None:
        return ()
    return (NextStep(f"see what {failed.name} does", shlex.join(["make", "perf", f"TARGET={failed.name}"])),)


def survey_view(
    rows: tuple[SurveyRow, ...], verdict: Verdict, seconds: float, where: Path, again: str, steps: tuple[NextStep, ...]
) -> ReportView:
    head = columns(
        "target", "verdict", *(f"#{name}" for name in COLUMNS[:NUMBERS]), *(f":{name}" for name in COLUMNS[NUMBERS:])
    )
    shown = [
        TableRow(
            (
                TableCell(row.short, href=_address(row.folder, where)),
                TableCell(f"{symbol_of(row.verdict)} {row.verdict.value}", tone_of(row.verdict)),
                *(TableCell(cell) for cell in row.cells),
            )
        )
        for row in rows
    ]
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    closing = (
        "Recount is how far a second count of the trace, by other code, lies from the frame rate.",
        "Commands and notifications are those of the control queue, a frame.",
        "CPU busy is its share of the time that the device works, at the least. QEMU keeps a CPU that pauses in its "
        "poll off its core.",
        "A driver that sleeps asks for no interrupt, and rests: a timer wakes it.",
        "Ordering is what the proof says of the ring's barriers (docs/proof.md), where it can run the kernel.",
    )
    return ReportView(
        command="survey",
        verdict=verdict,
        headline=_headline(rows, verdict),
        next_steps=steps,
        started=started,
        seconds=seconds,
        sections=(Section("Drivers", table=table(head, shown), closing=closing),),
        notices=tuple(f"{row.name}: {row.sentence}" for row in rows),
        again=again,
    )


def _address(folder: str, where: Path) -> str:
    report = Path(folder) / "report.html"
    if not folder or not report.is_file():
        return ""
    return quote(os.path.relpath(report, where.absolute().parent))
