"""The calibrate command: its words, its evidence, and its competing load."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.commands import calibrate
from harness.front.words import parse
from harness.gate.calibration import planted as planted_module
from harness.gate.calibration import recording
from harness.gate.calibration.evidence import recording_from_evidence
from harness.gate.calibration.report import ROWS, calibration_markdown, calibration_pages
from harness.gate.measuring.comparison import WarmUpLaunch
from harness.gate.measuring.launch import MeasuredLaunch
from harness.gate.measuring.protocol import Protocol
from harness.model.spec import ROOT, RunSpec, Switches, UsageError, Verdict
from harness.platform.files import store
from harness.platform.host.load import competing_load
from harness.tests.printer import RecordingPrinter
from harness.tests.test_slices import steady_launch


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"FAULT": "tear"}, "calibrate plants its own"),
        ({"LAUNCHES": "3"}, "LAUNCHES=3"),
        ({"EFFECTS": "1,x"}, "EFFECTS=1,x"),
        ({"EFFECTS": "0"}, "EFFECTS=0"),
        ({"LAUNCH": "9"}, "LAUNCH=9: did you mean LAUNCHES=9"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    printer: RecordingPrinter, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        calibrate.main(parse(["calibrate", *(f"{key}={value}" for key, value in settings.items())]), printer)


def _busy_children() -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = (
                    Path(f"/proc/{name}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
                )
            except OSError:
                continue
            if int(words[1]) == os.getpid():
                found.append(int(name))
    return found


def test_the_competing_load_ends_with_its_reason() -> None:
    before = set(_busy_children())
    with pytest.raises(RuntimeError), competing_load(2):
        assert len(set(_busy_children()) - before) == 2
        raise RuntimeError("whatever ends the measurement")
    assert set(_busy_children()) == before


@pytest.mark.full
@pytest.mark.qemu
def test_a_short_calibration_leaves_its_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printer: RecordingPrinter
) -> None:
    monkeypatch.setattr(calibrate, "RunFolder", lambda command: store.RunFolder(command, tmp_path))
    verdict = calibrate.main(parse(["calibrate", "LAUNCHES=6", "EFFECTS=10", "DRAWS=20"]), printer)
    assert verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
    (evidence,) = tmp_path.glob("2*-calibrate/calibration.json")
    plain = json.loads(evidence.read_text(encoding="utf-8"))
    assert [series["injected"] for series in plain["launches"]] == ["A/A", "slow_draw=10%"]
    assert sum(len(pair["effect"]) for pair in plain["launches"][0]["pairs"]) == 6
    assert {target["words"] for target in plain["targets"]} >= {"false alarms within 60 s"}
    assert len(printer.tables) == 5


@pytest.mark.parametrize(
    ("words", "name", "title"),
    [
        ((), "calibration", "quiet"),
        (("LOAD=1",), "calibration-loaded", "a busy loop on each core"),
        pytest.param(
            ("LOAD=10", "CORES=2"),
            "calibration-crowded-10-cores-2",
            "10 competing processes, 2 cores",
            marks=pytest.mark.full,
        ),
        pytest.param(("CORES=1",), "calibration-cores-1", "1 core", marks=pytest.mark.full),
        pytest.param(("PIN=0",), "calibration-unpinned", "no right to pin", marks=pytest.mark.full),
        (("FOREIGN=1",), "calibration-foreign", "a foreign kernel"),
        (("VIRGL=1",), "calibration-gl", "GL device"),
    ],
)
@pytest.mark.slow
def test_every_place_is_calibrated_by_one_command(
    words: tuple[str, ...],
    name: str,
    title: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    printer: RecordingPrinter,
) -> None:
    """On simulated launches: what is run, with what, and what is kept."""
    rng, loads, seen = np.random.default_rng(1), list[int](), list[tuple[Protocol, RunSpec]]()

    def launch(arms: Mapping[str, RunSpec], folder: Path, protocol: Protocol, *rest: object) -> MeasuredLaunch:
        seen.append((protocol, arms["candidate"]))
        slow, base = ((arms[role].params.slow or 0) + 100 for role in ("candidate", "reference"))
        frame_ns = 3_000_000 * slow / base * np.exp(rng.normal(0, 0.004))
        return steady_launch(np.full(400, int(frame_ns), np.int64))

    @contextmanager
    def load(processes: int) -> Iterator[None]:
        loads.append(processes)
        yield

    def link(switches: Switches, orders: Sequence[int], **rest: object) -> tuple[Path, ...]:
        return tuple(tmp_path / f"{switches.get('FAULT')}-{order}.elf" for order in orders)

    monkeypatch.setattr(calibrate, "RunFolder", lambda command: store.RunFolder(command, tmp_path / "results"))
    monkeypatch.setattr(calibrate, "ROOT", tmp_path)
    (tmp_path / "baselines" / "x86_64").mkdir(parents=True)
    monkeypatch.setattr(planted_module, "link_in_orders", link)
    monkeypatch.setattr(calibrate, "competing_load", load)
    monkeypatch.setattr(calibrate, "chosen_device", lambda machine, gl: (replace(machine, memory_mib=257 + gl), ""))
    monkeypatch.setattr(recording, "measure_launch", launch)
    monkeypatch.setattr(recording, "fitted_slices", lambda arms, folder, protocol, rng: WarmUpLaunch(protocol, 0.1, {}))
    calibrate.main(parse(["calibrate", "LAUNCHES=9", "EFFECTS=10", "DRAWS=20", "KEEP=1", *words]), printer)
    kept = tmp_path / "baselines" / "x86_64" / f"{name}.json"
    plain = json.loads(kept.read_text(encoding="utf-8"))
    assert title in plain["place"]["title"]
    noted = plain["launches"][1]["pairs"][0]["noted"].keys()
    assert {"run delay", "stolen", "slice medians", "by computed time"} <= noted
    recording_from_evidence(kept.read_text(encoding="utf-8"), name)
    protocol, spec = seen[-1]
    settings = dict(word.split("=") for word in words)
    assert loads == [{"1": len(protocol.cores)}.get(settings.get("LOAD", ""), int(settings.get("LOAD", "0")))]
    assert protocol.swap is (settings.get("PIN") != "0" and settings.get("CORES") != "1" and len(protocol.cores) > 1)
    assert spec.capabilities.stamp is ("FOREIGN" not in settings)
    assert spec.machine.memory_mib == 257 + ("VIRGL" in settings)
    planted = [pair["effect"] for pair in plain["launches"][1]["pairs"]]
    assert len(planted) == 3
    assert np.mean(planted) == pytest.approx(np.log(1.1), abs=0.01)
    assert calibration_pages(tmp_path / "baselines").startswith("**x86_64, ")


def _recorded(
    monkeypatch: pytest.MonkeyPatch, folder: Path, launches: int, budget_s: float
) -> tuple[recording.CalibrationRecording, list[str]]:
    """Two effects on a clock by which a launch takes one second."""
    now, told = [0.0], list[str]()

    def launch(*rest: object) -> MeasuredLaunch:
        now[0] += 1.0
        return steady_launch(np.full(400, 3_000_000, np.int64))

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(recording, "measure_launch", launch)
    monkeypatch.setattr(recording, "fitted_slices", lambda arms, where, protocol, rng: WarmUpLaunch(protocol, 1.0, {}))
    effects = [recording.InjectedEffect(name, 0.0, ({}, {}, {})) for name in ("A/A", "slow_draw=10%")]
    return recording.record(effects, launches, folder, Protocol(), 1, told.append, budget_s), told


@pytest.mark.slow
def test_a_calibration_ends_in_its_time_with_as_many_launches_of_each_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, told = _recorded(monkeypatch, tmp_path, 62, 41.0)
    assert [len(one.effects) for one in found.series] == [20, 20] and found.each_s == 1.0
    assert told[0] == "calibrate: 2 effects, 62 launches each of about 1.0 s, of which 20 fit into 41 s"
    assert "launch 1 of at most 62" in told[1] and told[1].endswith("0.7 min left")
    few, told = _recorded(monkeypatch, tmp_path, 62, 1.0)
    assert [len(one.effects) for one in few.series] == [6, 6] and told[-1].endswith("0.0 min left")
    whole, told = _recorded(monkeypatch, tmp_path, 9, float("inf"))
    assert [len(one.effects) for one in whole.series] == [9, 9] and told[0].endswith("about 0.3 min")


@pytest.mark.slow
def test_evidence_that_is_judged_again_is_kept_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printer: RecordingPrinter
) -> None:
    evidence = json.loads((ROOT / "baselines" / "x86_64" / "calibration-loaded.json").read_text(encoding="utf-8"))
    evidence["switches"]["ARCH"] = "riscv64"
    # A promise that is missed: its size is read wrong.
    evidence["launches"][-1]["planted"] = 0.5
    (tmp_path / "given.json").write_text(json.dumps(evidence), encoding="utf-8")
    monkeypatch.setattr(calibrate, "RunFolder", lambda command: store.RunFolder(command, tmp_path / "results"))
    monkeypatch.setattr(calibrate, "ROOT", tmp_path)
    (tmp_path / "baselines" / "riscv64").mkdir(parents=True)
    calibrate.main(parse(["calibrate", f"FROM={tmp_path / 'given.json'}", "DRAWS=20", "KEEP=1"]), printer)
    assert (tmp_path / "baselines" / "riscv64" / "calibration-loaded.json").exists()
    (step,) = [line for line in printer.lines if line.startswith("next:")]
    assert "make calibrate ARCH=riscv64 LOAD=1 KEEP=1 LAUNCHES=" in step


@pytest.mark.parametrize("name", ["calibration", "calibration-loaded"])
def test_the_page_shows_what_the_evidence_says(name: str) -> None:
    evidence = json.loads((ROOT / "baselines" / "x86_64" / f"{name}.json").read_text(encoding="utf-8"))
    table = calibration_markdown(evidence)
    assert 2 + 5 <= table.count("\n") <= 2 + len(ROWS)
    assert table in (ROOT / "docs" / "measuring.md").read_text(encoding="utf-8")
    changed = calibration_markdown({**evidence, "sessions": [_undecided(one) for one in evidence["sessions"]]})
    assert changed != table


def _undecided(session: dict[str, object]) -> dict[str, object]:
    return {**session, "undecided": 0.123}
