"""The calibrate command: its words, its evidence, and its competing load."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.commands import calibrate
from harness.front.words import parse
from harness.gate.calibration.report import ROWS, calibration_markdown
from harness.model.spec import ROOT, UsageError, Verdict
from harness.platform import store
from harness.platform.load import competing_load
from harness.tests.printer import RecordingPrinter


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"FAULT": "tear"}, "calibrate plants its own"),
        ({"LAUNCHES": "3"}, "LAUNCHES=3"),
        ({"EFFECTS": "1,x"}, "EFFECTS=1,x"),
        ({"EFFECTS": "0"}, "EFFECTS=0"),
        ({"LAUNCH": "9"}, "LAUNCH=9: no such setting"),
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
    assert len(printer.tables) == 4


@pytest.mark.parametrize("name", ["calibration", "calibration-loaded"])
def test_the_page_shows_what_the_evidence_says(name: str) -> None:
    evidence = json.loads((ROOT / "baselines" / "x86_64" / f"{name}.json").read_text(encoding="utf-8"))
    table = calibration_markdown(evidence)
    assert table.count("\n") == 2 + len(ROWS)
    assert table in (ROOT / "docs" / "measuring.md").read_text(encoding="utf-8")
    changed = calibration_markdown({**evidence, "sessions": [_undecided(one) for one in evidence["sessions"]]})
    assert changed != table


def _undecided(session: dict[str, object]) -> dict[str, object]:
    return {**session, "undecided": 0.123}
