"""Results are written whole or not at all."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.model.errors import GuestError, StoreError
from harness.model.result import ReplayError, Result
from harness.model.spec import ROOT, Limits, UsageError, Verdict
from harness.platform.files import store
from harness.platform.files.atomic import write_whole
from harness.platform.files.latest import record_ending
from harness.platform.files.store import KeptRun, RunFolder, kept_of, load_result, passing_folder, saved_run
from harness.platform.pictures.capture import CaptureError, parse_ppm

RESULT = Result("perf", Verdict.PASS, "pass: all", "2026-01-01T00:00:00+00:00", 1.0)


def test_a_run_becomes_visible_whole(tmp_path: Path) -> None:
    run = RunFolder("perf", tmp_path)
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")], "nothing to see before"
    final = run.commit(RESULT)
    assert load_result(final) == RESULT
    assert (final / "exit_code").read_text() == "0\n"
    assert (tmp_path / "latest").resolve() == final


def test_runs_of_one_second_do_not_collide(tmp_path: Path) -> None:
    finals = [RunFolder("perf", tmp_path).commit(RESULT) for _ in range(3)]
    assert len(set(finals)) == 3


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "exit_code"
    write_whole(target, "0\n")
    with pytest.raises(UnicodeEncodeError):
        write_whole(target, "\udcff")  # cannot be encoded: stands for a write that fails half way
    assert target.read_text() == "0\n"
    assert os.listdir(tmp_path) == ["exit_code"]


_UNWRITABLE = """
import resource, sys
from pathlib import Path
from harness.platform.files.store import RunFolder
from harness.model.result import ReplayError, Result
from harness.model.spec import Verdict
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
run = RunFolder("perf", Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
run.commit(Result("perf", Verdict.PASS, "x" * 1000, "", 1.0))
"""


def test_a_full_disk_leaves_no_half_result(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _UNWRITABLE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "StoreError: the result cannot be written: File too large" in done.stderr
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert not list(tmp_path.glob(".*/result.json"))


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (KeyboardInterrupt(), False),
        (SystemExit(5), False),
        (UsageError("LOG=x: unknown value"), False),
        (GuestError("the guest hangs"), True),
        (ZeroDivisionError(), True),
    ],
)
def test_only_a_run_that_failed_leaves_its_evidence(tmp_path: Path, error: BaseException, stays: bool) -> None:
    with pytest.raises(type(error)), RunFolder("perf", tmp_path) as run:
        (run.path / "serial.log").write_text("[BOOT]")
        raise error
    assert not list(tmp_path.glob(".*")), "what failed is visible"
    assert {path.name for path in tmp_path.glob("*/*")} == ({"exit_code", "serial.log"} if stays else set())
    assert not stays or (tmp_path / "latest").resolve() == run.final


def test_an_error_names_its_evidence_where_it_lies_in_the_end(tmp_path: Path) -> None:
    with pytest.raises(GuestError) as guest, RunFolder("perf", tmp_path) as run:
        log = run.path / "serial.log"
        log.write_text("[BOOT]")
        raise GuestError(f"{log} says nothing", log)
    assert guest.value.evidence is not None and guest.value.evidence.read_text() == "[BOOT]"
    assert ".part" not in str(guest.value)
    assert (tmp_path / "latest" / "exit_code").read_text() == "3\n"
    with pytest.raises(OSError) as full, RunFolder("perf", tmp_path) as run:
        (run.path / "trace.log").write_text("")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), run.path / "trace.log")
    assert Path(full.value.filename).exists()
    assert (tmp_path / "latest" / "exit_code").read_text() == "5\n"


def test_an_ending_without_a_run_is_the_latest_until_the_next(tmp_path: Path) -> None:
    stored = RunFolder("perf", tmp_path).commit(RESULT)
    for said in ("usage: LOG=x", "usage: LOG=y"):
        record_ending("perf", Verdict.USAGE, said, {"report.md": said}, tmp_path)
        assert (tmp_path / "latest" / "exit_code").read_text() == "2\n"
        assert (tmp_path / "latest" / "ending.txt").read_text() == f"perf: {said}\n"
        assert len(list(tmp_path.glob(".*"))) == 1, "only the last is kept"
        with pytest.raises(UsageError, match="ended without a result"):
            saved_run(tmp_path / "latest")
    RunFolder("perf", tmp_path).commit(RESULT)
    assert (tmp_path / "latest" / "exit_code").read_text() == "0\n"
    assert not list(tmp_path.glob(".*")) and load_result(stored) == RESULT


def test_results_stands_for_the_results_folder_wherever_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout's own latest run is not the latest of another results folder."""
    own, other = tmp_path / "tree" / "results", tmp_path / "elsewhere"
    monkeypatch.setattr(store, "RESULTS_DIR", other)
    own.parent.mkdir()
    monkeypatch.chdir(own.parent)
    theirs = RunFolder("explain", own).commit(RESULT)
    for path in (None, store.LATEST):
        with pytest.raises(UsageError, match="no saved run"):
            saved_run(path)
    assert saved_run(Path("results") / theirs.name) == theirs, "named by itself, it is found"
    mine = RunFolder("perf", other).commit(RESULT)
    assert saved_run(None) == saved_run(store.LATEST) == saved_run(Path("results") / mine.name) == mine


def test_an_ending_that_cannot_be_written_says_that_latest_is_old(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(StoreError, match="still that of an earlier run"):
        record_ending("perf", Verdict.USAGE, "usage", {}, tmp_path / "results")


def test_a_run_that_failed_before_it_began_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(GuestError), RunFolder("perf", tmp_path):
        raise GuestError("no kernel")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_run_that_nobody_entered_leaves_nothing(tmp_path: Path) -> None:
    run = RunFolder("perf", tmp_path)
    (run.path / "serial.log").write_text("[BOOT]")
    del run
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_result_stays_whatever_happens_after_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as ended, RunFolder("perf", tmp_path) as run:
        final = run.commit(RESULT)
        raise KeyboardInterrupt
    assert load_result(final) == RESULT
    assert kept_of(ended.value) == KeptRun(final, True)


@pytest.mark.usefixtures("main_thread")
def test_an_interrupt_while_a_result_becomes_visible_comes_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def interrupted(source: Path, target: Path) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        rename(source, target)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(os, "rename", interrupted)
    final = RunFolder("perf", tmp_path).commit(RESULT)
    assert (tmp_path / "latest").resolve() == final
    assert signal.getsignal(signal.SIGINT) is before


def test_a_folder_that_cannot_be_renamed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    run = RunFolder("perf", tmp_path)
    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(StoreError, match="the result cannot be written: Read-only file system"):
        run.commit(RESULT)


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(StoreError, match="results cannot be written to"):
        RunFolder("perf", tmp_path / "results")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}', '{"schema": 1}'])
def test_a_damaged_result_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(Exception, match="result"):
        load_result(tmp_path)


@pytest.mark.parametrize("kind", ["gone", "a folder", "a loop", "too large", "unreadable"])
def test_a_result_that_cannot_be_opened_is_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a caller names and cannot be used is the caller's, however it cannot be."""
    path = tmp_path / "result.json"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a loop":
        path.symlink_to(path.name)
    elif kind == "too large":
        path.touch()
        os.truncate(path, 1 << 40)
    elif kind == "unreadable":

        def refuse(path: Path) -> bytes:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(store, "read_bounded", refuse)
    with pytest.raises(ReplayError, match="cannot be replayed: its result.json cannot be read: ") as refused:
        load_result(tmp_path)
    assert refused.value.verdict is Verdict.USAGE


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a binary PPM"),
        (b"P5 2 2 255\n0123", "not a binary PPM"),
        (b"P6 2 2 255\n0123456789", "cut off or too long: 10 of 12 bytes"),
        (b"P6 2 2 255\n0123456789abc", "cut off or too long: 13 of 12 bytes"),
        (b"P6 0 2 255\n", "which cannot be"),
        (b"P6 2 2 65535\n" + b"0" * 24, "which cannot be"),
        (b"P6 99999 99999 255\n", "which cannot be"),
    ],
)
def test_a_broken_picture_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        parse_ppm(content, Limits())


