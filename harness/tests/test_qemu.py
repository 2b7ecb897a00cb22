"""Launching and ending QEMU, with programs in its place that fail in every way that QEMU can."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from harness.model.errors import GuestError, QemuError, QmpError
from harness.model.spec import Limits, Machine, RunParams, RunSpec, Switches, Verdict
from harness.platform.host.probe import qemu_version
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.qemu import Qemu
from harness.tests.programs import assert_dies_with, fake_program

QUICK = Limits(first_byte_s=1.0, first_frame_s=1.5, frame_s=1.0, shutdown_s=1.0, qmp_s=1.0)
MACHINE = Machine(vcpus=1, maxcpus=2)


@pytest.fixture(scope="module")
def kernel() -> Path:
    return build_kernel(Switches()).path


def fake_qemu(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a shell script in QEMU's place; it finds the monitor's descriptor in $QMP, the serial line's in $SERIAL."""
    find = "QMP=$(echo \"$*\" | sed 's/.*id=qmp,fd=\\([0-9]*\\).*/\\1/')\n"
    find += "SERIAL=$(echo \"$*\" | sed 's/.*\\/proc\\/self\\/fd\\/\\([0-9]*\\).*/\\1/')\n"
    fake_program(folder, "qemu-system-x86_64", f"{find}{script}", "/bin/bash")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


GREETING = '{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}, "capabilities": []}}'
ONE = "read -r line <&$QMP; echo '{\"return\": {}}' >&$QMP"
ANSWER = f"echo '{GREETING}' >&$QMP; {ONE}; {ONE}"
"""A monitor that greets and answers the two commands of a launch."""


def test_a_missing_qemu_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QemuError, match="qemu-system-x86_64 is not installed: install the package qemu-system-x86"):
        qemu_version("x86_64")
    with pytest.raises(QemuError, match="not installed"), Qemu(RunSpec(Path("none"), MACHINE), tmp_path / "run"):
        pass


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'QEMU emulator version 6.2.0'", "is 6.2.0, at least 7.2 is needed"),
        ("echo 'nothing of the kind'", "names no version"),
        ("echo 'QEMU emulator version 8.0.1'", "has no virtio-gpu-pci"),
    ],
)
def test_a_qemu_that_will_not_do_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    fake_qemu(tmp_path, monkeypatch, script)
    with pytest.raises(QemuError, match=says):
        qemu_version("x86_64")


@pytest.mark.parametrize(
    ("script", "error", "says"),
    [
        ("echo 'bad option' >&2; exit 1", QemuError, r"did not start \(status 1\): .*bad option"),
        ("sleep 600", QmpError, "greeting: no answer within 1 s"),
        ("exec {QMP}>&-; sleep 600", QmpError, "closed the monitor|no answer"),
        ("echo 'not json' >&$QMP; sleep 600", QmpError, "not JSON"),
        ("head -c 3000000 /dev/zero | tr '\\0' 'x' >&$QMP; sleep 600", QmpError, "a line of more than"),
        ("kill -SEGV $$", QemuError, r"did not start \(SIGSEGV\)"),
    ],
)
@pytest.mark.slow
def test_a_start_that_fails_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type[Exception], says: str
) -> None:
    fake_qemu(tmp_path, monkeypatch, script)
    limits = QUICK if "no answer" in says else Limits(qmp_s=60.0)
    with pytest.raises(error, match=says), Qemu(RunSpec(Path("none"), MACHINE, limits=limits), tmp_path / "run"):
        pass
    assert not _children()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("sleep 600", "no first serial line within 1 s"),
        ("echo '[PANIC] main.c:1 out of luck' >&$SERIAL; sleep 600", "panicked: main.c:1 out of luck"),
        ("head -c 30000 /dev/zero | tr '\\0' 'x' >&$SERIAL; sleep 600", "brought more than"),
        ("printf '\\377\\376\\200 noise' >&$SERIAL; sleep 600", "no first serial line within 1 s"),
        ("kill -9 $$", "ended by SIGKILL from outside"),
        ("kill -SEGV $$", "ended by SIGSEGV"),
        ("echo 'cannot allocate' >&2; exit 1", "ended with status 1: cannot allocate"),
        ("exit 3", "ended before first serial line"),
        ("exit 0", "ended before first serial line"),
    ],
)
@pytest.mark.slow
def test_a_guest_that_fails_is_named_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    fake_qemu(tmp_path, monkeypatch, f"{ANSWER}; {script}")
    limits = Limits(first_byte_s=1.0 if "within 1 s" in says else 60.0, shutdown_s=1.0, qmp_s=60.0, serial_bytes=10_000)
    begun = time.monotonic()
    with pytest.raises((GuestError, QemuError), match=says):
        with Qemu(RunSpec(Path("none"), MACHINE, limits=limits), tmp_path / "run") as machine:
            machine.wait_for(b"[BOOT]", machine.limits.first_byte_s, "first serial line")
    assert time.monotonic() - begun < 60, "limits hold"
    assert not _children()


def _children() -> list[psutil.Process]:
    """Processes of ours that are QEMU or stand for it."""
    return [one for one in psutil.Process().children(recursive=True) if "qemu" in " ".join(one.cmdline())]


@pytest.mark.qemu
def test_a_run_ends_cleanly_and_leaves_nothing(kernel: Path, tmp_path: Path) -> None:
    spec = RunSpec(kernel, MACHINE, RunParams(frames=5))
    with Qemu(spec, tmp_path / "run") as machine:
        machine.wait_first_flush()
        assert machine.wait_end(60).clean
    assert b"[DONE] status=ok" in machine.console.content()
    assert not _children()


@pytest.mark.qemu
def test_qemu_killed_from_outside_is_said_so(kernel: Path, tmp_path: Path) -> None:
    with Qemu(RunSpec(kernel, MACHINE, RunParams(seconds=30.0)), tmp_path / "run") as machine:
        machine.wait_first_flush()
        os.kill(machine.pid, signal.SIGKILL)
        with pytest.raises(QemuError, match="ended by SIGKILL from outside") as caught:
            machine.wait_end(60)
    assert caught.value.verdict is Verdict.HARNESS_FAILED


_HOLD = """
import signal, sys, time
from pathlib import Path
from harness.platform.machine.qemu import Qemu
from harness.model.spec import Machine, RunParams, RunSpec
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
with Qemu(RunSpec(Path(sys.argv[1]), Machine(vcpus=1, maxcpus=2), RunParams(seconds=60.0)), Path(sys.argv[2])) as one:
    one.wait_first_flush()
    print(one.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.qemu
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_qemu_does_not_outlive_the_harness(kernel: Path, tmp_path: Path, how: signal.Signals) -> None:
    assert_dies_with(_HOLD, str(kernel), str(tmp_path / "run"), how=how)
