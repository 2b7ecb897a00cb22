"""Saved runs: older schemas load, and damage of any kind is said in one line, never a traceback."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.pictures.captures import SavedCapture, SavedCaptures, captures_to_json
from harness.core.pictures.frames import Capture, CheckedPicture, FrameClass
from harness.gate.evaluate import evaluate, record_of
from harness.gate.judging.metrics import find_row
from harness.gate.measuring.frame_file import FRAMES_FILE, load_frames
from harness.gate.replay import load_measured
from harness.model import codec, upgrade
from harness.model.record import ExactRecord, Incident, Observed, ObserverOverhead, RunRecord, Slice, TimingRecord
from harness.model.result import Result, ResultError, result_to_json
from harness.model.spec import Device, Verdict
from harness.model.upgrade import load_result

DATA = Path(__file__).parent / "data"
OLD = (DATA / "result-schema-1.json").read_text(encoding="utf-8")
LAUNCHES = 3


def save_run(folder: Path) -> Result:
    """A run with every file that a replay reads."""
    result = load_result(OLD, "old")
    (folder / "window").mkdir(parents=True)
    (folder / "pictures").mkdir()
    (folder / "window" / "serial.log").write_bytes((DATA / "serial-x86_64.log").read_bytes())
    (folder / "window" / "trace.log").write_bytes((DATA / "trace-qemu-7.2.log").read_bytes())
    frames = [Capture(CheckedPicture(FrameClass.INTACT, "", number), number * 10**7, number) for number in range(5)]
    saved = SavedCaptures(tuple(SavedCapture(one, 1 + i) for i, one in enumerate(frames)), 10**9)
    (folder / "pictures" / "captures.json").write_text(captures_to_json(saved), encoding="utf-8")
    rng = np.random.default_rng(1)
    arrays = {f"{i}-{role}": rng.uniform(1, 2, 400) for i in range(LAUNCHES) for role in ("candidate", "reference")}
    np.savez_compressed(folder / FRAMES_FILE, **arrays)
    (folder / "result.json").write_text(result_to_json(result), encoding="utf-8")
    return result


def replay(folder: Path) -> None:
    """Everything that judging a saved run again does with its files."""
    result = load_result((folder / "result.json").read_text(encoding="utf-8"), folder.name)
    evaluate(load_measured(folder, result))


def test_a_result_of_schema_1_loads_and_is_the_same_when_saved_again() -> None:
    result = load_result(OLD, "old")
    run = result.run
    assert run is not None and run.of(Observed) is not None
    timing, exact = run.of(TimingRecord), run.of(ExactRecord)
    assert timing is not None and exact is not None
    assert run.device is Device.GPU_2D and run.params.mode == (1024, 768)
    assert run.judged_by.baseline == "x86_64/acquire_progress"
    assert isinstance(timing.launches[0].launch.slices[0], Slice)
    assert set(timing.launches[0].launch.paired) == {"frame_ms_p95", "frame_ms_p99", "fps_low_1pct"}
    assert exact.arms["candidate"].mean > 1e6
    assert exact.functions[0].words == "wheel_draw +103,000 (+18.3 %)"
    assert run.incidents == (Incident(Verdict.GUEST_FAILED, "pictures: no frame"),)
    assert run.skipped == {"overhead": "not asked for"}
    assert load_result(result_to_json(result), "new") == result


def test_metrics_of_an_old_result_have_their_present_names() -> None:
    result = load_result(OLD, "old")
    names = {*result.arms["candidate"].metrics, *(gate.metric for gate in result.gates)}
    assert names >= {*upgrade.RENAMED_METRICS.values()}
    assert not names & {*upgrade.RENAMED_METRICS}
    assert all(find_row(name) for name in upgrade.RENAMED_METRICS.values())


def test_a_result_of_schema_2_keeps_its_stages() -> None:
    plain: dict[str, Any] = upgrade.RESULT_STEPS[1](json.loads(OLD)) | {"schema": 2}
    run = plain["runs"]["candidate"]
    run["overhead"] = {"value": 0.002, "unit": "ratio", "source": "trace"}
    run["timing"]["launches"][0]["launch"]["twins"] = 0.01
    run["seed"] = 7
    read = load_result(json.dumps(plain), "old").run
    assert read is not None and read.random_state == 7
    assert list(read.stages) == ["window", "pictures", "overhead", "exact", "timing"]
    overhead, timing = read.of(ObserverOverhead), read.of(TimingRecord)
    assert overhead is not None and overhead.share.value == 0.002
    assert timing is not None and timing.launches[0].launch.undisturbed == 0.01


def test_what_was_measured_survives_being_saved(tmp_path: Path) -> None:
    result = save_run(tmp_path / "run")
    assert result.run is not None
    measured = load_measured(tmp_path / "run", result)
    assert codec.from_json(RunRecord, codec.to_json(record_of(measured))) == record_of(measured)
    replay(tmp_path / "run")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("runs", "candidate", "stages", "timing", "launches", 0, "launch", "slices", 0), [0, 0, "candidate", 1.0, 3]),
        (("runs", "candidate", "stages", "timing", "launches", 0, "boot_ms"), {}),
        (("runs", "candidate", "stages", "timing", "plan", "launches"), 0),
        (("runs", "candidate", "stages", "timing", "plan", "launches"), 2**62),
        (("runs", "candidate", "stages", "timing", "plan", "smallest"), 10**400),
        (("runs", "candidate", "stages", "timing", "plan", "reserve"), "0.2"),
        (("runs", "candidate", "stages", "exact", "arms", "candidate", "parts"), {"draw_insns": [1]}),
        (("runs", "candidate", "stages", "exact", "arms", "candidate", "frames"), []),
        (("runs", "candidate", "stages", "window", "ending"), None),
        (("runs", "candidate", "stages", "window", "launched_ns"), True),
        (("runs", "candidate", "params", "mode"), [1024]),
        (("runs",), {}),
        (("arms", "candidate", "switches", "BARRIER"), "none_such"),
        (("arms", "candidate", "metrics", "fps_trace", "value"), "fast"),
        (("verdict",), "splendid"),
        (("schema",), 1),
        (("surprise",), 1),
    ],
)
def test_a_damaged_field_is_said(tmp_path: Path, path: tuple[str | int, ...], value: Any) -> None:
    folder = tmp_path / "run"
    save_run(folder)
    plain = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    place = plain
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    (folder / "result.json").write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(ResultError, match="run cannot be replayed: "):
        replay(folder)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"schema": 2, "x": ' + "[" * 100_000, '{"schema": 1' + "0" * 5000 + "}"]
)
def test_deep_and_huge_texts_are_refused(text: str) -> None:
    with pytest.raises(ResultError):
        load_result(text, "run")


def test_an_array_that_claims_8_tib_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / FRAMES_FILE
    np.savez_compressed(path, **{"0-candidate": np.ones(40)})
    with zipfile.ZipFile(path) as archive:
        content = archive.read("0-candidate.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0-candidate.npy", content.replace(b"(40,), }" + b" " * 11, b"(1099511627776,), }"))
    with pytest.raises(ValueError, match="0-candidate.npy"):
        load_frames(path)


@pytest.mark.parametrize("values", [np.array([1.0, np.nan]), np.array([0.0]), np.array([1, 2]), np.ones((2, 2))])
def test_frame_times_must_be_positive_numbers(tmp_path: Path, values: Any) -> None:
    np.savez_compressed(tmp_path / FRAMES_FILE, **{"0-candidate": values})
    with pytest.raises(ValueError, match="0-candidate.npy"):
        load_frames(tmp_path / FRAMES_FILE)


FILES = ("result.json", FRAMES_FILE, "pictures/captures.json", "window/serial.log", "window/trace.log")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.slow
def test_flipped_and_cut_files_end_in_a_result_or_in_one_line(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    save_run(folder)
    whole = (folder / name).read_bytes()
    rng = random.Random(name)
    refused = 0
    for number in range(40):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 3, 30))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        (folder / name).write_bytes(damaged[: rng.randrange(len(damaged))] if number % 5 == 0 else damaged)
        try:
            replay(folder)
        except (ResultError, UnicodeDecodeError):  # of result.json itself, which the store reads
            refused += 1
    assert refused or name.startswith("window/")
