"""Kernels that fail as kernels do, under a real QEMU: each is named within its limit, and blamed on the right one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.model.errors import GuestError
from harness.model.spec import FOREIGN, ROOT, Limits, Machine, RunSpec
from harness.platform.machine.ending import Ending
from harness.platform.machine.qemu import Qemu
from harness.robustness.tinyguest import FLOOD, HALT, TRIPLE_FAULT, leave, tiny_guest
from harness.tests.conftest import Mounted

pytestmark = pytest.mark.qemu

LIMITS = Limits(first_byte_s=2.0, first_frame_s=2.0, frame_s=1.0, shutdown_s=2.0, qmp_s=5.0, serial_bytes=10_000)


def launch(folder: Path, code: str, text: bytes = b"") -> Qemu:
    machine = Machine(vcpus=1, maxcpus=2, memory_mib=32)
    return Qemu(RunSpec(tiny_guest(folder, code, text), machine, capabilities=FOREIGN, limits=LIMITS), folder / "run")


def ending(folder: Path, code: str, text: bytes = b"[BOOT] kernel=tiny\n") -> Ending:
    with launch(folder, code, text) as machine:
        return machine.wait_end(60)


def test_a_silent_guest(tmp_path: Path) -> None:
    with launch(tmp_path, HALT) as machine:
        with pytest.raises(GuestError, match="no first serial line within 2 s"):
            machine.wait_for(b"[BOOT]", LIMITS.first_byte_s, "first serial line")
        with pytest.raises(GuestError, match="no frame within 2 s of the launch"):
            machine.wait_first_flush()


def test_a_guest_that_stops_inside_a_record_hangs(tmp_path: Path) -> None:
    with launch(tmp_path, HALT, b"[BOOT] kernel=tiny\n[VIRTIO PERF] fences=2 spi") as machine:
        machine.wait_for(b"[BOOT]", 60, "first serial line")
        with pytest.raises(GuestError, match="hangs: neither a frame nor a serial line for 1 s"):
            machine.wait_end(60)
    assert machine.serial_path.read_bytes().endswith(b"fences=2 spi")


def test_progress_is_seen_and_its_absence_named(tmp_path: Path) -> None:
    with launch(tmp_path, FLOOD) as machine:
        machine.wait_progress()
    with launch(tmp_path, HALT, b"up\n") as machine:
        machine.wait_for(b"up\n", 60, "first serial line")
        with pytest.raises(GuestError, match="hangs: neither a frame nor a serial line for 1 s"):
            machine.wait_progress()
    with launch(tmp_path, leave(1)) as machine:
        with pytest.raises(GuestError, match="the guest ended too early: .* failing status"):
            machine.wait_progress()


def test_a_flood_is_stopped_and_not_kept(tmp_path: Path) -> None:
    with launch(tmp_path, FLOOD) as machine:
        with pytest.raises(GuestError, match="the serial line brought more than 10000 bytes"):
            machine.wait_end(60)
    assert machine.serial_path.stat().st_size <= LIMITS.serial_bytes


def test_bytes_that_are_no_text_are_kept_as_they_are(tmp_path: Path) -> None:
    noise = bytes(range(1, 256))
    with launch(tmp_path, leave(1), noise) as machine:
        assert not machine.wait_end(60).clean
    assert machine.console.content() == noise


@pytest.mark.parametrize(("value", "code"), [(1, 3), (16, 33)])
def test_a_failing_status_is_the_guests(tmp_path: Path, value: int, code: int) -> None:
    assert ending(tmp_path, leave(value)) == Ending(False, f"the guest ended with a failing status (QEMU's is {code})")


def test_a_guest_that_failed_is_quoted(tmp_path: Path) -> None:
    """With what its driver complained of, as far as a sentence can hold and a terminal can show it."""
    said = b"[BOOT] kernel=tiny\nvirtio-gpu: no \x1b[31mluck \xff" + b"x" * 200 + b"\n[VIRTIO PERF] fences=2\n[DONE]\n"
    found = ending(tmp_path, leave(1), said)
    assert not found.clean
    quoted = re.fullmatch(r"the guest ended with .*: (virtio-gpu: no luck \\xffx{100,}…)", found.reason)
    assert quoted is not None and len(quoted[1]) == 160, found.reason


def test_a_triple_fault_is_no_clean_end(tmp_path: Path) -> None:
    assert ending(tmp_path, TRIPLE_FAULT) == Ending(False, "guest-reset")


def test_an_end_before_the_first_frame_says_how(tmp_path: Path) -> None:
    with launch(tmp_path, leave(1)) as machine:
        with pytest.raises(GuestError, match="no frame was shown: the guest ended with a failing status"):
            machine.wait_first_flush()


def test_a_machine_that_waits_prints_nothing_until_it_may(tmp_path: Path) -> None:
    image = tiny_guest(tmp_path, HALT, b"up\n")
    spec = RunSpec(image, Machine(vcpus=1, maxcpus=2, memory_mib=32), capabilities=FOREIGN, limits=LIMITS)
    with Qemu(spec, tmp_path / "run", paused=True) as machine:
        assert machine.qmp.execute("query-status")["running"] is False
        assert machine.console.size == 0
        machine.qmp.execute("cont")
        machine.wait_for(b"up", 60, "first serial line")


_FULL = """
import sys
from pathlib import Path
from harness.platform.machine.qemu import Qemu
from harness.model.spec import FOREIGN, Limits, Machine, RunSpec
spec = RunSpec(Path(sys.argv[1]), Machine(vcpus=1, maxcpus=2, memory_mib=32), capabilities=FOREIGN,
               limits=Limits(frame_s=1.0))
with Qemu(spec, Path(sys.argv[2]) / "run") as machine:
    machine.wait_for(b"up", 60, "first serial line")
    with open(Path(sys.argv[2]) / "filler", "wb", buffering=0) as filler:
        try:
            while filler.write(bytes(512)):
                pass
        except OSError:
            pass
    machine.wait_end(60)
"""


def test_a_full_disk_is_not_taken_for_a_guest_that_hangs(tmp_path: Path, mounted: Mounted) -> None:
    (tmp_path / "small").mkdir()
    command = mounted(tmp_path / "small", "size=256k")
    image = tiny_guest(tmp_path, HALT, b"up\n")
    done = subprocess.run(
        [*command, sys.executable, "-c", _FULL, str(image), str(tmp_path / "small")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "StoreError: the run's logs cannot be written: No space left on device" in done.stderr, done.stderr
