"""The old or the new file is stored, at whatever write the writer is killed or interrupted, or the disk is full."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.gate.references import read_baseline
from harness.history.journal import Journal
from harness.history.jsonl import append_line
from harness.model.baseline import FILE_NAME, KERNEL_NAME, baseline_to_json
from harness.model.result import Arm, Frames, Host, Metric, QemuSetup, Result, result_to_json
from harness.model.spec import Switches, Verdict
from harness.platform.build import kernel_tree_hash, sha256_of
from harness.platform.store import load_result
from harness.tests.databases import record
from harness.tests.killpoints import FULL, INTERRUPT, KILL, disturb
from harness.tests.test_baseline import BASELINE, ELF
from harness.tests.test_store import RESULT

STRIDE = 50
"""Of the quick subset."""

APPROVE = """
import sys
from pathlib import Path
from harness import cli
from harness.commands import approve
from harness.gate import references
place = Path(sys.argv[1])
approve.BASELINES_DIR = place / "baselines"
references.read_baseline.__defaults__ = (place / "baselines",)
approve.RESULTS_DIR = place
sys.exit(cli.main(["approve", "REASON=new", f"RESULT={place / 'run'}"]))
"""
COMMIT = """
import sys
from pathlib import Path
from harness.platform.store import RunFolder
from harness.tests.test_store import RESULT
with RunFolder("perf", Path(sys.argv[1]) / "results") as run:
    (run.path / "report.md").write_text("new")
    run.commit(RESULT)
"""
HISTORY = """
import sys
from pathlib import Path
from harness.history.jsonl import append_line
from harness.tests.databases import record
append_line(record(2), Path(sys.argv[1]) / "history.jsonl")
"""
SITE = """
import sys
from pathlib import Path
from harness.platform.atomic import whole_folder
with whole_folder(Path(sys.argv[1]) / "site") as part:
    (part / "series").mkdir()
    (part / "index.html").write_text("new")
    (part / "series" / "one.html").write_text("new")
"""
JOURNAL = """
import sys
from pathlib import Path
from harness.history.journal import CellFinished, Journal, only_night
folder = Path(sys.argv[1])
with only_night(folder):
    journal = Journal(folder)
    journal.begin("second")
    journal.finish(CellFinished("second", "pass", "pass", "", 1.0))
