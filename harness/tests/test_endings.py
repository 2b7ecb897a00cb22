"""The guest is never blamed for what the host does to QEMU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.model.errors import HarnessError
from harness.model.record import Ending
from harness.model.spec import ROOT, Machine, RunParams, RunSpec, Switches, Verdict
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.ending import ending_of
from harness.platform.machine.host_doing import HostEnded, is_frozen
from harness.platform.machine.qemu import FRAME_EVENTS, Qemu
from harness.robustness.tinyguest import HALT, leave
from harness.tests.test_guests import ending, launch

MACHINE = Machine(vcpus=1, maxcpus=2)


@pytest.fixture(scope="module")
def kernel() -> Path:
    return build_kernel(Switches()).path


@pytest.mark.parametrize("said", [b"", b"qemu-system-x86_64: warning: TCG is slow\n"])
def test_status_1_without_a_word_is_the_guest_s(said: bytes) -> None:
    assert ending_of("x86_64", 1, [], "out of luck", said) == Ending(
        False, "the guest ended with a failing status (QEMU's is 1): out of luck"
    )


@pytest.mark.parametrize(("arch", "said"), [("x86_64", b"qemu-system-x86_64: cannot allocate\n"), ("aarch64", b"")])
def test_status_1_is_else_qemu_s_own(arch: str, said: bytes) -> None:
    assert ending_of(arch, 1, [], "", said) is None


@pytest.mark.qemu
def test_nought_written_to_the_exit_device_is_the_guest_s_ending(tmp_path: Path) -> None:
    assert ending(tmp_path, leave(0)) == Ending(False, "the guest ended with a failing status (QEMU's is 1)")


@pytest.mark.qemu
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_ends_qemu_is_the_host_s(tmp_path: Path, how: signal.Signals) -> None:
    with launch(tmp_path, HALT, b"up\n") as machine:
        machine.wait_for(b"up", 60, "first serial line")
        os.kill(machine.pid, how)
        with pytest.raises(HostEnded, match="ended from outside: host-signal") as caught:
            machine.wait_end(60)
    assert caught.value.verdict is Verdict.HARNESS_FAILED


@pytest.mark.qemu
def test_a_signal_before_the_first_line_is_the_host_s(tmp_path: Path) -> None:
    with launch(tmp_path, HALT) as machine:
        os.kill(machine.pid, signal.SIGTERM)
        with pytest.raises(HostEnded, match="host-signal"):
            machine.wait_for(b"[BOOT]", 60, "first serial line")


@pytest.mark.qemu
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_machine_that_was_stopped_is_not_taken_for_one_that_hangs(tmp_path: Path, goes_on: bool) -> None:
    with launch(tmp_path, HALT, b"up\n") as machine:
        machine.wait_for(b"up", 60, "first serial line")
        os.kill(machine.pid, signal.SIGSTOP)
        if goes_on:
            time.sleep(0.05)
            os.kill(machine.pid, signal.SIGCONT)
        with pytest.raises(HarnessError, match="stopped and continued" if goes_on else "was stopped from") as caught:
            machine.wait_end(60)
    assert caught.value.verdict is Verdict.HARNESS_FAILED


@pytest.mark.parametrize(("events", "frozen"), [("populated 1\nfrozen 1\n", True), ("populated 1\nfrozen 0\n", False)])
def test_a_frozen_control_group_is_seen(tmp_path: Path, events: str, frozen: bool) -> None:
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cgroup").write_text("1:name=x:/y\n0::/user/run\n", encoding="utf-8")
    (tmp_path / "groups/user/run").mkdir(parents=True)
    (tmp_path / "groups/user/run/cgroup.events").write_text(events, encoding="utf-8")
    assert is_frozen(7, tmp_path / "proc", tmp_path / "groups") is frozen
    assert not is_frozen(8, tmp_path / "proc", tmp_path / "groups")


@pytest.mark.qemu
@pytest.mark.full
@pytest.mark.parametrize("point", range(20))
def test_no_moment_of_a_stop_or_an_end_is_blamed_on_the_guest(kernel: Path, tmp_path: Path, point: int) -> None:
    """From the launch to the records' printing: a stop of half a second, or a signal that ends QEMU, by turns."""
    spec = RunSpec(kernel, MACHINE, RunParams(seconds=1.0, mode=(320, 240)))
    with pytest.raises(HarnessError) as caught, Qemu(spec, tmp_path / "run", FRAME_EVENTS) as machine:
        time.sleep(point * 0.06)
        if point % 2:
            os.kill(machine.pid, signal.SIGSTOP)
            time.sleep(0.5)
            os.kill(machine.pid, signal.SIGCONT)
        else:
            os.kill(machine.pid, signal.SIGTERM if point % 4 else signal.SIGHUP)
        machine.wait_for(b"[BOOT]", machine.limits.first_byte_s, "first serial line")
        machine.wait_first_flush()
        machine.wait_end(60)
    assert caught.value.verdict is Verdict.HARNESS_FAILED, caught.value


def run_boot(*words: str, ended_by: signal.Signals | None = None, after_s: float = 0.0) -> tuple[int, str]:
    """Exit code and words of boot, perhaps ended by a signal once the guest draws."""
    command = [sys.executable, "-m", "harness", "boot", "MODE=320x240", *words]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert child.stdout is not None
    said = ""
    try:
        if ended_by is not None:
            while "driver probe succeeded" not in said:
                line = child.stdout.readline()
                assert line, said
                said += line
            time.sleep(after_s)
            child.send_signal(ended_by)
        rest, _ = child.communicate(timeout=150)
    finally:
        child.kill()
        child.wait()
    return child.returncode, said + rest


@pytest.mark.qemu
def test_boot_passes_for_a_guest_that_spoke_and_drew() -> None:
    code, said = run_boot("BOOT_LOG_TIMEOUT=4")
    assert code == 0, said
    code, said = run_boot(ended_by=signal.SIGINT, after_s=1.0)
    assert code == 0 and "ended by the user" in said, said


@pytest.mark.qemu
def test_boot_does_not_pass_when_it_is_terminated() -> None:
    code, said = run_boot(ended_by=signal.SIGTERM, after_s=1.0)
    assert code == 5 and "SIGTERM" in said, said


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("fault", "says"),
    [("boot_silent", "said nothing on its serial line and showed no frame"), ("panic", "the guest panicked")],
)
def test_boot_fails_for_a_guest_that_shows_nothing_or_panics(fault: str, says: str) -> None:
    code, said = run_boot(f"FAULT={fault}", "BOOT_LOG_TIMEOUT=11")
    assert code == 3 and says in said, said
