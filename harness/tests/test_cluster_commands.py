"""What commands share between hosts: the plan of jobs, and that parts come to what one host would have said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.cluster.crew import result_of_job
from harness.cluster.faults import JobFailed
from harness.commands import survey
from harness.gate.arm_pairs import ArmPair, copy_evidence, pair_words, times_together, together
from harness.gate.calibration.evidence import HOSTS, evidence_text, provenance_of, recording_from_evidence
from harness.gate.calibration.places import CalibrationPlace
from harness.gate.calibration.power import RecordedPair, Series
from harness.gate.calibration.recording import CalibrationRecording
from harness.gate.calibration.shards import HostLaunches, RecordedPart, hosts_of, joined, part_sizes
from harness.gate.measured import ArmKernel
from harness.gate.shared_pairs import PairTerms, pair_jobs, shipped_arm
from harness.model.arms import parse_arm
from harness.model.job import Job, JobEnd
from harness.model.record import Launch, LaunchRecord, Plan, RunRecord, TimingRecord
from harness.model.result import Arm, Frames, Gate, Host, Result
from harness.model.spec import BUILT_IN, Device, RunParams, Switches, UsageError, Verdict
from harness.platform.processes.pipeline import HarnessRun
from harness.report.files import frames_csv, frames_from_csv
from harness.settings import Arguments
from harness.tests.cluster_parts import ScatteredCrew, fake_result
from harness.tests.printer import Transcript

TERMS = PairTerms("p", "c0ffee", {"PICTURES": "60"}, 40.0, 7, False)


def kernel(name: str, commit: str = "", path: str = "/nowhere/k.elf") -> ArmKernel:
    return ArmKernel(name, Path(path), name * 64, Switches(), BUILT_IN, commit=commit)


def test_pairs_of_arms_are_jobs_with_the_same_order_everywhere(tmp_path: Path) -> None:
    image = tmp_path / "old.elf"
    image.write_bytes(b"x")
    texts = {"A": "BARRIER=linux", "B": "HEAD~3 LOG=frame", "C": str(image)}
    requests = [parse_arm(name, text, {}) for name, text in texts.items()]
    kernels = {"A": kernel("a"), "B": kernel("b", commit="f" * 40), "C": kernel("c", path=str(image))}
    shipped = {one.name: shipped_arm(one, kernels[one.name]) for one in requests}
    assert shipped["B"].words == f"{'f' * 40} LOG=frame", "another host has no HEAD"
    assert shipped["C"].files == {f"build/shipped/{'c' * 64}.elf": image}
    words = {name: one.words for name, one in shipped.items()}
    jobs = [wish.job for wish in pair_jobs(requests, kernels, words, TERMS)]
    assert [one.label for one in jobs] == ["B against A", "C against A"]
    assert jobs[0].words == ("ab", "A=BARRIER=linux", f"B={words['B']}", "PICTURES=60", "BUDGET=40.0", "RANDOM_STATE=7")
    assert [wish.job.id for wish in pair_jobs(requests, kernels, words, TERMS)] == [one.id for one in jobs]


def test_a_target_whose_images_are_on_this_host_is_refused() -> None:
    request = parse_arm("B", "../other/perf.toml", {})
    with pytest.raises(UsageError, match="its images are on this host: leave CLUSTER out"):
        shipped_arm(request, kernel("b"))


def pair(folder: Path, name: str, barrier: str, verdict: Verdict = Verdict.PASS, problem: str = "") -> ArmPair:
    """A run of two arms."""
    arms = {
        "A": Arm(Switches.of({"BARRIER": "linux"}).everything(), "0" * 64, {}),
        "B": Arm(Switches.of({"BARRIER": barrier}).everything(), "1" * 64, {}),
    }
    gate = Gate("fps_trace", "ratio", verdict, f"{pair_words(arms, 'A', 'B')}: 3 % slower", change=-0.03)
    base = fake_result("x")
    record = {letter: _record() for letter in "AB"}
    result = replace(
        base,
        command="ab",
        verdict=verdict,
        arms=arms,
        gates=(gate,),
        seconds=10.0,
        frames=Frames(20, 19, evidence=("A/pictures/1.png", "B/pictures/2.png")),
        notices=("A is BARRIER=linux", "B is BARRIER=x", "B: it borrows a name"),
        problems=(problem,) if problem else (),
        runs=record,
    )
    for arm in "AB":
        (folder / name / arm).mkdir(parents=True)
        (folder / name / arm / "serial.log").write_text(f"{name}{arm}")
    return ArmPair(name, result, folder / name, f"host {name}")


def _record() -> RunRecord:
    return RunRecord(RunParams(), 1, Device.GPU_2D)


def test_pairs_together_are_one_comparison_of_all_arms(tmp_path: Path) -> None:
    pairs = [
        pair(tmp_path, "B", "seqcst_spin"),
        pair(tmp_path, "C", "full_progress", Verdict.GUEST_FAILED, "B: a picture is torn (see B/pictures/2.png)"),
    ]
    whole = together(pairs, Result("ab", Verdict.PASS, "", "2026", 0.0, notices=("own",)))
    assert list(whole.arms) == ["A", "B", "C"] and whole.verdict is Verdict.GUEST_FAILED and whole.seconds == 20
    assert [gate.why for gate in whole.gates] == [
        "seqcst_spin (B) against linux (A): 3 % slower",
        "full_progress (C) against linux (A): 3 % slower",
    ]
    assert whole.problems == ("C: a picture is torn (see C/pictures/2.png)",)
    assert whole.frames is not None and (whole.frames.checked, whole.frames.intact) == (40, 38)
    assert whole.frames.evidence == (
        "A/pictures/1.png",
        "B/pictures/2.png",
        "A-C/pictures/1.png",
        "C/pictures/2.png",
    )
    assert whole.notices == ("own", "B: it borrows a name", "C: it borrows a name")
    target = tmp_path / "all"
    target.mkdir()
    copy_evidence(pairs, target)
    kept = {path.parent.name: path.read_text() for path in target.rglob("serial.log")}
    assert kept == {"A": "BA", "B": "BB", "A-C": "CA", "C": "CB"}


@pytest.mark.parametrize(
    ("code", "verdict"), [(2, Verdict.USAGE), (3, Verdict.GUEST_FAILED), (0, Verdict.HARNESS_FAILED)]
)
def test_a_job_without_a_result_fails_the_whole_with_its_own_words(code: int, verdict: Verdict) -> None:
    said = ("the kernel does not build", "verdict: x")
    with pytest.raises(JobFailed, match="^B against A on h: the kernel does not build$") as caught:
        result_of_job(JobEnd(Job("p", "B against A", ("ab",), "", 1.0), code, "", said, 1.0, "h"))
    assert caught.value.verdict is verdict


@pytest.mark.parametrize("launches", [6, 7, 11, 12, 62, 100])
def test_parts_of_a_calibration_have_all_launches_and_two_of_each_pair(launches: int) -> None:
    sizes = part_sizes(launches)
    assert sum(sizes) == launches and min(sizes) >= 6 and max(sizes) - min(sizes) <= 1


def recording(begin: float, launches: int = 2, each_s: float = 1.0) -> CalibrationRecording:
    """Three pairs of images, with launches that can be told apart."""
    values = [np.arange(launches, dtype=np.float64) / 1e3 + begin + number / 10 for number in range(3)]
    pairs = tuple(RecordedPair(one, one, one, {"stolen": np.zeros(launches)}) for one in values)
    return CalibrationRecording((Series("A/A", 0.0, pairs), Series("slow", 0.05, pairs)), each_s)


def test_launches_of_one_host_stay_together_and_hosts_apart() -> None:
    parts = [
        RecordedPart("east", recording(1.0)),
        RecordedPart("west", recording(2.0, 4, each_s=3.0)),
        RecordedPart("east", recording(3.0)),
    ]
    whole = joined(parts)
    assert [(one.name, one.planted) for one in whole.series] == [("A/A", 0.0), ("slow", 0.05)]
    assert [[round(value, 3) for value in one.effect.tolist()] for one in whole.series[0].pairs] == [
        [1.0, 1.001, 3.0, 3.001],
        [1.1, 1.101, 3.1, 3.101],
        [1.2, 1.201, 3.2, 3.201],
        [2.0, 2.001, 2.002, 2.003],
        [2.1, 2.101, 2.102, 2.103],
        [2.2, 2.201, 2.202, 2.203],
    ]
    assert whole.each_s == 2.0 and all(len(one.noted["stolen"]) == 4 for one in whole.series[0].pairs)
    assert hosts_of(parts) == (HostLaunches("east", 24), HostLaunches("west", 24))


def test_parts_of_one_host_are_what_one_recording_is() -> None:
    one = joined([RecordedPart("here", recording(1.0, 6))])
    assert [len(pair) for pair in one.series[0].pairs] == [6, 6, 6]
    assert all(
        np.array_equal(a.effect, b.effect) for a, b in zip(one.series[0].pairs, recording(1.0, 6).series[0].pairs)
    )


def test_evidence_says_its_hosts_and_is_read_again_with_them() -> None:
    result = Result("calibrate", Verdict.PASS, "", "2026", 1.0, host=Host("cpu", 2, "6", "Debian"))
    hosts = [{"host": "east", "launches": 24}]
    provenance = {**provenance_of(result, Switches(), CalibrationPlace()), HOSTS: hosts}
    text = evidence_text(provenance, recording(1.0), [], [], [], [])
    assert recording_from_evidence(text, "x")[1][HOSTS] == hosts
    plain = evidence_text(provenance_of(result, Switches(), CalibrationPlace()), recording(1.0), [], [], [], [])
    assert HOSTS not in recording_from_evidence(plain, "x")[1]


@pytest.mark.slow
def test_a_survey_gives_each_target_two_jobs_and_measures_files_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run(job: Job, files: Mapping[str, Path]) -> HarnessRun:
        ran.append(job.words)
        return HarnessRun(3, None, (f"{job.label} hangs",))

    crew = ScatteredCrew(run)

    @contextlib.contextmanager
    def crew_for(*_: object) -> Iterator[ScatteredCrew]:
        yield crew

    here: list[str] = []

    def run_here(words: tuple[str, ...], limit_s: float) -> HarnessRun:
        here.append(words[0])
        return HarnessRun(3, None, ("x",))

    monkeypatch.setattr(survey, "crew_for", crew_for)
    monkeypatch.setattr(survey, "RESULTS_DIR", tmp_path / "results")
    monkeypatch.setattr(survey, "run_harness", run_here)
    (tmp_path / "one.elf").write_bytes(b"one")
    (tmp_path / "one.toml").write_text('image = { kernel = "one.elf" }\n', encoding="utf-8")
    given = {"TARGETS": f"ovmf,{tmp_path}/one.toml,aavmf", "PAGE": str(tmp_path / "t.html"), "CLUSTER": "local"}
    out = Transcript()
    verdict = survey.main(Arguments("survey", {**given, "BUDGET": "300"}), out)
    assert verdict is Verdict.GUEST_FAILED and here == ["perf", "explain"]
    plan = [(wish.job.label, wish.job.needs[1]) for wish in crew.rounds[0]]
    assert plan == [
        ("perf ovmf", "arch:x86_64"),
        ("explain ovmf", "arch:x86_64"),
        ("perf aavmf", "arch:aarch64"),
        ("explain aavmf", "arch:aarch64"),
    ]
    assert ("perf", "TARGET=ovmf", "BUDGET=80.0") == crew.rounds[0][0].job.words[:3], "the share that it has here"
    text = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert "3 drivers" in text and text.index("ovmf") < text.index("aavmf")


def test_frame_times_of_pairs_are_those_that_their_reports_list(tmp_path: Path) -> None:
    arms = {"A": np.array([1.5, 2.25]), "B": np.array([3.0])}
    written = frames_csv(arms)
    found = frames_from_csv(f"{written}B,1,not a number\nB\n")
    assert {name: values.tolist() for name, values in found.items()} == {"A": [1.5, 2.25], "B": [3.0]}
    pairs = []
    for name, barrier in (("B", "seqcst_spin"), ("C", "full_progress")):
        one = pair(tmp_path, name, barrier)
        launch = LaunchRecord(Launch((), undisturbed=0.01), {"candidate": 1.0, "reference": 1.0})
        record = replace(_record(), stages={"timing": TimingRecord("", 1.0, Plan(), (launch,))})
        (one.folder / "frames.csv").write_text(written)
        pairs.append(replace(one, result=replace(one.result, runs={"A": _record(), "B": record})))
    frame_ms, effects = times_together(pairs)
    assert {name: len(values) for name, values in frame_ms.items()} == {"A": 2, "B": 1, "C": 1} and effects == []
    assert len(times_together(pairs[:1])[1]) == 1