"""


class Places:
    """A new folder for every attempt, filled with what was stored before."""

    def __init__(self, root: Path, fill: Callable[[Path], None]) -> None:
        self._root, self._fill, self._numbers = root, fill, itertools.count()

    def __call__(self) -> Path:
        place = self._root / f"place-{next(self._numbers)}"
        place.mkdir(parents=True)
        self._fill(place)
        return place


def fill_for_approve(place: Path) -> None:
    stored = place / "baselines" / "x86_64" / "acquire_progress"
    stored.mkdir(parents=True)
    (stored / FILE_NAME).write_text(baseline_to_json(BASELINE))
    (stored / KERNEL_NAME).write_bytes(ELF)
    run = place / "run"
    run.mkdir()
    (run / "candidate.elf").write_bytes(ELF + b"new")
    metrics = {name: Metric(350.0, "", "trace") for name in ("fps_trace", "instructions_per_frame")}
    arm = Arm(Switches().everything(), sha256_of(run / "candidate.elf"), metrics)
    result = Result("perf", Verdict.PASS, "pass", "2026-01-01T00:00:00+00:00", 1.0, source={"kernel_tree": _TREE})
    result = dataclasses.replace(result, arms={"candidate": arm}, frames=Frames(400, 400))
    host, qemu = Host("a CPU", 2, "6.1", "Debian"), QemuSetup("7.2.22", "tcg", 1, "multi", "")
    result = dataclasses.replace(result, host=host, qemu=qemu)
    (run / "result.json").write_text(result_to_json(result))


_TREE = kernel_tree_hash()


@pytest.mark.parametrize("how", [KILL, INTERRUPT, FULL])
def test_approve_never_loses_the_baseline(tmp_path: Path, how: str, every: int) -> None:
    reasons = set()
    for place, ended in disturb(APPROVE, Places(tmp_path, fill_for_approve), tmp_path / "log", how, every):
        baseline, _ = read_baseline("x86_64", "acquire_progress", place / "baselines")
        reasons.add(baseline.reason)
        assert baseline.reason in ("new", BASELINE.reason)
        if how != KILL and "approved x86_64/acquire_progress" in ended.said:
            assert baseline.reason == "new", ended
        if "nothing was stored" in ended.said or "is as it was" in ended.said:
            assert baseline.reason == BASELINE.reason, ended
        # The next one clears what a killed one left.
        fresh = place / "baselines" / "x86_64"
        assert sorted(os.listdir(fresh)) == ["acquire_progress"], ended
    assert every > 1 or reasons == {"new", BASELINE.reason}


def fill_results(place: Path) -> None:
    (place / "results" / "old").mkdir(parents=True)
    (place / "results" / "old" / "result.json").write_text(result_to_json(RESULT))
    (place / "results" / "latest").symlink_to("old")


@pytest.mark.parametrize("how", [KILL, FULL])
def test_a_result_is_there_whole_or_not_at_all(tmp_path: Path, how: str, every: int) -> None:
    for place, ended in disturb(COMMIT, Places(tmp_path, fill_results), tmp_path / "log", how, every):
        shown = [path for path in (place / "results").iterdir() if not path.name.startswith(".")]
        for path in shown:
            if not (path / "result.json").exists():
                assert (path / "exit_code").read_text() == "5\n", ended
                continue
            assert load_result(path).verdict is Verdict.PASS, ended
            assert path.name in ("old", "latest") or (path / "report.md").read_text() == "new"


def fill_history(place: Path) -> None:
    (place / "history.jsonl").write_text('{"old":1}\n')


@pytest.mark.parametrize("how", [KILL, FULL])
def test_a_line_of_the_history_is_whole_or_closed_by_the_next(tmp_path: Path, how: str, every: int) -> None:
    for place, ended in disturb(HISTORY, Places(tmp_path, fill_history), tmp_path / "log", how, every):
        path = place / "history.jsonl"
        append_line(record(3), path)
        lines = path.read_text().splitlines()
        assert lines[0] == '{"old":1}' and "2026-run-3" in lines[-1] and len(lines) <= 3, ended


def fill_site(place: Path) -> None:
    (place / "site" / "series").mkdir(parents=True)
    (place / "site" / "index.html").write_text("old")
    (place / "site" / "series" / "one.html").write_text("old")


@pytest.mark.parametrize("how", [KILL, INTERRUPT, FULL])
def test_a_site_is_the_old_one_or_the_new_one(tmp_path: Path, how: str, every: int) -> None:
    seen = set()
    for place, ended in disturb(SITE, Places(tmp_path, fill_site), tmp_path / "log", how, every):
        texts = {(place / "site" / name).read_text() for name in ("index.html", "series/one.html")}
        assert len(texts) == 1, ended
        seen |= texts
    assert seen <= {"old", "new"} and (every > 1 or seen == {"old", "new"})


def fill_journal(place: Path) -> None:
    (place / "journal.jsonl").write_text(
        '{"kind":"plan","started":"2026-01-01T00:00:00+00:00","digest":"d","commit":"c"}\n'
        '{"kind":"finished","cell":"first","verdict":"pass","sentence":"","folder":"","seconds":1.0}\n'
    )


@pytest.mark.parametrize("how", [KILL, FULL])
def test_a_night_keeps_what_it_had_finished(tmp_path: Path, how: str, every: int) -> None:
    for place, ended in disturb(JOURNAL, Places(tmp_path, fill_journal), tmp_path / "log", how, every):
        journal = Journal(place)
        assert journal.plan is not None
        assert [one.cell for one in journal.finished] in (["first"], ["first", "second"]), ended


@pytest.fixture(params=[pytest.param(1, marks=pytest.mark.full), STRIDE])
def every(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value
