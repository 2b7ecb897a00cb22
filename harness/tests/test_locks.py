"""Locks have a time limit, name their holder, and end with him."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.model.errors import StoreError
from harness.model.spec import ROOT
from harness.platform.files.locks import Busy, lock

_HOLDER = """
import signal, sys
from pathlib import Path
from harness.platform.files.locks import lock
with lock(Path(sys.argv[1]), wait_s=0, purpose="approve"):
    print(flush=True)
    signal.pause()
"""


def start_holder(path: Path) -> subprocess.Popen[bytes]:
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline()
    holder.stdout.close()
    return holder


def test_the_holder_is_named_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    holder = start_holder(path)
    began = time.monotonic()
    with pytest.raises(Busy, match=rf"held by process {holder.pid}, approve and did not let go within 0.2 s"):
        with lock(path, wait_s=0.2, purpose="test"):
            pass
    assert 0.2 <= time.monotonic() - began < 60
    holder.kill()
    holder.wait()
    with lock(path, wait_s=0, purpose="a word"):
        assert path.read_text() == f"process {os.getpid()}, a word\n"


def test_one_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    with lock(tmp_path / "l", wait_s=0, purpose="test"):
        with pytest.raises(Busy):
            with lock(tmp_path / "l", wait_s=0, purpose="test"):
                pass


def test_who_waits_gets_it(tmp_path: Path) -> None:
    holder = start_holder(tmp_path / "l")
    waiter = subprocess.Popen(
        [sys.executable, "-c", _HOLDER.replace("wait_s=0", "wait_s=30"), str(tmp_path / "l")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    holder.kill()
    holder.wait()
    assert waiter.stdout is not None and waiter.stdout.readline() == b"\n"
    waiter.kill()
    waiter.wait()
    waiter.stdout.close()


def test_a_place_that_takes_no_lock_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        with lock(tmp_path / "file" / "lock", wait_s=0, purpose="test"):
            pass
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        with lock(tmp_path / "link", wait_s=0, purpose="test"):
            pass
