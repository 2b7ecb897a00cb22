"""Children end with the harness, and take along what they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from harness.model.spec import ROOT
from harness.platform.host.load import competing_load
from harness.platform.machine.pin import CoreVanished, PinRights, pin_process, prefer_main_thread, probe_rights
from harness.platform.machine.qemu import Threads
from harness.platform.processes.child import (
    ChildError,
    clean_environment,
    end_child,
    run_child,
    start_child,
    stop_child,
)

FAMILY = 'sleep 60 & echo $! >"$0"; wait'
"""A shell with a child, whose number it writes down."""


def wait_until_gone(pid: int) -> bool:
    """Whether a process has ended within a minute; a zombie has."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def read_number(path: Path) -> int:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(path.read_text())


def test_a_child_says_what_it_was_told_to(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        child = start_child(["sh", "-c", 'echo "$1"; exit 7', "sh", "a 'b' $c"], stdout=out)
        assert child.wait(60) == 7
    assert (tmp_path / "out").read_text() == "a 'b' $c\n"


def test_the_family_of_a_child_ends_with_it(tmp_path: Path) -> None:
    child = start_child(["sh", "-c", FAMILY, str(tmp_path / "pid")])
    grandchild = read_number(tmp_path / "pid")
    end_child(child)
    assert child.returncode == -signal.SIGKILL
    assert wait_until_gone(grandchild)
    end_child(child)  # harmless


_PARENT = """
import sys, time
from harness.platform.processes.child import start_child
child = start_child(["sleep", "60"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_child_does_not_outlive_a_killed_harness() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.kill()
    parent.wait(60)
    parent.stdout.close()
    assert wait_until_gone(child)


def test_a_child_whose_harness_is_gone_already_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment between fork and the death signal: another parent than the one that was written down."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    child = start_child(["touch", str(tmp_path / "began")])
    assert child.wait(60) != 0
    assert not (tmp_path / "began").exists()


def test_a_thread_other_than_the_main_one_may_not_start_children() -> None:
    caught: list[BaseException] = []

    def start() -> None:
        try:
            start_child(["true"])
        except AssertionError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_a_missing_setpriv_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ChildError, match="setpriv.* install the package util-linux"):
        start_child(["true"])


def test_children_see_next_to_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCH", "vax")
    monkeypatch.setenv("LD_PRELOAD", "/nonexistent.so")
    assert set(clean_environment()) <= {"PATH", "HOME", "TMPDIR", "LC_ALL"}


def test_a_load_runs_while_somebody_looks() -> None:
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    with competing_load(2):
        busy = {one.pid for one in psutil.Process().children(recursive=True)} - before
        assert len(busy) == 2
    assert all(wait_until_gone(pid) for pid in busy)


def test_rights_are_probed_without_a_trace() -> None:
    before = os.sched_getaffinity(0), os.sched_getscheduler(0)
    rights = probe_rights()
    assert (os.sched_getaffinity(0), os.sched_getscheduler(0)) == before
    assert set(rights.cores) == before[0]


def test_rights_that_are_refused_are_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert probe_rights() == PinRights(tuple(sorted(os.sched_getaffinity(0))), affinity=False, realtime=False)


def test_every_thread_of_a_process_is_pinned() -> None:
    code = "import threading, time\nfor _ in range(3): threading.Thread(target=time.sleep, args=(60,)).start()"
    child = start_child([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 60
        while len(os.listdir(f"/proc/{child.pid}/task")) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        core = max(os.sched_getaffinity(0))
        pin_process(child.pid, core)
        for name in os.listdir(f"/proc/{child.pid}/task"):
            assert os.sched_getaffinity(int(name)) == {core}
        if probe_rights().realtime:
            prefer_main_thread(Threads(child.pid, ()))
            assert os.sched_getscheduler(child.pid) == os.SCHED_FIFO
    finally:
        end_child(child)
    pin_process(child.pid, core)  # gone: nothing to pin, nothing to complain of
    prefer_main_thread(Threads(child.pid, ()))


def test_a_core_that_vanished_is_named() -> None:
    with pytest.raises(CoreVanished, match="core 1023"):
        pin_process(os.getpid(), 1023)


def test_what_a_tool_says_is_kept_apart(tmp_path: Path) -> None:
    done = run_child(["sh", "-c", "pwd; echo no >&2; exit 3"], limit_s=60, cwd=tmp_path)
    assert (done.status, done.text, done.errors) == (3, f"{tmp_path}\n", ("no",))
    merged = run_child(["sh", "-c", "echo a; echo b >&2"], limit_s=60, merged=True)
    assert (merged.text, merged.stderr) == ("a\nb\n", b"")


def test_a_tool_that_floods_is_ended() -> None:
    with pytest.raises(ChildError, match="yes says more than 100000 bytes"):
        run_child(["yes"], limit_s=60, output_bytes=100_000)


@pytest.mark.slow
def test_a_tool_that_hangs_is_ended_with_its_family(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="has not ended after 2 s"):
        run_child(["sh", "-c", FAMILY, str(tmp_path / "pid")], limit_s=2)
    assert wait_until_gone(read_number(tmp_path / "pid"))


def test_a_tool_that_leaves_a_child_behind_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    assert run_child(["sh", "-c", "echo said; setsid sleep 600 & exit 0"], limit_s=60).text == "said\n"
    assert time.monotonic() - began < 60


@pytest.mark.slow
def test_a_tool_that_closes_its_output_is_waited_for() -> None:
    assert run_child(["sh", "-c", "exec >&- 2>&-; sleep 0.4; exit 9"], limit_s=60).status == 9


def test_a_tool_that_does_not_exist_is_named() -> None:
    with pytest.raises(ChildError, match="no-such-tool is not installed"):
        run_child(["no-such-tool"], limit_s=60)


def test_a_child_may_clean_up_before_it_ends(tmp_path: Path) -> None:
    script = "trap 'touch \"$0\"; exit 0' TERM; echo; while :; do sleep 0.05; done"
    with open(tmp_path / "out", "wb") as out:
        child = start_child(["sh", "-c", script, str(tmp_path / "clean")], stdout=out)
        while not (tmp_path / "out").stat().st_size:
            time.sleep(0.01)
        stop_child(child, 60)
    assert child.returncode == 0 and (tmp_path / "clean").exists()


def test_a_place_for_temporary_files_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(ChildError, match="true cannot be given its input in .*/gone: No such file or directory"):
        run_child(["true"], limit_s=10)


def test_what_a_tool_reads_may_be_longer_than_a_pipe() -> None:
    content = bytes(range(256)) * 4096
    assert run_child(["cat"], limit_s=60, given=content).stdout == content
    assert run_child(["cat"], limit_s=60).stdout == b""
