"""Children end with the harness, and take along what they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from harness.model.spec import ROOT
from harness.platform.child import ChildError, clean_environment, end_child, start_child
from harness.platform.load import competing_load
from harness.platform.pin import CoreVanished, PinRights, pin_process, prefer_main_thread, probe_rights
from harness.platform.qemu import Threads

FAMILY = 'sleep 60 & echo $! >"$0"; wait'
"""A shell with a child, whose number it writes down."""


def wait_until_gone(pid: int) -> bool:
    """Whether a process has ended within a few seconds; a zombie has."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def read_number(path: Path) -> int:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(path.read_text())


def test_a_child_says_what_it_was_told_to(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        child = start_child(["sh", "-c", 'echo "$1"; exit 7', "sh", "a 'b' $c"], stdout=out)
        assert child.wait(10) == 7
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
from harness.platform.child import start_child
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
    parent.wait(10)
    parent.stdout.close()
    assert wait_until_gone(child)


def test_a_child_whose_harness_is_gone_already_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment between fork and the death signal: another parent than the one that was written down."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    child = start_child(["touch", str(tmp_path / "began")])
    assert child.wait(10) != 0
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
        deadline = time.monotonic() + 10
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