def test_a_picture_is_read_row_by_row() -> None:
    picture = parse_ppm(b"P6\n2 1\n255\n\x01\x02\x03\x04\x05\x06")
    assert picture.shape == (1, 2, 3)
    assert picture.tolist() == [[[1, 2, 3], [4, 5, 6]]]


def test_the_next_run_clears_what_killed_ones_left_and_nothing_else(tmp_path: Path) -> None:
    RunFolder("perf", tmp_path).commit(RESULT)
    living = RunFolder("ab", tmp_path)
    with passing_folder(tmp_path, "20260101T000000Z-perf") as arriving:
        for name in (".20260101T000000Z-perf-0123abcd.part", ".ended-0123abcd"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "serial.log").write_text("x")
        (tmp_path / ".latest-0123abcd").symlink_to("old")
        (tmp_path / ".mine").mkdir()
        RunFolder("next", tmp_path).discard()
        assert {path.name for path in tmp_path.glob(".*")} == {living.path.name, arriving.name, ".mine"}
    assert not arriving.exists() and living.path.is_dir()
    record_ending("perf", Verdict.USAGE, "usage", {}, tmp_path)
    RunFolder("next", tmp_path).discard()
    assert (tmp_path / "latest" / "exit_code").read_text() == "2\n"
    assert load_result(living.commit(RESULT)) == RESULT


def test_a_result_that_could_not_be_stored_whole_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, content: str) -> None:
        if path.name == "exit_code" and content == "0\n":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_whole(path, content)

    monkeypatch.setattr("harness.platform.files.store.write_whole", write)
    with pytest.raises(StoreError), RunFolder("perf", tmp_path) as run:
        run.commit(RESULT)
    assert (tmp_path / "latest" / "exit_code").read_text() == "5\n"
    assert not list(tmp_path.glob("*/result.json"))
