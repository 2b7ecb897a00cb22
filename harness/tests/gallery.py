"""One page of every kind that commands write, of made-up results: no machine runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from harness.acceptance.criteria import criteria, sentence_of, verdict_of
from harness.acceptance.report import acceptance_view, gates_of
from harness.commands.survey import after_survey, survey_view
from harness.core.guest.refusals import refused_commands
from harness.explain.attribution import FrameAccount
from harness.explain.manners.page import manners_view
from harness.explain.manners.rules import manners_of
from harness.explain.manners.wait_kind import wait_kind
from harness.explain.manners.watch import DriverAnswer
from harness.explain.timeline import TRACKS, TimelineSpan
from harness.front.endings import ending_files
from harness.gate.approved.target_approval import PAGE_FILE, approve_target
from harness.gate.judging.next_steps import next_steps
from harness.history.nightly_page import night_page
from harness.history.site import write_site
from harness.history.site_views import series_views, site_view
from harness.history.store import History
from harness.history.survey import read, survey
from harness.model.latency_record import LatencyRecord, SentKey, ShownInput
from harness.model.metric import Metric
from harness.model.modes_record import AskedMode, ModeChange, ModesRecord
from harness.model.record import Ending, Observed, RunRecord
from harness.model.refusals_record import RefusalsRecord
from harness.model.result import Arm, Gate, NextStep, Result
from harness.model.spec import RunParams, Verdict
from harness.model.survey import COLUMNS, SurveyRow
from harness.proof.decided.devices import DEVICES
from harness.proof.decided.weakest import Minimal, Weakest
from harness.proof.practice import PracticeFound
from harness.proof.report import StrategyRow, write_page
from harness.report.files import write_reports
from harness.report.render import page
from harness.report.told import TellingPrinter, write_told
from harness.settings import Arguments
from harness.tests import test_explain, test_report
from harness.tests.guestfacts import recorded
from harness.tests.nights import Planted, nights
from harness.tests.printer import RecordingPrinter
from harness.tests.proofs import proved
from harness.tests.test_cluster_live import run_with_page
from harness.tests.test_compare import compared, other, saved
from harness.tests.test_criteria import seen
from harness.tests.test_latency import SHOWN
from harness.tests.test_refusals import RECORDED
from harness.tests.test_report import EFFECTS, FRAMES_MS, planted_evidence, result
from harness.tests.test_site import night_view
from harness.tests.test_target_approval import a_run

WHEN = "2026-03-01T03:00:00+00:00"
CELL = "x86_64 acquire_progress 2d default"


def pages(root: Path) -> Mapping[str, Path]:
    """Every page by what it is."""
    found: dict[str, Path] = {}
    for name, path in (
        *_runs(root),
        *_watched(root),
        *_explanations(root),
        *_tables(root),
        *_histories(root),
        *_proofs(root),
    ):
        assert path.is_file(), name
        found[name] = path
    return found


def _folder(root: Path, name: str) -> Path:
    folder = root / name
    folder.mkdir()
    return folder


def _runs(root: Path) -> Iterator[tuple[str, Path]]:
    """Runs of the gate and of what ends like it."""
    regression = _folder(root, "regression")
    write_reports(result(), regression, FRAMES_MS, EFFECTS, commit_url="https://example.org/{commit}")
    yield "regression", regression / "report.html"
    corrupt = _folder(root, "corrupt")
    failed = result(
        verdict=Verdict.GUEST_FAILED,
        sentence="guest-failed: frame 2629 is corrupt: 1 pixel at 341,384, by 1 level",
        frames=planted_evidence(corrupt),
        gates=(),
        next_steps=(NextStep("look at pictures/00-corrupt-difference.png", path="pictures/00-corrupt-difference.png"),),
    )
    write_reports(failed, corrupt, {})
    yield "guest failed", corrupt / "report.html"
    arms = _folder(root, "ab")
    gate = Gate(
        "fps_trace",
        "ratio",
        Verdict.INCONCLUSIVE,
        "acquire_progress (B) against seqcst_spin (A): undecided, up to 17.9 % slower is possible",
        *(395.2, 396.4, -0.003, -0.15, 0.14, 0.01),
    )
    undecided = dataclasses.replace(test_report.compared(), gates=(gate,), verdict=Verdict.INCONCLUSIVE)
    write_reports(undecided, arms, {"A": FRAMES_MS["reference"], "B": FRAMES_MS["candidate"]}, EFFECTS)
    yield "comparison of arms", arms / "report.html"
    found = _folder(root, "bisect")
    steps = tuple(
        Gate("fps_trace", "report", None, f"363977fc84f{at} bad: 6.6 % slower (+6.3 to +7.0 %)") for at in range(5)
    )
    write_reports(result(command="bisect", gates=steps), found, {})
    yield "bisection", found / "report.html"
    lines = criteria(seen(findings=("frames 3 to 9 are torn",)))
    done = Result("acceptance", verdict_of(lines), sentence_of(lines), WHEN, 200.0, gates=gates_of(lines))
    done = dataclasses.replace(done, next_steps=next_steps(done, root / "acceptance"))
    yield "acceptance", _written(root, "acceptance", page(acceptance_view(done, lines, "x86_64, 0000")))
    files = ending_files(
        "perf", Verdict.HARNESS_FAILED, ["harness-failed: QEMU is missing"], "make doctor", "make perf"
    )
    yield "an ending without a result", _written(root, "ending", files["report.html"])


def _watched(root: Path) -> Iterator[tuple[str, Path]]:
    """Runs with keys, with several modes, and with frames that came late."""
    shown = tuple(dataclasses.replace(SHOWN, number=at, wait_ns=at * 100_000) for at in range(1, 60))
    late = tuple(
        dataclasses.replace(one, wait_ns=one.wait_ns + 20_000_000, late_frames=2) if one.number % 9 == 0 else one
        for one in shown
    )
    said = "6 of 59 keys were in the queue when a frame began, and came to the screen up to 2 frames later"
    failed = (Gate("input_late", "bound", Verdict.REGRESSION, said, 6.0, limit=0.0),)
    read_late = result(command="latency", sentence=f"regression: {said}", gates=failed)
    for name, keys, made in (("latency", shown, result(command="latency")), ("late input", late, read_late)):
        folder = _folder(root, name.replace(" ", "-"))
        run = RunRecord(RunParams(), stages={"latency": _latency(keys)})
        arms = {"candidate": Arm({"ARCH": "x86_64"}, "c" * 64, {"input_late": Metric(6.0, "keys", "trace", n=59)})}
        write_reports(dataclasses.replace(made, arms=arms, runs={"candidate": run}), folder, {})
        yield name, folder / "report.html"
    modes = _folder(root, "modes")
    run = RunRecord(RunParams(), stages={"modes": _modes()})
    write_reports(result(runs={"candidate": run}), modes, FRAMES_MS)
    yield "several modes", modes / "report.html"
    refusals = _folder(root, "refusals")
    run = RunRecord(
        RunParams(), stages={"refusals": RefusalsRecord("7.2.22", refused_commands(RECORDED), ("a check",))}
    )
    write_reports(result(runs={"candidate": run}), refusals, FRAMES_MS)
    yield "malformed commands", refusals / "report.html"
    yield "planted hiccup", _hiccup(_folder(root, "hiccup"))


def _latency(shown: tuple[ShownInput, ...]) -> LatencyRecord:
    """Keys of which one came too near the end."""
    sent = [SentKey(30, one.event_ns - one.sent_ns, one.event_ns + 60_000) for one in (*shown, shown[-1])]
    return LatencyRecord(_observed(), tuple(sent), shown, unseen=1, pace_hz=60)


def _modes() -> ModesRecord:
    """Three modes, of which the last was refused."""
    asked = (
        AskedMode((800, 600), 0, 60, 60),
        AskedMode((1366, 768), 10**9, 60, 59),
        AskedMode((7680, 4320), 2 * 10**9, 20, 20),
    )
    changes = (ModeChange((1366, 768), 48_000_000, 21_500_000),)
    bad = ("the 7th picture of 1366x768 has 800x600",)
    refused = ("7680x4320 needs 126 MiB of memory, of which 64 MiB are left",)
    notes = ("the checksum of the EDID block 0 is wrong",)
    return ModesRecord(_observed(), asked, changes, bad, refused, notes)


def _hiccup(folder: Path) -> Path:
    """Frames at 60 frames/s, of which each fiftieth came 5 ms late."""
    steady = np.full(600, 1000 / 60)
    hiccups = steady.copy()
    hiccups[49::50] += 5.0
    hiccups[50::50] -= 5.0
    gate = Gate(
        "animation_error_ms_p99",
        "growth",
        Verdict.REGRESSION,
        "5.0 ms where the reference has 0.0 ms; the draw part ended late",
        *(5.0, 0.02, None, None, None, 2.0),
    )
    made = result(sentence="regression: the animation error's 99th percentile is 5.0 ms", gates=(gate,))
    arms = {"candidate": Arm({"ARCH": "x86_64"}, "c" * 64, {gate.metric: Metric(5.0, "ms", "trace", n=599)})}
    write_reports(dataclasses.replace(made, arms=arms), folder, {"candidate": hiccups, "reference": steady})
    return folder / "report.html"


def _observed() -> Observed:
    return Observed(Ending(True, "status=ok"), 0, (), "7.2.22", ("qemu-system-x86_64",))


def _explanations(root: Path) -> Iterator[tuple[str, Path]]:
    account = _account()
    found = dataclasses.replace(test_explain.explanation(), account=account)
    folder = _folder(root, "explain")
    test_explain.written(found, folder)
    yield "explanation", folder / "report.html"
    facts = next(iter(recorded().values()))
    answer = DriverAnswer(manners_of(facts), 16.0, wait=wait_kind(facts))
    made = Result("explain", Verdict.PASS, answer.sentence, WHEN, 20.0)
    view = manners_view(made, answer, "make explain TARGET=mine")
    yield "a driver's manners", _written(root, "manners", page(view))


def _account() -> FrameAccount:
    """Three hundred frames in four parts."""
    count = 300
    sizes = {"draw": 7e5, "submit": 2e4, "notify": 1e4, "device": 9e4, "poll": 2e4}
    parts = {name: np.full(count, size) for name, size in sizes.items()}
    cpu, device, loop = TRACKS
    spans = (
        TimelineSpan(cpu, "draw", 0.0, 7e5),
        TimelineSpan(cpu, "submit", 7e5, 7.2e5),
        TimelineSpan(cpu, "notify", 7.2e5, 7.3e5),
        TimelineSpan(device, "transfer", 7.3e5, 7.9e5),
        TimelineSpan(device, "flush", 7.9e5, 8.2e5),
        TimelineSpan(loop, "gpu", 7.3e5, 8.2e5),
        TimelineSpan(cpu, "poll", 7.3e5, 8.4e5),
    )
    return FrameAccount(np.arange(count), np.full(count, 8.4e5), parts, False, spans, spans, 7, 9)


def _tables(root: Path) -> Iterator[tuple[str, Path]]:
    """Commands that tell tables."""
    bench = _folder(root, "bench")
    told = TellingPrinter(RecordingPrinter())
    rows = [
        ["✓ kept", "peak memory of the harness", "281 MB", "at most 300 MB"],
        ["✗ missed", "a gate", "71 s", "60 s"],
    ]
    told.table("promises", ["", "what", "here", "promise"], rows)
    switches = [
        ["default", "", "", "", "2", "271", "2", "0"],
        ["LOG=frame", "+41.2 %", "+40 to +43 %", "changed", *"1234"],
    ]
    header = ["switch", "frame time", "interval", "", "fences", "spins", "completions", "timeouts"]
    told.table("switches, against the default", header, switches)
    again = NextStep("measure what was missed again, with nothing else running", "make bench ONLY=gate")
    made = Result("bench", Verdict.INCONCLUSIVE, "1 of 2 promises kept: missed a gate", WHEN, 3.0, next_steps=(again,))
    write_told(told, made, bench, "make bench")
    yield "bench", bench / "report.html"
    seen_of = [("59.8", "3 %", "sleeps"), ("9.8", "93 %", "polls")]
    drivers = tuple(
        SurveyRow(name, verdict, (*few, *("2" for _ in COLUMNS[len(few) :])), f"{name} was measured", "")
        for name, verdict, few in zip(("ovmf", "mine"), (Verdict.PASS, Verdict.REGRESSION), seen_of)
    )
    asked = Arguments("survey", {"TARGETS": "ovmf,mine"})
    view = survey_view(
        drivers, Verdict.REGRESSION, 60.0, root / "survey.html", asked.again, after_survey(drivers, asked)
    )
    yield "survey", _written(root, "survey", page(view))
    place = _folder(root, "compare")
    compared(place, saved(place, "first", result()), saved(place, "second", other()))
    yield "two saved runs", place / "made" / "page.html"
    run, done = a_run(_folder(root, "approve"), b"kernel")
    approve_target(run, done, "first", None, RecordingPrinter())
    yield "what is approved", run / PAGE_FILE


def _proofs(root: Path) -> Iterator[tuple[str, Path]]:
    device = DEVICES["qemu"]
    proofs = [proved("x86_64", "no_kick_fence"), proved("riscv64", "late_publish")]
    rows = [StrategyRow(one, "A publish: fence rw,w", 1100.0, "B poll: none would do") for one in proofs]
    made = Result("proof", Verdict.PASS, "2 kernels decided: 0 cannot go wrong, 2 can", WHEN, 9.0)
    path = root / "proof.html"
    minimal = {"riscv64": Minimal((Weakest("A", ("fence w,w", "fence rw,w")), Weakest("C", ("fence rw,rw",))), True)}
    write_page(path, made, rows, device, minimal, PracticeFound())
    yield "proof", path


def _histories(root: Path) -> Iterator[tuple[str, Path]]:
    yield "night", _written(root, "night", night_page(night_view()))
    place = _folder(root, "cluster")
    _, live, _ = run_with_page(place)
    yield "a shared night", live.path
    place = _folder(root, "history")
    with History(f"sqlite:///{place / 'history.db'}") as history:
        history.append_all(list(nights([CELL], 40, [Planted(CELL, 22, 0.03)])))
        survey(history)
        look = read(history)
        write_site(site_view(look, place), series_views(look, place), place / "site")
    yield "site", place / "site" / "index.html"
    yield "series", next(iter(sorted((place / "site" / "series").glob("*.html"))))


def _written(root: Path, name: str, text: str) -> Path:
    path = root / f"{name}.html"
    path.write_text(text, encoding="utf-8")
    return path
